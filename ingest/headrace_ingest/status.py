"""Error class to gRPC status: the one table, and the one place that applies it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import structlog

from headrace_storage import errors

log = structlog.get_logger("headrace")

STATUS: Final[dict[type[Exception], grpc.StatusCode]] = {
    errors.NotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    errors.InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CatalogUnavailableError: grpc.StatusCode.UNAVAILABLE,
    errors.SegmentMissingError: grpc.StatusCode.UNAVAILABLE,
    errors.SegmentCorruptError: grpc.StatusCode.DATA_LOSS,
}


def status_of(error: Exception) -> grpc.StatusCode:
    """The status that tells ``error`` to a client."""
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


@asynccontextmanager
async def told(context: Any) -> AsyncIterator[None]:
    """Ends the call ``context`` with the status of the error that leaves the block."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # the border of the process
        code = status_of(error)
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS):
            log.exception("a call failed")
        hidden = code is grpc.StatusCode.INTERNAL
        await context.abort(code, "an internal error, see the daemon's log" if hidden else str(error))
