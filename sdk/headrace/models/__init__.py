"""Models as folders, as ``mlflow.models``: an ``MLmodel`` file that says what is in it, and files.

``signature.py`` describes inputs and outputs, ``folder.py`` writes and reads the folder, ``flavor.py`` is
what ``headrace.sklearn`` and the others are made of. MLflow's loaders read these folders.
"""

from headrace.models.signature import ModelSignature, infer_signature

__all__ = ["ModelSignature", "infer_signature"]
