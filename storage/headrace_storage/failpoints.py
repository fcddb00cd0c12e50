"""Places where a test has the daemon die, fail or stall; nothing at all in a daemon that is not under test.

``HEADRACE_FAILPOINTS`` names them, each with what happens there and how likely, and the seed of the chances::

    seed=7,commit.after=kill:0.05,segment.written=sleep(0.2):0.1,fold=error

``kill`` is SIGKILL to this process, ``error`` raises :class:`InjectedError`, ``sleep(SECONDS)`` stalls. Each
place has a sequence of chances of its own, so that a seed means the same whatever else happens. Without the
variable :func:`failpoint` is a coroutine function that does nothing, bound when this module is imported.
"""

import asyncio
import os
import random
import re
import signal
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from headrace_storage.errors import CatalogUnavailableError

VARIABLE: Final = "HEADRACE_FAILPOINTS"

NAMES: Final = frozenset(
    [
        "receive",  # a message was read from a stream
        "open.before",  # a writer is about to be claimed
        "open.after",  # it is, and nobody was told
        "decode",  # a group was decoded
        "segment.before",  # its segment is about to be stored
        "segment.written",  # it is, and nothing refers to it
        "commit.before",  # before the transaction
        "commit.after",  # it is committed, and this process does not know
        "acknowledge",  # this process knows, and nobody else
        "fold",  # in the transaction that folds
        "compact.before",  # the output is stored, its inputs still live
        "compact.after",  # the output is live, its inputs garbage
        "publish",  # the manifest is replaced, the view not
        "collect",  # an incarnation was declared dead, its objects are still there
        "heartbeat",  # before a sign of life
    ]
)

_PART: Final = re.compile(r"([\w.]+)=(kill|error|sleep\(([\d.]+)\))(?::([\d.]+))?", re.ASCII)


class InjectedError(CatalogUnavailableError, OSError):
    """What a failpoint raises: as if the database, or the disk, had failed."""


class _Failure(NamedTuple):
    action: str
    seconds: float
    chance: float
    random: random.Random


class Failpoints:
    """What happens where. :class:`ValueError` when the text says nothing sensible."""

    def __init__(self, text: str) -> None:
        self._failures: dict[str, _Failure] = {}
        self.load(text)

    def load(self, text: str) -> None:
        """Replaces everything by what ``text`` says."""
        seed, failures = "0", {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            if part.startswith("seed="):
                seed = part.removeprefix("seed=")
                continue
            match = _PART.fullmatch(part)
            if match is None or match[1] not in NAMES:
                raise ValueError(f"{VARIABLE}: {part!r} is not NAME=kill|error|sleep(SECONDS)[:CHANCE]")
            name, action, seconds, chance = match.groups()
            failures[name] = _Failure(
                action.partition("(")[0],
                float(seconds or 0),
                float(chance or 1),
                random.Random(f"{seed} {name}"),  # noqa: S311 -- repeatable is what it must be
            )
        self._failures = failures

    async def hit(self, name: str) -> None:
        """Does what is due here."""
        failure = self._failures.get(name)
        if failure is None or failure.random.random() >= failure.chance:
            return
        os.write(2, f"failpoint {name} {failure.action}\n".encode())
        if failure.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if failure.action == "error":
            raise InjectedError(f"the failpoint {name}")
        await asyncio.sleep(failure.seconds)


async def _nothing(_name: str) -> None:
    """A daemon that is not under test."""


active: Final = Failpoints(os.environ[VARIABLE]) if VARIABLE in os.environ else None
"""The failpoints of this process; a test program may load others while it runs."""

failpoint: Final[Callable[[str], Awaitable[None]]] = active.hit if active else _nothing
"""``await failpoint("commit.after")``: a place named in :data:`NAMES`."""
