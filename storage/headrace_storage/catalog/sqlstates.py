"""What PostgreSQL's and asyncpg's errors mean to the engine: the one table, by SQLSTATE."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from headrace_storage.errors import (
    CatalogUnavailableError,
    InvalidArgumentError,
    StorageError,
    UnsuitableDatabaseError,
)


class ContentionError(CatalogUnavailableError):
    """PostgreSQL rolled the transaction back to resolve a conflict: nothing of it happened."""


_CONTENTION = (
    "40001",  # serialization failure
    "40P01",  # deadlock
)

_PASSING = (
    "08",  # connection
    "25006",  # read-only: a standby, a failover under way
    "25P03",  # idle transaction ended by the server
    "25P04",  # long transaction ended by the server
    "40",  # rolled back, or completion unknown
    "53",  # disk full, out of memory, too many connections
    "55P03",  # lock not available
    "57",  # shutdown, crash, cancelled, starting up
    "58",  # I/O error
)

_REFUSED_VALUE = (
    "22",  # a character or number that the type cannot hold
    "23",  # a constraint
    "54",  # an index entry that is too long
)

_MAX_REASON_LENGTH = 200


def is_refused_value(error: asyncpg.PostgresError) -> bool:
    """Whether the database refuses a value, and would again: not a matter of time or of order."""
    return (error.sqlstate or "").startswith(_REFUSED_VALUE)


def refusal_reason(error: asyncpg.PostgresError) -> str:
    """Why a value was refused, for people. Constraints are named by the sentence that they enforce."""
    return error.constraint_name or str(error)[:_MAX_REASON_LENGTH]


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the database raises into :class:`StorageError`."""
    try:
        yield
    except TimeoutError as error:
        raise CatalogUnavailableError("the database did not answer in time") from error
    except asyncpg.PostgresError as error:
        raise _translation(error) from error
    except asyncpg.InternalClientError as error:
        raise CatalogUnavailableError(f"the database answered nonsense: {error}") from error


def _translation(error: asyncpg.PostgresError) -> StorageError:
    state = error.sqlstate or ""
    message = f"{error} [{state}]"
    if state in _CONTENTION or isinstance(error, asyncpg.InvalidCachedStatementError):
        return ContentionError(message)
    if state.startswith(_PASSING):
        return CatalogUnavailableError(message)
    if is_refused_value(error):
        return InvalidArgumentError("value", f"cannot be stored: {refusal_reason(error)}")
    return StorageError(message)


@contextmanager
def connecting() -> Iterator[None]:
    """Turns what can go wrong on the way to a connection into :class:`StorageError`."""
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise UnsuitableDatabaseError(str(error)) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise CatalogUnavailableError(f"no connection to the database: {error}") from error
