"""A daemon of a workload's own: it starts empty, and what it takes can be looked at."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.daemon import daemon
from headrace_ingest.postgres import EmbeddedPostgres


@dataclass(frozen=True)
class Fresh:
    """A daemon that serves on ``address`` (host:port), with its folder of data and its process."""

    address: str
    data: Path
    pid: int

    @property
    def database_url(self) -> str:
        """Where its embedded PostgreSQL listens."""
        url = EmbeddedPostgres(self.data).running_url()
        assert url is not None, "the embedded PostgreSQL does not run"
        return url


@contextmanager
def fresh_daemon(*arguments: str) -> Iterator[Fresh]:
    """Starts a daemon on an empty folder, with more ``arguments``; stops it, and deletes the folder."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        folder = Path(name) / "daemon"
        with daemon(folder, arguments=arguments) as address:
            data = folder / "data"
            yield Fresh(address, data, json.loads((data / "daemon.json").read_text())["pid"])


def pss_mb(pid: int) -> float:
    """Megabytes of a process, pages that it shares with others counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"no Pss of {pid}")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
