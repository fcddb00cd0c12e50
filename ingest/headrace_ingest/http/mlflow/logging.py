"""What is logged: metrics, params and tags. The answer comes when they are durable and visible."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given, number_of
from headrace_ingest.http.mlflow.names import check_batch, checked_key, param, tag
from headrace_ingest.http.mlflow.run_log import RunLog
from headrace_ingest.http.mlflow.stages import Stages
from headrace_ingest.own_writer import Points
from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_storage.catalog.changes import RUN_NAME_TAG
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError, NotFoundError

_FIELDS: Final = frozenset(
    {"key", "value", "timestamp", "step", "run_id", "model_id", "dataset_name", "dataset_digest"}
)
"""Of a point, as MLflow's clients send it; of ``run_id`` that of the batch counts."""

_LEAST, _LARGEST = -(1 << 63), (1 << 63) - 1


class LoggingRoutes:
    """``runs/log-...``, ``runs/set-tag``, ``runs/delete-tag``."""

    def __init__(self, log: RunLog, runs: Runs, stages: Stages) -> None:
        self._log = log
        self._runs = runs
        self._stages = stages

    async def log_metric(self, given: Given) -> Response:
        """A point."""
        run_id = given.run_id()
        columns = PointColumns()
        columns.add_one(given)
        return await self._log.write(run_id, points=columns.points(), after=columns.links)

    async def log_param(self, given: Given) -> Response:
        """A param, which is written once."""
        run_id = given.run_id()
        return await self._log.write(
            run_id, before=[param(given.text("key", required=True), given.text("value"))]
        )

    async def set_tag(self, given: Given) -> Response:
        """A tag, over what it was."""
        run_id, key, value = given.run_id(), given.text("key", required=True), given.text("value")
        return await self._log.write(run_id, after=[*_tag(key, value)])

    async def delete_tag(self, given: Given) -> Response:
        """Takes a tag away."""
        key = given.text("key", required=True)
        run_id = await self._stages.check(given.run_id())
        if key not in (await self._runs.get_run(run_id)).tags:
            raise NotFoundError(f"tag of run {run_id}", key)
        change = RunChange()
        change.delete_tag.key = key
        return await self._log.write(run_id, after=[change])

    async def log_batch(self, given: Given) -> Response:
        """Points, params and tags. What breaks a rule by itself refuses all, before anything is logged."""
        run_id = given.run_id()
        metrics, params, tags = given.raw("metrics"), given.items("params"), given.items("tags")
        check_batch(len(metrics), len(params), len(tags))
        columns = PointColumns()
        columns.add(metrics)
        before = [
            param(each.text("key", required=True), each.text("value"), f"params[{number}].")
            for number, each in enumerate(params)
        ]
        keys = [change.param.key for change in before]
        if len(set(keys)) < len(keys):
            raise InvalidArgumentError("params", "have a key twice")
        after = [
            change
            for number, each in enumerate(tags)
            for change in _tag(each.text("key", required=True), each.text("value"), f"tags[{number}].")
        ]
        return await self._log.write(run_id, before, columns.points(), columns.links + after)


class PointColumns:
    """Points of a request, as columns."""

    links: list[RunChange]
    """The models that points belong to."""

    def __init__(self) -> None:
        self.links = []
        self._keys: list[str] = []
        self._steps: list[int] = []
        self._timestamps: list[int] = []
        self._values: list[float] = []

    def add(self, metrics: Sequence[Any]) -> None:
        """The points of a batch."""
        if not self._add_plain(metrics):
            for number, metric in enumerate(metrics):
                self.add_one(Given.item(f"metrics[{number}]", metric), f"metrics[{number}].")

    def _add_plain(self, metrics: Sequence[Any]) -> bool:
        """Adds points that all are as clients send them, by column: a quarter of the time."""
        try:
            names = set().union(*metrics)
            keys = [metric["key"] for metric in metrics]
            values = [metric["value"] for metric in metrics]
            timestamps = [metric["timestamp"] for metric in metrics]
            steps = [metric["step"] for metric in metrics]
        except (KeyError, TypeError):
            return False
        if set(map(type, values)) != {float}:
            values = list(map(number_of, values))
        are_plain = (
            names <= _FIELDS
            and set(map(type, keys)) == {str}
            and set(map(type, values)) == {float}
            and set(map(type, timestamps)) == set(map(type, steps)) == {int}
            and min(timestamps) >= 0
            and max(timestamps) <= MAX_TIMESTAMP
            and min(steps) >= _LEAST
            and max(steps) <= _LARGEST
        )
        if are_plain:
            for key in dict.fromkeys(keys):
                checked_key(key, f"metrics[{keys.index(key)}].key")
            self._keys, self._values, self._timestamps, self._steps = keys, values, timestamps, steps
            if "model_id" in names:
                for number, metric in enumerate(metrics):
                    self._link(Given.item(f"metrics[{number}]", metric), number)
        return are_plain

    def add_one(self, given: Given, place: str = "") -> None:
        """A point, whatever it looks like; InvalidArgumentError names it."""
        key = checked_key(given.text("key", required=True), f"{place}key")
        value = given.required("value", given.number("value"))
        timestamp = given.required("timestamp", given.integer("timestamp"))
        if not 0 <= timestamp <= MAX_TIMESTAMP:
            raise InvalidArgumentError(
                f"{place}timestamp", f"is {timestamp} ms, the bounds are 0 and {MAX_TIMESTAMP}"
            )
        step = given.integer("step", 0) or 0
        self._keys.append(key)
        self._values.append(value)
        self._timestamps.append(timestamp)
        self._steps.append(step)
        self._link(given, -1)

    def _link(self, given: Given, number: int) -> None:
        """Ties a point to its model, if it has one."""
        if model_id := given.text("model_id"):
            change = RunChange()
            link = change.link_metric
            link.key, link.value = self._keys[number], self._values[number]
            link.timestamp, link.step = self._timestamps[number], self._steps[number]
            link.model_id = model_id
            link.dataset_name = given.text("dataset_name")
            link.dataset_digest = given.text("dataset_digest")
            link.only = True
            self.links.append(change)

    def points(self) -> Points:
        """All that were added."""
        return Points(self._keys, self._steps, self._timestamps, self._values)


def _tag(key: str, value: str, place: str = "") -> list[RunChange]:
    """The change that sets a tag. A run cannot lose its name: an empty one changes nothing."""
    change = tag(key, value, place)
    return [] if key == RUN_NAME_TAG and not value else [change]
