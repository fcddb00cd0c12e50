"""The bounds as an operator sets them, and who pays when streams keep too much."""

import re
from dataclasses import fields
from pathlib import Path
from uuid import UUID

import pytest

from headrace_ingest.bounds import DEFAULTS, MIB, Bounds
from headrace_ingest.config import Config
from headrace_ingest.kept import Budget, Kept
from headrace_ingest.session import Session
from headrace_proto import wire
from headrace_storage.model import OpenedWriter
from ingest_client import cells

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_what_is_not_set_has_its_default() -> None:
    assert Bounds.from_environment({}) == DEFAULTS
    assert Bounds.from_environment({"HEADRACE_MAX_HELD": ""}) == DEFAULTS


@pytest.mark.parametrize("text", ["16777216", "16MiB", "16 MiB", " 16384KiB "])
def test_sizes_are_numbers_or_have_a_unit(text: str) -> None:
    assert Bounds.from_environment({"HEADRACE_MAX_HELD": text}) == Bounds(held=16 * MIB)


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "16MB", "1e9", "0x10", "9" * 30, "0", "4GiB2"])
def test_nonsense_is_refused_with_the_variable_and_its_bounds(text: str) -> None:
    with pytest.raises(ValueError, match=r"HEADRACE_MAX_MESSAGE=.*give 3145728 to 67108864"):
        Bounds.from_environment({"HEADRACE_MAX_MESSAGE": text})


def test_bounds_that_exclude_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="no stream could be read"):
        Bounds.from_environment({"HEADRACE_MAX_MESSAGE": "32MiB", "HEADRACE_MAX_HELD": "16MiB"})


def test_workers_get_the_bounds_of_their_daemon() -> None:
    config = Config(Path("data"), bounds=Bounds(streams=7))
    assert Config.from_json(config.to_json()) == config


def test_operations_has_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `(HEADRACE_MAX_\w+)` \| ([^|]+?) \|", OPERATIONS.read_text(), re.MULTILINE))
    documented = Bounds.from_environment(rows)
    assert documented == DEFAULTS
    assert set(rows) == {one.metadata["variable"] for one in fields(Bounds)}


def test_the_stream_that_keeps_most_ends() -> None:
    ended: list[str] = []
    budget = Budget(100)
    small, large, asking = (
        budget.share(lambda name=name: ended.append(name))  # type: ignore[misc]
        for name in ("small", "large", "asking")
    )
    of_small, of_large, of_asking = Kept(small), Kept(large), Kept(asking)
    of_small.resize(20)
    of_large.resize(60)
    of_asking.resize(20)
    assert ended == []
    of_asking.resize(21)
    assert ended == ["large"]
    of_small.resize(40)
    assert ended == ["large"], "its memory is about to be free"
    del of_large
    of_asking.resize(60)
    assert (budget.used, ended) == (100, ["large"])


def test_a_session_counts_what_it_keeps_until_it_is_gone() -> None:
    budget = Budget(1 << 30)
    share = budget.share(lambda: None)
    session = Session(UUID(int=1), OpenedWriter(1, 0, 0, ()), share=share)
    record = wire.blob_record(0, b"x" * 1000, 1)
    session.receive(0, wire.run_frame(wire.RunDefinition(0, "ab" * 16, "")), record[:320])
    assert budget.used > 320
    session.receive(10, b"", record[320:])
    assert 0 < budget.used < 320
    del session
    Kept(share).resize(1)
    assert budget.used == 1


def test_an_overlap_does_not_keep_a_message_of_old_cells() -> None:
    session = Session(UUID(int=1), OpenedWriter(1, 0, 0, ()))
    data = cells([1.0] * 1000)
    session.receive(0, b"", data[:-32])
    batch = session.receive(0, b"", data)
    assert batch is not None
    assert isinstance(batch.cells, memoryview)
    assert (batch.first, bytes(batch.cells)) == (999, data[-32:])
    assert bytes(batch.cells.obj) == data[-32:]
