"""What the daemon serves over HTTP, in its own loop.

Start reading with ``app.py``, the table of routes; ``gate.py`` is the one door that every request passes.
"""
