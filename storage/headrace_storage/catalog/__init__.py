"""The catalog: everything about runs except their metric history, and which segments hold that.

Start with ``migrations/0001_catalog.sql`` (what is stored), then ``commit.py`` (the one transaction that
makes a group durable and visible) and its function in ``migrations/0002_commit.sql``. ``database.py``
holds the pool, the order of locks and what errors mean.
"""
