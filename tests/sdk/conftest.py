"""Every test here gets a fake core as the process's tracking URI, and leaves no run behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace
from fake_core import FakeCore
from headrace import active

VARIABLES = (
    "HEADRACE_ATTEMPT",
    "HEADRACE_EXPERIMENT_NAME",
    "HEADRACE_RUN_ID",
    "HEADRACE_TRACKING_URI",
    "SLURM_JOB_ID",
    "TORCHELASTIC_RUN_ID",
)


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCore]:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    core = FakeCore(tmp_path / "journals")
    monkeypatch.setitem(headrace.core._cores, core.uri, core)
    monkeypatch.setattr("headrace.experiment._chosen", None)
    headrace.set_tracking_uri(core.uri)
    yield core
    for session in active.open_sessions():
        active.remove(session)
    headrace.set_tracking_uri("")
