"""Opening writers, and pruning what they no longer need."""

import asyncio
from uuid import uuid4

import pytest

from catalog_daemon import CELLS, Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.errors import WriterRefusedError, WritersMovedError

LABELS = {"host": "node1", "rank": "3"}


async def test_a_new_writer_stands_at_zero(database: Database, daemon: Daemon) -> None:
    opened = await daemon.writers.open(uuid4(), uuid4(), 7, LABELS, -1)
    assert opened == (1, 0, 0, [])
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT labels->>'rank' FROM writers") == "3"


async def test_each_open_raises_the_epoch_and_a_delayed_one_is_refused(daemon: Daemon) -> None:
    writer, one, two = uuid4(), uuid4(), uuid4()
    opens = daemon.writers.open
    assert (await opens(writer, one, 5, {}, -1)).epoch == 1
    assert (await opens(writer, one, 6, {}, -1)).epoch == 2
    with pytest.raises(WriterRefusedError) as caught:
        await opens(writer, one, 5, {}, -1)
    assert (caught.value.writer_id, caught.value.open_number, caught.value.last) == (writer.hex, 5, 6)
    assert (await opens(writer, two, 1, {}, -1)).epoch == 3
    assert (await opens(writer, one, 1, {}, -1)).epoch == 4


async def test_an_open_whose_outcome_was_unknown_can_be_repeated(daemon: Daemon) -> None:
    writer, shipper = uuid4(), uuid4()
    await daemon.writers.open(writer, shipper, 5, {}, -1)
    assert (await daemon.writers.open(writer, shipper, 5, {}, -1)).epoch == 2


async def test_concurrent_opens_get_an_epoch_each_and_the_last_one_stands(database: Database) -> None:
    writer = uuid4()
    shippers = [await Daemon.start(database) for _ in range(8)]
    opened = await asyncio.gather(*(shipper.reopen(writer) for shipper in shippers))
    epochs = [one.epoch for one in opened]
    assert sorted(epochs) == list(range(1, 9))
    winner = shippers[epochs.index(8)]
    for shipper in shippers:
        if shipper is not winner:
            with pytest.raises(WritersMovedError) as caught:
                await shipper.commit(writer)
            assert caught.value.holders == {writer.hex: winner.shipper.hex}
    await winner.commit(writer)


async def test_labels_are_kept_whatever_they_hold(database: Database, daemon: Daemon) -> None:
    await daemon.writers.open(uuid4(), uuid4(), 1, {"host\0": "a\ud800b"}, -1)
    async with database.acquire() as connection:
        assert (
            await connection.fetchval("SELECT labels::text FROM writers") == '{"host\\\\x00": "a\\\\ud800b"}'
        )


@pytest.mark.parametrize("page", [2, 3, 10, 1000])
async def test_pruning_keeps_the_newest_row_of_each_writer(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("headrace_storage.catalog.writers._PRUNED_AT_ONCE", page)
    writers = [await daemon.open() for _ in range(5)]
    for turn in range(6):
        await daemon.commit(*writers[: turn + 1])
    assert await daemon.writers.prune() == 5 + 4 + 3 + 2 + 1
    assert await daemon.writers.prune() == 0
    for index, writer in enumerate(writers):
        opened = await daemon.reopen(writer)
        assert (opened.committed, opened.order_time) == ((6 - index) * CELLS, 1000 + (5 - index) * CELLS)
    await daemon.commit(*writers)


async def test_pruning_an_empty_table(daemon: Daemon) -> None:
    assert await daemon.writers.prune() == 0


async def test_commits_and_pruning_do_not_disturb_one_another(database: Database, daemon: Daemon) -> None:
    writers = [await daemon.open() for _ in range(3)]
    done = asyncio.Event()

    async def prune() -> int:
        pruned = 0
        while not done.is_set():
            pruned += await daemon.writers.prune()
        return pruned

    pruners = [asyncio.create_task(prune()) for _ in range(2)]
    for _ in range(60):
        await daemon.commit(*writers)
    done.set()
    pruned = sum([await pruner for pruner in pruners])
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM progress") == 180 - pruned
    assert pruned > 0
    assert (await daemon.reopen(writers[0])).committed == 60 * CELLS
