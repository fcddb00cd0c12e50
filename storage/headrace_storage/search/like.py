"""LIKE and ILIKE: ``%`` is any text, ``_`` one character, a backslash takes the next one as it is."""

import re
from collections.abc import Callable
from typing import NamedTuple


class _Part(NamedTuple):
    """What stands between two ``%``; it matches ``length`` characters."""

    pattern: re.Pattern[str]
    length: int


def matcher(pattern: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """Whether a text is like ``pattern``.

    The time is that of a search for each part between two ``%``: no pattern makes it backtrack.
    """
    first, *rest = [_compiled(part, ignore_case) for part in _split(pattern)]
    if not rest:
        return lambda text: first.pattern.fullmatch(text) is not None
    *middle, last = rest

    def matches(text: str) -> bool:
        found = first.pattern.match(text)
        for part in middle:
            found = found and part.pattern.search(text, found.end())
        start = len(text) - last.length
        return bool(found and start >= found.end() and last.pattern.match(text, start))

    return matches


def _split(pattern: str) -> list[list[str | None]]:
    """The characters between ``%``; ``None`` is any one."""
    parts: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            parts.append([])
        elif character == "_":
            parts[-1].append(None)
        elif character == "\\":
            parts[-1].append(next(characters, "\\"))
        else:
            parts[-1].append(character)
    return parts


def _compiled(part: list[str | None], ignore_case: bool) -> _Part:
    source = "".join("." if one is None else re.escape(one) for one in part)
    return _Part(re.compile(source, re.DOTALL | (re.IGNORECASE if ignore_case else 0)), len(part))
