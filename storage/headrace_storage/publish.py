"""Tells readers without Headrace which files hold the history: a manifest, and a DuckDB view.

Both are replaced as wholes. Files that a reader learnt from an older one stay for the collector's grace
period.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from headrace_storage.catalog.segments import Segments
from headrace_storage.failpoints import failpoint
from headrace_storage.model import SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.periodic import Lease, always, repeat

MANIFEST: Final = "manifest.json"
VIEW: Final = "headrace.sql"

_COLUMNS: Final = {
    "run_id": "VARCHAR",
    "key": "VARCHAR",
    "step": "BIGINT",
    "timestamp": "TIMESTAMP",
    "value": "DOUBLE",
    "writer": "VARCHAR",
    "sequence": "BIGINT",
    "order_time": "TIMESTAMP",
    "attempt": "VARCHAR",
}

_VIEW_HEAD: Final = """\
-- All metric points, for DuckDB 1.1 or newer. Read this file again to see newer ones. Times are UTC.
-- If the data folder was moved and no daemon ran there since: SET VARIABLE headrace_data = '/the/folder';
CREATE OR REPLACE VIEW metrics AS
"""


class Publisher:
    """The task that publishes into the root of the store."""

    def __init__(
        self, segments: Segments, store: ObjectStore, *, lease: Lease = always, interval: float = 2.0
    ) -> None:
        self._segments = segments
        self._store = store
        self._lease = lease
        self._interval = interval
        self._published: list[int] | None = None

    async def run(self) -> None:
        """Publish for ever."""
        await repeat("publish", self.once, self._interval)

    async def once(self) -> bool:
        """Publish the live files, if they are others than the last time; whether it did."""
        if not await self._lease():
            self._published = None
            return False
        objects = await self._segments.objects()
        ids = [ref.id for ref in objects]
        if ids == self._published:
            return False
        folder = str(self._store.local_path(MANIFEST).parent)
        await self._store.put(MANIFEST, manifest(objects).encode())
        await failpoint("publish")
        await self._store.put(VIEW, view(folder, [str(ref.path) for ref in objects]).encode())
        self._published = ids
        return True


def manifest(objects: Sequence[SegmentRef]) -> str:
    """The list of files, as JSON: names relative to the manifest's folder, bytes, rows, level."""
    files = [{"path": ref.path, "size": ref.size, "rows": ref.rows, "level": ref.level} for ref in objects]
    return json.dumps({"format": 1, "files": files}, indent=1) + "\n"


def view(folder: str, paths: Iterable[str]) -> str:
    """SQL that creates the view ``metrics`` over ``paths`` in ``folder``."""
    base = f"coalesce(getvariable('headrace_data'), {_literal(folder)})"
    files = ",\n".join(f"  {base} || {_literal('/' + path)}" for path in paths)
    if not files:
        columns = ", ".join(f"NULL::{kind} AS {_identifier(name)}" for name, kind in _COLUMNS.items())
        return f"{_VIEW_HEAD}SELECT {columns} WHERE false;\n"
    # Python's duckdb cannot fetch a TIMESTAMP WITH TIME ZONE without the package pytz.
    columns = ", ".join(
        f"epoch_ms(epoch_ms({_identifier(name)})) AS {_identifier(name)}"
        if kind == "TIMESTAMP"
        else _identifier(name)
        for name, kind in _COLUMNS.items()
    )
    return f"{_VIEW_HEAD}SELECT {columns}\nFROM read_parquet([\n{files}\n]);\n"


def _identifier(name: str) -> str:
    return f'"{name}"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
