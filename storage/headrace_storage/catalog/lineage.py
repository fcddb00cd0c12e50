"""What runs used and made: written by commits, read with the runs."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from headrace_storage.catalog.changes import Ledger
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.lineage import Dataset, Lineage, LinkMetric, LogDataset, ModelStep
from headrace_storage.model import Change

_QUERIES: Final = Queries("lineage")

_IDS: Final = UUID("6f2d1c5e-5b0a-4e43-9d39-6a2f0c7f8e11")
"""The name space of ids of datasets."""

_MOST_DATASETS: Final = 1000
"""That are listed: MLflow's number."""


class UsedDataset(NamedTuple):
    """A dataset that runs of an experiment used in a context ("": none)."""

    experiment_id: str
    name: str
    digest: str
    context: str


class Datasets:
    """The datasets of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_experiments(self, experiment_ids: Collection[str]) -> list[UsedDataset]:
        """What runs of the experiments used, at most 1000."""
        numbers = [number for one in experiment_ids if (number := experiment_number(one)) is not None]
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["datasets_of_experiments"], numbers, _MOST_DATASETS)
        return [UsedDataset(str(number), *texts) for number, *texts in rows]


async def known_models(connection: Connection, changes: Iterable[Change]) -> set[str]:
    """Those of the models that points are linked to which there are."""
    named = {change.change.model_id for change in changes if isinstance(change.change, LinkMetric)}
    if not named:
        return set()
    return {row["model_id"] for row in await connection.fetch(_QUERIES["known_models"], list(named))}


async def write_lineage(connection: Connection, ledger: Ledger) -> None:
    """Writes what the changes say of datasets and models."""
    datasets = {_dataset_id(used.dataset): used.dataset for used in ledger.inputs.values()}
    statements: dict[str, list[tuple[Any, ...]]] = {
        "write_datasets": [(number, *dataset[2:]) for number, dataset in sorted(datasets.items())],
        "write_inputs": [
            (run_id, name, digest, _dataset_id(used.dataset), json.dumps(dict(used.tags)))
            for (run_id, name, digest), used in ledger.inputs.items()
        ],
        "write_run_models": [(*key, step) for key, step in ledger.run_models.items()],
        "write_links": [(*key[:2], value, *key[2:]) for key, value in ledger.links.items()],
        "use_linked_models": list(ledger.users),
    }
    for name, rows in statements.items():
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(_QUERIES[name], *columns)


def lineage_of(datasets: str | None, models: str | None) -> Lineage:
    """A row of the view ``lineages``."""
    if datasets is None and models is None:
        return Lineage()
    used = [
        LogDataset(Dataset(*(one[name] for name in Dataset._fields)), one["tags"])
        for one in json.loads(datasets or "[]")
    ]
    found: Sequence[dict[str, Any]] = json.loads(models or "[]")
    inputs, outputs = (
        [ModelStep(one["model_id"], one["step"]) for one in found if one["output"] is output]
        for output in (False, True)
    )
    return Lineage(used, inputs, outputs)


def _dataset_id(dataset: Dataset) -> UUID:
    return uuid5(_IDS, json.dumps(dataset[2:]))
