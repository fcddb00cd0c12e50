"""A filter as words, quoted texts, operators and punctuation, each with its place."""

import re
from enum import Enum
from typing import Final, NamedTuple

from headrace_storage.errors import InvalidArgumentError

_SHOWN: Final = 40
"""Characters of a filter that a message repeats."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    END = "end"


class Token(NamedTuple):
    """A piece of the text from ``start`` to ``end``; ``text`` of a quoted one is without its ``quote``."""

    kind: Kind
    text: str
    start: int
    end: int
    quote: str = ""


class FilterError(InvalidArgumentError):
    """A filter or order that is none. ``position``: the character of the fault, counted from 0."""

    def __init__(self, argument: str, text: str, position: int, problem: str) -> None:
        found = text[position : position + _SHOWN]
        where = f"{found!r}" if found else "the end"
        super().__init__(argument, f"is wrong at character {position + 1}, {where}: {problem}")
        self.position = position


_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<quoted>'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*`)
  | (?P<operator><=|>=|!=|<>|==|=|<|>)
  | (?P<punctuation>[(),])
  | (?P<word>[^\s'"`<>=!(),]+)
    """,
    re.VERBOSE,
)

_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


def scan(argument: str, text: str) -> list[Token]:
    """The tokens of ``text``, an END last. :class:`FilterError` where none begins."""
    if bad := _NO_TEXT.search(text):
        raise FilterError(argument, text, bad.start(), "a NUL or half of a character, which no text has")
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            mark = text[position]
            problem = f"the quote {mark} has no end" if mark in "'\"`" else "unexpected character"
            raise FilterError(argument, text, position, problem)
        name = match.lastgroup
        if name == "quoted":
            quote = match[0][0]
            inner = match[0][1:-1].replace(quote * 2, quote)
            tokens.append(Token(Kind.QUOTED, inner, match.start(), match.end(), quote))
        elif name != "space":
            tokens.append(Token(Kind(name), match[0], match.start(), match.end()))
        position = match.end()
    return [*tokens, Token(Kind.END, "", len(text), len(text))]
