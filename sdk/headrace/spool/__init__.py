"""Files on their way: what ``log_artifact`` was given, secured beside the journals before the call returns.

One folder per process and tracking URI, with the control page, locks and rejects of a journal, so that
whoever ships journals ships it too. Start reading with ``spool.py`` (the writing side), then ``reader.py``.
"""
