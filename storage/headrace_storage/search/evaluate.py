"""Which runs a filter is true of."""

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np

from headrace_storage.search.columns import Column, Mask
from headrace_storage.search.grammar import Condition, Either, Every, Expression, Field

Columns = Callable[[Field], Column | None]
"""The values of a field; ``None`` while they are not known."""


def fields_of(expression: Expression) -> Iterator[Field]:
    """The fields that a filter asks for."""
    if isinstance(expression, Condition):
        yield expression.field
    else:
        for part in expression.parts:
            yield from fields_of(part)


def matching(expression: Expression, columns: Columns, count: int) -> Mask:
    """Which of ``count`` runs match, or may match: as long as a field is not known, it does not exclude."""
    match expression:
        case Condition(field, comparison, value):
            column = columns(field)
            return np.ones(count, np.bool_) if column is None else column.matches(comparison, value)
        case Every(parts):
            masks = (matching(part, columns, count) for part in parts)
            return reduce(np.logical_and, masks, np.ones(count, np.bool_))
        case Either(parts):
            masks = (matching(part, columns, count) for part in parts)
            return reduce(np.logical_or, masks, np.zeros(count, np.bool_))
