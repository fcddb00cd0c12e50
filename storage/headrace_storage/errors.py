"""What the engine refuses, and what it could not do.

::

    StorageError
    ├── NotFoundError           no such experiment or run
    ├── NotYetError             it is on its way: try again soon
    ├── AlreadyExistsError      the name or id is taken
    ├── InvalidArgumentError    a value that breaks a rule; names the argument, the bound, the remedy
    ├── WriterRefusedError      an Open that may not have the writer
    ├── WritersMovedError       a commit's writers were fenced or advanced by someone else
    ├── IncarnationDeadError    this daemon was declared dead: it may not commit any more
    ├── SegmentMissingError     a file of the plan is gone (compacted meanwhile): plan again
    ├── SegmentCorruptError     a file whose checksum or size is wrong
    ├── SegmentsMovedError      a swap's inputs went meanwhile: nothing was changed
    ├── ForeignStoreError       the catalog belongs to another object store
    ├── UnsuitableDatabaseError the database must not or cannot hold a catalog: a person has to act
    ├── UploadOffsetError       an upload has another size: go on there
    ├── UploadBusyError         somebody appends to the upload now: try again
    ├── ChecksumMismatchError   bytes that are not what was meant
    └── CatalogUnavailableError the database cannot be reached or cannot work now: try again
"""

from collections.abc import Collection, Mapping


class StorageError(Exception):
    """Base of everything on this page."""


class NotFoundError(StorageError):
    """There is no such thing."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}")
        self.kind = kind
        self.name = name


class NotYetError(StorageError):
    """What was begun is not whole yet."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"the {kind} {name!r} is not created yet")
        self.kind = kind
        self.name = name


class AlreadyExistsError(StorageError):
    """The name is taken."""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(f"{kind} {name!r} already exists{hint and f'; {hint}'}")
        self.kind = kind
        self.name = name


class InvalidArgumentError(StorageError):
    """A value that breaks a rule."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument
        self.problem = problem


class PageTokenError(InvalidArgumentError):
    """A page token that was not given out."""

    def __init__(self) -> None:
        super().__init__("page_token", "is none that was given out; begin again without it")


class WriterRefusedError(StorageError):
    """An Open with an open_number that is below the last one of the same shipper: a delayed connection."""

    def __init__(self, writer_id: str, open_number: int, last: int) -> None:
        super().__init__(f"writer {writer_id}: open number {open_number} is below {last}")
        self.writer_id = writer_id
        self.open_number = open_number
        self.last = last


class WritersMovedError(StorageError):
    """Nothing of the group was committed, because of these writers.

    ``fenced`` have a newer epoch; ``elsewhere`` stand at another sequence than the group expected; both as
    32 hex digits. ``holders`` tells which shipper has a fenced writer now: when it is the same as before,
    it has opened the writer again and the connection of the group was a delayed one.
    """

    def __init__(
        self, fenced: Collection[str], elsewhere: Collection[str], holders: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"writers fenced: {sorted(fenced)}, at another sequence: {sorted(elsewhere)}")
        self.fenced = frozenset(fenced)
        self.elsewhere = frozenset(elsewhere)
        self.holders = dict(holders or {})


class IncarnationDeadError(StorageError):
    """The collector declared this daemon dead. It must stop committing and start anew."""

    def __init__(self, incarnation: int) -> None:
        super().__init__(f"incarnation {incarnation} was declared dead")
        self.incarnation = incarnation


class SegmentMissingError(StorageError):
    """A segment's object is not there."""

    def __init__(self, path: str, segment_id: int | None = None) -> None:
        super().__init__(f"segment {path} is missing")
        self.path = path
        self.segment_id = segment_id


class SegmentCorruptError(StorageError):
    """A segment's bytes are not those that were written."""

    def __init__(self, path: str, reason: str, segment_id: int | None = None) -> None:
        super().__init__(f"segment {path} is corrupt: {reason}")
        self.path = path
        self.reason = reason
        self.segment_id = segment_id


class SegmentsMovedError(StorageError):
    """A swap found ``count`` of its inputs no longer live and folded, and changed nothing."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} segments to replace are no longer live and folded")
        self.count = count


class ForeignStoreError(StorageError):
    """The catalog remembers another object store."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"the catalog belongs to the object store {expected}, not to {found}")
        self.expected = expected
        self.found = found


class UnsuitableDatabaseError(StorageError):
    """The database must not or cannot hold a catalog: it would lose commits, or is too old or too new."""


class CatalogUnavailableError(StorageError):
    """The database cannot be reached, or refuses for a reason that passes. The outcome may be unknown."""


class UploadOffsetError(StorageError):
    """An upload has ``size`` bytes, not as many as was thought."""

    def __init__(self, expected: int, size: int) -> None:
        super().__init__(f"the upload has {size} bytes, not {expected}")
        self.size = size


class UploadBusyError(StorageError):
    """Somebody appends to the upload now, or did and is not known to be gone."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"somebody appends to the upload {upload_id} now")


class ChecksumMismatchError(StorageError):
    """Bytes whose checksum is not the one that was told with them."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"the SHA-256 of what arrived is {found}, not {expected}")
