"""What a request for histories asks for, checked; and the tokens of its pages. No I/O."""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.errors import InvalidArgumentError, PageTokenError
from headrace_storage.scan import Point
from headrace_storage.segments.choice import FIRST
from headrace_storage.visibility import LAST

MAX_RUNS: Final = 1000
MAX_KEYS: Final = 1000
MAX_WRITERS: Final = 10_000
"""Of writers, and of ranks."""

MAX_POINTS: Final = 1_000_000
MAX_BUCKETS: Final = 10_000

_TOKEN: Final = (str, str, str, int, int, str, int)


def check(request: pb.GetMetricHistoriesRequest) -> None:
    """Refuses what is out of bounds."""
    for name, count, least, most, remedy in (
        ("run_ids", len(request.run_ids), 1, MAX_RUNS, "ask for the others in another call"),
        ("keys", len(request.keys), 0, MAX_KEYS, "ask for the others in another call, or for all"),
    ):
        if not least <= count <= most:
            raise InvalidArgumentError(name, f"holds {count}, the bounds are {least} and {most}; {remedy}")
    for name, value, most in (
        ("buckets", request.buckets, MAX_BUCKETS),
        ("max_points", request.max_points, MAX_POINTS),
    ):
        if not 0 <= value <= most:
            raise InvalidArgumentError(name, f"is {value}, the bounds are 0 and {most}")


def restrictions(request: Any) -> tuple[tuple[int, int], frozenset[UUID] | None, frozenset[int] | None]:
    """Steps, writers and ranks."""
    first = request.first_step if request.HasField("first_step") else FIRST
    last = request.last_step if request.HasField("last_step") else LAST
    for name, given in (("writer_ids", request.writer_ids), ("ranks", request.ranks)):
        if len(given) > MAX_WRITERS:
            raise InvalidArgumentError(name, f"holds {len(given)}, the bound is {MAX_WRITERS}")
    try:
        writers = frozenset(UUID(hex=text) for text in request.writer_ids)
    except ValueError:
        raise InvalidArgumentError("writer_ids", "holds what is not 32 hexadecimal digits") from None
    return (first, last), writers or None, frozenset(request.ranks) or None


def _digest(request: pb.GetMetricHistoriesRequest) -> str:
    """What tells a question from others whose pages are others."""
    asked = pb.GetMetricHistoriesRequest()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("max_points")
    for name in ("run_ids", "keys", "writer_ids", "ranks"):
        values = sorted(set(getattr(request, name)))
        asked.ClearField(name)
        getattr(asked, name).extend(values)
    return blake2b(asked.SerializeToString(deterministic=True), digest_size=8).hexdigest()


def page_token_of(request: pb.GetMetricHistoriesRequest, after: Point) -> str:
    """The token of the page that begins after a point."""
    run_id, key, step, order_time, writer, sequence = after
    return page_token([_digest(request), run_id, key, step, order_time, writer.hex, sequence])


def after_page(request: pb.GetMetricHistoriesRequest, run_ids: Sequence[str]) -> Point | None:
    """After which point the page begins whose token the request has, ``None`` without one."""
    if not request.page_token:
        return None
    digest, run_id, key, step, order_time, writer, sequence = page_key(request.page_token, _TOKEN)
    numbers = (step, order_time, sequence)
    if digest != _digest(request):
        raise InvalidArgumentError(
            "page_token", "is of another question; ask for its next page with the same arguments"
        )
    with suppress(ValueError):
        if run_id in run_ids and all(FIRST <= number <= LAST for number in numbers):
            return Point(run_id, key, step, order_time, UUID(hex=writer), sequence)
    raise PageTokenError
