"""Error class to HTTP status and MLflow's error code: the one table."""

import errno
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from headrace_storage import errors


class Problem(Exception):  # noqa: N818 -- an answer, not a failure
    """An answer that is an error, with MLflow's code and words for people."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> JSONResponse:
        """What the client is told."""
        body = {"error_code": self.code, "message": self.message}
        return JSONResponse(body, self.status, self.headers)


class _Told(NamedTuple):
    status: int
    code: str


_TOLD: Final[dict[type[Exception], _Told]] = {
    errors.NotFoundError: _Told(404, "RESOURCE_DOES_NOT_EXIST"),
    errors.NotYetError: _Told(425, "TEMPORARILY_UNAVAILABLE"),
    errors.AlreadyExistsError: _Told(400, "RESOURCE_ALREADY_EXISTS"),
    errors.InvalidArgumentError: _Told(400, "INVALID_PARAMETER_VALUE"),
    errors.UploadOffsetError: _Told(409, "RESOURCE_CONFLICT"),
    errors.UploadBusyError: _Told(423, "RESOURCE_CONFLICT"),
    errors.ChecksumMismatchError: _Told(422, "DATA_LOSS"),
    errors.CatalogUnavailableError: _Told(503, "TEMPORARILY_UNAVAILABLE"),
    TimeoutError: _Told(408, "REQUEST_TIMEOUT"),
}

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def problem_of(error: Exception) -> Problem:
    """What tells ``error`` to a client; status 500 for what nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        code = "ENDPOINT_NOT_FOUND" if error.status_code in (404, 405) else "BAD_REQUEST"
        return Problem(error.status_code, code, error.detail, dict(error.headers or {}))
    if isinstance(error, OSError) and error.errno in _FULL:
        return Problem(HTTPStatus.INSUFFICIENT_STORAGE, "RESOURCE_EXHAUSTED", "the daemon's disk is full")
    for kind, told in _TOLD.items():
        if isinstance(error, kind):
            headers = None
            if isinstance(error, errors.UploadOffsetError):
                headers = {"Upload-Offset": str(error.size)}
            return Problem(told.status, told.code, str(error), headers)
    return Problem(500, "INTERNAL_ERROR", "an internal error, see the daemon's log")
