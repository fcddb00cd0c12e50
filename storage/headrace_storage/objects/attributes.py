"""What is kept of a file beside its bytes: extended attributes, which go with it wherever it is renamed.

A file system without them stores files all the same; their checksum is then computed when it is asked for.
"""

import contextlib
import hashlib
import os
from typing import Final

_SHA256: Final = "user.headrace.sha256"
_TYPE: Final = "user.headrace.type"
_CHUNK: Final = 1 << 20


def write(descriptor: int, sha256: str, content_type: str) -> None:
    """Keeps the checksum of a file, as 64 hex digits, and its type."""
    with contextlib.suppress(OSError):
        os.setxattr(descriptor, _SHA256, sha256.encode())
        os.setxattr(descriptor, _TYPE, content_type.encode())


def sha256(descriptor: int) -> str:
    """The checksum that the file had when it was stored, else the one that it has."""
    try:
        return os.getxattr(descriptor, _SHA256).decode("ascii")
    except (OSError, UnicodeDecodeError):
        checksum, at = hashlib.sha256(), 0
        while part := os.pread(descriptor, _CHUNK, at):
            checksum.update(part)
            at += len(part)
        return checksum.hexdigest()


def content_type(descriptor: int) -> str:
    """The type that was told with the file; "" when none was."""
    try:
        return os.getxattr(descriptor, _TYPE).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
