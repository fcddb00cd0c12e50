"""What links a metric's points to a logged model and a dataset (``model_id=``, ``dataset=``).

A point keeps no link itself. One that is linked to a model is among the model's metrics as well, with its
dataset. Where there is a dataset and no model, the run has a tag that names metric and dataset, and the step
of the last such point.
"""

import hashlib
import json
from typing import Any, NamedTuple

from headrace import values
from headrace.errors import InvalidArgumentError

PREFIX = "headrace.link."


class Link(NamedTuple):
    """A model, a dataset, or both."""

    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None

    def tag(self, metric: str, step: int) -> tuple[str, str]:
        """Key and value of the tag that says it of a metric."""
        named = {"metric": metric, **{name: value for name, value in self._asdict().items() if value}}
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
        return PREFIX + digest[:16], json.dumps({**named, "step": step}, ensure_ascii=False)


def link(
    model_id: str | None, dataset_name: str | None = None, dataset_digest: str | None = None
) -> Link | None:
    """A link, if it names anything."""
    found = Link(model_id, dataset_name, dataset_digest)
    for name, value in found._asdict().items():
        if value is not None:
            values.key(value, name)
    if dataset_digest and not dataset_name:
        raise InvalidArgumentError("dataset_name", "is missing, and dataset_digest is given; give both")
    return found if any(found) else None


def link_to(model_id: str | None, dataset: Any) -> Link | None:
    """A link to a model and a dataset object, which has a ``name`` and a ``digest``."""
    if dataset is None:
        return link(model_id)
    name, digest = getattr(dataset, "name", None), getattr(dataset, "digest", None)
    if not isinstance(name, str) or not isinstance(digest, str):
        problem = f"is a {type(dataset).__name__}; expected an object with a name and a digest, both text"
        raise InvalidArgumentError("dataset", problem)
    return link(model_id, name, digest)
