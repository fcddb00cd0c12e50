"""Benchmarks that assert that the data arrived: ``python -m benchmarks [NAME...]``.

``workloads/`` holds one file for each; start with ``workloads/scalar.py``. Every workload logs through the
public API to a real daemon process on a temporary folder, waits until the last point is durable, and reads
everything back before its figures count. ``harness.py`` repeats it and takes medians.
"""
