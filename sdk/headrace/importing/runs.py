"""Runs: each written as a training would log it, then compared with what the daemon has of it."""

import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import uuid4

from headrace import lineage, record
from headrace.entities import DatasetInput, LoggedModelOutput, Run, RunStatus
from headrace.errors import InvalidArgumentError
from headrace.importing.destination import BEGUN, DONE, FROM, SIZE, Destination, imported, is_unchanged
from headrace.importing.files import Files
from headrace.importing.report import KINDS, Report
from headrace.importing.source import Page, Source, SourceRun
from headrace.input_entities import Dataset, InputTag
from headrace.journal.run_log import RunLog
from headrace_proto import limits
from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb

_RUN_ID: Final = re.compile("[0-9a-f]{32}")

_ENDED: Final = frozenset({"FINISHED", "FAILED", "KILLED", "SCHEDULED"})


class Runs:
    """The runs of one call. ``files``: ``None`` leaves their files where they are."""

    def __init__(
        self,
        source: Source,
        destination: Destination,
        report: Report,
        files: Files | None,
        *,
        recheck: bool,
        tick: Callable[[], None],
    ) -> None:
        """``recheck``: reads again what an earlier call imported; ``tick`` is called where time passes."""
        self._source = source
        self._to = destination
        self._report = report
        self._files = files
        self._recheck = recheck
        self._tick = tick

    def copy(self, runs: list[SourceRun], experiment_id: str, *, deleted_with_it: bool) -> None:
        """Imports runs into an experiment, and compares them. ``deleted_with_it``: the experiment will be."""
        known = self._to.runs(run.run_id for run in runs if _RUN_ID.fullmatch(run.run_id))
        counted: dict[str, Counter[str]] = {}
        taken, fresh, troubled = [], [], set()
        for run in runs:
            self._tick()
            if not _RUN_ID.fullmatch(run.run_id):
                self._report.problem(str(run), "its id is not 32 hexadecimal digits, and it was left out")
                self._report.compare(str(run), Counter({"runs": 1}), Counter())
                continue
            there = known.get(run.run_id)
            if there and not self._may_touch(run, there):
                self._report.compare(str(run), Counter({"runs": 1}), Counter())
                continue
            taken.append(run)
            before = imported(there) if there else None
            if (
                there
                and before
                and not before["problems"]
                and not self._recheck
                and is_unchanged(run, there, before)
            ):
                self._report.found_done += 1
                counted[run.run_id] = Counter({**before, **_at_a_glance(run)})
                continue
            fresh.append(run)
            problems = len(self._report.problems)
            counted[run.run_id] = self._write(run, there, experiment_id, whole=before is not None)
            if len(self._report.problems) > problems:
                troubled.add(run.run_id)
        self._to.flush()
        troubled |= self._compare(taken, counted)
        for run in fresh:
            told = counted[run.run_id] + Counter({"problems": int(run.run_id in troubled), SIZE: run.size})
            record.tag(self._to.core.run_log(run.run_id), DONE, json.dumps(told))
        if fresh:
            self._to.flush()
        for run in taken:
            there = known.get(run.run_id)
            if (
                run.deleted
                and not deleted_with_it
                and not (there and there.info.lifecycle_stage == "deleted")
            ):
                self._to.client.delete_run(run.run_id)

    def _may_touch(self, run: SourceRun, there: Run) -> bool:
        """Whether a run that is there is one of ours, and nothing of it can still be on its way."""
        if FROM not in there.data.tags:
            self._report.problem(
                str(run), "is in Headrace already, and not from an import; it was left alone"
            )
            return False
        began = there.data.tags.get(DONE, "")
        if began.startswith(BEGUN) and began != self._to.begun:
            problem = f"its import was {began}, where points of it may still wait for their delivery"
            remedy = "call the import there again, or deliver them (headrace sync) and delete the run's tag"
            self._report.problem(str(run), f"{problem}; {remedy} {DONE}")
            return False
        return True

    # Out.

    def _write(self, run: SourceRun, there: Run | None, experiment_id: str, *, whole: bool) -> "Counter[str]":
        """Writes what is missing of a run; what it has in the source. ``whole``: it was imported before."""
        self._to.room_for(len(run.latest))
        log = self._to.core.run_log(run.run_id)
        ours = there.data.tags if there else {}
        tags = self._texts(run, "tag", run.tags, limits.MAX_TAG_LENGTH)
        if there is None:
            self._create(log, run, experiment_id)
        else:
            record.tag(log, DONE, self._to.begun)
        # What was changed here after a whole import stays so.
        record.tags(
            log,
            {key: text for key, text in tags.items() if key not in ours or (not whole and ours[key] != text)},
        )
        params = self._texts(run, "param", run.params, limits.MAX_PARAM_LENGTH)
        record.params(
            log, {key: text for key, text in params.items() if not there or key not in there.data.params}
        )
        self._lineage(log, run)
        counted = _at_a_glance(run)
        points = self._to.points([run.run_id])[run.run_id] if there else {}
        counted["points"] += self._histories(log, run, points)
        if self._files is not None:
            counted += self._files.store(run.run_id, str(run), run.artifact_uri, anew=there is None)
        self._end(run, there)
        return counted

    def _create(self, log: RunLog, run: SourceRun, experiment_id: str) -> None:
        start = self._time(run, "start", run.start_time)
        create = pb.CreateRun(
            experiment_id=experiment_id,
            run_name=run.name[: limits.MAX_NAME_LENGTH],
            user_id=run.user[: limits.MAX_NAME_LENGTH],
            start_time=start or 0,
            tags={FROM: self._source.name, DONE: self._to.begun},
        )
        log.change(pb.RunChange(create=create).SerializeToString())

    def _end(self, run: SourceRun, there: Run | None) -> None:
        if run.status not in _ENDED or (there and there.info.status != "RUNNING"):
            return
        end = self._time(run, "end", run.end_time)
        if end is None:
            end = self._time(run, "start", run.start_time) or 0
        log = self._to.core.run_log(run.run_id, uuid4().hex)
        record.termination(log, self._to.core.process_id, RunStatus(run.status), end)

    def _lineage(self, log: RunLog, run: SourceRun) -> None:
        for used in run.datasets:
            told = {name: getattr(used.dataset, name, None) for name in Dataset.__slots__}
            told["source_type"], told["source"] = told["source_type"] or "", told["source"] or ""
            tags = [InputTag(tag.key, tag.value) for tag in used.tags]
            try:
                record.inputs(log, [DatasetInput(Dataset(**told), tags)])  # type: ignore[arg-type]
            except InvalidArgumentError as error:
                self._report.problem(f"dataset {used.dataset.name!r} of {run}", error)
        if run.model_inputs:
            steps = [lineage.step(each.model_id) for each in run.model_inputs]
            log.change(pb.RunChange(models=models_pb2.LogModels(inputs=steps)).SerializeToString())
        if run.model_outputs:
            record.outputs(log, [LoggedModelOutput(each.model_id, each.step) for each in run.model_outputs])

    def _histories(self, log: RunLog, run: SourceRun, there: Mapping[str, int]) -> int:
        """Writes the points that are not there; how many the source has. ``there``: points of each metric."""
        count = 0
        missing: dict[str, Callable[[Page], Page]] = {}
        for key, page in self._source.histories(run):
            if key not in missing:
                missing = {key: missing_points(self._to, run.run_id, key, there.get(key, 0))}
            count += len(page.steps)
            try:
                self._series(log, run, key, missing[key](page))
            except InvalidArgumentError as error:
                self._report.problem(f"metric {key!r} of {run}", error)
            self._tick()
        return count

    def _series(self, log: RunLog, run: SourceRun, key: str, page: Page) -> None:
        if not page.steps:
            return
        if min(page.timestamps) < 0 or max(page.timestamps) > limits.MAX_TIMESTAMP:
            kept = [at for at, when in enumerate(page.timestamps) if 0 <= when <= limits.MAX_TIMESTAMP]
            lost = len(page.steps) - len(kept)
            problem = f"{lost} points have a time before 1970 or after the year 9999, and were left out"
            self._report.problem(f"metric {key!r} of {run}", problem)
            page = Page(*(array(column.typecode, [column[at] for at in kept]) for column in page))  # type: ignore[arg-type]
        record.series(log, key, page.values, page.steps, page.timestamps)

    def _texts(self, run: SourceRun, kind: str, given: Mapping[str, str], bound: int) -> dict[str, str]:
        """Params or tags as they can be stored; what is too long is cut, and told."""
        texts = {}
        for key, value in given.items():
            text = str(value)
            if problem := limits.key_problem(key):
                self._report.problem(f"{kind} {key[:80]!r} of {run}", f"its key {problem}")
                continue
            if len(text) > bound:
                cut = f"has {len(text):,} characters and was cut to {bound:,}"
                self._report.problem(f"{kind} {key!r} of {run}", cut)
                text = text[:bound]
            if problem := limits.text_problem(text):
                self._report.problem(f"{kind} {key!r} of {run}", problem)
                continue
            texts[key] = text
        return texts

    def _time(self, run: SourceRun, what: str, when: int | None) -> int | None:
        if when is None or 0 <= when <= limits.MAX_TIMESTAMP:
            return when
        self._report.problem(str(run), f"its {what} time is {when} ms and was left out")
        return None

    # Compared.

    def _compare(self, runs: list[SourceRun], counted: Mapping[str, "Counter[str]"]) -> set[str]:
        """Which runs the daemon has not as many of everything of as the source."""
        here = self._to.runs(run.run_id for run in runs)
        points = self._to.points(list(here))
        differing = set()
        for run in runs:
            ours: Counter[str] = Counter()
            found = here.get(run.run_id)
            if found is not None:
                ours = _found(run, found, points[run.run_id])
                if self._files is not None and counted[run.run_id]["files"]:
                    ours += self._files.stored(run.run_id)
            theirs = Counter({kind: counted[run.run_id][kind] for kind in KINDS})
            if not self._report.compare(str(run), theirs, ours):
                differing.add(run.run_id)
                for why in self._to.refusals(run.run_id):
                    self._report.problem(str(run), why)
        return differing


def _at_a_glance(run: SourceRun) -> "Counter[str]":
    """What there is of a run in the source, but for points and files."""
    outputs = {each.model_id for each in run.model_outputs}
    return Counter(
        {
            "runs": 1,
            "params": len(run.params),
            "tags": len(run.tags),
            "metrics": len(run.latest),
            "datasets": len({(each.dataset.name, each.dataset.digest) for each in run.datasets}),
            "links to models": len({each.model_id for each in run.model_inputs}) + len(outputs),
        }
    )


def _found(run: SourceRun, found: Run, points: Mapping[str, int]) -> "Counter[str]":
    """The same of what Headrace has of it, and its points."""
    params = found.data.params
    equal = [key for key, value in run.params.items() if params.get(key) == value[: limits.MAX_PARAM_LENGTH]]
    return Counter(
        {
            "runs": 1,
            "params": len(equal),
            "tags": len(run.tags.keys() & found.data.tags.keys()),
            "metrics": len(run.latest.keys() & points.keys()),
            "points": sum(points.values()),
            "datasets": len(found.inputs.dataset_inputs),
            "links to models": len(found.inputs.model_inputs) + len(found.outputs.model_outputs),
        }
    )


def missing_points(to: Destination, run_id: str, key: str, there: int) -> Callable[[Page], Page]:
    """What picks, page after page of the source, the points of a metric that Headrace does not have.

    An import that was killed left the first ones, in the source's order. Should others have come between
    since, each point that is there is taken off by its step, time and value.
    """
    if not there:
        return lambda page: page
    columns = to.client.get_metric_columns(run_id, key)
    known = Page(columns.steps, columns.timestamps, columns.values)
    place = 0
    left: Counter[tuple[int, int, bytes]] | None = None

    def pick(page: Page) -> Page:
        nonlocal place, left
        if left is None:
            count = min(len(page.steps), len(known.steps) - place)
            head, same = _part(page, 0, count), _part(known, place, place + count)
            if _raw(head) == _raw(same):
                place += count
                return _part(page, count, len(page.steps))
            left = Counter(_points(_part(known, place, len(known.steps))))
        kept = []
        for at, point in enumerate(_points(page)):
            if left[point]:
                left[point] -= 1
            else:
                kept.append(at)
        return Page(*(array(column.typecode, [column[at] for at in kept]) for column in page))  # type: ignore[arg-type]

    return pick


def _part(page: Page, first: int, end: int) -> Page:
    return Page(page.steps[first:end], page.timestamps[first:end], page.values[first:end])


def _points(page: Page) -> Iterator[tuple[int, int, bytes]]:
    """With the value's bytes: a NaN is equal to itself."""
    raw = page.values.tobytes()
    for at, (step, when) in enumerate(zip(page.steps, page.timestamps, strict=True)):
        yield step, when, raw[8 * at : 8 * at + 8]


def _raw(page: Page) -> tuple[bytes, bytes, bytes]:
    return page.steps.tobytes(), page.timestamps.tobytes(), page.values.tobytes()
