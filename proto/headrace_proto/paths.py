"""The rule for the path of an artifact, the same for the SDK and the daemon: one place on each side asks it.

A path is relative to the run's folder, with ``/`` between its names. What passes is one and the same file on
every system that it may be downloaded to, and cannot leave the folder that it is put into.
"""

import re
import unicodedata
from typing import Final

MAX_PATH_BYTES: Final = 1024
"""Bytes of a path in UTF-8."""

MAX_PATH_NAME_BYTES: Final = 250
"""Bytes of each of its names: file systems allow 255."""

MAX_PATH_DEPTH: Final = 64
"""Names of a path."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_DEVICE: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)")
"""Names that Windows opens as devices, whatever comes after the dot."""


def path_problem(path: str) -> str | None:
    """Why ``path`` cannot be the path of an artifact; ``None`` when it can. The empty path is none."""
    if not path:
        return "is empty; give a relative path, as plots/loss.png"
    if problem := _text_problem(path):
        return problem
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute; give a path relative to the run's artifacts"
    names = path.split("/")
    if len(names) > MAX_PATH_DEPTH:
        return f"has {len(names)} names, the bound is {MAX_PATH_DEPTH}"
    return next((problem for name in names if (problem := _name_problem(name))), None)


def _text_problem(path: str) -> str | None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode; rename the file"
    if size > MAX_PATH_BYTES:
        return f"has {size} bytes in UTF-8, the bound is {MAX_PATH_BYTES}; shorten it"
    if _CONTROL.search(path) or "\ufffd" in path:
        return "holds a control or a replacement character; rename the file"
    if "\\" in path:
        return "holds a backslash; put / between names"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in Unicode's form NFC, and would be two files on some systems; normalize it"
    return None


def _name_problem(name: str) -> str | None:
    if name in {"", ".", ".."}:
        return f"holds the name {name!r}; give a path without empty names, . and .."
    if len(name.encode()) > MAX_PATH_NAME_BYTES:
        return f"holds a name of more than {MAX_PATH_NAME_BYTES} bytes; shorten it"
    if name[-1] in ". ":
        return f"holds {name!r}, which ends in a dot or a space: Windows drops those"
    if _DEVICE.match(name):
        return f"holds {name!r}, which Windows takes for a device; choose another name"
    return None
