"""The shipper: one loop that carries journals to a daemon and brings back what became of them.

Start with ``session.py`` (what may be sent when, without I/O) and ``shipper.py`` (the loop). The loop runs
in a thread of the training process (``runtime.py``) or in a process of its own (``sync.py``).
"""
