"""Text that PostgreSQL can hold: no NUL, no lone surrogates."""


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold ``text``."""
    return "\0" not in text and storable(text) == text


def storable(text: str, bound: int | None = None) -> str:
    """``text`` with what PostgreSQL cannot hold spelled out as escapes, cut to ``bound`` characters."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:bound]
