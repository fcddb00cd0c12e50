"""From what a caller says of a source, or the server of a dataset, to a :class:`DatasetSource`."""

import json
import re
from os import PathLike, fspath
from typing import Any

from headrace import run_tags
from headrace.data.code_dataset_source import CodeDatasetSource
from headrace.data.dataset_source import DatasetSource, FileDatasetSource
from headrace.data.http_dataset_source import HTTPDatasetSource
from headrace.data.huggingface_dataset_source import HuggingFaceDatasetSource
from headrace.errors import InvalidArgumentError
from headrace.input_entities import DatasetInput

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")

_IN_SOURCES = (run_tags.USER, run_tags.SOURCE_NAME, run_tags.SOURCE_TYPE, run_tags.GIT_COMMIT)


def resolved(source: str | PathLike[str] | DatasetSource | None) -> DatasetSource:
    """The source that a path, a URI or nothing at all (this program) means."""
    if source is None:
        tags = run_tags.automatic()
        return CodeDatasetSource({key: tags[key] for key in _IN_SOURCES if key in tags})
    if not isinstance(source, str | PathLike):
        if hasattr(source, "to_json"):
            return source  # also one of MLflow's
        problem = f"is a {type(source).__name__}; expected a path, a URI or a DatasetSource"
        raise InvalidArgumentError("source", problem)
    text = fspath(source)
    scheme = match[1].lower() if (match := _SCHEME.match(text)) else "file"
    if scheme in {"http", "https"}:
        return HTTPDatasetSource(text)
    return FileDatasetSource(text, "local" if scheme == "file" else scheme)


def get_source(dataset: Any) -> DatasetSource:
    """The source of a dataset that was made here, or read from a run (``run.inputs.dataset_inputs``)."""
    if isinstance(dataset, DatasetInput):
        dataset = dataset.dataset
    if not isinstance(dataset.source, str):
        made: DatasetSource = dataset.source
        return made
    told = json.loads(dataset.source)
    for known in (CodeDatasetSource, HTTPDatasetSource, HuggingFaceDatasetSource):
        if known.source_type == dataset.source_type:
            return known(**told)
    if set(told) == {"uri"}:
        return FileDatasetSource(told["uri"], dataset.source_type)
    raise InvalidArgumentError("dataset", f"has a source of type {dataset.source_type!r}, which is not known")
