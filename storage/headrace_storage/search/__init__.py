"""Searching runs: the language of filters and orders, and their evaluation over columns. Pure: no I/O.

``grammar.py`` turns text into conditions, ``columns.py`` holds the values of many runs, ``evaluate.py`` says
which runs match and ``order.py`` in which order they come. Where the values come from, and why they are
current, is written in ``catalog/search.py``.
"""
