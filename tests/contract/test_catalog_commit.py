"""Commits.commit: exactly once, all or nothing, whatever moved."""

from uuid import uuid4

import pytest

from catalog_daemon import CELLS, Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import IncarnationDeadError, WritersMovedError
from headrace_storage.model import Reject, SetParam, SetTag

RUN = uuid4().hex
OTHER = uuid4().hex


async def counts(database: Database) -> dict[str, int]:
    tables = (
        "progress",
        "segments",
        "inline_segments",
        "segment_runs",
        "unfolded",
        "runs",
        "rejects",
        "tags",
    )
    async with database.acquire() as connection:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}  # noqa: S608


async def test_a_group_is_visible_as_a_whole(database: Database, daemon: Daemon) -> None:
    one, two = await daemon.open(), await daemon.open()
    reject = Reject(two, 3, 4, "INVALID_PARAMETER_VALUE", "no such series", OTHER)
    stored = await daemon.commit(one, two, runs=[RUN, OTHER], new_runs=[RUN, OTHER], rejects=[reject])
    assert stored == [reject]
    assert await counts(database) == {
        "progress": 2,
        "segments": 1,
        "inline_segments": 1,
        "segment_runs": 2,
        "unfolded": 1,
        "runs": 2,
        "rejects": 1,
        "tags": 0,
    }
    async with database.acquire() as connection:
        segment = await connection.fetchrow(
            "SELECT incarnation, path, rows, size, checksum, level FROM segments"
        )
        assert tuple(segment) == (daemon.incarnation, None, 2 * CELLS, 3, 7, 0)
        assert await connection.fetchval("SELECT data FROM inline_segments") == b"abc"
    run = await daemon.runs.get_run(RUN)
    assert (run.experiment_id, run.run_name, run.status) == ("0", "", "RUNNING")


async def test_an_object_is_registered_with_its_summary(database: Database, daemon: Daemon) -> None:
    await daemon.commit(await daemon.open(), runs=[RUN], path="segments/1/a.parquet")
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT path FROM segments") == "segments/1/a.parquet"
        assert await connection.fetchval("SELECT summary FROM unfolded") == b"s"
    assert (await counts(database))["inline_segments"] == 0


async def test_the_same_group_again_commits_once_and_returns_the_same_rejects(
    database: Database, daemon: Daemon
) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, changes=[(RUN, SetParam("lr", "1"))])
    group = daemon.group(
        writer,
        changes=[(RUN, SetTag("a", "b")), (RUN, SetParam("lr", "2"))],
        rejects=[Reject(writer, 17, 18, "INVALID_PARAMETER_VALUE", "bad cell")],
        runs=[RUN],
    )
    first = await daemon.commits.commit(group)
    before = await counts(database)
    assert await daemon.commits.commit(group) == first
    assert await daemon.commits.commit(group) == first
    assert await counts(database) == before
    assert [(reject.first, reject.end) for reject in first] == [(11, 12), (17, 18)]


async def test_groups_follow_one_another_without_a_gap_or_an_overlap(
    database: Database, daemon: Daemon
) -> None:
    writer = await daemon.open()
    for _ in range(3):
        await daemon.commit(writer, runs=[RUN])
    before = await counts(database)
    for wrong in (0, CELLS, 2 * CELLS, 2 * CELLS + 1, 3 * CELLS - 1, 3 * CELLS + 1, 7 * CELLS):
        daemon.position[writer] = wrong
        with pytest.raises(WritersMovedError) as caught:
            await daemon.commit(writer, runs=[RUN], new_runs=[OTHER])
        assert not caught.value.fenced
        assert caught.value.elsewhere == {writer.hex}
    assert await counts(database) == before
    daemon.position[writer] = 3 * CELLS
    await daemon.commit(writer, runs=[RUN])


async def test_a_first_group_begins_at_zero(daemon: Daemon) -> None:
    writer = await daemon.open()
    daemon.position[writer] = 1
    with pytest.raises(WritersMovedError):
        await daemon.commit(writer)


async def test_one_writer_that_moved_stops_the_group_and_the_rest_goes_on(
    database: Database, daemon: Daemon
) -> None:
    good, fenced, elsewhere, unknown = [await daemon.open() for _ in range(3)] + [uuid4()]
    other = await Daemon.start(database)
    await other.open(fenced)
    with pytest.raises(WritersMovedError) as caught:
        await daemon.commit(good, fenced, unknown, runs=[RUN])
    assert caught.value.fenced == {fenced.hex, unknown.hex}
    assert caught.value.holders == {fenced.hex: other.shipper.hex}
    daemon.position |= {good: 0, elsewhere: 5}
    with pytest.raises(WritersMovedError) as caught:
        await daemon.commit(elsewhere, good, runs=[RUN], changes=[(RUN, SetTag("a", "b"))])
    assert not caught.value.fenced
    assert caught.value.elsewhere == {elsewhere.hex}
    assert set((await counts(database)).values()) == {0}
    daemon.position[good] = 0
    await daemon.commit(good, runs=[RUN])
    await other.commit(fenced, runs=[RUN])


async def test_a_reopened_writer_goes_on_under_its_new_epoch_only(daemon: Daemon) -> None:
    writer = await daemon.open()
    await daemon.commit(writer)
    late = daemon.group(writer)
    opened = await daemon.reopen(writer)
    assert (opened.committed, opened.order_time) == (CELLS, 1000)
    with pytest.raises(WritersMovedError) as caught:
        await daemon.commits.commit(late)
    assert caught.value.holders == {writer.hex: daemon.shipper.hex}
    await daemon.commit(writer)


@pytest.mark.parametrize("where", ["segments", "garbage", "progress"])
async def test_a_writer_that_moved_after_the_commit_does_not_make_it_undone(
    database: Database, daemon: Daemon, where: str
) -> None:
    """Else the daemon would delete an object that is registered."""
    one, two = await daemon.open(), await daemon.open()
    reject = Reject(two, 0, 1, "INVALID_PARAMETER_VALUE", "bad cell")
    group = daemon.group(one, two, runs=[RUN], path="segments/1/a.parquet", rejects=[reject])
    await daemon.commits.commit(group)
    other = await Daemon.start(database)
    await other.open(one)
    await other.commit(one)
    if where != "progress":
        await other.open(two)
        await other.commit(two)
        assert await daemon.writers.prune() == 2
    if where == "garbage":
        async with database.acquire() as connection:
            await connection.execute("INSERT INTO garbage (path) SELECT path FROM segments")
            await connection.execute("DELETE FROM segments")
    assert await daemon.commits.commit(group) == [reject]


async def test_a_dead_incarnation_commits_nothing(database: Database, daemon: Daemon) -> None:
    writer = await daemon.open()
    await Incarnations(database).retire(daemon.incarnation)
    with pytest.raises(IncarnationDeadError):
        await daemon.commit(writer, runs=[RUN])
    daemon.incarnation += 1
    with pytest.raises(IncarnationDeadError):
        await daemon.commit(writer, runs=[RUN])
    assert set((await counts(database)).values()) == {0}


async def test_messages_that_no_database_can_hold_are_stored_escaped(daemon: Daemon) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, rejects=[Reject(writer, 0, 1, "INTERNAL_ERROR", "a\0b\ud800c" + "x" * 5000)])
    [stored] = await daemon.runs.list_rejects(None, 10)
    assert stored.reject.message.startswith("a\\x00b\\ud800cxxx")
    assert len(stored.reject.message) == 1000


async def test_a_group_needs_writers_and_each_once(daemon: Daemon) -> None:
    writer = await daemon.open()
    group = daemon.group(writer)
    for advances in ([], [*group.advances, *group.advances]):
        with pytest.raises(ValueError, match="at least one writer"):
            await daemon.commits.commit(type(group)(group.id, group.incarnation, advances))
