"""Entry: what is to be uploaded, and when it may be; its bytes are in a file beside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from headrace.journal.folder import sealed, unsealed

FORMAT: Final = 1

ENTRY: Final = ".json"
DATA: Final = ".data"


@dataclass(frozen=True, slots=True)
class Entry:
    """One upload."""

    run_id: str
    kind: Literal["file", "pack"]
    """A file, or a body of many small ones as the daemon takes it (``pack.py``)."""
    size: int
    """Bytes of its data: fewer are there only after a crash of the machine."""
    upload_id: str
    """32 hex digits, by which the daemon knows an upload that is cut."""
    path: str = ""
    type: str = ""
    journal: str = ""
    sequence: int = 0
    """It waits until the journal with this name is committed up to there: until its run exists."""


def write(path: Path, entry: Entry) -> None:
    """Writes an entry, with a checksum."""
    path.write_text(json.dumps(sealed(asdict(entry))))


def read(path: Path) -> Entry:
    """The entry at ``path``. ``ValueError``: it is damaged."""
    content: Mapping[str, Any] = unsealed(json.loads(path.read_bytes()))
    try:
        return Entry(**content)
    except TypeError as error:
        raise ValueError(f"{path} is not as it was written: {error}") from error


def name_of(number: int, suffix: str) -> str:
    """The name of a file of the entry with this number."""
    return f"{number:020d}{suffix}"


def number_of(name: str) -> int:
    """The inverse of :func:`name_of`. ``ValueError``: it is none."""
    return int(name.removesuffix(ENTRY))
