"""What a fault is: a name, a lane, and a function that injects it and returns when it is over."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from setting import Round, Setting, Slot


@dataclass
class Field:
    """Where a fault happens. ``slot``: the one that it hits, or ``None``: all of them."""

    setting: Setting
    round: Round
    random: random.Random
    slots: list[Slot]
    slot: Slot | None = None

    def choose_slot(self, *styles: str) -> Slot:
        """One of the lane's, of these styles, for this fault."""
        self.slot = self.random.choice([slot for slot in self.slots if not styles or slot.style in styles])
        return self.slot

    def sleep(self, least: float, most: float) -> None:
        """Some time between the two, by the seed."""
        time.sleep(self.random.uniform(least, most))


Inject = Callable[[Field], int]
"""Injects the fault; how often it happened, 0 without an opportunity. When it returns, the fault is over."""


class Fault(NamedTuple):
    """A kind of fault. Lanes inject at the same time, each one fault after the other."""

    name: str
    lane: str
    inject: Inject
    lingers: bool = False
    """Whether its slot recovers slowly, while the lane goes on."""


def faults(lane: str, kinds: Mapping[str, Inject], lingering: frozenset[str] = frozenset()) -> list[Fault]:
    """The kinds of a lane."""
    return [Fault(name, lane, inject, name in lingering) for name, inject in kinds.items()]
