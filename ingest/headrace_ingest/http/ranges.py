"""Which part of a file a request asks for (RFC 9110, section 14). Decides without I/O."""

import re
from typing import Final

from headrace_ingest.http.problems import Problem

_ONE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end of what ``Range`` asks for; ``None``: all, also where it asks for several parts.

    Problem 416: there is nothing there.
    """
    match = _ONE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise Problem(
            416, "INVALID_PARAMETER_VALUE", f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"}
        )
    return start, end
