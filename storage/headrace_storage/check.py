"""Checks all that is stored: every segment's size, checksum and rows, the manifest, files that nobody knows.

Works beside running daemons: a segment that was merged away between the listing and the look is no damage.
Changes nothing unless :meth:`Check.drop_damaged` is asked to.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from headrace_storage.catalog.segments import Segments
from headrace_storage.errors import SegmentCorruptError, SegmentMissingError, SegmentsMovedError
from headrace_storage.model import SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.publish import MANIFEST, Publisher
from headrace_storage.segments.read import SegmentReader

SEGMENTS_PREFIX: Final = "segments/"
DAMAGED_PREFIX: Final = "damaged/"

_PAGE: Final = 200
"""Segments that are listed at once, small ones with their bytes."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was stored. ``runs`` are those whose points it held."""

    name: str
    problem: str
    runs: Sequence[str] = ()
    rows: int = 0
    segment_id: int | None = None


@dataclass(slots=True)
class Findings:
    """What a check found. ``orphans``: files that no catalog entry names; they do no harm."""

    segments: int = 0
    inline: int = 0
    rows: int = 0
    size: int = 0
    damaged: list[Damage] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


class Check:
    """A look at everything in one catalog and its store."""

    def __init__(self, segments: Segments, store: ObjectStore) -> None:
        self._segments = segments
        self._store = store
        self._reader = SegmentReader(store)

    async def run(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Findings:
        """Check all; ``progress`` is called with the bytes that are checked and the bytes there are.

        Raises:
            CatalogUnavailableError: try again.
            OSError: the store cannot list its files.
        """
        findings = Findings()
        total = await self._segments.total_size()
        last = 0
        while refs := await self._segments.page(last, _PAGE):
            for ref in refs:
                await self._check(ref, findings)
                progress(findings.size, max(total, findings.size))
            last = refs[-1].id
        findings.orphans += await self._segments.unregistered(await self._store.list(SEGMENTS_PREFIX))
        findings.damaged += await self._check_manifest()
        return findings

    async def drop_damaged(self, findings: Findings) -> None:
        """Give damaged segments up, so that the rest of their runs can be read.

        Their files go to ``damaged/``.

        Raises:
            CatalogUnavailableError: try again, from the check on.
            OSError: the store failed.
        """
        for damage in findings.damaged:
            if damage.segment_id is None:
                continue
            with suppress(SegmentsMovedError):
                await self._segments.drop(damage.segment_id, damage.runs, damage.rows)
            with suppress(FileNotFoundError, ValueError):
                file = self._store.local_path(damage.name)
                aside = self._store.local_path(f"{DAMAGED_PREFIX}{file.name}")
                aside.parent.mkdir(exist_ok=True)
                file.replace(aside)
        await Publisher(self._segments, self._store).once()

    async def _check(self, ref: SegmentRef, findings: Findings) -> None:
        findings.segments += 1
        findings.inline += ref.path is None
        findings.rows += ref.rows
        findings.size += ref.size
        try:
            rows = await self._reader.read([ref])
        except (SegmentMissingError, SegmentCorruptError) as error:
            problem = error.reason if isinstance(error, SegmentCorruptError) else "it is missing"
            await self._blame(ref, problem, findings)
        except OSError as error:  # the disk cannot read it
            await self._blame(ref, f"it cannot be read: {error.strerror}", findings)
        else:
            if len(rows) != ref.rows:
                await self._blame(ref, f"it has {len(rows)} rows, not {ref.rows}", findings)

    async def _blame(self, ref: SegmentRef, problem: str, findings: Findings) -> None:
        runs = await self._segments.runs_of(ref.id)
        if runs is None:
            return  # merged into another one meanwhile
        name = ref.path or f"inline segment {ref.id}"
        findings.damaged.append(Damage(name, problem, runs, ref.rows, ref.id))

    async def _check_manifest(self) -> list[Damage]:
        try:
            listed = json.loads(await self._store.get(MANIFEST))["files"]
            files = {entry["path"]: entry["size"] for entry in listed}
        except FileNotFoundError:
            return []  # nothing was published yet
        except (ValueError, KeyError, TypeError) as error:
            return [Damage(MANIFEST, f"it cannot be read ({error}); a running daemon replaces it")]
        damaged = []
        for path, size in files.items():
            try:
                found = self._store.local_path(path).stat().st_size
            except (FileNotFoundError, ValueError):
                damaged.append(Damage(MANIFEST, f"it names {path}, which is missing"))
            else:
                if found != size:
                    damaged.append(
                        Damage(MANIFEST, f"it says that {path} has {size} bytes, but it has {found}")
                    )
        return damaged
