"""Questions about the histories of several metrics at once."""

from array import array
from collections.abc import Sequence
from typing import Any

from headrace import values
from headrace.calls.call import Call, Pages, Question
from headrace.calls.messages import columns, order_bytes, unpacked
from headrace.calls.restrictions import MAX_BUCKETS, bounded, restrictions
from headrace.errors import InvalidArgumentError
from headrace.histories import MetricHistories, MetricSeries, MetricWriter
from headrace_proto.v1 import tracking_pb2 as pb

MAX_RUNS = 1000
MAX_KEYS = 1000
MAX_POINTS = 1_000_000
"""The most points of a page."""

_BUCKETS = {
    "first_step": "first_steps",
    "last_step": "last_steps",
    "count": "counts",
    "nan_count": "nan_counts",
    "min": "mins",
    "max": "maxs",
    "mean": "means",
    "first_value": "first_values",
    "last_value": "last_values",
}


def get_metric_histories(
    run_ids: str | Sequence[str],
    keys: str | Sequence[str] | None = None,
    *,
    steps: tuple[int | None, int | None] | None = None,
    writer: str | Sequence[str] | None = None,
    rank: int | Sequence[int] | None = None,
    buckets: int | None = None,
    max_points: int | None = None,
    page_token: str | None = None,
) -> Question[MetricHistories]:
    """Points, or buckets, of several metrics of several runs, by run id, key and step.

    Points of one step stand as they were logged. What a run shows counts: not what rewinds hide, and what a
    fork inherits. A page is of the moment at which it is asked for.

    Args:
        run_ids: one run, or up to 1,000.
        keys: one metric, or up to 1,000; default: all that the runs have.
        steps: the first and the last step, both of which are in it; ``None`` in it: no bound.
        writer: only points from this journal, or these (``list_writers`` names them).
        rank: only points from processes of this rank, or these.
        buckets: at most so many of each metric instead of points, up to 10,000, of about the same number of
            points each. A metric of more than a million points gets buckets of a thousand or more.
        max_points: of a page, up to 1,000,000; default: everything. Buckets count as points, and those of a
            metric are all on one page.
        page_token: the ``token`` of the page before; the other arguments must be the same.

    Raises:
        NotFoundError: there is not one of the runs. A metric that a run has not is no error.
    """
    request = pb.GetMetricHistoriesRequest(
        run_ids=[values.run_to_ask(run_id) for run_id in _some("run_ids", run_ids, 1, MAX_RUNS)],
        keys=[values.key(key) for key in _some("keys", keys, 0, MAX_KEYS)],
        buckets=bounded("buckets", buckets, MAX_BUCKETS),
        max_points=bounded("max_points", max_points, MAX_POINTS),
        page_token=values.said("page_token", page_token),
        **restrictions(steps, writer, rank),
    )
    read = _points if buckets is None else _buckets
    return Call("GetMetricHistories", request, read, streams=True)


def iter_metric_histories(
    run_ids: str | Sequence[str],
    keys: str | Sequence[str] | None = None,
    *,
    steps: tuple[int | None, int | None] | None = None,
    writer: str | Sequence[str] | None = None,
    rank: int | Sequence[int] | None = None,
    buckets: int | None = None,
    max_points: int = 100_000,
) -> Pages[MetricHistories]:
    """The pages of :func:`get_metric_histories`, one after the other: any number of points in little memory.

    Arguments are the same; ``max_points``: of each page.
    """

    def page(token: str | None) -> Question[MetricHistories]:
        return get_metric_histories(
            run_ids,
            keys,
            steps=steps,
            writer=writer,
            rank=rank,
            buckets=buckets,
            max_points=max_points,
            page_token=token,
        )

    return page


def _some(argument: str, given: str | Sequence[str] | None, least: int, most: int) -> list[str]:
    some = values.texts(argument, given)
    if given is not None and not 1 <= len(some) <= most:
        remedy = "ask for the others in another call" if some else "name one at least"
        raise InvalidArgumentError(argument, f"holds {len(some)}, the bounds are 1 and {most}; {remedy}")
    if len(some) < least:
        raise InvalidArgumentError(argument, "names none; name one at least")
    return some


def _points(answers: Sequence[pb.MetricHistories]) -> MetricHistories:
    read = columns([answer.points for answer in answers])
    codes = array("q", b"".join(unpacked(answer.writers, answer.points.packed) for answer in answers))
    order_bytes([codes])
    writers = [
        MetricWriter(new.writer_id, dict(new.labels)) for answer in answers for new in answer.new_writers
    ]
    points: dict[str, array[Any]] = {
        "step": read.steps,
        "timestamp": read.timestamps,
        "value": read.values,
        "writer": codes,
    }
    return MetricHistories(_series(answers), points, writers, _token(answers))


def _buckets(answers: Sequence[pb.MetricHistories]) -> MetricHistories:
    found: dict[str, array[Any]] = {}
    for name, column in _BUCKETS.items():
        kind = "q" if name in {"first_step", "last_step", "count", "nan_count"} else "d"
        found[name] = array(kind, b"".join(getattr(answer.buckets, column) for answer in answers))
    order_bytes(found.values())
    return MetricHistories(_series(answers), found, token=_token(answers))


def _series(answers: Sequence[pb.MetricHistories]) -> list[MetricSeries]:
    """The stretches of all messages: one for each series, as they follow one another."""
    series: list[MetricSeries] = []
    stop = 0
    for one in (one for answer in answers for one in answer.series):
        start, stop = stop, stop + one.points
        if series and series[-1][:2] == (one.run_id, one.key):
            start = series.pop().start
        series.append(MetricSeries(one.run_id, one.key, start, stop))
    return series


def _token(answers: Sequence[pb.MetricHistories]) -> str | None:
    return (answers[-1].next_page_token if answers else "") or None
