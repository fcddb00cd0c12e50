"""In which order runs come, and which of them are on a page.

The order is MLflow's: as asked, then the newest ``start_time`` first (unless asked for), then by ``run_id``.
Runs whose value is NaN come after the others and those that have none last, ascending or descending. A page
begins after the values of the last run of the page before, so that runs that come or go meanwhile shift
nothing.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace_storage.errors import InvalidArgumentError, PageTokenError
from headrace_storage.search.columns import MISSING, Column, Keys, Mask, Place, Positions
from headrace_storage.search.grammar import Field, Group, Order

RUN_ID: Final = Field(Group.ATTRIBUTE, "run_id")
START_TIME: Final = Field(Group.ATTRIBUTE, "start_time")


class Sorting(NamedTuple):
    """A clause with the values that it sorts."""

    order: Order
    column: Column

    def keys(self) -> Keys:
        """To sort ascending by."""
        ranks, numbers = self.column.keys()
        return Keys(ranks, numbers if self.order.ascending else -numbers)

    def number_of(self, place: Place) -> float:
        """As :meth:`keys`, of a place in a page token."""
        number = self.column.number_of(place)
        return number if self.order.ascending else -number


class After(NamedTuple):
    """The end of a page: where its last run stands in each clause, and its id."""

    places: Sequence[Place]
    run_id: bytes


def complete(orders: Sequence[Order]) -> list[Order]:
    """The clauses, and start_time as the last one."""
    if any(order.field == START_TIME for order in orders):
        return list(orders)
    return [*orders, Order(START_TIME, ascending=False)]


def first_of(
    sortings: Sequence[Sorting], run_ids: NDArray[np.bytes_], after: After | None, limit: int
) -> Positions:
    """The positions of the first ``limit`` runs, of those after ``after``, in their order."""
    keys = [sorting.keys() for sorting in sortings]
    positions = np.arange(len(run_ids))
    if after is not None:
        ends = [
            (place[0], sorting.number_of(place))
            for sorting, place in zip(sortings, after.places, strict=True)
        ]
        positions = np.flatnonzero(_beyond(keys, ends, run_ids, after.run_id))
    positions = _front(keys[0], positions, limit)
    columns = [column[positions] for key in keys for column in key]
    # The least significant key first.
    order: Positions = np.lexsort((run_ids[positions], *reversed(columns)))
    return positions[order[:limit]]


def _front(key: Keys, positions: Positions, limit: int) -> Positions:
    """Those that can be among the first ``limit`` by the first key: the whole of it need not be sorted."""
    if len(positions) <= limit:
        return positions
    ranks, numbers = key.ranks[positions], key.numbers[positions]
    for rank in range(MISSING + 1):
        up_to = np.count_nonzero(ranks <= rank)
        if up_to >= limit:
            break
    inside = np.flatnonzero(ranks == rank)
    before = np.flatnonzero(ranks < rank)
    wanted = limit - len(before)
    last = np.partition(numbers[inside], wanted - 1)[wanted - 1]
    front: Positions = positions[np.concatenate([before, inside[numbers[inside] <= last]])]
    return front


def _beyond(
    keys: Sequence[Keys], ends: Sequence[tuple[int, float]], run_ids: NDArray[np.bytes_], run_id: bytes
) -> Mask:
    beyond = np.zeros(len(run_ids), np.bool_)
    level = np.ones(len(run_ids), np.bool_)
    for (ranks, numbers), (rank, number) in zip(keys, ends, strict=True):
        for column, end in ((ranks, rank), (numbers, number)):
            beyond |= level & (column > end)
            level &= column == end
    return np.asarray(beyond | (level & (run_ids > run_id)), np.bool_)


def after_key(orders: Sequence[Order], after: After) -> list[Any]:
    """What a page token holds."""
    return [_digest(orders), after.run_id.hex(), *(json.dumps(place) for place in after.places)]


def after_of(orders: Sequence[Order], key: Sequence[Any]) -> After:
    """What :func:`after_key` was given. :class:`InvalidArgumentError` when it comes from another order."""
    digest, run_id, *places = key
    if digest != _digest(orders) or len(places) != len(orders):
        raise InvalidArgumentError("page_token", "belongs to another order_by; begin again without it")
    try:
        found = [_place(json.loads(place), order) for place, order in zip(places, orders, strict=True)]
        return After(found, bytes.fromhex(run_id))
    except (ValueError, RecursionError):
        raise PageTokenError from None


def _place(found: Any, order: Order) -> Place:
    match found:
        case [int(rank), (float() | str()) as value] if 0 <= rank <= MISSING:
            if order.field == RUN_ID:
                bytes.fromhex(str(value))
            if isinstance(value, float) is order.field.is_number:
                return rank, value
    raise ValueError(found)


def _digest(orders: Sequence[Order]) -> int:
    return zlib.crc32(repr(orders).encode())
