"""Tables of text that fit the terminal: full elsewhere, for what reads them next.

On a terminal that is too narrow, ids are shown by their beginning, which every command takes, and times to
the minute. Then the widest columns are cut, keys in the middle, and at last the table is printed in parts.
"""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

Lines = list[list[str]]

_BETWEEN = "  "
_NARROWEST = 12
"""Places that a column keeps in a table that comes in parts, if it needs as many."""

_LEAST = 8
"""The same in a list that is kept whole so."""

_ID, _TIME = slice(8), slice(2, 16)

SHORT = {"RUN": _ID, "WRITER": _ID, "STARTED": _TIME, "CREATED": _TIME, "TIME": _TIME}
"""Columns, and the part of their cells that still says enough."""

_KEYS = ("FIELD", "METRIC")
"""Columns whose cells end in what tells them apart."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; all cells are text."""
    lines = [[printable(cell) for cell in line] for line in (columns, *rows)]
    if not sys.stdout.isatty():
        _print(lines)
        return
    for number, part in enumerate(fitting(lines, shutil.get_terminal_size().columns)):
        if number:
            print()
        _print(part, bold=True)
    if len(lines) == 1:
        print("nothing found", file=sys.stderr)


def aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, as wide as its widest cells."""
    widths = _widths(lines)
    for line in lines:
        padded = [cell + " " * (size - width(cell)) for cell, size in zip(line, widths, strict=True)]
        yield _BETWEEN.join(padded).rstrip()


def fitting(lines: Sequence[Sequence[str]], room: int) -> list[Lines]:
    """The table cut to a terminal's width: one table, or parts that each have its first column."""
    columns = [list(column) for column in zip(*lines, strict=True)]
    widths = _widths(lines)
    for place, (name, *cells) in enumerate(columns):
        if _total(widths) > room and name in SHORT:
            columns[place] = [name, *(cell[SHORT[name]] for cell in cells)]
            widths[place] = max(map(width, columns[place]))
    widths = _bounded(lines[0], widths, room)
    beside_it = max(widths[1:], default=0) + len(_BETWEEN)
    widths[0] = min(widths[0], max(_NARROWEST, room - beside_it))
    columns = [
        [cut(cell, most, in_the_middle=column[0] in _KEYS) for cell in column]
        for column, most in zip(columns, widths, strict=True)
    ]
    parts = _parts(widths, room)
    return [[list(line) for line in zip(columns[0], *columns[part], strict=True)] for part in parts]


def _bounded(names: Sequence[str], needed: Sequence[int], room: int) -> list[int]:
    """What columns get of what they need: the widest give first."""
    least = _NARROWEST if names[0] in _KEYS else _LEAST

    def at(bound: int) -> list[int]:
        return [_most(name, one, bound) for name, one in zip(names, needed, strict=True)]

    bounds = (bound for bound in range(max(needed), least - 1, -1) if _total(at(bound)) <= room)
    return at(next(bounds, _NARROWEST))


def _most(name: str, needed: int, bound: int) -> int:
    """The places of a column where others have ``bound``."""
    if name in SHORT:
        return needed
    return min(needed, 2 * bound if name in _KEYS else bound)


def _parts(widths: Sequence[int], room: int) -> Iterator[slice]:
    """Which columns fit beside the first one at a time."""
    first = 1
    while True:
        last = first + 1
        while last < len(widths) and _total([widths[0], *widths[first : last + 1]]) <= room:
            last += 1
        yield slice(first, last)
        first = last
        if first >= len(widths):
            return


def width(text: str) -> int:
    """Places that a terminal needs for a text: two for what is wide in East Asia, none for accents."""
    if text.isascii():
        return len(text)
    return sum(map(_places, text))


def cut(text: str, most: int, *, in_the_middle: bool = False) -> str:
    """A text in at most so many places, with an ellipsis where some is missing."""
    if width(text) <= most:
        return text
    if in_the_middle:
        end = cut(text[::-1], most // 2)[-2::-1]
        return cut(text[: len(text) - len(end)], most - width(end)) + end
    kept, left = "", most - 1
    for character in text:
        left -= _places(character)
        if left < 0:
            break
        kept += character
    return f"{kept}…"


def printable(text: str) -> str:
    """A text on one line, without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def _places(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width, column)) for column in zip(*lines, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_BETWEEN) * (len(widths) - 1)


def _print(lines: Lines, *, bold: bool = False) -> None:
    head, *rest = aligned(lines)
    print(f"\x1b[1m{head}\x1b[0m" if bold else head)
    for line in rest:
        print(line)
