"""Metric history as segments: sorted Parquet objects, and small ones as bytes in the catalog.

Start with ``schema.py`` (what lies in a file), then ``write.py`` and ``read.py``. In memory, points are
always :class:`~headrace_storage.model.Rows`; ``columns.py`` sorts, joins and selects them. ``rollups.py`` is
what charts read instead of points.
"""
