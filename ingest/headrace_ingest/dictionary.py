"""What the numbers in a writer's cells mean: the definitions that its stream sent. No I/O."""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from headrace_ingest.admission import MAX_DEFINITION_BYTES, malformed
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.kept import Kept, Share, unbounded
from headrace_proto.limits import MAX_TOKEN_LENGTH, key_problem, text_problem
from headrace_proto.wire import MalformedError, RunDefinition, SeriesDefinition, parse_definitions
from headrace_storage.model import Series

Definition = TypeVar("Definition")

_OBJECTS: Final = 230
"""Bytes that the objects of a definition take, beside the text."""


class Dictionary:
    """Runs and series of one writer on one stream, by number.

    A name that cannot be stored is kept with its problem: the cells that use it are refused, one by one.
    """

    def __init__(self, bounds: Bounds = DEFAULTS, share: Share | None = None) -> None:
        """``share``: the stream's, which the definitions count for."""
        self.runs: list[RunDefinition] = []
        self.series: list[Series] = []
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
                size += _OBJECTS
                if size > bound:
                    raise malformed(
                        f"{len(self.runs)} runs and {len(self.series)} series are defined, and with the next "
                        f"take more than the bound of {self._bounds.named('definitions')} bytes"
                    )
                if isinstance(definition, RunDefinition):
                    _put(self.runs, definition.run, definition)
                else:
                    self._add_series(definition)
        except MalformedError as error:
            raise malformed(str(error)) from error
        self._kept.resize(size)

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
