"""Damaged journals: what is intact arrives, the rest is named; never wrong points, a hang, or harm to others.

The damaged journal is shipped beside an intact one by the real shipper to a daemon in the simulated world. A
metric's cell and the control page have no checksum: they are memory that the training writes.
"""

import asyncio
import shutil
import struct
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.reader import JournalReader
from headrace.journal.rejects import append_rejects, read_rejects
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace_proto import wire
from headrace_proto.v1.tracking_pb2 import RunChange, SetParam
from sim_loop import VirtualLoop, simulate
from sim_world import World, small_and_silent

EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
RUN = "ab" * 16
POINTS = 120
REJECTS = [(1, 2, "OLD", "of long ago"), (3, 4, "OLD", "also"), (5, 6, "OLD", "and that")]
PATIENCE = 20.0
"""Virtual seconds."""


class Damage(NamedTuple):
    """What happens to a file: ``kind`` at ``at`` (of its first kilobytes), over ``size`` bytes."""

    kind: str
    at: int
    size: int = 1

    def apply(self, path: Path) -> tuple[int, int]:
        """Does it; the first byte that is not as it was, and the one after the last."""
        data = bytearray(path.read_bytes())
        at = self.at % max(1, len(data))
        end = min(len(data), at + self.size)
        if self.kind == "cut":
            end = len(data)
            del data[at:]
        elif self.kind == "flip":
            end = at + 1
            data[at] ^= 1 << self.size % 8
        else:
            data[at:end] = bytes([0 if self.kind == "zero" else 255]) * (end - at)
        path.write_bytes(data)
        return at, end


damages = st.builds(
    Damage, st.sampled_from(["cut", "flip", "zero", "ones"]), st.integers(0, 6000), st.integers(1, 200)
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A journal with points, params and refusals, of a process that is gone."""
    root = tmp_path_factory.mktemp("journals")

    def none(_: Writer) -> Writer:
        raise AssertionError("no spare is needed")

    header = {"uri": "headrace://x", "boot": folders.boot_id(), "labels": {"rank": "0"}, "shipper": "thread"}
    writer = Writer(root, uuid.uuid4().hex, header, 1.0, none)
    log = RunLog(writer, RUN, "")
    for at in range(POINTS):
        log.log_metric("loss" if at % 3 else f"key{at}", float(at), at, 1_700_000_000_000 + at)
        if at % 20 == 7:
            log.change(RunChange(param=SetParam(key=f"p{at}", value="v" * at)).SerializeToString())
    append_rejects(writer.folder, writer.control, REJECTS)
    writer.close()
    with small_and_silent():
        yield writer.folder


def points_of(folder: Path) -> dict[int, tuple[str, int, bytes]]:
    """Key, step and value of each point of an intact journal, by sequence."""
    reader = JournalReader(folder)
    keys = {
        one.series: one.key
        for one in wire.parse_definitions(reader.definitions(0, 1 << 20)[0])
        if isinstance(one, wire.SeriesDefinition)
    }
    points, at = {}, 0
    while at < reader.tail:
        kind, _, cells, series, step, _, value = wire.METRIC_CELL.unpack(reader.cells(at, 1))
        if kind == wire.METRIC:
            points[at] = keys[series], step, struct.pack("<d", value)
        at += cells if kind == wire.BLOB else 1
    reader.close()
    return points


class Outcome(NamedTuple):
    """What arrived of a journal, by sequence, and what was reported as refused."""

    points: dict[int, tuple[str, int, bytes]]
    rejected: set[int]
    committed: int


def ship(folders_to_ship: Sequence[Path]) -> list[Outcome]:
    """Ships journals by one shipper, the last of which is intact; what arrived of each."""

    async def main(loop: VirtualLoop) -> list[Outcome]:
        world = World(0)
        world.faults.rate = 0.0
        world.start_daemon()
        world.start_shipper()
        shipper = world.shippers[0][0]
        for folder in folders_to_ship:
            shipper.take_on(folder)
        intact = shipper.lane(folders_to_ship[-1].name)
        assert intact is not None
        while loop.time() < PATIENCE and any(lane.pending() for lane in shipper.lanes):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # virtual
        assert not intact.pending(), "an intact journal is held up by a damaged one"
        assert not any(lane.pending() for lane in shipper.lanes), "a damaged journal is shipped for ever"
        shipper.let_go()
        return [outcome(world, uuid.UUID(folder.name)) for folder in folders_to_ship]

    return simulate(main)


def outcome(world: World, writer: uuid.UUID) -> Outcome:
    points = {}
    for group in world.catalog.committed.values():
        if group.segment is not None:
            rows = world.objects[group.segment.path or ""]
            for at, number in enumerate(rows.writer.tolist()):
                if rows.writer_table[number] == writer:
                    key = rows.series_table[rows.series[at]].key
                    value = struct.pack("<d", rows.value[at])
                    assert rows.sequence[at] not in points
                    points[int(rows.sequence[at])] = key, int(rows.step[at]), value
    held = world.catalog.writers.get(writer)
    refused = {at for one in held.rejects for at in range(one.first, one.end)} if held else set()
    return Outcome(points, refused, held.end if held else 0)


def check(journal: Path, name: str, damage: Damage, *, boot: str | None = None) -> tuple[Outcome, int, int]:
    """Ships a damaged copy of ``journal`` beside an intact one; what arrived, and where it is damaged."""
    wanted = points_of(journal)
    with tempfile.TemporaryDirectory() as temporary:
        damaged, intact = (
            Path(shutil.copytree(journal, Path(temporary) / uuid.uuid4().hex)) for _ in range(2)
        )
        if boot is not None:
            folders.write_header(damaged, folders.header(damaged) | {"boot": boot})
        begin, end = damage.apply(damaged / name)
        of_damaged, of_intact = ship([damaged, intact])
        assert of_intact.points == wanted
        assert not of_intact.rejected
    return of_damaged, begin, end


@EXAMPLES
@given(damages)
@example(Damage("zero", 0, 6000))
@example(Damage("cut", 0))
@example(Damage("ones", 4, 4))
def test_definitions(journal: Path, damage: Damage) -> None:
    found, _, _ = check(journal, layout.DEFINITIONS, damage)
    wanted = points_of(journal)
    assert found.points.items() <= wanted.items()
    # What was passed is there, or was reported as refused.
    assert {at for at in wanted if at < found.committed} <= found.points.keys() | found.rejected


@EXAMPLES
@given(damages)
@example(Damage("cut", 33))
@example(Damage("cut", 32 * 50))
@example(Damage("zero", 32 * 8, 32))
@example(Damage("zero", 32 * 8 + 2, 2))
@example(Damage("ones", 32 * 8 + 2, 2))
def test_cells(journal: Path, damage: Damage) -> None:
    found, begin, end = check(journal, f"{0:020d}.cells", damage)
    wanted = points_of(journal)
    # Where a record's head is damaged, the cells up to its end are read differently too.
    outside = {at for at in wanted if not begin // 32 <= at < (end + 31) // 32 + 200 // 32}
    assert {at: found.points[at] for at in outside & found.points.keys()} == {
        at: wanted[at] for at in outside & found.points.keys()
    }


@pytest.mark.parametrize("name", [f"{0:020d}.cells", layout.DEFINITIONS, layout.CONTROL])
@pytest.mark.parametrize(
    "damage",
    [
        Damage("zero", 32 * 8, 32),
        Damage("zero", 32 * 8 + 2, 2),
        Damage("cut", 32 * 50),
        Damage("zero", 0, 9999),
    ],
)
def test_after_a_crash_of_the_machine(journal: Path, name: str, damage: Damage) -> None:
    check(journal, name, damage, boot="of another boot")


@settings(EXAMPLES, max_examples=8)  # a tail that is too far has thousands of zeros shipped, and refused
@given(damages)
@example(Damage("cut", 0))
@example(Damage("ones", 8 * layout.OPEN_NUMBER, 8))
@example(Damage("ones", 8 * layout.COMMITTED, 8))
@example(Damage("ones", 8 * layout.TAIL, 8))
@example(Damage("flip", 8 * layout.TAIL + 1, 4))
def test_the_control_page(journal: Path, damage: Damage) -> None:
    found, _, _ = check(journal, layout.CONTROL, damage)
    assert found.points.items() <= points_of(journal).items()


@EXAMPLES
@given(damages)
@example(Damage("zero", 0, 9999))
@example(Damage("flip", 2, 3))
@example(Damage("cut", 5))
def test_the_header(journal: Path, damage: Damage) -> None:
    found, _, _ = check(journal, layout.WRITER, damage)
    assert found.points in ({}, points_of(journal))


@EXAMPLES
@given(damages)
@example(Damage("cut", 1))
@example(Damage("zero", 3, 1))
@example(Damage("flip", 11, 1))
def test_refusals(journal: Path, damage: Damage) -> None:
    """What is damaged is sent again: what is read is always the beginning of what was written."""
    found, _, _ = check(journal, layout.REJECTS_FILE, damage)
    assert found.points == points_of(journal)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(journal, Path(temporary) / "copy"))
        damage.apply(copy / layout.REJECTS_FILE)
        read = read_rejects(copy)
        assert read == REJECTS[: len(read)]
        reader = JournalReader(copy)
        reader.store(1, REJECTS)
        assert read_rejects(copy) == REJECTS
        assert reader.control[layout.REJECTS] == len(REJECTS)
        reader.close()


def test_a_header_of_another_kind_is_damaged(tmp_path: Path) -> None:
    for content in ("[]", "5", '{"format": "1"}', '{"format": 1, "uri": "x", "labels": [1]}', "\udcff"):
        (tmp_path / layout.WRITER).write_bytes(content.encode(errors="surrogateescape"))
        with pytest.raises(JournalError, match="is damaged"):
            folders.header(tmp_path)
