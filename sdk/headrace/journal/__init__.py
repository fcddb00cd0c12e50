"""The journal: where a point is once ``log_metric`` has returned.

One writer = one folder = one sequence. Start with ``layout.py`` (what lies in the folder), then
``writer.py`` and ``run_log.py`` (the hot path); ``reader.py`` is the shipper's side; ``folder.py`` knows
whose journal it is and what was left behind. Standard library only.
"""
