"""What is shown of things that take long."""

import io
import sys

import pytest

from headrace import progress


def test_a_line_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, clock = io.StringIO(), [100.0]
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with progress.line("file", 4_000_000) as advance:
        advance(1_000_000)
        assert not shown.getvalue()
        clock[0] += progress.QUIET_SECONDS
        advance(1_000_000)
        assert "file: 2 of 4 MB, 1 MB/s" in shown.getvalue()
    assert shown.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("said", "expected"), [("0", progress.silent), ("1", progress.line), ("", progress.silent)]
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: progress.Progress
) -> None:
    monkeypatch.setenv("HEADRACE_PROGRESS", said)
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # no terminal
    assert progress.wanted() is expected
