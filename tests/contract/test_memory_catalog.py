"""The simulation's catalog against the real one: the same calls, the same answers."""

import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from catalog_daemon import Daemon, segment
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import IncarnationDeadError, WriterRefusedError, WritersMovedError
from headrace_storage.model import Advance, Change, Group, Reject, SetParam
from sim_catalog import MemoryCatalog

CALLS = 150


class Both:
    """Makes each call to both catalogs, and compares what they answer."""

    def __init__(self, real: Daemon, database: Database, chance: random.Random) -> None:
        self.real = real
        self.incarnations = Incarnations(database)
        self.memory = MemoryCatalog()
        self.chance = chance
        self.numbers = {self.memory.register(): real.incarnation}
        self.groups: list[tuple[Group, Group]] = []
        self.epochs: dict[UUID, int] = {}
        self.ends: dict[UUID, int] = {}
        self.seen: set[str] = set()

    async def same(self, real: Callable[[], Awaitable[object]], memory: Callable[[], object]) -> object:
        wanted, found = await _answer(real), await _answer(memory)
        assert _told(found) == _told(wanted)
        self.seen.add(type(wanted).__name__)
        return wanted

    async def open(self) -> None:
        writer, shipper = UUID(int=self.chance.randint(1, 3)), UUID(int=self.chance.randint(10, 12))
        number, known = self.chance.randint(1, 4), self.chance.randint(-1, 20)
        opened = await self.same(
            lambda: self.real.writers.open(writer, shipper, number, {}, known),
            lambda: self.memory.open(writer, shipper, number, known),
        )
        if not isinstance(opened, Exception):
            self.epochs[writer], self.ends[writer] = opened.epoch, opened.committed  # type: ignore[attr-defined]

    def advance(self, writer: UUID) -> Advance:
        epoch = self.epochs.get(writer, 1) - (self.chance.random() < 0.1)
        first = max(0, self.ends.get(writer, 0) + self.chance.choice((0,) * 9 + (-1, 3)))
        return Advance(writer, epoch, first, first + self.chance.randint(1, 5), 1000 + first)

    async def commit(self) -> None:
        writers = self.chance.sample([UUID(int=number) for number in (1, 2, 3)], self.chance.randint(1, 3))
        advances = [self.advance(writer) for writer in writers]
        writer, _, first, end, _ = advances[0]
        rejects = [Reject(writer, first, first + 1, "CODE", "", None)] if end > first + 1 else []
        param = SetParam("lr", str(self.chance.randint(1, 2)))
        run = f"{self.chance.randint(1, 9):032x}"
        changes = [Change(writer, end - 1, end, run, param)] if self.chance.random() < 0.5 else []
        number = self.chance.choice(list(self.numbers))
        group_id = UUID(int=self.chance.getrandbits(128))
        has_segment = self.chance.random() < 0.5
        await self.same_group(
            *(
                Group(
                    group_id, one, advances, segment([run]) if has_segment else None, changes, rejects, [run]
                )
                for one in (self.numbers[number], number)
            )
        )

    async def same_group(self, real: Group, memory: Group) -> None:
        rejects = await self.same(lambda: self.real.commits.commit(real), lambda: self.memory.commit(memory))
        if not isinstance(rejects, Exception):
            self.groups.append((real, memory))
            self.ends.update(
                {
                    advance.writer: max(advance.end, self.ends.get(advance.writer, 0))
                    for advance in real.advances
                }
            )

    async def repeat(self) -> None:
        """A commit whose outcome was unknown, maybe long ago."""
        if self.groups:
            await self.same_group(*self.chance.choice(self.groups[-3:]))

    async def die(self) -> None:
        if len(self.numbers) < 5:
            number = self.chance.choice(list(self.numbers))
            await self.incarnations.retire(self.numbers[number])
            self.memory.alive[number] = False
            self.numbers[self.memory.register()] = await self.incarnations.register("test")


async def _answer(call: Callable[[], object]) -> object:
    try:
        answer = call()
        return await answer if isinstance(answer, Awaitable) else answer
    except (WritersMovedError, WriterRefusedError, IncarnationDeadError) as error:
        return error


def _told(answer: object) -> object:
    """What of an answer must be the same: messages are for people, incarnations have numbers of their own."""
    if isinstance(answer, WritersMovedError):
        return answer.fenced, answer.elsewhere, answer.holders
    if isinstance(answer, Exception):
        return type(answer), str(answer) if isinstance(answer, WriterRefusedError) else ""
    if isinstance(answer, tuple):
        epoch, committed, order_time, rejects = answer
        return epoch, committed, order_time, _told(rejects)
    assert isinstance(answer, list)
    return [reject[:3] for reject in answer]


@pytest.mark.parametrize("seed", range(3))
async def test_the_catalogs_agree(database: Database, daemon: Daemon, seed: int) -> None:
    chance = random.Random(seed)
    both = Both(daemon, database, chance)
    calls = [both.open, both.commit, both.commit, both.commit, both.repeat, both.repeat]
    for _ in range(CALLS):
        await chance.choice([*calls, both.die] if chance.random() < 0.1 else calls)()
    assert both.seen == {
        "OpenedWriter",
        "WriterRefusedError",
        "list",
        "WritersMovedError",
        "IncarnationDeadError",
    }
    assert len(both.groups) > 10
