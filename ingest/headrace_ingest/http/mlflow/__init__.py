"""MLflow's REST API, so that its own clients work unmodified: a file for each resource.

Start reading with ``routes.py``. Rules are not here: they are those of ``headrace_ingest.tracking`` and of
storage, but for what only MLflow's API has (``names.py``).
"""
