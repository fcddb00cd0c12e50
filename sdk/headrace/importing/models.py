"""Logged models: their params, tags, files, status, and which points belong to them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from headrace.calls.model_messages import logged_model
from headrace.errors import HeadraceError, NotFoundError
from headrace.importing.destination import Destination
from headrace.importing.files import Files
from headrace.importing.report import Report
from headrace.model_entities import LoggedModel
from headrace_proto import limits
from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb

_TOGETHER: Final = 50

_STATUS: Final = {"READY": models_pb2.LOGGED_MODEL_READY, "FAILED": models_pb2.LOGGED_MODEL_FAILED}

_Change = models_pb2.ChangeLoggedModelRequest


class LoggedModels:
    """The logged models of one call. ``files``: ``None`` leaves their files where they are."""

    def __init__(
        self, destination: Destination, report: Report, files: Files | None, tick: Callable[[], None]
    ) -> None:
        self._to = destination
        self._report = report
        self._files = files
        self._tick = tick

    def copy(self, models: Iterable[Any], experiment_id: str) -> None:
        """Imports the models of an experiment, and compares them."""
        batch: list[Any] = []
        for model in models:
            batch.append(model)
            if len(batch) >= _TOGETHER:
                self._copy(batch, experiment_id)
                batch = []
        self._copy(batch, experiment_id)

    def _copy(self, models: list[Any], experiment_id: str) -> None:
        runs = {point.run_id for model in models for point in model.metrics or ()}
        known = self._to.runs(sorted({*runs, *(model.source_run_id for model in models)} - {None, ""}))
        counted = {}
        for model in models:
            self._tick()
            try:
                counted[model.model_id] = self._write(model, experiment_id, known)
            except HeadraceError as error:
                self._report.problem(_name(model), error)
                self._report.compare(_name(model), Counter({"logged models": 1}), Counter())
        self._to.flush()
        for model in models:
            if model.model_id in counted:
                self._compare(model, counted[model.model_id])

    def _write(self, model: Any, experiment_id: str, known: Mapping[str, Any]) -> "Counter[str]":
        run_id = model.source_run_id or ""
        if run_id and run_id not in known:
            self._report.problem(_name(model), f"the run that made it, {run_id}, is not in Headrace")
            run_id = ""
        params = self._cut(model, "param", model.params, limits.MAX_PARAM_LENGTH)
        tags = self._cut(model, "tag", model.tags, limits.MAX_TAG_LENGTH)
        there = self._there(model.model_id)
        if there is None:
            request = models_pb2.CreateLoggedModelRequest(
                model_id=model.model_id,
                experiment_id=experiment_id,
                name=model.name,
                source_run_id=run_id,
                model_type=model.model_type or "",
                params=params,
                tags=tags,
                creation_time=model.creation_timestamp or 0,
            )
            there = logged_model(self._to.core.call("CreateLoggedModel", request))
        if missing := {key: text for key, text in tags.items() if key not in there.tags}:
            self._change(model, _Change(set_tags=_Change.Texts(texts=missing)))
        if missing := {key: text for key, text in params.items() if key not in there.params}:
            self._change(model, _Change(params=_Change.Texts(texts=missing)))
        counted = Counter({"logged models": 1, "params": len(model.params), "tags": len(model.tags)})
        counted["points of models"] = self._link(model, known)
        if self._files is not None:
            owner, uri = f"models/{model.model_id}", model.artifact_location
            counted += self._files.store(owner, _name(model), uri, anew=False)
        status = str(model.status).rpartition(".")[2]
        if there.status == "PENDING" and status in _STATUS:
            # MLflow keeps the message, and so do we.
            message = model.status_message or ""
            self._change(model, _Change(status=_STATUS[status], status_message=message))
        return counted

    def _link(self, model: Any, known: Mapping[str, Any]) -> int:
        """Says of each point that it is the model's; how many there are. To say it again changes nothing."""
        seen = set()
        missing: Counter[str] = Counter()
        by_run: dict[str, list[bytes]] = {}
        for point in model.metrics or ():
            run_id = point.run_id or model.source_run_id or ""
            dataset = point.dataset_name or "", point.dataset_digest or ""
            # Of points that differ in nothing but their value, Headrace knows the last.
            seen.add((run_id, point.key, point.timestamp, point.step, dataset))
            if run_id not in known:
                missing[run_id] += 1
                continue
            link = models_pb2.LinkMetric(
                key=point.key,
                value=point.value,
                timestamp=point.timestamp,
                step=point.step,
                model_id=model.model_id,
                dataset_name=dataset[0],
                dataset_digest=dataset[1],
            )
            by_run.setdefault(run_id, []).append(pb.RunChange(link_metric=link).SerializeToString())
        for run_id, count in missing.items():
            self._report.problem(
                _name(model), f"{count} points are of run {run_id}, which is not in Headrace"
            )
        for run_id, changes in by_run.items():
            self._to.core.run_log(run_id).log_batch((), changes)
        return len(seen)

    def _compare(self, model: Any, counted: "Counter[str]") -> None:
        there = self._there(model.model_id)
        ours: Counter[str] = Counter()
        if there is not None:
            ours = Counter(
                {
                    "logged models": 1,
                    "params": len(model.params.keys() & there.params.keys()),
                    "tags": len(model.tags.keys() & there.tags.keys()),
                    "points of models": len(there.metrics),
                }
            )
            if self._files is not None and counted["files"]:
                ours += self._files.stored(f"models/{model.model_id}")
        self._report.compare(_name(model), counted, ours)

    def _there(self, model_id: str) -> LoggedModel | None:
        request = models_pb2.GetLoggedModelRequest(model_id=model_id, allow_deleted=True)
        try:
            return logged_model(self._to.core.call("GetLoggedModel", request))
        except NotFoundError:
            return None

    def _change(self, model: Any, request: models_pb2.ChangeLoggedModelRequest) -> None:
        request.model_id = model.model_id
        self._to.core.call("ChangeLoggedModel", request)

    def _cut(self, model: Any, kind: str, given: Mapping[str, str], bound: int) -> dict[str, str]:
        for key, text in given.items():
            if len(text) > bound:
                problem = f"has {len(text):,} characters and was cut to {bound:,}"
                self._report.problem(f"{kind} {key!r} of {_name(model)}", problem)
        return {key: text[:bound] for key, text in given.items()}


def _name(model: Any) -> str:
    return f"logged model {model.model_id} ({model.name})"
