"""The catalog goes back in time, the data folder goes back in time: what is refilled, and what is named."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from headrace.journal.layout import FIRST_FILE
from headrace_proto.wire import CELL_SIZE
from obedient import Training, headrace, steps_of, tags_of
from running import Daemon

BACKUP = "_backup"


@pytest.fixture
def served(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon on a database of its own, and trainings that log to it."""
    daemon = Daemon(tmp_path, "--database-url", database_url)
    daemon.start()
    monkeypatch.setenv("HEADRACE_TRACKING_URI", daemon.uri)
    yield daemon
    daemon.end()


@pytest.fixture
def training(served: Daemon) -> Iterator[Training]:
    assert served.port
    started = Training()
    yield started
    started.kill()


async def copy_database(url: str, source: str, target: str) -> None:
    """What restoring a dump does: ``target`` becomes what ``source`` is."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
    finally:
        await connection.close()


class Catalog:
    """The daemon's database, to be backed up and restored while no daemon runs."""

    def __init__(self, daemon: Daemon, server_url: str, database_url: str) -> None:
        self._daemon, self._url = daemon, server_url
        self._name = database_url.partition("?")[0].rpartition("/")[2]

    async def back_up(self) -> None:
        self._daemon.kill()
        await self._wait_until_unused()
        await copy_database(self._url, self._name, self._name + BACKUP)
        self._daemon.start()

    async def restore(self) -> None:
        self._daemon.kill()
        await self._wait_until_unused()
        await copy_database(self._url, self._name + BACKUP, self._name)
        connection = await asyncpg.connect(self._url)
        await connection.execute(f"DROP DATABASE {self._name}{BACKUP}")
        await connection.close()
        self._daemon.start()

    async def _wait_until_unused(self) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1", self._name
        )
        await connection.close()


@pytest.fixture
def catalog(served: Daemon, postgres_url: str, database_url: str) -> Catalog:
    return Catalog(served, postgres_url, database_url)


async def test_kept_journals_refill_an_older_catalog(
    training: Training, catalog: Catalog, private_journals: Path
) -> None:
    ended = Training()
    ended.log(1000)
    training.log(1000)
    await catalog.back_up()
    training.log(2000)
    ended.log(2000)
    ended.end()
    await catalog.restore()

    training.log(10)
    assert steps_of(training.run_id) == list(range(3010)), "its process sees what is missing, and refills it"
    assert "headrace.lost" not in tags_of(training.run_id)

    assert steps_of(ended.run_id) == list(range(1000))
    done = headrace("sync", private_journals, "--refill")
    assert done.returncode == 0, done.stderr
    assert steps_of(ended.run_id) == list(range(3000))
    training.end()


async def test_what_cannot_be_refilled_is_a_counted_gap(
    training: Training, catalog: Catalog, private_journals: Path
) -> None:
    in_first_file = FIRST_FILE // CELL_SIZE
    training.log(1000)
    await catalog.back_up()
    training.log(3 * in_first_file)
    [first] = private_journals.glob("*/*/00000000000000000000.cells")
    first.unlink()
    await catalog.restore()
    total = training.log(10)
    training.end()
    steps = steps_of(training.run_id)
    lost = int(tags_of(training.run_id)["headrace.lost"])
    assert steps == [*range(1000), *range(1000 + lost, total)]
    assert in_first_file - 1020 < lost < in_first_file - 1000
    shown = headrace("runs", "show", training.run_id)
    assert "headrace.lost" in shown.stdout


def test_an_older_data_folder_names_what_is_missing(
    training: Training, served: Daemon, tmp_path: Path
) -> None:
    training.log(20_000)
    other = Training()
    other.log(10)
    copy = tmp_path / "older"
    served.stop()
    shutil.copytree(served.data, copy)
    served.start()
    training.log(20_000)
    served.stop()
    shutil.rmtree(served.data)
    copy.rename(served.data)
    served.start()

    done = headrace("history", training.run_id, "loss", "--format", "json")
    assert done.returncode == 1
    assert "segments/" in done.stderr
    assert "is missing" in done.stderr
    other.log(10)
    assert steps_of(other.run_id) == list(range(20))
    other.end()
