"""What runs of the simulated world show, against the model: rewinds and forks, as they were committed."""

from collections import Counter
from collections.abc import Mapping, Sequence

from headrace_storage.model import Rows
from headrace_storage.segments.visible import visible
from headrace_storage.visibility import View, shown
from points import exact, to_points
from rewind_model import RewoundRun
from sim_catalog import MemoryCatalog
from sim_journal import FORK_ATTEMPTS, SHARED_RUN, MemoryJournal


def check_what_runs_show(
    catalog: MemoryCatalog, journals: Sequence[MemoryJournal], objects: Mapping[str, Rows]
) -> None:
    """Launches began once, whichever rank was first; they hide what came before, forks show it."""
    naive = _as_committed(catalog, journals)
    groups = [objects[group.segment.path or ""] for group in catalog.committed.values() if group.segment]
    points = [point for rows in groups for point in to_points(rows)]
    for run_id, run in catalog.runs.items():
        assert sorted(run.attempts) == sorted(naive[run_id].tokens), "not the attempts that began"
        views = [
            View(run_id, source, bounds, _numbers(catalog, source))
            for source, bounds in shown(run_id, run.rewinds, run.inherited).items()
        ] or [View(run_id, run_id)]
        seen = [point for rows in groups for point in to_points(visible(rows, views))]
        assert Counter(exact(seen)) == Counter(exact(naive[run_id].history(points))), (
            "a run shows something else"
        )


def _numbers(catalog: MemoryCatalog, run_id: str) -> dict[str, int]:
    return {token: attempt.number for token, attempt in catalog.runs[run_id].attempts.items()}


def _as_committed(catalog: MemoryCatalog, journals: Sequence[MemoryJournal]) -> dict[str, RewoundRun]:
    """What became of runs: what the journals say, in the order in which the catalog took it."""
    by_writer = {journal.writer: journal for journal in journals}
    taken = [
        (change.writer, change.sequence)
        for group in catalog.committed.values()
        for change in group.changes
        if change.sequence in by_writer[change.writer].changes
    ]
    made = [(journal.writer, at) for journal in journals for at in journal.changes]
    assert sorted(taken) == sorted(made), "not the changes that were made"
    runs: dict[str, RewoundRun] = {}
    for writer, at in taken:
        change, fork = by_writer[writer].changes[at], by_writer[writer].fork
        if change.HasField("create"):
            create = change.create
            run = runs[fork] = RewoundRun(fork)
            run.parent = runs[create.fork_from].copy()
            run.fork_step = create.fork_step if create.HasField("fork_step") else run.fork_step
        else:
            start = change.start_attempt
            run_id = fork if start.token in FORK_ATTEMPTS else SHARED_RUN
            step = start.resume_from_step if start.HasField("resume_from_step") else None
            runs.setdefault(run_id, RewoundRun(run_id)).start(start.token, step)
    return runs
