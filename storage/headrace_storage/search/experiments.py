"""Searching experiments: the language of ``grammar.py`` over their attributes and tags.

There are few experiments beside runs, so each search looks at all of them, without a cache.
"""

from collections.abc import Sequence
from typing import Any, Final

from headrace_storage.model import Experiment
from headrace_storage.search import listing
from headrace_storage.search.grammar import Expression, Field, Group

_NUMBERS: Final = ("creation_time", "last_update_time")
KIND: Final = listing.Kind(
    "experiments",
    {name: name for name in ("name", "experiment_id", *_NUMBERS)},
    frozenset(_NUMBERS),
    frozenset({Group.TAG}),
)

NEWEST_FIRST: Final = (
    listing.parse_clause(KIND, "creation_time DESC"),
    listing.parse_clause(KIND, "experiment_id ASC"),
)
"""MLflow's order when none is asked for."""

_LARGEST_ID_FIRST: Final = (listing.parse_clause(KIND, "experiment_id DESC"),)


def parse_orders(texts: Sequence[str]) -> Sequence[listing.Clause]:
    """What an order says, made total: by MLflow's rule the largest id comes first where all is equal."""
    return listing.parse_clauses(KIND, texts, _LARGEST_ID_FIRST) if texts else NEWEST_FIRST


def select(expression: Expression, experiments: Sequence[Experiment]) -> list[Experiment]:
    """Those that a filter is true of."""

    def matches(experiment: Experiment) -> bool:
        def values(field: Field) -> Sequence[Any]:
            if field.group is Group.TAG:
                value = experiment.tags.get(field.key)
                return () if value is None else (value,)
            return (getattr(experiment, field.key),)

        return listing.matches(expression, values)

    return list(filter(matches, experiments))


def place(experiment: Experiment, clause: listing.Clause) -> Any:
    """Where an experiment stands in an order. Ids are ordered as the numbers that they are."""
    value = getattr(experiment, clause.field.key)
    return int(value) if clause.field.key == "experiment_id" else value
