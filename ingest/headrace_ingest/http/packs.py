"""Many small files in one body: ``length of the head, u32 little-endian | head, JSON | bytes``, repeated.

The head tells ``path``, ``size`` and, if the client likes, ``sha256`` and ``type``.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects import Small

MAX_BYTES: Final = 8 << 20
MAX_FILES: Final = 2000

_LENGTH: Final = struct.Struct("<I")
_MAX_HEAD: Final = 16 << 10


def unpacked(body: bytes) -> Iterator[Small]:
    """The files of a pack; InvalidArgumentError where it is none."""
    at = count = 0
    while at < len(body):
        count += 1
        if count > MAX_FILES:
            raise InvalidArgumentError("pack", f"has more than {MAX_FILES} files")
        head, at = _head(body, at)
        size = head.get("size")
        if type(size) is not int or not 0 <= size <= len(body) - at:
            raise InvalidArgumentError("pack", "tells a size that it does not have")
        texts = [head.get(name, "") for name in ("path", "sha256", "type")]
        if not all(isinstance(text, str) for text in texts):
            raise InvalidArgumentError("pack", "has a head that is none")
        path, sha256, content_type = texts
        yield Small(path, body[at : at + size], sha256, content_type)
        at += size


def _head(body: bytes, at: int) -> tuple[dict[str, Any], int]:
    try:
        [length] = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        if length > _MAX_HEAD or at + length > len(body):
            raise ValueError(length)  # noqa: TRY301 -- one answer for all that is wrong
        head = json.loads(body[at : at + length])
        if not isinstance(head, dict):
            raise TypeError(head)  # noqa: TRY301
    except (ValueError, TypeError, struct.error, RecursionError) as error:
        raise InvalidArgumentError("pack", "has a head that is none") from error
    return head, at + length
