"""``headrace import mlflow``: everything of an MLflow store, read through MLflow's library, logged as a training is.

``importer.py`` is the whole from above. What reads is in ``source.py`` (``file_store.py``: what is broken there),
what writes in ``runs.py``, ``files.py``, ``models.py`` and ``registry.py``; ``destination.py`` asks the daemon.

An import may be killed at any time. Ids are kept, so the next one sees what is there. A run gets the tag
:data:`~headrace.importing.destination.DONE` when its numbers were compared and agreed. Of one that lacks it,
what is there is compared point by point with the source, after what the killed process left in its journal has
been delivered: only the rest is logged.
"""
