"""What a model takes and gives."""

from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.types.infer import infer_schema, infer_type
from headrace.types.schema import Array, ParamSchema, ParamSpec, Schema


class ModelSignature:
    """Schemas of a model's inputs, outputs and inference parameters; each may be missing, not all."""

    def __init__(
        self, inputs: Schema | None = None, outputs: Schema | None = None, params: ParamSchema | None = None
    ) -> None:
        if inputs is None and outputs is None and params is None:
            raise InvalidArgumentError("inputs, outputs and params", "are all missing")
        self.inputs = inputs
        self.outputs = outputs
        self.params = params

    def to_dict(self) -> dict[str, str | None]:
        """Each as JSON."""
        parts = {"inputs": self.inputs, "outputs": self.outputs, "params": self.params}
        return {name: None if part is None else part.to_json() for name, part in parts.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ModelSignature({self.to_dict()})"


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> ModelSignature:
    """The signature of a model that was given this input and these parameters, and answered this.

    Raises:
        InvalidArgumentError: the data has no schema (see :func:`headrace.types.infer.infer_schema`).
    """
    return ModelSignature(
        None if model_input is None else infer_schema(model_input),
        None if model_output is None else infer_schema(model_output),
        None if not params else ParamSchema([_param(name, value) for name, value in params.items()]),
    )


def _param(name: str, value: Any) -> ParamSpec:
    kind = infer_type(value)
    if isinstance(kind, Array):
        return ParamSpec(name, kind.dtype, value, (-1,))
    if kind is None:
        raise InvalidArgumentError("params", f"holds {name!r}, which is an array without values")
    return ParamSpec(name, kind, value)
