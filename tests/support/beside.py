"""The same calls here and at MLflow: what is played on both sides, and what must be equal."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

NOBODY = "f" * 32
"""A run that there is not."""

NOTHING = "987654"
"""An experiment that there is not."""


@dataclass
class Side:
    """One of the two, and what a scenario noted."""

    module: Any
    client: Any
    noted: list[Any] = field(default_factory=list)

    @property
    def entities(self) -> Any:
        return self.module.entities

    def note(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Notes the answer, or the code of the error; returns the answer."""
        try:
            answer = call(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.noted.append(getattr(error, "error_code", "Exception"))
            return None
        self.noted.append(plain(answer))
        return answer

    def code(self, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Notes whether it is refused, and how."""
        try:
            call(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.noted.append(getattr(error, "error_code", "Exception"))
        else:
            self.noted.append("done")

    def refused(self, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Notes whether it is refused, of which MLflow says nothing more that is of use."""
        self.code(call, *args, **options)
        self.noted[-1] = self.noted[-1] != "done"


def plain(answer: Any) -> Any:
    """What must be equal: no ids, no times of the clock, no tags that come by themselves."""
    if isinstance(answer, list | tuple):
        return [plain(each) for each in answer]
    if hasattr(answer, "info"):
        info, data = answer.info, answer.data
        tags = {key: value for key, value in data.tags.items() if not is_automatic(key)}
        metrics = {key: "nan" if math.isnan(value) else value for key, value in data.metrics.items()}
        named = info.run_name if data.tags.get("named") else ""
        return [
            named,
            str(info.status),
            info.lifecycle_stage,
            info.end_time is None,
            metrics,
            data.params,
            tags,
        ]
    if hasattr(answer, "lifecycle_stage"):
        return [answer.name, answer.lifecycle_stage, dict(answer.tags)]
    if hasattr(answer, "step"):
        return [answer.key, answer.value, answer.timestamp, answer.step]
    if type(answer).__name__ in ("RunOperation", "RunOperations"):
        return None
    return answer


def is_automatic(key: str) -> bool:
    return key.startswith(("mlflow.user", "mlflow.source.", "mlflow.project", "mlflow.runName", "headrace."))
