"""Names of many series as columns: a million of them are a few dozen bytes each, and no Python objects.

Where there are few, a list of :class:`Series` is quicker. Both are sequences of series.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headrace_storage.model import Series

MANY: Final = 1024
"""Series from which on they are kept as columns."""

_BLOCK: Final = 4096


class Texts(NamedTuple):
    """``codes`` index into ``texts``, no two of which are equal."""

    codes: NDArray[np.int32]
    texts: pa.StringArray

    @classmethod
    def of(cls, texts: Sequence[str] | pa.StringArray) -> "Texts":
        """One code for each of ``texts``."""
        if isinstance(texts, Sequence) and texts and len(set(texts)) == 1:  # many times quicker
            return cls(np.zeros(len(texts), np.int32), pa.array(texts[:1], pa.string()))
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        return cls(encoded.indices.to_numpy(), encoded.dictionary)

    def ranks(self) -> NDArray[np.int64]:
        """The place of each entry among the distinct texts."""
        rank = np.empty(len(self.texts), np.int64)
        if pc.all(pc.less(self.texts[:-1], self.texts[1:])).as_py() is not False:
            rank[:] = np.arange(len(rank))
        else:
            rank[pc.sort_indices(self.texts).to_numpy()] = np.arange(len(rank))
        return rank[self.codes]

    def narrowed(self) -> "Texts":
        """The same with only the texts that occur."""
        is_used = np.zeros(len(self.texts), np.bool_)
        is_used[self.codes] = True
        used = np.flatnonzero(is_used)
        if len(used) == len(is_used):
            return self
        code_of = np.zeros(len(is_used), np.int32)
        code_of[used] = np.arange(len(used))
        return Texts(code_of[self.codes], self.texts.take(pa.array(used)))


class Names(Sequence[Series]):
    """Series, as a column of each of their names."""

    def __init__(self, run_id: Texts, key: Texts, attempt: Texts) -> None:
        """Columns of one length."""
        self.columns = (run_id, key, attempt)

    @classmethod
    def of(cls, series: Sequence[Series]) -> "Names":
        """The same series."""
        if isinstance(series, Names):
            return series
        return cls(*(Texts.of([entry[name] for entry in series]) for name in range(3)))

    def __len__(self) -> int:
        return len(self.columns[0].codes)

    @overload
    def __getitem__(self, at: int) -> Series: ...
    @overload
    def __getitem__(self, at: slice) -> "Names": ...
    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return self.take(at)
        return Series(*(column.texts[int(column.codes[at])].as_py() for column in self.columns))

    def __iter__(self) -> Iterator[Series]:
        texts = (column.texts.take(pa.array(column.codes)).to_pylist() for column in self.columns)
        return map(Series, *texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, at: NDArray[np.integer[Any]] | slice) -> "Names":
        """The series at these places."""
        return Names(*(Texts(column.codes[at], column.texts) for column in self.columns))

    def narrowed(self) -> "Names":
        """The same series, without the texts that none of them has."""
        return Names(*(column.narrowed() for column in self.columns))

    def ranked(self) -> "tuple[NDArray[np.uint32], Names]":
        """The place of each among the distinct ones in ascending order, and these."""
        runs, keys, attempts = (column.ranks() for column in self.columns)
        # Sorting numbers that stand for the three names is much cheaper than sorting the names' tuples.
        triples = (runs * len(self.columns[1].texts) + keys) * len(self.columns[2].texts) + attempts
        if (triples[1:] > triples[:-1]).all():
            return np.arange(len(triples), dtype=np.uint32), self
        _, first, inverse = np.unique(triples, return_index=True, return_inverse=True)
        return inverse.astype(np.uint32), self.take(first)


class RunKeys(Sequence[tuple[str, str]]):
    """Pairs of run and key, as columns."""

    def __init__(self, names: Names) -> None:
        """Of series of no attempt."""
        self.names = names

    @classmethod
    def of(cls, names: Names) -> "RunKeys":
        """Those of the series, whatever their attempt."""
        run_id, key, attempt = names.columns
        return cls(Names(run_id, key, Texts(np.zeros_like(attempt.codes), pa.array([""]))))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice) -> "RunKeys": ...
    def __getitem__(self, at: Any) -> Any:
        return RunKeys(self.names[at]) if isinstance(at, slice) else self.names[at][:2]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (name[:2] for name in self.names)


def run_ids(table: Sequence[Series]) -> Collection[str]:
    """The runs of the series, each once."""
    if not isinstance(table, Names):
        return {run_id for run_id, _, _ in table}
    of_table: list[str] = table.columns[0].narrowed().texts.to_pylist()
    return of_table


def joined(tables: Sequence[Sequence[Series]]) -> Names:
    """The series of all tables, one after the other."""
    parts = [Names.of(table).columns for table in tables]
    return Names(*(_joined([part[name] for part in parts]) for name in range(3)))


def _joined(parts: Sequence[Texts]) -> Texts:
    if len(parts) == 1:
        return parts[0]
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array(part.codes), part.texts)
        for part in (part.narrowed() for part in parts)
    ]
    unified = pa.chunked_array(chunks).unify_dictionaries()
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in unified.chunks])
    return Texts(codes, unified.chunk(0).dictionary)


class TextStore:
    """Texts that are only appended: most lie in blocks, a few bytes each beside the text.

    Another thread may read while one appends.
    """

    def __init__(self) -> None:
        self._blocks: list[pa.StringArray] = []
        self._tail: tuple[int, list[str]] = (0, [])
        """The number of the first text that is not in a block, and these."""

    def __len__(self) -> int:
        base, tail = self._tail
        return base + len(tail)

    def __getitem__(self, number: int) -> str:
        base, tail = self._tail
        if number >= base:
            return tail[number - base]
        text: str = self._blocks[number // _BLOCK][number % _BLOCK].as_py()
        return text

    def append(self, text: str) -> None:
        """Adds a text."""
        base, tail = self._tail
        if len(tail) == _BLOCK:
            self._blocks.append(pa.array(tail, pa.string()))
            self._tail = base + _BLOCK, [text]
        else:
            tail.append(text)

    def replace_newest(self, text: str) -> None:
        """Puts another text in the place of the newest."""
        self._tail[1][-1] = text

    def take(self, numbers: NDArray[np.integer[Any]]) -> pa.StringArray:
        """The texts with these numbers, which ascend."""
        base, tail = self._tail
        edges = np.arange(0, base + 1, _BLOCK)
        cuts = np.searchsorted(numbers, edges).tolist()
        parts = [
            self._blocks[block].take(pa.array(numbers[begin:end] - block * _BLOCK))
            for block, (begin, end) in enumerate(pairwise(cuts))
            if begin < end
        ]
        parts.append(pa.array([tail[n] for n in (numbers[cuts[-1] :] - base).tolist()], pa.string()))
        return pa.concat_arrays(parts)
