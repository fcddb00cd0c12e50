"""What a workload starts once and uses in every run: what is compared must be as warm as the daemon."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

STACK = ExitStack()
"""The harness closes it after the last run."""


def lasting(start: Callable[[], AbstractContextManager[T]]) -> T:
    """What ``start()`` gives, which is called once and exited when all runs are done."""
    started: T = _entered(start)
    return started


@cache
def _entered(start: Callable[[], AbstractContextManager[Any]]) -> Any:
    return STACK.enter_context(start())
