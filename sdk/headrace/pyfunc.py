"""Any model as one that predicts, as ``mlflow.pyfunc``: whichever flavour its folder has."""

from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models import folder as folders
from headrace.models.signature import ModelSignature
from headrace.models.storing import fetched
from headrace.types.schema import Schema

_FLAVORS = ("sklearn", "xgboost", "lightgbm")


class PyFuncModel:
    """A model whose :meth:`predict` takes data frames and arrays."""

    def __init__(self, model: Any, flavor: str, told: dict[str, Any]) -> None:
        self._model = model
        self._flavor = flavor
        self.metadata = told

    @property
    def signature(self) -> ModelSignature | None:
        """What it takes and gives, if that was said."""
        told = self.metadata.get("signature") or {}
        inputs, outputs = (
            Schema.from_json(told[name]) if told.get(name) else None for name in ("inputs", "outputs")
        )
        return ModelSignature(inputs, outputs) if inputs or outputs else None

    def predict(self, data: Any) -> Any:
        """What the model answers."""
        if self._flavor == "xgboost" and type(self._model).__name__ == "Booster":
            return self._model.predict(import_module("xgboost").DMatrix(data))
        return self._model.predict(data)

    def unwrap_python_model(self) -> Any:
        """The model as its library has it."""
        return self._model


def load_model(model_uri: str | Path, dst_path: str | Path | None = None) -> PyFuncModel:
    """A model of any flavour that Headrace has; arguments as of :func:`headrace.sklearn.load_model`."""
    path = fetched(model_uri, dst_path)
    told = folders.read(path)
    flavor = next((name for name in _FLAVORS if name in told["flavors"]), None)
    if flavor is None:
        raise InvalidArgumentError(
            "model", f"has the flavors {', '.join(told['flavors'])}; Headrace has {', '.join(_FLAVORS)}"
        )
    return PyFuncModel(import_module(f"headrace.{flavor}").load_model(path), flavor, told)
