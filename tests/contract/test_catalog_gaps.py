"""Gaps: an advance of progress like cells, exactly once, counted and shown by the runs."""

from dataclasses import replace
from uuid import uuid4

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.commit import LOST_TAG
from headrace_storage.catalog.database import Database
from headrace_storage.errors import WritersMovedError
from headrace_storage.model import Advance, Gap, SetTag

RUN, OTHER = "ab" * 16, "cd" * 16


async def described(database: Database) -> list[tuple[object, ...]]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT run_id, writer_id, first, lost, reason FROM described_gaps ORDER BY run_id, first"
        )
    return [(row["run_id"].hex, *row[1:]) for row in rows]


async def test_a_gap_is_counted_and_the_runs_are_told(daemon: Daemon, database: Database) -> None:
    writer = await daemon.open()
    group = daemon.group(writer)
    advance = Advance(writer, daemon.epochs[writer], 0, 500, 0)
    gap = Gap(writer, 100, 500, "DELETED", [OTHER, RUN])
    group = replace(group, advances=[advance], gaps=[gap])
    await daemon.commits.commit(group)
    await daemon.commits.commit(group)  # as after an unknown outcome
    assert await described(database) == [
        (RUN, writer, 100, 400, "DELETED"),
        (OTHER, writer, 100, 400, "DELETED"),
    ]
    for run in (RUN, OTHER):
        assert (await daemon.runs.get_run(run)).tags == {LOST_TAG: "400"}
    assert (await daemon.reopen(writer)).committed == 500


async def test_gaps_of_several_writers_add_up(daemon: Daemon) -> None:
    for lost in (3, 40):
        writer = await daemon.open()
        group = daemon.group(writer, changes=[(RUN, SetTag("a", "b"))])
        await daemon.commits.commit(replace(group, gaps=[Gap(writer, 5, 5 + lost, "HOST_CRASHED", [RUN])]))
    assert (await daemon.runs.get_run(RUN)).tags == {"a": "b", LOST_TAG: "43"}


async def test_a_gap_of_a_fenced_writer_leaves_nothing(daemon: Daemon, database: Database) -> None:
    writer = await daemon.open()
    group = replace(daemon.group(writer), gaps=[Gap(writer, 0, 10, "DELETED", [RUN])])
    await daemon.reopen(writer)
    with pytest.raises(WritersMovedError):
        await daemon.commits.commit(group)
    assert await described(database) == []


async def test_a_gap_of_a_writer_without_runs(daemon: Daemon, database: Database) -> None:
    writer = await daemon.open()
    await daemon.commits.commit(
        replace(daemon.group(writer), id=uuid4(), gaps=[Gap(writer, 0, 10, "DELETED", [])])
    )
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT sum(end_ - first) FROM gaps") == 10
