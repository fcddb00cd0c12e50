"""Settings from the environment: one frozen table, read once per process and journal.

What a script sets instead, as ``mlflow.config`` does: :func:`enable_async_logging`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from headrace import waiting
from headrace.errors import InvalidArgumentError
from headrace.journal.room import OnFull
from headrace.waiting import enable_async_logging

__all__ = ["DEFAULT_TRACKING_URI", "Settings", "enable_async_logging"]

StepPolicy = Literal["keep", "reject"]

DEFAULT_TRACKING_URI = "headrace://127.0.0.1:7070"


def _state_folder() -> Path:
    return (
        Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "headrace" / "journals"
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def _pause(text: str) -> float:
    value = _seconds(text)
    if not value:
        raise ValueError(text)
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError(text)
    return value


def _shipper(text: str) -> str:
    if text not in ("thread", "agent"):
        raise ValueError(text)
    return text


def _on_full(text: str) -> str:
    if text not in ("block", "drop", "raise"):
        raise ValueError(text)
    return text


def _step_policy(text: str) -> str:
    if text not in ("keep", "reject"):
        raise ValueError(text)
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ValueError(text)
    return text.lower() in ("true", "1", "yes", "on")


def _setting(variable: str, parse: Callable[[str], Any], expected: str, **default: Any) -> Any:
    return field(metadata={"variable": variable, "parse": parse, "expected": expected}, **default)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Durations are seconds."""

    tracking_uri: str = _setting(
        "HEADRACE_TRACKING_URI", str, "headrace://HOST:PORT or a folder", default=DEFAULT_TRACKING_URI
    )
    experiment_id: str = _setting("HEADRACE_EXPERIMENT_ID", str, "a decimal number", default="")
    experiment_name: str = _setting("HEADRACE_EXPERIMENT_NAME", str, "a name", default="")
    run_id: str = _setting("HEADRACE_RUN_ID", str, "32 hex digits", default="")
    """The run that :func:`headrace.start_run` joins."""
    attempt: str = _setting("HEADRACE_ATTEMPT", str, "a token that all ranks of one launch share", default="")
    shipper: str = _setting("HEADRACE_SHIPPER", _shipper, "thread or agent", default="thread")
    """Who carries the journals: a thread of the training process, or the node's agent process."""
    journal_dir: Path = _setting(
        "HEADRACE_JOURNAL_DIR", Path, "a local folder", default_factory=_state_folder
    )
    journal_keep: float = _setting("HEADRACE_JOURNAL_KEEP", _seconds, "seconds, 0 or more", default=600.0)
    """How long committed journal files are kept: they can refill a catalog that went back in time."""
    journal_max: float = _setting(
        "HEADRACE_JOURNAL_MAX", _fraction, "a fraction, above 0 up to 1", default=0.1
    )
    """The part of the file system that the journals of a folder may take together."""
    on_full: OnFull = _setting("HEADRACE_ON_FULL", _on_full, "block, drop or raise", default="block")
    """What a call does when there is no room for the journal: wait, be dropped and counted, or fail."""
    step_policy: StepPolicy = _setting("HEADRACE_STEP_POLICY", _step_policy, "keep or reject", default="keep")
    """What becomes of a point whose step is below the last one of its series; read when a run is started."""
    artifact_spool_max: float = _setting(
        "HEADRACE_ARTIFACT_SPOOL_MAX", _fraction, "a fraction, above 0 up to 1", default=0.5
    )
    """The part of the file system that copies of files may take together until they are uploaded."""
    async_logging: bool = _setting(waiting.VARIABLE, _boolean, "true or false", default=True)
    """Whether logging calls that do not say ``synchronous=`` return at once."""
    system_metrics: bool = _setting(
        "HEADRACE_ENABLE_SYSTEM_METRICS_LOGGING", _boolean, "true or false", default=False
    )
    """Whether runs measure the machine that do not say ``log_system_metrics=``."""
    system_metrics_interval: float = _setting(
        "HEADRACE_SYSTEM_METRICS_SAMPLING_INTERVAL", _pause, "seconds, above 0", default=10.0
    )
    system_metrics_node: str = _setting(
        "HEADRACE_SYSTEM_METRICS_NODE_ID", str, "a part of metrics' keys", default=""
    )
    """Tells machines of one run apart: ``system/NODE/cpu_utilization_percentage``."""
    start_timeout: float = _setting("HEADRACE_START_TIMEOUT", _seconds, "seconds, 0 or more", default=5.0)
    """How long starting a run waits for the daemon before it goes on with the journal alone."""
    read_timeout: float = _setting("HEADRACE_READ_TIMEOUT", _seconds, "seconds, 0 or more", default=30.0)
    """How long a read waits for the process's own pending operations, and then for its answer."""
    exit_timeout: float = _setting("HEADRACE_EXIT_TIMEOUT", _seconds, "seconds, 0 or more", default=20.0)
    """How long the end of a run or process waits until all that was logged is durable."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings of ``environment`` (``os.environ``); :class:`InvalidArgumentError` names a bad one."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            if text := environment.get(variable):
                try:
                    values[item.name] = item.metadata["parse"](text)
                except ValueError:
                    expected = item.metadata["expected"]
                    raise InvalidArgumentError(variable, f"is {text!r}; expected {expected}") from None
        return cls(**values)
