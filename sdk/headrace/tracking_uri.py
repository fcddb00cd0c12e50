"""Where runs are tracked: one setting of the process."""

import os

from headrace.config import Settings
from headrace.shipping.address import normalize

_uri: str | None = None


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Sets where runs are tracked from now on. Runs that are active stay where they are.

    Args:
        uri: ``headrace://HOST:PORT`` of a daemon, or a local folder: a daemon for that folder is joined, or
            started (with ``headrace[server]`` installed) and exits when it is idle. An empty one goes back to
            the environment's.
    """
    global _uri  # noqa: PLW0603
    _uri = normalize(os.fspath(uri)) if uri else None


def get_tracking_uri() -> str:
    """The tracking URI: as set, else ``HEADRACE_TRACKING_URI``, else ``headrace://127.0.0.1:7070``."""
    return _uri or Settings.from_environment().tracking_uri


def is_tracking_uri_set() -> bool:
    """Whether :func:`set_tracking_uri` or ``HEADRACE_TRACKING_URI`` says where runs are tracked."""
    return _uri is not None or bool(os.environ.get("HEADRACE_TRACKING_URI"))
