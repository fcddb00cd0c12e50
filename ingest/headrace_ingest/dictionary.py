"""What the numbers in a writer's cells mean: the definitions that its stream sent. No I/O."""

from array import array
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from headrace_ingest.admission import MAX_DEFINITION_BYTES, malformed
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.kept import Kept, Share, unbounded
from headrace_proto.limits import MAX_TOKEN_LENGTH, key_problem, text_problem
from headrace_proto.wire import MalformedError, RunDefinition, SeriesDefinition, parse_definitions
from headrace_storage.model import Series
from headrace_storage.segments.names import MANY, Names, Texts, TextStore

Definition = TypeVar("Definition")

_OBJECTS: Final = 230
"""Bytes that the objects of a run's definition take, or of a series' that is refused, beside the text."""

_SERIES: Final = 30
"""Bytes that a series' definition takes besides."""

_FEW: Final = 16
"""Series up to which looking at each is quicker than at all."""


class SeriesNames:
    """The series of a writer by number, a few bytes each beside their keys."""

    def __init__(self, runs: Sequence[RunDefinition]) -> None:
        """``runs``: the writer's; it grows."""
        self._runs = runs
        self._run = array("I")
        self._keys = TextStore()

    def __len__(self) -> int:
        return len(self._run)

    def __getitem__(self, number: int) -> Series:
        _, run_id, attempt = self._runs[self._run[number]]
        return Series(run_id, self._keys[number], attempt)

    def put(self, number: int, run: int, key: str) -> None:
        """Appends a series, or replaces the newest: as for runs."""
        if number == len(self._run):
            self._keys.append(key)
            self._run.append(run)
        elif number == len(self._run) - 1:
            self._keys.replace_newest(key)
            self._run[-1] = run
        else:
            raise MalformedError(_out_of_order(number, len(self._run)))

    def select(self, numbers: NDArray[np.integer[Any]]) -> Sequence[Series]:
        """The series with these numbers, which ascend."""
        if len(numbers) < _FEW:
            return [self[number] for number in numbers.tolist()]
        # A copy: a view would keep the array from growing, while the stream goes on defining.
        run = np.array(self._run[int(numbers[0]) : int(numbers[-1]) + 1], np.uint32)[numbers - numbers[0]]
        keys = self._keys.take(numbers)
        if len(numbers) < MANY:
            found = [self._runs[number] for number in run.tolist()]
            return [
                Series(of.run_id, key, of.attempt) for of, key in zip(found, keys.to_pylist(), strict=True)
            ]
        used, codes = np.unique(run, return_inverse=True)
        runs = [self._runs[number] for number in used.tolist()]
        run_ids, attempts = (
            Texts(texts.codes[codes], texts.texts)
            for texts in (Texts.of([run.run_id for run in runs]), Texts.of([run.attempt for run in runs]))
        )
        return Names(run_ids, Texts.of(keys), attempts)


class Dictionary:
    """Runs and series of one writer on one stream, by number.

    A name that cannot be stored is kept with its problem: the cells that use it are refused, one by one.
    """

    def __init__(self, bounds: Bounds = DEFAULTS, share: Share | None = None) -> None:
        """``share``: the stream's, which the definitions count for."""
        self.runs: list[RunDefinition] = []
        self.series = SeriesNames(self.runs)
        self.problems: dict[int, str] = {}
        """By series: why its points are refused."""
        self._bounds = bounds
        self._kept = Kept(share or unbounded())

    def add(self, frames: bytes) -> None:
        """Takes whole definition frames. :class:`RefusedError` when they break the format or a bound."""
        if len(frames) > MAX_DEFINITION_BYTES:
            raise malformed(
                f"{len(frames)} bytes of definitions in a message, the bound is {MAX_DEFINITION_BYTES}"
            )
        size, bound = self._kept.size + len(frames), self._bounds.definitions
        try:
            for definition in parse_definitions(frames):
                size += _SERIES if isinstance(definition, SeriesDefinition) else _OBJECTS
                if size > bound:
                    raise malformed(
                        f"{len(self.runs)} runs and {len(self.series)} series are defined, and with the next "
                        f"take more than the bound of {self._bounds.named('definitions')} bytes"
                    )
                if isinstance(definition, RunDefinition):
                    _put(self.runs, definition.run, definition)
                else:
                    size += self._add_series(definition)
        except MalformedError as error:
            raise malformed(str(error)) from error
        self._kept.resize(size)

    def _add_series(self, definition: SeriesDefinition) -> int:
        """The bytes that it takes beside the usual ones."""
        number, run, key = definition
        if run >= len(self.runs):
            raise MalformedError(f"series {number} is of run {run}, which is not defined")
        self.series.put(number, run, key)
        problem = self.run_problem(run)
        if problem is None and (of_key := key_problem(key)):
            problem = f"the metric key {key[:50]!r} {of_key}"
        if problem is None:
            self.problems.pop(number, None)
            return 0
        self.problems[number] = problem
        return _OBJECTS

    def run_problem(self, run: int) -> str | None:
        """Why records of ``run`` are refused; ``None`` when they are not."""
        if run >= len(self.runs):
            return f"run {run} was not defined on this stream"
        problem = text_problem(self.runs[run].attempt, MAX_TOKEN_LENGTH)
        return f"the attempt's token {problem}" if problem else None

    def refused_series(self, below: int) -> NDArray[np.uint32]:
        """The numbers under ``below`` of the series whose points are refused, unordered."""
        # A copy first: decoding runs in a thread, while the stream goes on defining.
        return np.array([number for number in tuple(self.problems) if number < below], np.uint32)


def _put(table: list[Definition], number: int, definition: Definition) -> None:
    """Appends, or replaces the newest: an interrupted writer defines it again before the first use."""
    if number == len(table):
        table.append(definition)
    elif table and number == len(table) - 1:
        table[number] = definition
    else:
        raise MalformedError(_out_of_order(number, len(table)))


def _out_of_order(number: int, count: int) -> str:
    return f"number {number} is defined after {count - 1}, they have no gaps"
