"""What a dataset is to a tracker: name, digest, schema, profile, source."""

import json
from typing import Any

from headrace.data.dataset_source import DatasetSource
from headrace.input_entities import Dataset as DatasetEntity


class Dataset:
    """The base of all datasets. Subclasses say how digest, schema and profile are found."""

    def __init__(self, source: DatasetSource, name: str | None = None, digest: str | None = None) -> None:
        self._source = source
        self._name = name
        self._digest = digest or self._compute_digest()

    def _compute_digest(self) -> str:
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Its name; "dataset" when it was given none."""
        return "dataset" if self._name is None else self._name

    @property
    def digest(self) -> str:
        """A fingerprint of the data, by MLflow's algorithm: equal data has an equal one in both."""
        return self._digest

    @property
    def source(self) -> DatasetSource:
        """Where it comes from."""
        return self._source

    @property
    def profile(self) -> Any:
        """Statistics, or ``None``."""
        return None

    @property
    def schema(self) -> Any:
        """The columns or tensors, or ``None``."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """What is logged, each value as text: name, digest, source, source_type, schema and profile."""
        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": self.source._get_source_type(),  # noqa: SLF001 - MLflow's name; users subclass it
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict())

    def _to_mlflow_entity(self) -> DatasetEntity:
        told = self.to_dict()
        return DatasetEntity(
            told["name"],
            told["digest"],
            told["source_type"],
            told["source"],
            told.get("schema"),
            told.get("profile"),
        )
