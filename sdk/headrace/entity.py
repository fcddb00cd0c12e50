"""What all entities have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Self


class Entity:
    """As MLflow's: ``dict(run.info)`` gives the attributes by name, ``from_dictionary`` takes them."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in sorted(each.name for each in fields(self)):  # type: ignore[arg-type]
            yield name, getattr(self, name)

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> Self:
        """One with these attributes; what it does not have is left out."""
        names = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: the_dict[name] for name in names if name in the_dict})
