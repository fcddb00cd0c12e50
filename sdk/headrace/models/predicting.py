"""A model of any flavour as one that predicts."""

from collections.abc import Mapping
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models.flavor import Flavor
from headrace.models.python_model import Loaded
from headrace.models.signature import ModelSignature
from headrace.types.schema import Schema


class PyFuncModel:
    """A model whose :meth:`predict` takes data frames and arrays."""

    def __init__(self, model: Any, flavor: Flavor, told: dict[str, Any]) -> None:
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

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """What the model answers."""
        return self._flavor.predict(self._model, data, params)

    def predict_stream(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """What a :class:`PythonModel` with ``predict_stream`` answers, part by part."""
        if not isinstance(self._model, Loaded):
            raise InvalidArgumentError("model", f"of the flavor {self._flavor.name} gives no stream")
        return self._model.ask(data, params, "predict_stream")

    def unwrap_python_model(self) -> Any:
        """The model as its library has it, or the :class:`PythonModel`."""
        return self._model.model if isinstance(self._model, Loaded) else self._model
