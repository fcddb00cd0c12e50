"""Digests of data: MLflow's algorithms, so that both trackers know a dataset by the same one."""

import hashlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from headrace.errors import HeadraceError

MAX_ROWS = 10_000
"""Rows and values that a digest looks at."""

_MIX = (30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)


def compute_pandas_digest(frame: Any) -> str:
    """Of a data frame: its numbers and texts, number of rows and names of columns."""
    numpy, pandas = import_module("numpy"), import_module("pandas")
    head = frame.head(MAX_ROWS)
    are_texts = [all(type(one) is str for one in head.iloc[:, place]) for place in range(head.shape[1])]
    texts = head.columns[are_texts]
    head = head[texts.union(head.select_dtypes(include=[numpy.number]).columns)]
    hashes = pandas.util.hash_pandas_object(head).to_numpy()
    names = [str(name).encode() for name in frame.columns]
    return md5_digest([hashes, numpy.int64(len(frame)), *names])


def compute_numpy_digest(features: Any, targets: Any = None) -> str:
    """Of arrays, or arrays by name: their first values and shapes."""
    numpy = import_module("numpy")
    parts: list[Any] = []
    for given in (features, targets):
        if given is None:
            continue
        for array in [given[name] for name in sorted(given)] if isinstance(given, dict) else [given]:
            head = array.flatten()[:MAX_ROWS]
            try:
                parts.append(_hashes(head))
            except TypeError:  # of what cannot be hashed, the size
                parts.append(numpy.int64(head.size))
            parts += [numpy.int64(size) for size in array.shape]
    return md5_digest(parts)


def md5_digest(parts: Iterable[Any]) -> str:
    """Eight hexadecimal digits."""
    md5 = hashlib.md5(usedforsecurity=False)
    for part in parts:
        md5.update(part)
    return md5.hexdigest()[:8]


def _hashes(values: Any) -> Any:
    """As ``pandas.util.hash_array``; of integers and floats without pandas."""
    if values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
        mixed = values.view(f"u{values.dtype.itemsize}").astype("u8")
        for shift, factor in _MIX:
            mixed ^= mixed >> shift
            mixed *= mixed.dtype.type(factor)
        return mixed ^ (mixed >> 31)
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        raise HeadraceError(
            f"the digest of an array of type {values.dtype} needs pandas, which is not installed: "
            "pip install pandas, or give digest="
        ) from None
    return pandas.util.hash_array(values)
