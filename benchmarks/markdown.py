"""Tables of the page."""

from collections.abc import Iterable, Sequence

from benchmarks.results import Figure, number


def span(figure: Figure) -> str:
    """The least and the most."""
    return f"{number(figure['min'])} to {number(figure['max'])}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])
