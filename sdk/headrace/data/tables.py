"""What datasets of data frames have in common."""

import json
from typing import Any

from headrace.data.dataset import Dataset
from headrace.data.dataset_source import DatasetSource
from headrace.errors import InvalidArgumentError
from headrace.types.schema import Schema


class TableDataset(Dataset):
    """A data frame (``df``); ``targets`` and ``predictions`` name columns of it."""

    def __init__(  # noqa: PLR0917 - MLflow's order
        self,
        df: Any,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        for argument, column in (("targets", targets), ("predictions", predictions)):
            if column is not None and column not in df.columns:
                raise InvalidArgumentError(argument, f"is {column!r}, and the data frame has no such column")
        self.df = df
        self.targets = targets
        self.predictions = predictions
        super().__init__(source, name, digest)

    def _infer_schema(self) -> Schema:
        raise NotImplementedError

    @property
    def schema(self) -> Schema | None:
        """The columns; ``None`` where they have no schema."""
        try:
            return self._infer_schema()
        except InvalidArgumentError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """What is logged."""
        schema = self.schema
        described = None if schema is None else json.dumps({"mlflow_colspec": schema.to_dict()})
        return {**super().to_dict(), "schema": described, "profile": json.dumps(self.profile)}
