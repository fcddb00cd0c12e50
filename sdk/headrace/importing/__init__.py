"""``headrace import mlflow``: all of an MLflow store, read by MLflow's library, logged as trainings log.

``importer.py`` is the whole from above. What reads is in ``source.py`` (``file_store.py``: what may be broken
there), what writes in ``runs.py``, ``files.py``, ``models.py`` and ``registry.py``; ``destination.py`` asks
the daemon.

An import may be killed at any time. Ids are kept, so the next one sees what is there. The tag
:data:`~headrace.importing.destination.DONE` of a run holds what the source had of it, from when it was
compared. Of a run without it, what is there is compared point by point with the source, after what the killed
process left in its journal has been delivered: only the rest is logged.
"""
