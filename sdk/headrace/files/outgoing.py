"""Files on their way out: named, secured, and one operation for all that a call logs.

:func:`upload` and :func:`upload_data` are what everything that stores files goes through.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from headrace.core import Core
from headrace.errors import InvalidArgumentError
from headrace.files import names
from headrace.operation import RunOperation
from headrace.spool.entry import Entry
from headrace.spool.pack import PACK_BYTES, PACK_FILES, SMALL, packed
from headrace.spool.secure import secure
from headrace.together import together


def upload(core: Core, run_id: str, local: str | os.PathLike[str], artifact_path: str = "") -> RunOperation:
    """Uploads a file into the folder ``artifact_path`` of a run, or what is in a folder into it.

    When it returns, the bytes are secured: what happens to the files then changes nothing. ``run_id`` may be
    ``KIND/ID`` of what else the daemon keeps artifacts of.

    Raises:
        InvalidArgumentError: there is no such file, or a name cannot be an artifact's; nothing was logged.
        SpoolFullError: there is no room for a copy.
    """
    source = Path(local)
    if source.is_dir():
        found = {names.below(artifact_path, *path.relative_to(source).parts): path for path in _files(source)}
    elif source.is_file():
        found = {names.below(artifact_path, source.name): source}
    else:
        raise InvalidArgumentError("local_path", f"{str(source)!r} is neither a file nor a folder")
    return upload_files(core, run_id, found)


def upload_files(core: Core, run_id: str, files: dict[str, Path]) -> RunOperation:
    """Uploads files under their paths as artifacts, which are checked. None is an operation that is done."""
    operations, parts, size = [], [], 0
    for path, source in files.items():
        if source.stat().st_size > SMALL:
            operations.append(_file(core, run_id, path, source))
            continue
        parts.append(packed(path, source.read_bytes()))
        size += len(parts[-1])
        if size >= PACK_BYTES or len(parts) >= PACK_FILES:
            operations.append(_pack(core, run_id, parts))
            parts, size = [], 0
    if parts:
        operations.append(_pack(core, run_id, parts))
    return together(operations)


def upload_data(core: Core, run_id: str, data: bytes, path: str, content_type: str = "") -> RunOperation:
    """Uploads ``data`` as the file ``path`` of a run."""
    names.checked(path)
    if len(data) <= PACK_BYTES:
        return _pack(core, run_id, [packed(path, data, content_type)])

    def entry(size: int, journal: str, sequence: int) -> Entry:
        return Entry(run_id, "file", size, uuid.uuid4().hex, path, content_type, journal, sequence)

    return core.files.secure(entry, _writes(data))


def _file(core: Core, run_id: str, path: str, source: Path) -> RunOperation:
    def entry(size: int, journal: str, sequence: int) -> Entry:
        return Entry(run_id, "file", size, uuid.uuid4().hex, path, "", journal, sequence)

    return core.files.secure(entry, lambda target: secure(source, target))


def _pack(core: Core, run_id: str, parts: list[bytes]) -> RunOperation:
    def entry(size: int, journal: str, sequence: int) -> Entry:
        return Entry(run_id, "pack", size, uuid.uuid4().hex, journal=journal, sequence=sequence)

    return core.files.secure(entry, _writes(b"".join(parts)))


def _writes(data: bytes) -> Callable[[Path], int]:
    return lambda target: target.write_bytes(data)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, ordered; what links lead to folders is left out, as in MLflow."""
    for at, folders, found in os.walk(folder):
        folders.sort()
        for name in sorted(found):
            path = Path(at, name)
            if path.is_file():
                yield path
