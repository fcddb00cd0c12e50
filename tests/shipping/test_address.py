"""Tracking URIs in their one form, and clear words for the others."""

from pathlib import Path

import pytest

from headrace.config import Settings
from headrace.errors import InvalidArgumentError, UnavailableError
from headrace.shipping.address import normalize, resolve


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("headrace://host:7071", "headrace://host:7071"),
        ("headrace://host", "headrace://host:7070"),
        ("headrace://[::1]:80/", "headrace://[::1]:80"),
        ("/data/runs", "/data/runs"),
        ("file:///data/my%20runs", "/data/my runs"),
    ],
)
def test_one_form(uri: str, normal: str) -> None:
    assert normalize(uri) == normal
    assert normalize(normal) == normal


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalize("runs") == str(tmp_path / "runs")


@pytest.mark.parametrize(
    "uri", ["", "http://host:5000", "headrace://", "headrace://host:99999", "sqlite:///x.db"]
)
def test_others_are_refused_with_what_is_expected(uri: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected headrace://HOST:PORT or a"):
        normalize(uri)


async def test_a_folders_daemon_is_not_started_for_a_look(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no daemon runs for"):
        await resolve(str(tmp_path / "runs"), start=False)
    assert not (tmp_path / "runs").exists()


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"HEADRACE_EXIT_TIMEOUT": "2.5", "HEADRACE_JOURNAL_DIR": "/x"})
    assert (settings.exit_timeout, settings.journal_dir) == (2.5, Path("/x"))
    assert Settings.from_environment({}).tracking_uri == "headrace://127.0.0.1:7070"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEADRACE_EXIT_TIMEOUT", "soon"),
        ("HEADRACE_EXIT_TIMEOUT", "-1"),
        ("HEADRACE_JOURNAL_MAX", "2"),
        ("HEADRACE_SHIPPER", "x"),
    ],
)
def test_a_bad_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{variable} is '{value}'; expected"):
        Settings.from_environment({variable: value})
