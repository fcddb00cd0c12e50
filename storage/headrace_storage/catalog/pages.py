"""Opaque page tokens: where a list was left, as its order's key."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from headrace_storage.errors import PageTokenError


def page_token(key: Sequence[Any]) -> str:
    """The token of the page that begins after ``key``, a sequence of what JSON knows."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def page_key(token: str, types: Sequence[type]) -> list[Any]:
    """The key that :func:`page_token` was given, whose parts were of ``types``.

    Raises:
        PageTokenError: the token is not one of ours.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise PageTokenError
    return key
