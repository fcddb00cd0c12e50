"""Which names a request may call this daemon by, and from which pages it may come. Decides without I/O.

A page in somebody's browser can have its own name mean this machine's address (DNS rebinding) and then talk
to services that trust their network (MLflow: CVE-2026-2611). Its requests name it in ``Host``: only names
that are this daemon's are answered. An address in digits cannot be rebound, so any is answered.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


class Hosts:
    """The names of a daemon."""

    def __init__(self, names: Collection[str]) -> None:
        """``names``: beside ``localhost`` and addresses in digits; ``*``: all."""
        self._any = "*" in names
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}

    def knows(self, host: str) -> bool:
        """Whether a request's ``Host`` (``NAME`` or ``NAME:PORT``) means this daemon."""
        name = _name(host)
        return bool(name) and (self._any or name in self._names or _is_address(name))

    def trusts(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may send a request to ``host``: one that this daemon served."""
        scheme, _, name = origin.partition("://")
        return scheme in {"http", "https"} and name.lower() == host.lower()


def _name(host: str) -> str:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # ValueError: it is none
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or "@" in host:
        return ""
    return (parts.hostname or "").rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
