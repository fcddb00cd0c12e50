"""Several operations as one: what a call that writes many records returns."""

import threading
from collections.abc import Callable, Sequence

from headrace.operation import RunOperation


class _Together:
    """The fate (``operation.Fate``) of operations that count as one: sequence ``n`` is the n-th of them."""

    def __init__(self, parts: Sequence[RunOperation]) -> None:
        self._parts = parts

    @property
    def name(self) -> str:
        return f"several: {', '.join(map(repr, self._parts))}"

    def committed(self) -> int:
        for index, part in enumerate(self._parts):
            if not part.done():
                return index
        return len(self._parts)

    def when_committed(self, end: int, callback: Callable[[], object]) -> None:
        lock, left = threading.Lock(), end

        def one_done(_: RunOperation) -> None:
            nonlocal left
            with lock:
                left -= 1
                last = not left
            if last:
                callback()

        if not end:
            callback()
        for part in self._parts[:end]:
            part.add_done_callback(one_done)

    def reject(self, first: int, end: int) -> tuple[str, str] | None:
        for part in self._parts[first:end]:
            if error := part.exception():
                return error.code, error.message
        return None


def together(parts: Sequence[RunOperation]) -> RunOperation:
    """One operation that is done when all of ``parts`` are, and refused when one of them is."""
    return parts[0] if len(parts) == 1 else RunOperation(_Together(parts), 0, len(parts))
