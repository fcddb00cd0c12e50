"""SQL files: every statement is named once and used, values are bound."""

import re
from pathlib import Path

import pytest

import headrace_storage.catalog
from headrace_storage.catalog import queries
from headrace_storage.catalog.queries import Queries

FOLDER = Path(headrace_storage.catalog.__file__).parent
TOPICS = sorted(path.stem for path in FOLDER.glob("*.sql"))


@pytest.mark.parametrize("topic", TOPICS)
def test_every_statement_is_used_by_the_module_beside_it(topic: str) -> None:
    source = "".join(path.read_text() for path in FOLDER.glob(f"{topic}*.py"))
    strings = set(re.findall(r'"(\w+)"', source))
    assert Queries(topic)
    assert set(Queries(topic)) <= strings


@pytest.mark.parametrize("topic", TOPICS)
def test_values_are_bound_and_never_put_into_the_text(topic: str) -> None:
    source = (FOLDER / f"{topic}.py").read_text()
    assert not re.search(r"connection\.(execute|fetch|fetchrow|fetchval)\(\s*f?[\"']", source)
    assert not any("{" in statement or "%s" in statement for statement in Queries(topic).values())


def test_a_name_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "topic.sql").write_text("-- name: one\nSELECT 1\n\n-- name: one\nSELECT 2\n")
    monkeypatch.setattr(queries, "__file__", str(tmp_path / "queries.py"))
    with pytest.raises(ValueError, match="twice"):
        Queries("topic")


def test_statements_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "topic.sql").write_text("-- name: one\n-- says why\nSELECT 1\n\n-- name: two\nSELECT 2\n")
    monkeypatch.setattr(queries, "__file__", str(tmp_path / "queries.py"))
    assert dict(Queries("topic")) == {"one": "-- says why\nSELECT 1", "two": "SELECT 2"}
