"""What a daemon is told: arguments, checked once."""

import argparse
import ipaddress
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

DEFAULT_PORT: Final = 7070
MAX_WORKERS: Final = 64


class StartError(Exception):
    """The daemon cannot start; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """Where a daemon serves, and what it stores in.

    ``database_url`` ``None``: an embedded PostgreSQL in ``data``. ``exit_idle`` in seconds, ``None``: never.
    """

    data: Path
    host: str = "127.0.0.1"
    grpc_port: int = DEFAULT_PORT
    database_url: str | None = None
    workers: int = 1
    exit_idle: float | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """:class:`StartError` when the values do not fit together."""
        if not 0 <= self.grpc_port <= 65535:
            raise StartError(f"--grpc-port {self.grpc_port}: give 0 (any free one) to 65535")
        if not 1 <= self.workers <= MAX_WORKERS:
            raise StartError(f"--workers {self.workers}: give 1 to {MAX_WORKERS}")
        if self.exit_idle is not None and self.exit_idle <= 0:
            raise StartError(f"--exit-idle {self.exit_idle}: give more than 0 seconds")
        if self.exit_idle is not None and self.workers > 1:
            raise StartError("--exit-idle needs --workers 1")
        if not self.insecure and not _is_loopback(self.host):
            raise StartError(
                f"--host {self.host} can be reached from other machines, and there is no authentication yet; "
                "add --insecure if the network is trusted"
            )

    @property
    def objects(self) -> Path:
        """The root of the object store, and of the published manifest."""
        return self.data

    def to_json(self) -> str:
        """For a worker's command line."""
        return json.dumps(asdict(self) | {"data": str(self.data)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`."""
        values = json.loads(text)
        return cls(**values | {"data": Path(values["data"])})


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
        "--insecure", action="store_true", help="allow a --host that other machines can reach"
    )


def from_arguments(arguments: argparse.Namespace) -> Config:
    """The configuration that the options of :func:`add_arguments` say."""
    return Config(
        data=arguments.data.expanduser().resolve(),
        host=arguments.host,
        grpc_port=arguments.grpc_port,
        database_url=arguments.database_url,
        workers=arguments.workers,
        exit_idle=arguments.exit_idle,
        insecure=arguments.insecure,
    )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StartError(f"--host {host}: {error.strerror or error}") from error
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
