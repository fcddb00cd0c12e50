"""What can go wrong, as a caller sees it.

::

    HeadraceError
    ├── InvalidArgumentError    (ValueError)       a bad argument, raised by the call itself
    ├── RejectedError                              the server refused an operation; raised by its wait()
    ├── OperationTimeoutError   (TimeoutError)     not yet durable; the operation goes on all the same
    ├── NotFoundError           (LookupError)      no such experiment, run or key
    ├── AlreadyExistsError                         the name is taken
    ├── DroppedError                               there was no room, and HEADRACE_ON_FULL=drop
    ├── UnavailableError        (ConnectionError)  no daemon answers; what was logged stays in the journal
    └── JournalError            (OSError)          the local journal cannot be written or shipped
        └── JournalFullError                       there is no room for it, and HEADRACE_ON_FULL=raise
            └── SpoolFullError                     there is no room for a file that is to be uploaded

Every class has an ``error_code`` in MLflow's vocabulary. Errors carry their facts as attributes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.operation import RunOperation


class HeadraceError(Exception):
    """Base of all errors that Headrace raises; ``headrace.exceptions.MlflowException``."""

    error_code: str = "INTERNAL_ERROR"

    def __init__(self, message: object = "", error_code: str | None = None) -> None:
        super().__init__(message)
        self.message = str(message)
        if error_code is not None:
            self.error_code = error_code


class InvalidArgumentError(HeadraceError, ValueError):
    """An argument that breaks a rule. The message names the argument, the bound and the remedy."""

    error_code = "INVALID_PARAMETER_VALUE"

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument
        self.problem = problem


class RejectedError(HeadraceError):
    """The server refused an operation; nothing else that was logged is affected."""

    error_code = "INVALID_PARAMETER_VALUE"

    def __init__(self, code: str, message: str, operation: "RunOperation | None" = None) -> None:
        super().__init__(f"{code}: {message}" + (f" ({operation!r})" if operation else ""), code)
        self.code = code
        self.message = message
        self.operation = operation


class DroppedError(HeadraceError):
    """There was no room for the operation, and ``HEADRACE_ON_FULL`` says ``drop``: it was never written."""

    error_code = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, operation: "RunOperation | None" = None) -> None:
        super().__init__(message)
        self.code = self.error_code
        self.message = message
        self.operation = operation


class OperationTimeoutError(HeadraceError, TimeoutError):
    """The operation was not durable in time. It is in the journal and will be delivered."""

    error_code = "DEADLINE_EXCEEDED"


class NotFoundError(HeadraceError, LookupError):
    """There is no such experiment, run or key."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class AlreadyExistsError(HeadraceError):
    """The name or the id is taken."""

    error_code = "RESOURCE_ALREADY_EXISTS"


class UnavailableError(HeadraceError, ConnectionError):
    """No daemon answers at the tracking URI. What was logged stays in the journal and is delivered later."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class JournalError(HeadraceError, OSError):
    """The local journal cannot be written, read or shipped."""


class JournalFullError(JournalError):
    """There is no room for the journal at ``path``; nothing of the call was written.

    ``bound`` is what ``HEADRACE_JOURNAL_MAX`` allows, in bytes; the disk may be smaller. ``remedy`` says what
    helps.
    """

    error_code = "RESOURCE_EXHAUSTED"

    def __init__(self, path: Path, bound: int, reason: OSError) -> None:
        self.path = path
        self.bound = bound
        self.remedy = (
            "free some space, raise HEADRACE_JOURNAL_MAX, or start a daemon that takes what is there; "
            "HEADRACE_ON_FULL=block would wait for that"
        )
        super().__init__(
            f"no room for the journal at {path} (at most {bound:,} bytes): {reason.strerror}; {self.remedy}"
        )
        self.errno = reason.errno


class SpoolFullError(JournalFullError):
    """There is no room beside the journal for a copy of a file; nothing of it was logged."""

    def __init__(self, path: Path, reason: OSError) -> None:
        HeadraceError.__init__(
            self,
            f"no room at {path.parent} for a copy of the file, which has to be safe before the call returns: "
            f"{reason.strerror}; free some space, put HEADRACE_JOURNAL_DIR on a larger disk, or raise "
            "HEADRACE_ARTIFACT_SPOOL_MAX",
        )
        self.path = path
        self.errno = reason.errno
