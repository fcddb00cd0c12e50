"""Ports: found free before gRPC sees them, because its SO_REUSEPORT would silently share a taken one."""

import errno
import socket
from typing import Any

from headrace_ingest.config import StartError


def reserve(host: str, port: int, option: str = "--grpc-port") -> socket.socket:
    """A socket that holds ``port`` (0: any free one) and never listens; this user's servers may share it.

    :class:`StartError` when somebody else has it; it names the ``option``.
    """
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # The probe passes connections in TIME_WAIT, which the daemon before left, and nothing else. It finds
    # servers that listen, and the sockets that this function gave to other daemons.
    with _bound(family, address, socket.SO_REUSEADDR, option) as probe:
        free = probe.getsockname()
    return _bound(family, free, socket.SO_REUSEPORT, option)


def target(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str, port: int) -> str:
    """The address at which clients on this machine reach a server on ``host``."""
    return target({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104 -- compared only


def _bound(family: int, address: Any, option: int, argument: str) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {address[1]} on {address[0]} is taken; give another {argument}"
            ) from error
        raise StartError(f"cannot serve on {address[0]} port {address[1]}: {error.strerror}") from error
    return bound
