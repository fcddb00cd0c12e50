"""The folder of journals: where it is, which journals were left behind, and what may be deleted.

``HEADRACE_JOURNAL_DIR/HOST-BOOT/WRITER``: a host and boot have a folder of their own, because memory that
was mapped survives a process but not the machine.
"""

import contextlib
import fcntl
import functools
import json
import logging
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from headrace.errors import JournalError
from headrace.journal import layout

logger = logging.getLogger("headrace")

NETWORK_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "glusterfs",
        "9p",
        "afs",
        "fuse.sshfs",
        "fuse.glusterfs",
    ]
)
MOUNTS = Path("/proc/self/mounts")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def boot_id() -> str:
    """This boot of the machine, as 32 hex digits."""
    return BOOT_ID.read_text().strip().replace("-", "")


def boot_folder(journal_dir: Path) -> Path:
    """Where journals of this host and boot live: below ``journal_dir``, on a local disk if that is remote.

    Locks and shared memory do not work over a network file system.
    """
    journal_dir = journal_dir.expanduser().absolute()
    if file_system(journal_dir) in NETWORK_FILE_SYSTEMS:
        local = Path(tempfile.gettempdir()) / f"headrace-journals-{os.getuid()}"
        logger.warning("journals go to %s: %s is on a network file system", local, journal_dir)
        journal_dir = local
    return journal_dir / f"{socket.gethostname()}-{boot_id()[:12]}"


def file_system(path: Path) -> str:
    """The type of the file system that ``path`` is, or would be, on; empty when unknown."""
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text().splitlines():
            _, mount, mounted_kind, *_ = line.split()
            mount = mount.encode().decode("unicode_escape")
            if len(mount) >= len(best) and path.is_relative_to(mount):
                best, kind = mount, mounted_kind
    return kind


def journals(journal_dir: Path) -> Iterator[Path]:
    """All journals below ``journal_dir``, of every host and boot, the oldest first."""
    found = [path.parent for path in journal_dir.expanduser().glob(f"*/[0-9a-f]*/{layout.WRITER}")]
    return iter(sorted(found, key=lambda path: path.stat().st_mtime if path.exists() else 0))


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock at ``path``, or ``None`` when another process has it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


LOCKS = re.compile(r"/(writer|shipper|agent)\.lock$")


def let_locks_go() -> None:
    """In a forked child: closes the parent's locks, which would outlive the parent here.

    Found by their names: the fork may have come between the opening of one and anybody's note of it.
    """
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if LOCKS.search(str(descriptor.readlink())):
                os.close(int(descriptor.name))


def writer_lives(journal: Path) -> bool:
    """Whether the process that writes a journal still runs: it holds the lock."""
    descriptor = try_lock(journal / layout.WRITER_LOCK)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def write_header(journal: Path, content: Mapping[str, Any]) -> None:
    """Writes ``writer.json``, with a checksum."""
    (journal / layout.WRITER).write_text(json.dumps(sealed(content)))


def header(journal: Path) -> dict[str, Any]:
    """What ``writer.json`` says. :class:`JournalError` when it is damaged or not there."""
    path = journal / layout.WRITER
    try:
        content = unsealed(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise JournalError(f"no journal at {journal}: {error.strerror}") from error
    except ValueError as error:
        raise JournalError(f"{path} is damaged: {error}") from error
    kinds = {"format": int, "uri": str, "labels": dict, "shipper": str, "boot": str}
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name, kind()), kind)]
    if wrong or "format" not in content or "uri" not in content:
        raise JournalError(
            f"{path} is damaged: {', '.join(wrong) or 'format or uri'} is not as it was written"
        )
    return content


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with a checksum of itself."""
    return {**content, "crc32": crc32(json.dumps(content, sort_keys=True).encode())}


def unsealed(content: object) -> dict[str, Any]:
    """The inverse of :func:`sealed`; ``ValueError`` when the checksum is wrong. It may be absent."""
    if not isinstance(content, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - of damaged files, all is a ValueError
    checksum = content.pop("crc32", None)
    if checksum is not None and sealed(content)["crc32"] != checksum:
        raise ValueError("its checksum is wrong")
    return content


def remove(journal: Path) -> None:
    """Deletes a journal whose cells are all committed."""
    grave = journal.with_name(f".{journal.name}.removed")
    with contextlib.suppress(OSError):
        journal.rename(grave)
        shutil.rmtree(grave)


def expired(path: Path, keep: float) -> bool:
    """Whether a file was not touched for ``keep`` seconds."""
    return time.time() - path.stat().st_mtime >= keep
