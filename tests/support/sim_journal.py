"""A journal in memory, with the reader's face, and what must become of everything in it."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

from headrace_proto import wire
from headrace_proto.v1.tracking_pb2 import CreateRun, RunChange, SetParam, StartAttempt

RUN = "ab" * 16
SERIES = [(0, "loss"), (0, "bad\0key"), (1, "loss"), (2, "loss")]
"""Of which of the journal's runs, and the key."""
GOOD, BAD, FORKED = 0, 1, 2
FORK_ATTEMPTS = ["fork", "rewound fork"]
SHARED_RUN = "cd" * 16
NOW = 1_700_000_000_000

Reject = tuple[int, int, str, str]


class MemoryJournal:
    """What ``JournalReader`` reads, and what a writer writes, without files.

    ``points`` and ``refused`` tell what each sequence must become; a param is set once, and refused when
    it is set again. Journals with one ``attempt`` are ranks of a launch, which resumed the shared run from
    ``resumed_from`` (``None``: it did not). Each may make one fork of that run, and rewind it once; what it
    says of runs stands in ``changes``. Points' steps are their sequences.
    """

    def __init__(
        self, number: int, chance: random.Random, attempt: str, resumed_from: int | None = None
    ) -> None:
        self.writer = UUID(int=number)
        self.attempt = attempt
        self.resumed_from = resumed_from
        self.points: dict[int, float] = {}
        self.refused: set[int] = set()
        self.changes: dict[int, RunChange] = {}
        self.fork = f"{number:032x}"
        self._forks = 0
        self.known: list[Reject] = []
        self.wrong: list[str] = []
        self._chance = chance
        self._cells = bytearray()
        self._defined = wire.run_frame(wire.RunDefinition(0, SHARED_RUN, attempt))
        for run, token in enumerate(FORK_ATTEMPTS, 1):
            self._defined += wire.run_frame(wire.RunDefinition(run, self.fork, token))
        for series, (run, key) in enumerate(SERIES):
            self._defined += wire.series_frame(wire.SeriesDefinition(series, run, key))
        self.control = [0] * 32  # what only tells other processes something
        self._committed = 0
        self._opens = 0
        self._params = 0
        self._begin(0, attempt, resumed_from)

    # The writer's side.

    def log(self) -> None:
        """Appends a record of some kind."""
        at, kind = self.tail, self._chance.random()
        if kind < 0.5:
            self._point(GOOD)
        elif kind < 0.7:
            self._of_a_fork()
        elif kind < 0.8:
            self.refused.add(at)
            self._metric(BAD, 0.0)
        else:
            param = SetParam(key="lr" * self._chance.randint(1, 60), value="x")
            param.key = param.key[: self._chance.choice((4, 100))]
            is_again = kind > 0.9
            if is_again:
                param = SetParam(key=f"again {self.name}", value=str(self._params))
                self._params += 1
            self._cells += wire.blob_record(0, RunChange(param=param).SerializeToString(), NOW)
            if is_again and self._params > 1:
                self.refused.update(range(at, self.tail))

    def _of_a_fork(self) -> None:
        """Makes the fork, rewinds it, or logs a point of it."""
        kind = self._chance.random()
        step = self._chance.choice((None, self._chance.randint(0, 12)))
        if self._forks == 0:
            create = CreateRun(start_time=NOW, fork_from=SHARED_RUN, fork_step=step)
            self._change(1, RunChange(create=create))
            self._begin(1, FORK_ATTEMPTS[0])
            self._forks = 1
        elif self._forks == 1 and kind < 0.3:
            self._begin(2, FORK_ATTEMPTS[1], step or 0)
            self._forks = 2
        else:
            self._point(FORKED + self._forks - 1)

    def _begin(self, run: int, token: str, step: int | None = None) -> None:
        start = StartAttempt(token=token, process_id=self.name, start_time=NOW, resume_from_step=step)
        self._change(run, RunChange(start_attempt=start))

    def _change(self, run: int, change: RunChange) -> None:
        self.changes[self.tail] = change
        self._cells += wire.blob_record(run, change.SerializeToString(), NOW)

    def _point(self, series: int) -> None:
        self.points[self.tail] = float(self.tail)
        self._metric(series, float(self.tail))

    def _metric(self, series: int, value: float) -> None:
        self._cells += wire.METRIC_CELL.pack(wire.METRIC, 0, 0, series, self.tail, NOW, value)

    # The reader's side.

    @property
    def name(self) -> str:
        return self.writer.hex

    @property
    def folder(self) -> Path:
        return Path(self.name)

    @property
    def header(self) -> dict[str, Any]:
        return {"labels": {"rank": "0"}}

    @property
    def tail(self) -> int:
        return len(self._cells) // wire.CELL_SIZE

    @property
    def committed(self) -> int:
        return self._committed

    @property
    def closed(self) -> bool:
        return False

    @property
    def introduces(self) -> bool:
        return True

    def next_open_number(self) -> int:
        self._opens += 1
        return self._opens

    def known_reject(self) -> int:
        return max((reject[0] for reject in self.known), default=-1)

    def store(self, committed: int, rejects: list[Reject]) -> None:
        last = self.known_reject()
        self.known += [reject for reject in rejects if reject[0] > last]
        self._committed = max(self._committed, committed)
        reported = self.reported()
        if missing := {at for at in self.refused if at < self._committed} - reported:
            self.wrong.append(f"committed {self._committed} passes refusals that are not reported: {missing}")
        if reported - self.refused:
            self.wrong.append(f"refused without a reason: {reported - self.refused}")

    def reported(self) -> set[int]:
        """The sequences that the daemon reported as refused."""
        return {at for first, end, _, _ in self.known for at in range(first, end)}

    def definitions(self, offset: int, size: int) -> tuple[bytes, bool]:  # noqa: ARG002
        """Sometimes only the next frame."""
        data = self._defined[offset:]
        if data and self._chance.random() < 0.3:
            length, _ = wire.FRAME_HEAD.unpack_from(data)
            return data[: wire.FRAME_HEAD.size + length], wire.FRAME_HEAD.size + length == len(data)
        return data, True

    def cells(self, first: int, count: int) -> bytes:
        """Sometimes fewer, as at the end of a file: records are cut anywhere."""
        assert first + count <= self.tail
        count = self._chance.randint(1, count)
        return bytes(self._cells[first * wire.CELL_SIZE : (first + count) * wire.CELL_SIZE])

    def gap(self, first: int) -> None:
        """Nothing is missing."""

    def retire(self, keep: float, committed: int | None = None) -> None:
        """Nothing is deleted."""

    def close(self) -> None:
        """Nothing is open."""
