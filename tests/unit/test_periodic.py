"""The loop of background tasks goes on after errors, tells once, and ends when it is cancelled."""

import asyncio
from collections.abc import Callable

import pytest
import structlog.testing

from headrace_storage.errors import CatalogUnavailableError
from headrace_storage.periodic import repeat


async def run(outcomes: list[Exception | None]) -> list[tuple[str, str]]:
    """Run the loop through ``outcomes``, then cancel it; what it logged."""
    left = list(outcomes)
    finished = asyncio.Event()

    async def work() -> None:
        if not left:
            finished.set()
            await asyncio.Event().wait()
        if (outcome := left.pop(0)) is not None:
            raise outcome

    with structlog.testing.capture_logs() as logs:
        loop = asyncio.create_task(repeat("fold", work, 0.0))
        await finished.wait()
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop
    return [(entry["log_level"], str(entry.get("error", ""))) for entry in logs]


def away(reason: str = "database away") -> Exception:
    return CatalogUnavailableError(reason)


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([None, None], []),
        ([away(), away(), away(), None, None], [("warning", "database away"), ("info", "")]),
        (
            [away(), away("disk full"), None],
            [("warning", "database away"), ("warning", "disk full"), ("info", "")],
        ),
        ([OSError("disk full"), None], [("warning", "disk full"), ("info", "")]),
        ([ZeroDivisionError(), None, None], [("error", "")]),
    ],
    ids=["well", "one reason", "two reasons", "store", "bug"],
)
async def test_failures(outcomes: list[Exception | None], told: list[tuple[str, str]]) -> None:
    assert await run(outcomes) == told


async def test_the_interval_is_after_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[object] = []
    sleep: Callable[[float], object] = asyncio.sleep

    async def slept(seconds: float) -> None:
        happened.append(seconds)
        await sleep(0)  # type: ignore[misc]
        if len(happened) > 4:
            raise asyncio.CancelledError

    async def work() -> None:
        happened.append("work")

    monkeypatch.setattr(asyncio, "sleep", slept)
    with pytest.raises(asyncio.CancelledError):
        await repeat("fold", work, 7.0)
    assert happened == ["work", 7.0, "work", 7.0, "work", 7.0]
