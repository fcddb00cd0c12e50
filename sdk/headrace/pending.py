"""What a process has logged and is not durable yet, in words for people."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pending:
    """What is not durable yet; false when that is nothing."""

    operations: int
    """Points and changes."""
    journals: tuple[Path, ...]
    uri: str

    def __bool__(self) -> bool:
        return self.operations > 0

    def __str__(self) -> str:
        return (
            f"{self.operations} operations are not delivered to {self.uri} yet; they are safe in "
            f"{', '.join(map(str, self.journals))} and go out as soon as it answers, from this process or "
            f"the next one here that logs to it, or with: headrace sync {self.journals[0].parent.parent}"
        )
