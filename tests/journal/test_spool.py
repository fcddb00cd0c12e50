"""The spool: what a call was given is safe when it returns, whatever happens then."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.config import Settings
from headrace.errors import DroppedError, JournalFullError, SpoolFullError
from headrace.file_side import FileSide
from headrace.journal import layout
from headrace.journal.room import OnFull
from headrace.operation import RunOperation
from headrace.spool import entry as entries
from headrace.spool.entry import Entry
from headrace.spool.reader import SpoolReader, spools
from headrace.spool.secure import secure
from headrace.spool.spool import Limits, Spool
from small_disk import fill, small_disk

RUN = "0123456789abcdef" * 2


def made(root: Path, **limits: Any) -> Spool:
    given: dict[str, Any] = {"bound": 1.0, "on_full": "raise", **limits}
    return Spool(root / "host-boot", {"uri": "headrace://x:1", "shipper": "thread"}, Limits(**given))


def add(spool: Spool, data: bytes, path: str = "f") -> RunOperation:
    return spool.add(
        lambda size: Entry(RUN, "file", size, hashlib.md5(data).hexdigest(), path),  # noqa: S324
        lambda target: target.write_bytes(data),
    )


def ship(reader: SpoolReader) -> list[tuple[str, bytes]]:
    """Uploads all that is there, into a list."""
    shipped = []
    while found := reader.next():
        number, entry = found
        shipped.append((entry.path, reader.data(number).read_bytes()))
        reader.done(number)
    return shipped


def test_entries_in_order(tmp_path: Path) -> None:
    spool = made(tmp_path)
    operations = [add(spool, str(number).encode(), f"f{number}") for number in range(12)]
    assert (spool.pending(), [operation.done() for operation in operations]) == (12, [False] * 12)
    assert list(spools(tmp_path)) == [spool.folder]
    reader = SpoolReader(spool.folder)
    assert reader.claim()
    assert not SpoolReader(spool.folder).claim()
    assert ship(reader) == [(f"f{number}", str(number).encode()) for number in range(12)]
    assert all(operation.done() for operation in operations)
    assert reader.living()
    spool.close()
    assert not reader.living()
    reader.remove()
    assert not list((tmp_path / "host-boot").iterdir())


def test_a_refused_entry_is_told_and_passed(tmp_path: Path) -> None:
    spool = made(tmp_path)
    first, second = add(spool, b"1"), add(spool, b"2")
    told: list[RunOperation] = []
    first.add_done_callback(told.append)
    reader = SpoolReader(spool.folder)
    reader.refuse(0, "NO", "because")
    spool.waiters.advance(spool.committed())
    assert told == [first]
    error = first.exception()
    assert error is not None
    assert error.code == "NO"
    assert ship(reader) == [("f", b"2")]
    assert second.exception() is None


def test_what_a_dead_process_left_is_found(tmp_path: Path) -> None:
    spool = made(tmp_path)
    add(spool, b"1", "a")
    add(spool, b"2", "b")
    spool.control[layout.TAIL] = 0  # it died before it could say so, or the machine did
    (spool.folder / f".{'0' * 32}").write_bytes(b"half a copy")
    os.close(spool._lock_descriptor)
    reader = SpoolReader(spool.folder)
    assert not reader.living()
    assert ship(reader) == [("a", b"1"), ("b", b"2")]


@pytest.mark.parametrize("damage", ["data", "entry"])
def test_what_a_crash_of_the_machine_cut_is_told_as_lost(tmp_path: Path, damage: str) -> None:
    spool = made(tmp_path)
    lost = add(spool, b"whole", "a")
    add(spool, b"2", "b")
    suffix = entries.DATA if damage == "data" else entries.ENTRY
    (spool.folder / entries.name_of(0, suffix)).write_bytes(b"")
    assert ship(SpoolReader(spool.folder)) == [("b", b"2")]
    error = lost.exception()
    assert error is not None
    assert error.code == "DATA_LOSS"


def test_a_signal_handler_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = made(tmp_path)
    rename, inner, came = Path.rename, list[RunOperation](), list[int]()

    def handler(*_: object) -> None:
        came.append(1)
        inner.append(add(spool, b"inner", "inner"))

    def interrupted(self: Path, target: Path) -> Path:
        if not came and str(target).endswith(entries.ENTRY):
            os.kill(os.getpid(), signal.SIGUSR1)
        return rename(self, target)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(Path, "rename", interrupted)
        add(spool, b"outer", "outer")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert sorted(ship(SpoolReader(spool.folder))) == [("inner", b"inner"), ("outer", b"outer")]
    assert inner[0].done()


def test_a_copy_is_independent(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for content in (b"", b"x", os.urandom(3_000_000)):
        source.write_bytes(content)
        target = tmp_path / f"target{len(content)}"
        assert secure(source, target) == len(content)
        assert target.stat().st_ino != source.stat().st_ino
        with source.open("r+b") as file:
            file.write(b"changed")
        assert target.read_bytes() == content


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "2m") as folder:
        yield folder


def test_a_full_disk_is_an_error_and_leaves_nothing(disk: Path) -> None:
    spool = made(disk)
    fill(disk)
    with pytest.raises(SpoolFullError, match="no room") as full:
        add(spool, bytes(100_000))
    assert isinstance(full.value, JournalFullError)
    assert (spool.pending(), list(spool.folder.glob("[0-9]*")), list(spool.folder.glob(".*"))) == (0, [], [])


@pytest.mark.parametrize("on_full", ["raise", "drop"])
def test_a_disk_with_room_for_the_bytes_and_not_for_what_they_are(disk: Path, on_full: str) -> None:
    spool = made(disk, on_full=on_full)
    ballast = fill(disk)
    os.truncate(ballast, ballast.stat().st_size - 4096)
    left = sorted(spool.folder.iterdir())
    if on_full == "drop":
        assert isinstance(add(spool, b"x" * 4096).exception(10), DroppedError)
    else:
        with pytest.raises(SpoolFullError):
            add(spool, b"x" * 4096)
    assert sorted(spool.folder.iterdir()) == left


@pytest.mark.parametrize("on_full", ["raise", "drop"])
def test_a_disk_without_room_for_a_spool(disk: Path, on_full: OnFull) -> None:
    writer = SimpleNamespace(name="journal", written=lambda: 0)
    settings = Settings(journal_dir=disk / "journals", on_full=on_full)
    core: Any = SimpleNamespace(settings=settings, current_writer=lambda: writer, header=dict[str, Any])
    fill(disk)
    files = FileSide(core)

    def log() -> RunOperation:
        return files.secure(
            lambda *_: Entry(RUN, "file", 1, "0" * 32, "f"), lambda path: path.write_bytes(b"x")
        )

    if on_full == "drop":
        assert isinstance(log().exception(10), DroppedError)
    else:
        with pytest.raises(SpoolFullError, match="no room"):
            log()
    assert not list(disk.glob("journals/*/*"))


def test_a_full_disk_when_calls_are_dropped(disk: Path) -> None:
    spool = made(disk, on_full="drop")
    ballast = fill(disk)
    with pytest.raises(DroppedError):
        add(spool, bytes(100_000)).wait(1)
    ballast.unlink()
    add(spool, b"fits")
    assert ship(SpoolReader(spool.folder)) == [("f", b"fits")]


def test_a_full_disk_is_waited_for_only_while_uploads_make_room(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(disk, on_full="block")
    add(spool, bytes(1_500_000), "first")
    reader, shipped = SpoolReader(spool.folder), list[str]()
    monkeypatch.setattr("time.sleep", lambda _: shipped.extend(path for path, _ in ship(reader)))
    add(spool, bytes(1_500_000), "second")
    assert shipped == ["first"]
    with pytest.raises(SpoolFullError):  # larger than the disk: nothing would make room
        add(spool, bytes(3_000_000), "third")


def test_the_bound_of_all_spools(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        made(disk).add(
            lambda size: Entry(RUN, "file", size, "0" * 32, "f"), lambda to: to.write_bytes(bytes(2_000_000))
        )
        with pytest.raises(SpoolFullError, match="HEADRACE_ARTIFACT_SPOOL_MAX"):
            add(made(disk, bound=0.7), bytes(1_100_000))
