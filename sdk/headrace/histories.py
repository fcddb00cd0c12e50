"""``MetricHistories``: points or buckets of several metrics, as columns, and what can be made of them.

Arrow, pandas, Polars and NumPy are loaded when they are asked for.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, NamedTuple

from headrace.entities import Metric
from headrace.errors import HeadraceError

_FLAGS = ("posinf", "neginf")
_POINT = ("run_id", "key", "step", "timestamp", "value", "writer", "rank")


class MetricSeries(NamedTuple):
    """A metric of a run: the rows from ``start`` up to ``stop``."""

    run_id: str
    key: str
    start: int
    stop: int


class MetricWriter(NamedTuple):
    """Who wrote points: a journal, with host, pid, user and rank of its process as labels."""

    writer_id: str
    labels: Mapping[str, str]

    @property
    def rank(self) -> int | None:
        """The rank in its launch, if it had one."""
        rank = self.labels.get("rank", "")
        return int(rank) if rank.isascii() and rank.isdecimal() and len(rank) < 10 else None


@dataclass(frozen=True, slots=True)
class MetricBucket:
    """A stretch of a metric's points, by step.

    ``min``, ``max`` and ``mean`` are over the values that are not NaN, infinities among them, and NaN when
    there are none. Of the ``count`` points ``nan_count`` are NaN; ``posinf`` and ``neginf`` say whether some
    are infinite. ``first_value`` and ``last_value`` are those at the first and the last step.
    """

    run_id: str
    key: str
    first_step: int
    last_step: int
    count: int
    nan_count: int
    posinf: bool
    neginf: bool
    min: float
    max: float
    mean: float
    first_value: float
    last_value: float


_BUCKET = tuple(field.name for field in fields(MetricBucket))


class MetricHistories:
    """Points of several metrics, or buckets of them: one page, or all.

    They stand by run id, key and step; points of one step as they were logged. Tables have the columns
    ``run_id``, ``key``, ``step``, ``timestamp``, ``value``, ``writer`` (the journal) and ``rank`` (of its
    process); of buckets, the attributes of :class:`MetricBucket`.
    """

    def __init__(
        self,
        series: Sequence[MetricSeries],
        columns: Mapping[str, "array[Any]"],
        writers: Sequence[MetricWriter] = (),
        token: str | None = None,
    ) -> None:
        """``columns["writer"]`` indexes into ``writers``."""
        self.series = tuple(series)
        self.columns = dict(columns)
        """The numbers, as arrays of one length; they have the buffer protocol. ``timestamp``: in ms."""
        self.writers = tuple(writers)
        self.token = token
        """Asks for the next page; ``None`` on the last."""
        self._places = {one[:2]: one for one in self.series}

    @property
    def has_buckets(self) -> bool:
        """Whether rows are buckets."""
        return "count" in self.columns

    def __len__(self) -> int:
        """How many points there are, or buckets."""
        return self.series[-1].stop if self.series else 0

    def __iter__(self) -> Iterator[MetricSeries]:
        """The series."""
        return iter(self.series)

    def __getitem__(self, series: tuple[str, str]) -> dict[str, "array[Any]"]:
        """The columns of one series, by run id and key. ``KeyError``: it is not among them."""
        _, _, start, stop = self._places[series]
        return {name: column[start:stop] for name, column in self.columns.items()}

    def __contains__(self, series: object) -> bool:
        """Whether there are points of this run id and key."""
        return series in self._places

    def __repr__(self) -> str:
        what = "buckets" if self.has_buckets else "points"
        more = ", not the last page" if self.token else ""
        return f"<{type(self).__name__} {len(self):,} {what} of {len(self.series):,} metrics{more}>"

    def to_list(self) -> list[Any]:
        """Each point as a :class:`Metric` with its ``run_id``, or each bucket as a :class:`MetricBucket`."""
        if self.has_buckets:
            return [MetricBucket(*row) for row in self._rows(_BUCKET[2:])]
        rows = self._rows(("value", "timestamp", "step"))
        return [Metric(key, value, time, step, run_id=run) for run, key, value, time, step in rows]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each row as a dictionary, by the names of the columns."""
        if self.has_buckets:
            return [dict(zip(_BUCKET, row, strict=True)) for row in self._rows(_BUCKET[2:])]
        writers = [(writer.writer_id, writer.rank) for writer in self.writers]
        rows = self._rows(("step", "timestamp", "value", "writer"))
        return [dict(zip(_POINT, (*row[:-1], *writers[row[-1]]), strict=True)) for row in rows]

    def to_numpy(self) -> dict[str, Any]:
        """The numbers as NumPy arrays, and ``series``: which of ``self.series`` each row is of.

        Nothing is copied. ``HeadraceError`` with the remedy when NumPy is not installed, as below.
        """
        numpy = _need("numpy", "to_numpy", "numpy")
        return {
            "series": numpy.frombuffer(self._series(), numpy.int64),
            **{name: numpy.frombuffer(column, column.typecode) for name, column in self._numbers().items()},
        }

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``; texts are dictionaries, times timestamps in ms, UTC."""
        pa = _need("pyarrow", "to_arrow", "pyarrow")
        count = len(self)
        types = {"d": pa.float64(), "q": pa.int64()}

        def numbers(column: "array[Any]") -> Any:
            return pa.Array.from_buffers(types[column.typecode], count, [None, pa.py_buffer(column)])

        columns = {}
        for name, (texts, codes) in self._texts().items():
            columns[name] = pa.DictionaryArray.from_arrays(numbers(codes).cast(pa.int32()), texts)
        for name, column in self._numbers().items():
            columns.setdefault(name, numbers(column))
        if self.has_buckets:
            columns |= {name: columns[name].cast(pa.bool_()) for name in _FLAGS}
        else:
            columns["timestamp"] = columns["timestamp"].view(pa.timestamp("ms", tz="UTC"))
            ranks = pa.array([writer.rank for writer in self.writers], pa.int64())
            columns["rank"] = ranks.take(numbers(self.columns["writer"]))
        return pa.table({name: columns[name] for name in self.names})

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``; texts are categories, times UTC, ranks ``Int64`` (``NA``: none)."""
        pandas = _need("pandas", "to_pandas", "pandas")
        numbers = self.to_numpy()
        columns: dict[str, Any] = {
            name: pandas.Categorical.from_codes(_numpy(codes), texts)
            for name, (texts, codes) in self._texts().items()
        }
        columns |= {name: column for name, column in numbers.items() if name not in ("series", "writer")}
        if self.has_buckets:
            columns |= {name: columns[name].astype(bool) for name in _FLAGS}
        else:
            times = columns["timestamp"].view("datetime64[ms]")
            columns["timestamp"] = pandas.Series(times).dt.tz_localize("UTC")
            ranks = pandas.array([writer.rank for writer in self.writers], "Int64")
            columns["rank"] = ranks.take(_numpy(self.columns["writer"]))
        return pandas.DataFrame({name: columns[name] for name in self.names})

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``; texts are categories, times in ms, UTC."""
        pl = _need("polars", "to_polars", "polars numpy")
        numbers = {name: pl.Series(name, column) for name, column in self.to_numpy().items()}
        columns: dict[str, Any] = {}
        for name, (texts, codes) in self._texts().items():
            column = pl.Series(name, texts, pl.String).gather(pl.Series(_numpy(codes)))
            columns[name] = column.cast(pl.Categorical)
        columns |= {name: column for name, column in numbers.items() if name not in ("series", "writer")}
        if self.has_buckets:
            columns |= {name: columns[name].cast(pl.Boolean) for name in _FLAGS}
        else:
            columns["timestamp"] = columns["timestamp"].cast(pl.Datetime("ms", "UTC"))
            ranks = pl.Series("rank", [writer.rank for writer in self.writers], pl.Int64)
            columns["rank"] = ranks.gather(numbers["writer"])
        return pl.DataFrame({name: columns[name] for name in self.names})

    def head(self, count: int) -> "MetricHistories":
        """The first ``count`` rows."""
        series = [one._replace(stop=min(one.stop, count)) for one in self.series if one.start < count]
        columns = {name: column[:count] for name, column in self.columns.items()}
        return MetricHistories(series, columns, self.writers)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of a table's columns."""
        return _BUCKET if self.has_buckets else _POINT

    def _rows(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Run id, key and these columns of each row."""
        numbers: dict[str, Any] = {name: memoryview(column) for name, column in self._numbers().items()}
        numbers |= {name: list(map(bool, numbers[name])) for name in _FLAGS if name in numbers}
        for run_id, key, start, stop in self.series:
            for row in zip(*(numbers[name][start:stop] for name in names), strict=True):
                yield (run_id, key, *row)

    def _numbers(self) -> dict[str, "array[Any]"]:
        if not self.has_buckets:
            return self.columns
        # An infinite extreme is there when an infinite value is.
        infinite = {
            "posinf": array("q", (value == math.inf for value in self.columns["max"])),
            "neginf": array("q", (value == -math.inf for value in self.columns["min"])),
        }
        return {**self.columns, **infinite}

    def _series(self) -> "array[int]":
        codes = array("q")
        for place, one in enumerate(self.series):
            codes += array("q", [place]) * (one.stop - one.start)
        return codes

    def _texts(self) -> dict[str, tuple[list[str], "array[int]"]]:
        """Columns of texts: the distinct ones, and which each row has."""
        found = {}
        for name in ("run_id", "key"):
            texts = list(dict.fromkeys(getattr(one, name) for one in self.series))
            place = {text: code for code, text in enumerate(texts)}
            codes = array("q")
            for one in self.series:
                codes += array("q", [place[getattr(one, name)]]) * (one.stop - one.start)
            found[name] = texts, codes
        if not self.has_buckets:
            found["writer"] = [writer.writer_id for writer in self.writers], self.columns["writer"]
        return found


def _numpy(codes: "array[int]") -> Any:
    numpy = import_module("numpy")
    return numpy.frombuffer(codes, numpy.int64)


def _need(module: str, method: str, packages: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise HeadraceError(
            f"{method}() needs {module}, which is not installed: pip install {packages}, or use to_list() or "
            "the arrays in .columns"
        ) from None
