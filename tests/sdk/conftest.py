"""Every test here gets a fake core as the process's tracking URI, and leaves no run behind."""

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import AsyncClient, Client, active

VARIABLES = (
    "HEADRACE_ATTEMPT",
    "HEADRACE_ENABLE_ASYNC_LOGGING",
    "HEADRACE_EXPERIMENT_ID",
    "HEADRACE_EXPERIMENT_NAME",
    "HEADRACE_RANK",
    "HEADRACE_RUN_ID",
    "HEADRACE_TRACKING_URI",
    "SLURM_JOB_ID",
    "TORCHELASTIC_RUN_ID",
)


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCore]:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")  # so that what a test sets goes with it
        monkeypatch.delenv(variable)
    core = FakeCore(tmp_path / "journals")
    monkeypatch.setitem(headrace.core._cores, core.uri, core)
    monkeypatch.setattr("headrace.experiment._chosen", None)
    monkeypatch.setattr("headrace.active._last", None)
    monkeypatch.setattr("headrace.waiting.always", False)
    headrace.set_tracking_uri(core.uri)
    yield core
    for session in active.open_sessions():
        active.remove(session)
    headrace.set_tracking_uri("")


@pytest.fixture(params=["blocking", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    if request.param == "blocking":
        return lambda method, *args, **options: getattr(Client(), method)(*args, **options)

    def answer(method: str, *args: Any, **options: Any) -> Any:
        async def main() -> Any:
            result = getattr(AsyncClient(), method)(*args, **options)
            return await result if inspect.iscoroutine(result) else result

        return asyncio.run(main())

    return answer
