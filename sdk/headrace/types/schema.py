"""What columns and tensors are: MLflow's types, written as its JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from headrace.errors import InvalidArgumentError


class DataType(Enum):
    """The type of a column."""

    boolean = 1
    integer = 2
    long = 3
    float = 4
    double = 5
    string = 6
    binary = 7
    datetime = 8

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class AnyType:
    """Nothing is known: all values are missing."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"type": "any"}


@dataclass(frozen=True)
class Array:
    """A list of values of one type."""

    dtype: "Type"

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", _type(self.dtype))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"type": "array", "items": _described(self.dtype)}


@dataclass(frozen=True)
class Map:
    """Texts, each with a value of one type."""

    value_type: "Type"

    def __post_init__(self) -> None:
        object.__setattr__(self, "value_type", _type(self.value_type))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"type": "map", "values": _described(self.value_type)}


@dataclass(frozen=True)
class Property:
    """A named value of an :class:`Object`."""

    name: str
    dtype: "Type"
    required: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", _type(self.dtype))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {self.name: {**_described(self.dtype), "required": self.required}}


@dataclass(frozen=True)
class Object:
    """Named values, sorted by name."""

    properties: Sequence[Property]

    def __post_init__(self) -> None:
        object.__setattr__(self, "properties", sorted(self.properties, key=lambda one: one.name))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        properties = {name: told for one in self.properties for name, told in one.to_dict().items()}
        return {"type": "object", "properties": properties}


Type = DataType | Array | Map | Object | AnyType


@dataclass(frozen=True)
class ColSpec:
    """A column: a type, and a name unless it is the only one."""

    type: Type
    name: str | int | None = None
    required: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", _type(self.type))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        named = {} if self.name is None else {"name": self.name}
        return {**_described(self.type), **named, "required": self.required}


@dataclass(frozen=True)
class TensorSpec:
    """An array: the name of its NumPy type and its shape, in which -1 is any number."""

    type: Any
    shape: Sequence[int]
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        dtype = getattr(self.type, "name", None) or str(self.type)
        named = {} if self.name is None else {"name": self.name}
        return {**named, "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(self.shape)}}


class Schema:
    """Columns or tensors."""

    def __init__(self, inputs: Sequence[ColSpec | TensorSpec]) -> None:
        if not inputs:
            raise InvalidArgumentError("inputs", "are none; a schema has a column or a tensor")
        self.inputs = list(inputs)

    def is_tensor_spec(self) -> bool:
        """Whether they are tensors."""
        return isinstance(self.inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether they have names."""
        return self.inputs[0].name is not None

    def input_names(self) -> list[Any]:
        """Names, or places where there are none."""
        return [place if one.name is None else one.name for place, one in enumerate(self.inputs)]

    def input_types(self) -> list[Any]:
        """Their types."""
        return [one.type for one in self.inputs]

    def to_dict(self) -> list[dict[str, Any]]:
        """As JSON has it."""
        return [one.to_dict() for one in self.inputs]

    def to_json(self) -> str:
        """As MLflow's schemas are written."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """What :meth:`to_json` wrote."""
        return cls([_spec(one) for one in json.loads(text)])

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[ColSpec | TensorSpec]:
        return iter(self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Schema({self.inputs})"


@dataclass(frozen=True)
class ParamSpec:
    """A parameter of a model's inference: its type, default, and shape: ``None``, or (-1,) for lists."""

    name: str
    dtype: Type
    default: Any
    shape: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        described = _described(_type(self.dtype))
        return {
            "name": self.name,
            "default": self.default,
            "shape": None if self.shape is None else list(self.shape),
            **described,
        }


@dataclass(frozen=True)
class ParamSchema:
    """Parameters of a model's inference."""

    params: Sequence[ParamSpec]

    def to_dict(self) -> list[dict[str, Any]]:
        """As JSON has it."""
        return [one.to_dict() for one in self.params]

    def to_json(self) -> str:
        """As MLflow's signatures have it."""
        return json.dumps(self.to_dict())


def _described(kind: Type) -> dict[str, Any]:
    return {"type": kind.name} if isinstance(kind, DataType) else kind.to_dict()


def _type(kind: Any) -> Type:
    if isinstance(kind, str):
        try:
            return DataType[kind]
        except KeyError:
            names = ", ".join(DataType.__members__)
            raise InvalidArgumentError("type", f"is {kind!r}; expected one of {names}") from None
    if not isinstance(kind, DataType | Array | Map | Object | AnyType):
        raise InvalidArgumentError("type", f"is a {type(kind).__name__}, which is none")
    return kind


def _read(told: dict[str, Any]) -> Type:
    match told:
        case {"type": "array", "items": items}:
            return Array(_read(items))
        case {"type": "map", "values": values}:
            return Map(_read(values))
        case {"type": "object", "properties": properties}:
            return Object(
                [Property(name, _read(one), one.get("required", True)) for name, one in properties.items()]
            )
        case {"type": "any"}:
            return AnyType()
        case _:
            return _type(told["type"])


def _spec(told: dict[str, Any]) -> ColSpec | TensorSpec:
    if told["type"] == "tensor":
        spec = told["tensor-spec"]
        return TensorSpec(spec["dtype"], tuple(spec["shape"]), told.get("name"))
    return ColSpec(_read(told), told.get("name"), told.get("required", True))
