"""Which experiment a run belongs to. A training's data is never refused for the sake of its experiment."""

from collections.abc import Collection
from typing import Final

from headrace_storage.catalog.changes import Placement
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.text import is_storable, storable
from headrace_storage.model import CreateRun

DEFAULT_EXPERIMENT: Final = "Default"
RECOVERED_EXPERIMENT: Final = "_recovered"

_MAX_ID_DIGITS: Final = 18
_MAX_NAME_LENGTH: Final = 500

_QUERIES: Final = Queries("placement")


async def place_runs(
    connection: Connection, creates: Collection[CreateRun]
) -> dict[tuple[str, str], Placement]:
    """The experiments of ``creates``, by (experiment id, experiment name). Missing names are created.

    An id that does not exist, a deleted experiment and a name that cannot be one lead to ``_recovered``.
    To be called before runs are locked: experiments come first in the order of locks.
    """
    targets = {(create.experiment_id, create.experiment_name) for create in creates}
    if not targets:
        return {}
    ids = [number for id_, _ in targets if (number := experiment_number(id_)) is not None]
    names = [name for name in {_name(target) for target in targets} if _can_be_a_name(name)]
    await connection.execute(_QUERIES["create_experiments"], names)
    found = await connection.fetch(_QUERIES["find_experiments"], ids, names)
    by_id = {str(number): (number, stage) for number, _, stage in found}
    by_name = {name: (number, stage) for number, name, stage in found}

    placements = {}
    recovered = 0
    for target in targets:
        number, stage = (by_id.get(target[0]) if target[0] else by_name.get(_name(target))) or (None, "")
        if number is not None and stage == "active":
            placements[target] = Placement(number)
        else:
            what = f"experiment {storable(target[0] or _name(target), _MAX_NAME_LENGTH)!r}"
            reason = f"{what} is deleted" if stage == "deleted" else f"there is no {what}"
            recovered = recovered or await _recovered(connection)
            placements[target] = Placement(recovered, reason)
    return placements


async def _recovered(connection: Connection) -> int:
    await connection.execute(_QUERIES["create_experiments"], [RECOVERED_EXPERIMENT])
    [row] = await connection.fetch(_QUERIES["find_experiments"], [], [RECOVERED_EXPERIMENT])
    return int(row["experiment_id"])


def _name(target: tuple[str, str]) -> str:
    """The name that a CreateRun looks its experiment up by; none when it has an id."""
    return "" if target[0] else target[1] or DEFAULT_EXPERIMENT


def _can_be_a_name(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME_LENGTH and is_storable(name)


def experiment_number(experiment_id: str) -> int | None:
    """The number that an experiment id stands for; ``None`` when it cannot be one."""
    if not experiment_id.isdecimal() or len(experiment_id) > _MAX_ID_DIGITS:
        return None
    number = int(experiment_id)
    return number if str(number) == experiment_id else None
