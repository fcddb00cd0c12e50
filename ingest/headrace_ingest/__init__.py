"""The daemon: journals come in over gRPC, one PostgreSQL transaction makes them durable and visible.

Start with ``service.py`` (the stream), then ``session.py`` and ``decode.py`` (decisions without I/O), then
``committer.py`` (the group commit). ``app.py`` puts the parts together; ``main.py`` is the program.
"""
