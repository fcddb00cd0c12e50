"""What the numbers in a writer's cells mean: the definitions that its stream sent. No I/O."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from headrace_ingest.admission import MAX_DEFINITIONS, malformed
from headrace_proto.limits import MAX_TOKEN_LENGTH, key_problem, text_problem
from headrace_proto.wire import MalformedError, RunDefinition, SeriesDefinition, parse_definitions
from headrace_storage.model import Series

Definition = TypeVar("Definition")


class Dictionary:
    """Runs and series of one writer on one stream, by number.

    A name that cannot be stored is kept with its problem: the cells that use it are refused, one by one.
    """

    def __init__(self) -> None:
        self.runs: list[RunDefinition] = []
        self.series: list[Series] = []
        self.problems: dict[int, str] = {}
        """By series: why its points are refused."""
        self._bytes = 0

    def add(self, frames: bytes) -> None:
        """Takes whole definition frames. :class:`RefusedError` when they break the format or a bound."""
        self._bytes += len(frames)
        if self._bytes > MAX_DEFINITIONS:
            raise malformed(f"more than {MAX_DEFINITIONS} bytes of definitions")
        try:
            for definition in parse_definitions(frames):
                if isinstance(definition, RunDefinition):
                    _put(self.runs, definition.run, definition)
                else:
                    self._add_series(definition)
        except MalformedError as error:
            raise malformed(str(error)) from error

    def _add_series(self, definition: SeriesDefinition) -> None:
        number, run, key = definition
        if run >= len(self.runs):
            raise MalformedError(f"series {number} is of run {run}, which is not defined")
        _, run_id, attempt = self.runs[run]
        _put(self.series, number, Series(run_id, key, attempt))
        problem = self.run_problem(run)
        if problem is None and (of_key := key_problem(key)):
            problem = f"the metric key {key[:50]!r} {of_key}"
        if problem:
            self.problems[number] = problem
        else:
            self.problems.pop(number, None)

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
        raise MalformedError(f"number {number} is defined after {len(table) - 1}, they have no gaps")
