"""Turns: one call at a time appends to a journal, for a fifth of what a lock costs.

A call takes the one item out of ``turn`` by a ``del``, a single instruction, so that neither another thread
nor a signal handler comes between looking and taking; a ``finally`` puts one back. The hot path
(``RunLog.log_metric``) does the same by itself.
"""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

QUEUE_SECONDS = 50e-6
"""How long a call sleeps before it looks again whether that of another thread is over."""


class Inside(Exception):  # noqa: N818 - a turn of the flow inside the package, never an error a user sees
    """This thread is in the middle of a call that appends, or the journal is closed: use the spare one."""


class Turns:
    """What a writer inherits."""

    def __init__(self) -> None:
        self.turn: list[None] = [None]
        self.closed = False
        """Whether there are no turns any more."""

    def in_turn(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, which may append: no other call does so meanwhile.

        Raises:
            Inside: there is no use in waiting for a turn.
        """
        while True:
            turn = self.turn
            try:
                del turn[0]
                break
            except IndexError:
                if not self.queue(turn):
                    raise Inside from None
        try:
            return work()
        finally:
            turn.append(None)

    def queue(self, turn: list[None]) -> bool:
        """For a call that found ``turn`` taken: waits a moment for the call of another thread.

        False when there is no use: the caller interrupted the one whose turn it is, or the journal is closed.
        """
        if self.closed or _interrupted(turn):
            return False
        time.sleep(QUEUE_SECONDS)
        return True


def _interrupted(turn: list[None]) -> bool:
    """Whether a call further up in this thread may have the turn.

    Looked for where it matters, which is rare, so that a call need not note its thread. One that just gave it
    back counts too: the spare journal is always right.
    """
    frame = sys._getframe(2).f_back  # noqa: SLF001 - above queue and its caller
    while frame is not None:
        if "turn" in frame.f_code.co_varnames and frame.f_locals.get("turn") is turn:
            return True
        frame = frame.f_back
    return False
