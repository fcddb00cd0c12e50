"""``runs/log-model``: how clients before MLflow 3 say that a run made a model, and those of 3 for Spark's.

The models of a run are a tag of it, as in MLflow.
"""

import asyncio
import json
from typing import Any, Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.names import tag
from headrace_ingest.http.mlflow.run_log import RunLog
from headrace_ingest.http.mlflow.stages import Stages
from headrace_proto.limits import MAX_TAG_LENGTH
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError

TAG: Final = "mlflow.log-model.history"

_REQUIRED: Final = ("artifact_path", "flavors", "utc_time_created", "run_id")
_KEPT: Final = ("run_id", "artifact_path", "utc_time_created", "model_uuid")


class RecordedModelRoutes:
    """See the module."""

    def __init__(self, log: RunLog, runs: Runs, stages: Stages) -> None:
        self._log = log
        self._runs = runs
        self._stages = stages
        self._one_by_one = asyncio.Lock()

    async def log_model(self, given: Given) -> Response:
        """The run made a model. The oldest ones are forgotten when they are too many for a tag."""
        model = _model(given.text("model_json", required=True))
        run_id = await self._stages.check(given.run_id())
        async with self._one_by_one:  # what is read is what is written
            models = [*_recorded((await self._runs.get_run(run_id)).tags.get(TAG, "")), model]
            while len(text := json.dumps(models)) > MAX_TAG_LENGTH and models:
                del models[0]
            return await self._log.write(run_id, after=[tag(TAG, text)])


def _model(text: str) -> dict[str, Any]:
    """What the tag has of a model, as MLflow's server."""
    try:
        model = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidArgumentError("model_json", "is no JSON") from None
    if not isinstance(model, dict):
        raise InvalidArgumentError("model_json", "is no object")
    if missing := [name for name in _REQUIRED if name not in model]:
        raise InvalidArgumentError("model_json", f"is without {', '.join(missing)}")
    flavors = model["flavors"]
    if not isinstance(flavors, dict):
        raise InvalidArgumentError("model_json", "has flavors that are no object")
    kept = {name: model.get(name) for name in _KEPT}
    return {**kept, "flavors": {name: _without_config(each) for name, each in flavors.items()}}


def _without_config(flavor: Any) -> Any:
    if not isinstance(flavor, dict):
        return flavor
    return {name: value for name, value in flavor.items() if name != "config"}


def _recorded(text: str) -> list[Any]:
    """The models of a tag, which anybody may have set to anything."""
    try:
        models = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return models if isinstance(models, list) else []
