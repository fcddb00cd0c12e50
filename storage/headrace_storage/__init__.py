"""The engine: a PostgreSQL catalog of metadata, and Parquet segments of metric history.

Start with ``model.py`` (what the engine speaks), then ``catalog/commit.py`` (the one transaction that
makes a group durable and visible) and ``history.py`` (one snapshot of the catalog, then the segments);
``charts.py`` is its coarser sister. Knows neither gRPC nor protobuf.
"""
