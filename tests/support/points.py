"""Points as tuples, for tests that compare what was logged with what is read back, bit by bit."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st

from catalog_daemon import Daemon
from headrace_storage.catalog.segments import Segments
from headrace_storage.history import History
from headrace_storage.model import Rows, Series
from headrace_storage.objects import LocalStore
from headrace_storage.segments.write import SegmentWriter

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

RUNS = [UUID(int=n).hex for n in (1, 2, 1 << 100)]
WRITERS = [UUID(int=n) for n in (3, 1, 1 << 90)]
EDGES = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**31, 2**63 - 1]
TRICKY = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    float("inf"),
    float("-inf"),
    float("nan"),
    1.0,
    -1.0,
    1.7976931348623157e308,
]


def from_bits(bits: int) -> float:
    """The double of these bits: among them, NaN with a payload."""
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


TRICKY += [from_bits(0x7FF8_0000_DEAD_BEEF), from_bits(0xFFF0_0000_0000_0001)]


class Logged(NamedTuple):
    run_id: str
    key: str
    attempt: str
    step: int
    timestamp: int
    value: float
    writer: UUID
    sequence: int
    order_time: int

    def exact(self) -> tuple[object, ...]:
        """The point with its value as bits, so that NaN and -0.0 compare."""
        return (*self[:5], struct.pack("<d", self.value), *self[6:])


def exact(points: Iterable[Logged]) -> list[tuple[object, ...]]:
    return [point.exact() for point in points]


def to_rows(points: Sequence[Logged]) -> Rows:
    series = {entry: code for code, entry in enumerate(dict.fromkeys(Series(*p[:3]) for p in points))}
    writers = {entry: code for code, entry in enumerate(dict.fromkeys(p.writer for p in points))}
    return Rows(
        series=np.array([series[Series(*p[:3])] for p in points], np.uint32),
        step=np.array([p.step for p in points], np.int64),
        timestamp=np.array([p.timestamp for p in points], np.int64),
        value=np.frombuffer(b"".join(struct.pack("<d", p.value) for p in points), np.float64),
        writer=np.array([writers[p.writer] for p in points], np.uint32),
        sequence=np.array([p.sequence for p in points], np.int64),
        order_time=np.array([p.order_time for p in points], np.int64),
        series_table=list(series),
        writer_table=list(writers),
    )


def to_points(rows: Rows) -> list[Logged]:
    series = [rows.series_table[code] for code in rows.series.tolist()]
    return [
        Logged(*columns)
        for columns in zip(
            [entry.run_id for entry in series],
            [entry.key for entry in series],
            [entry.attempt for entry in series],
            rows.step.tolist(),
            rows.timestamp.tolist(),
            rows.value.tolist(),
            [rows.writer_table[code] for code in rows.writer.tolist()],
            rows.sequence.tolist(),
            rows.order_time.tolist(),
            strict=True,
        )
    ]


integers = st.sampled_from(EDGES) | st.integers(-(2**63), 2**63 - 1)
small = st.integers(-3, 3)
values = st.sampled_from(TRICKY) | st.floats()
logged = st.builds(
    Logged,
    st.sampled_from(RUNS),
    st.sampled_from(["loss", "a/b", "Größe", "\x01", "x" * 250]),
    st.sampled_from(["", "first", "zweite"]),
    small | integers,
    small | integers,
    values,
    st.sampled_from(WRITERS),
    integers,
    small | integers,
)


@dataclass
class Training:
    """Logs points through real commits, numbering them as journals do."""

    daemon: Daemon
    store: LocalStore
    rng: np.random.Generator

    def points(self, writer: UUID, count: int, runs: Sequence[str] = RUNS) -> list[Logged]:
        """Points of a writer, steps repeated and out of order, over all runs and a few keys."""
        first = self.daemon.position[writer]
        return [
            Logged(
                runs[int(self.rng.integers(len(runs)))],
                f"key{self.rng.integers(3)}",
                str(self.rng.choice(["", "second"])),
                int(self.rng.integers(-5, 5))
                if self.rng.random() < 0.9
                else EDGES[self.rng.integers(len(EDGES))],
                int(self.rng.integers(0, 3)),
                float(self.rng.normal())
                if self.rng.random() < 0.7
                else TRICKY[self.rng.integers(len(TRICKY))],
                writer,
                first + index,
                1000 + (first + index) // 4,
            )
            for index in range(count)
        ]

    async def log(self, points: Sequence[Logged], *, as_object: bool = False) -> None:
        """Commit the points, all of one writer: as an inline segment, or as an object."""
        writer = points[0].writer
        segments = SegmentWriter(
            self.store, self.daemon.incarnation, inline_limit=0 if as_object else 1 << 20
        )
        segment = await segments.write(to_rows(points))
        group = self.daemon.group(writer)
        (advance,) = group.advances
        self.daemon.position[writer] = points[-1].sequence + 1
        advance = advance._replace(end=points[-1].sequence + 1)
        await self.daemon.commits.commit(replace(group, id=uuid4(), advances=[advance], segment=segment))

    async def history(self, run_id: str, key: str) -> list[tuple[object, ...]]:
        """What a reader gets, as tuples that compare exactly."""
        reader = History(Segments(self.daemon.database), self.store)
        table = await reader.get(run_id, key)
        parts = await reader.columns(run_id, key)
        assert parts is not None
        for name in ("step", "timestamp", "value"):
            column = b"".join(getattr(part, name).tobytes() for part in parts)
            assert column == table[name].to_numpy().tobytes(), f"the two readers differ in {name}"
        millis = {name: table[name].cast(pa.int64()).to_pylist() for name in ("timestamp", "order_time")}
        return [
            Logged(
                run_id, key, attempt, step, timestamp, value, UUID(hex=writer), sequence, order_time
            ).exact()
            for attempt, step, timestamp, value, writer, sequence, order_time in zip(
                table["attempt"].to_pylist(),
                table["step"].to_pylist(),
                millis["timestamp"],
                table["value"].to_pylist(),
                table["writer"].to_pylist(),
                table["sequence"].to_pylist(),
                millis["order_time"],
                strict=True,
            )
        ]

    async def check_history(self, points: Sequence[Logged]) -> None:
        """Fail unless every series reads back as exactly ``points``, in logged order."""
        for run_id, key in sorted({point[:2] for point in points}):
            series = [p for p in points if (p.run_id, p.key) == (run_id, key)]
            assert await self.history(run_id, key) == exact(in_logged_order(series))


def in_logged_order(points: Iterable[Logged]) -> list[Logged]:
    return sorted(points, key=lambda p: (p.order_time, p.writer.int, p.sequence))
