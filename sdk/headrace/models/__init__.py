"""Models as folders, as ``mlflow.models``: an ``MLmodel`` file that says what is in it, and files.

``signature.py`` describes inputs and outputs, ``folder.py`` writes and reads the folder, ``flavor.py`` is
what ``headrace.sklearn`` and the others are made of. MLflow's loaders read these folders.
"""

from headrace.models.from_code import ModelConfig, set_model
from headrace.models.signature import ModelSignature, infer_signature

__all__ = ["ModelConfig", "ModelSignature", "infer_signature", "set_model"]
