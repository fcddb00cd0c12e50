"""What a daemon is told: arguments, checked once."""

import argparse
import ipaddress
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from headrace_ingest.bounds import DEFAULTS, Bounds

DEFAULT_PORT: Final = 7070
DEFAULT_HTTP_PORT: Final = 7080
MAX_WORKERS: Final = 64

DEFAULT_RUN_LEASE: Final = 600.0
SHORTEST_RUN_LEASE: Final = 3.0
LONGEST_RUN_LEASE: Final = 365 * 86_400.0


class StartError(Exception):
    """The daemon cannot start; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """Where a daemon serves, and what it stores in.

    ``http_port`` 0: any free one; ``allowed_hosts``: names beside addresses, ``localhost`` and the machine's.
    ``artifact_roots``: folders in which experiments may have their artifacts. ``serve_artifacts``: whether
    files go through the daemon; ``artifacts_only``: whether nothing else is served.
    ``database_url`` ``None``: an embedded PostgreSQL in ``data``. ``exit_idle`` in seconds, ``None``: never.
    ``run_lease``: seconds after which a run without a writer is killed, ``None``: never.
    """

    data: Path
    host: str = "127.0.0.1"
    grpc_port: int = DEFAULT_PORT
    http_port: int = DEFAULT_HTTP_PORT
    database_url: str | None = None
    workers: int = 1
    exit_idle: float | None = None
    run_lease: float | None = DEFAULT_RUN_LEASE
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    artifact_roots: tuple[Path, ...] = ()
    serve_artifacts: bool = True
    artifacts_only: bool = False
    bounds: Bounds = DEFAULTS

    def __post_init__(self) -> None:
        """:class:`StartError` when the values do not fit together."""
        if not 0 <= self.grpc_port <= 65535:
            raise StartError(f"--grpc-port {self.grpc_port}: give 0 (any free one) to 65535")
        if not 0 <= self.http_port <= 65535:
            raise StartError(f"--http-port {self.http_port}: give 0 (any free one) to 65535")
        if not 1 <= self.workers <= MAX_WORKERS:
            raise StartError(f"--workers {self.workers}: give 1 to {MAX_WORKERS}")
        if self.exit_idle is not None and self.exit_idle <= 0:
            raise StartError(f"--exit-idle {self.exit_idle}: give more than 0 seconds")
        if self.exit_idle is not None and self.workers > 1:
            raise StartError("--exit-idle needs --workers 1")
        if self.run_lease is not None and not SHORTEST_RUN_LEASE <= self.run_lease <= LONGEST_RUN_LEASE:
            raise StartError(
                f"--run-lease {self.run_lease:g}: give {SHORTEST_RUN_LEASE:g} to {LONGEST_RUN_LEASE:.0f} "
                "seconds, or never"
            )
        if self.artifacts_only and not self.serve_artifacts:
            raise StartError("--artifacts-only and --no-serve-artifacts leave nothing to serve; give one")
        if not self.insecure and not _is_loopback(self.host):
            raise StartError(
                f"--host {self.host} can be reached from other machines, and there is no authentication yet; "
                "add --insecure if the network is trusted"
            )

    @property
    def artifacts(self) -> Path:
        """The root of the artifacts of experiments that name no location."""
        return self.data / "artifacts"

    @property
    def objects(self) -> Path:
        """The root of the object store, and of the published manifest."""
        return self.data

    def to_json(self) -> str:
        """For a worker's command line."""
        roots = [str(root) for root in self.artifact_roots]
        return json.dumps(asdict(self) | {"data": str(self.data), "artifact_roots": roots})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`."""
        values = json.loads(text)
        typed = {
            "data": Path(values["data"]),
            "bounds": Bounds(**values["bounds"]),
            "allowed_hosts": tuple(values["allowed_hosts"]),
            "artifact_roots": tuple(map(Path, values["artifact_roots"])),
        }
        return cls(**values | typed)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``headrace server``."""
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="folder of all data (default: ./data)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to serve on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--grpc-port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"port, 0 for any free one (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--http-port",
        type=int,
        metavar="N",
        help=f"port for HTTP, 0 for any free one (default: {DEFAULT_HTTP_PORT}; any free one when "
        "--grpc-port is given)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name that HTTP requests may call this daemon by, * for all (repeatable)",
    )
    parser.add_argument(
        "--artifact-root",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a folder in which experiments may have their artifacts (repeatable)",
    )
    parser.add_argument(
        "--serve-artifacts",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether files go through the daemon; if not, MLflow's clients are told of its folder "
        "(default: they do)",
    )
    parser.add_argument(
        "--artifacts-only",
        action="store_true",
        help="serve files over HTTP and nothing else, beside daemons that serve the rest",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="a PostgreSQL database (postgresql://...) instead of the embedded server",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that serve (default: 1)"
    )
    parser.add_argument(
        "--exit-idle", type=float, metavar="SECONDS", help="exit when nobody used the daemon for so long"
    )
    parser.add_argument(
        "--run-lease",
        type=_seconds_or_never,
        default=DEFAULT_RUN_LEASE,
        metavar="SECONDS",
        help="a run that no process writes to for so long is marked as KILLED, until one returns; "
        f"never: leave them RUNNING (default: {DEFAULT_RUN_LEASE:g})",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="allow a --host that other machines can reach"
    )


def from_arguments(arguments: argparse.Namespace) -> Config:
    """The configuration that the options of :func:`add_arguments` and the environment say."""
    try:
        bounds = Bounds.from_environment(os.environ)
    except ValueError as error:
        raise StartError(str(error)) from error
    return Config(
        data=arguments.data.expanduser().resolve(),
        host=arguments.host,
        grpc_port=arguments.grpc_port,
        http_port=_http_port(arguments),
        database_url=arguments.database_url,
        workers=arguments.workers,
        exit_idle=arguments.exit_idle,
        run_lease=arguments.run_lease,
        insecure=arguments.insecure,
        allowed_hosts=tuple(arguments.allowed_host),
        artifact_roots=tuple(root.expanduser().absolute() for root in arguments.artifact_root),
        serve_artifacts=arguments.serve_artifacts,
        artifacts_only=arguments.artifacts_only,
        bounds=bounds,
    )


def _http_port(arguments: argparse.Namespace) -> int:
    """Clients ask for it over gRPC, so that it need not be known: a second daemon takes any that is free."""
    if arguments.http_port is not None:
        return int(arguments.http_port)
    return DEFAULT_HTTP_PORT if arguments.grpc_port == DEFAULT_PORT else 0


def _seconds_or_never(text: str) -> float | None:
    return None if text == "never" else float(text)


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StartError(f"--host {host}: {error.strerror or error}") from error
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
