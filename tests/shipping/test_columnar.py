"""What travels by column is, cell for cell, what lies in the journal."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.shipping.columnar import LEAST_CELLS, by_column
from headrace_ingest.admission import RefusedError
from headrace_ingest.columnar import Columns
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2

CELL = np.dtype([("head", "<u8"), ("step", "<i8"), ("timestamp", "<i8"), ("value", "<f8")])
EXTREME = st.sampled_from([-(2**63), 2**63 - 1, 0, -1, 1_700_000_000_000])


def journal(width: int, skipped: int, count: int) -> np.ndarray:
    """Cells of rows of ``width`` metrics with one step and time, without the first ``skipped``."""
    at = np.arange(skipped, skipped + count)
    cells = np.zeros(count, CELL)
    cells["head"] = wire.METRIC + ((at % width) << 32)
    cells["step"] = at // width
    cells["timestamp"] = 1_700_000_000_000 + at // width * 10
    cells["value"] = np.sin(at)
    return cells


def packed(cells: np.ndarray) -> ingest_pb2.Columns | None:
    append = ingest_pb2.Append()
    took = by_column(cells.tobytes(), append)
    assert took == append.HasField("columns")
    return append.columns if took else None


@settings(deadline=None)
@given(st.data())
def test_columns_stand_for_the_cells_that_they_were_made_of(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 200))
    count = data.draw(st.integers(LEAST_CELLS, 1500))
    cells = journal(width, data.draw(st.integers(0, width - 1)), count)
    places = st.integers(0, count - 1)
    for name in ("step", "timestamp"):
        for at, number in data.draw(st.dictionaries(places, EXTREME, max_size=3)).items():
            cells[name][at] = number
        if data.draw(st.booleans()):
            cells[name] = data.draw(EXTREME)
        if data.draw(st.booleans()):
            with np.errstate(over="ignore"):
                cells[name] = np.arange(count) * np.int64(data.draw(EXTREME))
    if data.draw(st.booleans()):
        cells["head"] |= np.uint64(wire.GIVEN_HEAD)
    columns = packed(cells)
    if columns is None:
        assert count < 4 * width
    else:
        assert bytes(Columns.of(columns).cells()) == cells.tobytes()


@pytest.mark.parametrize(("width", "most"), [(1, 8.1), (100, 9.5)])
def test_what_repeats_travels_once(width: int, most: float) -> None:
    cells = journal(width, 0, 8192)
    columns = packed(cells)
    assert columns is not None
    assert columns.ByteSize() / len(cells) < most


def test_what_does_not_repeat_travels_as_it_lies() -> None:
    rng = np.random.default_rng(1)
    cells = journal(1, 0, 8192)
    cells["head"] = wire.METRIC + (rng.integers(0, 50, 8192) << 32)
    assert packed(cells) is None


def test_records_of_other_kinds_travel_as_they_lie() -> None:
    record = wire.blob_record(0, bytes(32 * 600), 1)
    append = ingest_pb2.Append()
    assert not by_column(record, append)
    pads = (bytes([wire.PAD]) + bytes(31)) * 600
    assert not by_column(pads, append)


def test_a_process_without_numpy_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")
    append = ingest_pb2.Append()
    assert not by_column(journal(1, 0, 600).tobytes(), append)


def test_one_that_is_about_to_import_numpy_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    half = ModuleType("numpy")
    half.__spec__ = SimpleNamespace(_initializing=True)  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "numpy", half)
    append = ingest_pb2.Append()
    assert not by_column(journal(1, 0, 600).tobytes(), append)
    monkeypatch.setitem(sys.modules, "numpy", np)
    assert by_column(journal(1, 0, 600).tobytes(), append)


def columns(**changes: object) -> ingest_pb2.Columns:
    good = {"count": 4, "heads": b"\x01" + bytes(7), "values": bytes(32)}
    return ingest_pb2.Columns(**(good | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage",
    [
        {"count": 0, "values": b""},
        {"count": 5},
        {"count": 2**32 - 1},
        {"heads": b""},
        {"heads": b"\x01"},
        {"heads": (b"\x01" + bytes(7)) * 5},
        {"heads": b"\x02" + bytes(7)},
        {"skipped": 1},
        {"skipped": 2**32 - 1},
        {"values": bytes(31)},
        {"steps": ingest_pb2.Numbers(each=bytes(7))},
        {"steps": ingest_pb2.Numbers(each=bytes(8 * 3))},
        {"timestamps": ingest_pb2.Numbers(each=bytes(8 * 5))},
    ],
)
def test_parts_that_do_not_fit_are_refused(damage: dict[str, object]) -> None:
    Columns.of(columns())
    with pytest.raises(RefusedError):
        Columns.of(columns(**damage))
