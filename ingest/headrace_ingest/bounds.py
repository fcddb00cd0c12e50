"""Every bound that a daemon keeps and an operator can set: one table, read once, then passed around.

A bound is what a client may take; whoever exceeds it is refused with a message that names it. The numbers
of the format itself (the bytes of a record, of a definition, of a label) are not here: they are the
protocol's, and the same everywhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

_UNITS: Final = {"": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}


def _bound(variable: str, default: int, smallest: int, largest: int) -> Any:
    """A field of the table: its environment variable, and what it may be set to."""
    return field(default=default, metadata={"variable": variable, "smallest": smallest, "largest": largest})


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a daemon process. Sizes are bytes."""

    message: int = _bound("HEADRACE_MAX_MESSAGE", 8 * MIB, 3 * MIB, 64 * MIB)
    """One message; gRPC ends a stream that exceeds it. The smallest is what this version's SDK sends."""

    credit: int = _bound("HEADRACE_MAX_CREDIT", 32 * MIB, 4 * MIB, GIB)
    """Cells of one writer that are received and not committed. The smallest holds the largest record."""

    held: int = _bound("HEADRACE_MAX_HELD", 24 * MIB, 8 * MIB, 64 * GIB)
    """Cells of all writers that wait for their commit; past it, streams are not read. A stream that was read
    at that moment adds one message."""

    cut: int = _bound("HEADRACE_MAX_CUT", 8 * MIB, 2 * MIB, GIB)
    """Records on one stream whose rest has not arrived. The smallest is the largest record."""

    definitions: int = _bound("HEADRACE_MAX_DEFINITIONS", 256 * MIB, MIB, 64 * GIB)
    """Memory that the definitions of one writer take: names, and 30 bytes a series or 230 a run."""

    kept: int = _bound("HEADRACE_MAX_KEPT", 1 * GIB, 8 * MIB, 256 * GIB)
    """Memory that definitions and cut records of all streams take; past it, the one that takes most ends."""

    writers: int = _bound("HEADRACE_MAX_WRITERS", 10_000, 1, 10_000_000)
    """Writers that are open on one stream."""

    streams: int = _bound("HEADRACE_MAX_STREAMS", 1_000, 1, 1_000_000)
    """Ingest streams that are open at a process."""

    unread: int = _bound("HEADRACE_MAX_UNREAD", 20_000, 1_000, 10_000_000)
    """Answers and refused operations that a peer leaves unread on one stream; past it, it is not read."""

    filter: int = _bound("HEADRACE_MAX_FILTER", 256 * KIB, 1 * KIB, 2 * MIB)
    """Characters of a search's filter and order."""

    search: int = _bound("HEADRACE_MAX_SEARCH", 64 * MIB, MIB, 256 * GIB)
    """Memory for the columns that searches look at: 10 bytes a run and metric. What is used least gives way;
    runs themselves take 80 bytes each besides."""

    artifact: int = _bound("HEADRACE_MAX_ARTIFACT", 1024 * GIB, 1 * KIB, 1 << 60)
    """Bytes of one artifact."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The bounds that the variables say. ``ValueError`` with a line that names variable and bounds."""
        given = {
            one.name: _parsed(environment[one.metadata["variable"]], one.metadata)
            for one in fields(cls)
            if environment.get(one.metadata["variable"])
        }
        bounds = cls(**given)
        if bounds.held < bounds.message:
            raise ValueError(
                f"HEADRACE_MAX_HELD {bounds.held} is below HEADRACE_MAX_MESSAGE {bounds.message}, and no "
                "stream could be read: raise the one or lower the other"
            )
        return bounds

    def named(self, name: str) -> str:
        """A bound as refusals tell it: its value, and the variable that sets it."""
        variable = next(one.metadata["variable"] for one in fields(self) if one.name == name)
        return f"{getattr(self, name)} ({variable} of the daemon)"


DEFAULTS: Final = Bounds()


def _parsed(text: str, metadata: Mapping[str, Any]) -> int:
    variable, smallest, largest = metadata["variable"], metadata["smallest"], metadata["largest"]
    match = re.fullmatch(r"([0-9]{1,20}) ?(|KiB|MiB|GiB)", text.strip())
    if match is None:
        raise ValueError(
            f"{variable}={text!r} is no number: give {smallest} to {largest}, as 1048576 or 1MiB"
        )
    value = int(match[1]) * _UNITS[match[2]]
    if not smallest <= value <= largest:
        raise ValueError(f"{variable}={text} is out of bounds: give {smallest} to {largest}")
    return value
