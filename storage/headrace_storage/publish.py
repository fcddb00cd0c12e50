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
from headrace_storage.visibility import View

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

_REWOUND: Final = """
WHERE NOT EXISTS (
SELECT 1 FROM (VALUES
{rows}
) AS rewound (run_id, source, attempt, last_step)
WHERE rewound.run_id = logged.run_id AND rewound.attempt = logged.attempt AND logged.step > rewound.last_step
)"""

_INHERITED: Final = """\
SELECT forks.run_id, {columns} FROM ({logged}) AS logged
JOIN (VALUES
{rows}
) AS forks (run_id, source, attempt, last_step)
ON forks.source = logged.run_id AND forks.attempt = logged.attempt AND logged.step <= forks.last_step"""


class Publisher:
    """The task that publishes into the root of the store."""

    def __init__(
        self, segments: Segments, store: ObjectStore, *, lease: Lease = always, interval: float = 2.0
    ) -> None:
        self._segments = segments
        self._store = store
        self._lease = lease
        self._interval = interval
        self._published: tuple[list[int], Sequence[View], Sequence[str]] | None = None

    async def run(self) -> None:
        """Publish for ever."""
        await repeat("publish", self.once, self._interval)

    async def once(self) -> bool:
        """Publish the live files and what runs show of them, unless it is as before; whether it did."""
        if not await self._lease():
            self._published = None
            return False
        known = self._published[0] if self._published else []
        objects, views, erased = await self._segments.objects(known)
        news = [ref.id for ref in objects], views, erased
        if news == self._published:
            return False
        folder = str(self._store.local_path(MANIFEST).parent)
        await self._store.put(MANIFEST, manifest(objects, views, erased).encode())
        await failpoint("publish")
        sql = view(folder, [str(ref.path) for ref in objects], views, erased)
        await self._store.put(VIEW, sql.encode())
        self._published = news
        return True


def manifest(objects: Sequence[SegmentRef], views: Sequence[View] = (), erased: Sequence[str] = ()) -> str:
    """The list of files, as JSON: names relative to the manifest's folder, bytes, rows, level.

    And the list ``views`` of what runs show of points of ``source``: of an attempt that is named, steps up to
    ``last_steps``; of others, all when ``others`` is true. A run that is no view's shows its own points.
    Those of the runs in ``erased``, which some files still hold, are nobody's to read.
    """
    files = [{"path": ref.path, "size": ref.size, "rows": ref.rows, "level": ref.level} for ref in objects]
    rules = [
        {"run_id": seen.run_id, "source": seen.source, "last_steps": seen.limits(), "others": seen.is_own}
        for seen in views
    ]
    content = {"format": 1, "files": files, "views": rules, "erased": list(erased)}
    return json.dumps(content, indent=1) + "\n"


def view(folder: str, paths: Iterable[str], views: Sequence[View] = (), erased: Sequence[str] = ()) -> str:
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
    logged = f"SELECT {columns}\nFROM read_parquet([\n{files}\n])"
    if erased:
        logged += f"\nWHERE run_id NOT IN ({', '.join(map(_literal, erased))})"
    return f"{_VIEW_HEAD}{_visible(logged, views)};\n"


def _visible(logged: str, views: Sequence[View]) -> str:
    """SQL for what the runs show of all that was logged."""
    own, inherited = (
        [
            "  (" + ", ".join((*map(_literal, (seen.run_id, seen.source, token)), str(last))) + ")"
            for seen in views
            if seen.is_own == is_own
            for token, last in seen.limits().items()
        ]
        for is_own in (True, False)
    )
    if not own and not inherited:
        return logged
    # What was rewound is left out, what a fork inherits is added under its own name.
    parts = [f"SELECT * FROM ({logged}) AS logged"]  # noqa: S608 - identifiers of ours, texts as literals
    if own:
        parts[0] += _REWOUND.format(rows=_lines(own))
    if inherited:
        columns = ", ".join(f"logged.{_identifier(name)}" for name in _COLUMNS if name != "run_id")
        parts.append(_INHERITED.format(columns=columns, logged=logged, rows=_lines(inherited)))
    return "\nUNION ALL\n".join(parts)


def _lines(rows: Sequence[str]) -> str:
    return ",\n".join(rows)


def _identifier(name: str) -> str:
    return f'"{name}"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
