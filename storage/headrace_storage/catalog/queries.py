"""SQL lives in ``.sql`` files beside the code, each statement under a line ``-- name: what_it_does``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The named statements of ``<topic>.sql`` in this folder."""

    def __init__(self, topic: str) -> None:
        source = (Path(__file__).parent / f"{topic}.sql").read_text(encoding="utf-8")
        _, *parts = _NAME.split(source)
        names, statements = parts[::2], parts[1::2]
        if len(set(names)) != len(names):
            raise ValueError(f"{topic}.sql names a statement twice")
        self._statements = {
            name: statement.strip() for name, statement in zip(names, statements, strict=True)
        }

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)
