"""Files of runs: what goes out (``outgoing.py``, ``render*.py``) and what comes in (``incoming.py``)."""
