"""A journal on a temporary folder, and a reader of it that is written from the format's description alone."""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headrace.journal.layout import TAIL
from headrace.journal.reader import JournalReader
from headrace.journal.writer import Writer
from headrace_proto import wire

Point = tuple[str, str, int, int, bytes, int]
"""Run id, key, step, timestamp, the value's eight bytes, flags."""


@dataclass
class Content:
    points: list[Point] = field(default_factory=list)
    late: list[Point] = field(default_factory=list)
    blobs: list[tuple[str, bytes]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """"m", "l" or "b", as they lie."""


def read_journal(folder: Path) -> Content:
    """Everything below the tail, cell by cell."""
    reader = JournalReader(folder)
    definitions, complete = reader.definitions(0, 1 << 30)
    assert complete
    runs: dict[int, str] = {}
    series: dict[int, tuple[str, str]] = {}
    for definition in wire.parse_definitions(definitions):
        if isinstance(definition, wire.RunDefinition):
            runs[definition.run] = definition.run_id
        else:
            series[definition.series] = runs[definition.run], definition.key
    content, at = Content(), 0
    while at < reader.tail:
        cell = reader.cells(at, 1)
        if cell[0] in (wire.METRIC, wire.LATE):
            kind, flags, _, number, step, timestamp = struct.unpack_from("<BBHIqq", cell)
            found = content.points if kind == wire.METRIC else content.late
            found.append((*series[number], step, timestamp, cell[24:], flags))
            content.order.append("m" if kind == wire.METRIC else "l")
        elif cell[0] == wire.BLOB:
            _, _, cells, run, length, _, _, _ = wire.BLOB_HEAD.unpack(cell)
            payload = reader.cells(at + 1, cells - 1)[:length]
            content.blobs.append((runs[run], payload))
            content.order.append("b")
            at += cells - 1
        else:
            assert cell[0] == wire.PAD
        at += 1
    reader.close()
    return content


@dataclass
class Journals:
    """Writers of one process, the spare ones too."""

    root: Path
    made: list[Writer] = field(default_factory=list)

    def writer(self, _: Writer | None = None) -> Writer:
        writer = Writer(self.root, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, self.writer)
        self.made.append(writer)
        return writer

    def points(self) -> list[Point]:
        return [point for writer in self.made for point in read_journal(writer.folder).points]

    def tails(self) -> list[int]:
        return [writer.control[TAIL] for writer in self.made]


@pytest.fixture
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journals:
    monkeypatch.setattr("headrace.journal.folder.boot_id", lambda: "b")
    return Journals(tmp_path / "journals")


@pytest.fixture
def read() -> Callable[[Path], Content]:
    return read_journal
