"""Rewinds, undone ones, and forks of forks, whatever was logged when: all readers show what the model shows.

Without a database: the catalog's rules decide what the runs show, and the readers read real segments.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace_storage import publish
from headrace_storage.catalog.changes import Ledger, Placement, RunState
from headrace_storage.catalog.segments import Plan, Segments
from headrace_storage.charts import Charts, Wanted
from headrace_storage.history import History
from headrace_storage.model import Change, CreateRun, NewSegment, RunStatus, SegmentRef, StartAttempt
from headrace_storage.objects import LocalStore
from headrace_storage.segments import rollups
from headrace_storage.segments.columns import sort_by_series
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.summary import merge, summarise
from headrace_storage.segments.write import SegmentWriter
from headrace_storage.visibility import View, shown
from points import WRITERS, Logged, in_logged_order, to_rows
from rewind_model import RewoundRun, by_manifest, comparable, naive_summaries

KEYS = ["a", "b"]
RUNS = [UUID(int=number).hex for number in range(4)]
TOKENS = ["", "first", "second", "third"]

runs = st.integers(0, len(RUNS) - 1)
steps = st.integers(0, 4) | st.sampled_from([-(2**63) + 1, 2**63 - 1])
point = st.tuples(runs, st.sampled_from(KEYS), st.sampled_from(TOKENS), steps)
batch = st.tuples(st.sampled_from(["inline", "object", "merged"]), st.lists(point, min_size=6, max_size=30))
start = st.tuples(
    st.just("start"),
    runs,
    st.sampled_from(TOKENS[1:]),
    st.integers(0, 5).map(lambda step: None if step == 5 else step),
)
event = st.one_of(
    start,
    start.map(tuple),  # as likely as the others together
    st.tuples(st.just("undo"), runs, st.integers(0, 9), st.booleans()),
    st.tuples(st.just("fork"), runs, st.none() | steps),
)


class World:
    """Runs by the catalog's rules and by the model's."""

    def __init__(self) -> None:
        self.states: dict[str, RunState] = {}
        self.runs: list[RewoundRun] = []

    def create(self, parent: RewoundRun | None = None, step: int | None = None) -> None:
        run = RewoundRun(RUNS[len(self.runs)])
        if parent is not None:
            run.parent, run.fork_step = parent.copy(), run.fork_step if step is None else step
        self.runs.append(run)
        self.states[run.run_id] = RunState(
            run.run_id, 0, "", "", RunStatus.RUNNING, 0, None, placeholder=True
        )
        fork = "" if parent is None else parent.run_id
        assert self.apply(run, CreateRun("", "", "", "", 1, {}, fork, step))

    def happen(self, what: str, number: int, *details: Any) -> None:
        run = self.runs[number % len(self.runs)]
        if what == "start":
            token, step = details
            assert run.start(token, step) == self.apply(run, StartAttempt(token, "p", 1, step))
        elif what == "fork" and len(self.runs) < len(RUNS):
            self.create(run, *details)
        elif what == "undo" and run.rewinds:
            place, undone = details
            run.set_undone(place % len(run.rewinds), undone)
            rewinds = self.states[run.run_id].rewinds
            at = place % len(rewinds)
            rewinds[at] = rewinds[at]._replace(undone_at=2 if undone else None)

    def apply(self, run: RewoundRun, change: CreateRun | StartAttempt) -> bool:
        """Whether it is not refused."""
        ledger = Ledger(self.states, {}, {("", ""): Placement(0)})
        return ledger.apply(Change(WRITERS[0], 0, 1, run.run_id, change)) is None

    def views(self, run_id: str) -> list[View]:
        state = self.states[run_id]
        return [
            View(
                run_id,
                source,
                bounds,
                {token: attempt.number for token, attempt in self.states[source].attempts.items()},
            )
            for source, bounds in shown(run_id, state.rewinds, state.inherited).items()
        ]


class Planned(NamedTuple):
    """``Segments``, as far as readers ask it."""

    world: World
    refs: list[SegmentRef]

    async def plan(self, run_ids: list[str]) -> Plan:
        (run_id,) = run_ids
        return Plan(self.refs, self.world.views(run_id))


class Reader:
    """All readers of a world's segments."""

    def __init__(self, world: World, store: LocalStore, refs: list[SegmentRef]) -> None:
        self.world, self.store, self.refs = world, store, refs
        self.segments: Segments = Planned(world, refs)  # type: ignore[assignment]

    async def check(self, points: list[Logged]) -> None:
        for run in self.world.runs:
            views = self.world.views(run.run_id) or [View(run.run_id, run.run_id)]
            expected = run.history(points)
            for key in KEYS:
                await self.check_key(run.run_id, key, [point for point in expected if point.key == key])
            parts = await SegmentReader(self.store).of_visible(self.refs, views, summarise)
            found = [comparable(summary) for summary in merge(parts).entities()]
            assert found == naive_summaries(expected, run.run_id)
            writers = await History(self.segments, self.store).writers(run.run_id)
            assert writers == Counter(point.writer for point in expected)
        views = [view for run in self.world.runs for view in self.world.views(run.run_id)]
        told = by_manifest(json.loads(publish.manifest(self.refs, views)), points)
        everything = [point for run in self.world.runs for point in run.history(points)]
        assert Counter(told) == Counter(everything)

    async def check_key(self, run_id: str, key: str, points: list[Logged]) -> None:
        ordered = in_logged_order(points)
        table = await History(self.segments, self.store).get(run_id, key)
        rows = zip(
            *(table[name].to_pylist() for name in ("attempt", "step", "value", "sequence")), strict=True
        )
        assert list(rows) == [(point.attempt, point.step, point.value, point.sequence) for point in ordered]
        parts = await History(self.segments, self.store).columns(run_id, key)
        assert parts is not None
        assert [step for part in parts for step in part.step.tolist()] == [point.step for point in ordered]
        chart = await Charts(self.segments, self.store).get(Wanted(run_id, key, 1000, -2, 3))
        inside = sorted(point.step for point in points if -2 <= point.step <= 3)
        assert chart["step_first"].tolist() == inside
        coarse = await Charts(self.segments, self.store).get(Wanted(run_id, key, 2))
        assert coarse["count"].sum() == len(points)


async def stored(store: LocalStore, kind: str, points: list[Logged]) -> NewSegment:
    writer, rows = SegmentWriter(store, 1), to_rows(points)
    if kind == "inline":
        return await writer.write(rows)
    if kind == "object":
        return await writer.write_object(rows)
    return await writer.write_merged([sort_by_series(rows, by_step=True)])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series of a few points have rollups."""
    monkeypatch.setattr(rollups, "RUN", 3)
    monkeypatch.setattr(rollups, "LEAST", 2)
    monkeypatch.setattr(rollups, "_WORTH", 1)


@pytest.mark.usefixtures("tiny")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(event, min_size=3, max_size=12), st.lists(batch, min_size=1, max_size=2))
def test_readers_agree(tmp_path: Path, events: list[tuple[Any, ...]], batches: list[Any]) -> None:
    world = World()
    world.create()
    for one in events:
        world.happen(*one)

    async def main() -> None:
        store, refs, points = LocalStore(tmp_path), list[SegmentRef](), list[Logged]()
        for kind, batch in batches:
            part = [
                Logged(
                    RUNS[run % len(world.runs)],
                    key,
                    token,
                    step,
                    1,
                    float(at),
                    WRITERS[at % 3],
                    at,
                    1000 + at // 4,
                )
                for at, (run, key, token, step) in enumerate(batch, len(points))
            ]
            segment = await stored(store, kind, part)
            refs.append(
                SegmentRef(
                    len(refs) + 1,
                    segment.path,
                    segment.inline,
                    segment.rows,
                    segment.size,
                    segment.checksum,
                    0,
                )
            )
            points += part
        await Reader(world, store, refs).check(points)

    asyncio.run(main())
