"""Datasets of which only the description is at hand."""

import hashlib
import json
from typing import Any

from headrace.data.dataset import Dataset
from headrace.data.dataset_source import DatasetSource
from headrace.types.schema import Schema


class MetaDataset(Dataset):
    """A source and maybe a schema, without the data."""

    def __init__(
        self,
        source: DatasetSource,
        name: str | None = None,
        digest: str | None = None,
        schema: Schema | None = None,
    ) -> None:
        self._schema = schema
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        config = {
            "name": self.name,
            "source": self.source.to_json(),
            "source_type": self.source._get_source_type(),  # noqa: SLF001 - MLflow's name
            "schema": self._schema.to_dict() if self._schema else "",
        }
        return hashlib.sha256(json.dumps(config).encode()).hexdigest()[:8]

    @property
    def schema(self) -> Schema | None:
        """The schema that was given."""
        return self._schema

    def to_dict(self) -> dict[str, Any]:
        """What is logged."""
        described = {"schema": json.dumps({"mlflow_colspec": self._schema.to_dict()})} if self._schema else {}
        return {**super().to_dict(), **described}
