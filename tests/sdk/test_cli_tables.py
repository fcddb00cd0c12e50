"""Tables: full for programs, cut to fit a terminal, whatever the cells hold."""

import os
import subprocess
import sys

import pytest

from headrace.cli import main, tables

ID = "0123456789abcdef" * 2


def shown(lines: list[list[str]], room: int) -> list[str]:
    return [line for part in tables.fitting(lines, room) for line in tables.aligned(part)]


def test_what_fits_is_not_cut() -> None:
    lines = [["RUN", "NAME"], [ID, "n" * 30]]
    assert tables.fitting(lines, 64) == [lines]
    assert tables.fitting(lines, 63) != [lines]


def test_ids_and_times_are_shortened_before_names_are_cut() -> None:
    lines = [["RUN", "NAME", "STARTED"], [ID, "n" * 30, "2026-11-21 16:14:44"]]
    assert shown(lines, 80)[1] == f"{ID[:8]}  {'n' * 30}  2026-11-21 16:14:44"
    assert shown(lines, 60)[1] == f"{ID[:8]}  {'n' * 30}  26-11-21 16:14"
    assert shown(lines, 40)[1] == f"{ID[:8]}  {'n' * 13}…  26-11-21 16:14"


def test_the_widest_columns_are_cut_first() -> None:
    lines = [["ID", "NAME", "NOTE"], ["1", "n" * 30, "m" * 50]]
    assert shown(lines, 40)[1] == f"1   {'n' * 16}…  {'m' * 16}…"


def test_keys_are_cut_in_the_middle() -> None:
    lines = [["FIELD", "a"], ["metrics.a/long/name.min", "0.5"]]
    assert shown(lines, 22) == ["FIELD              a", "metrics.a…ame.min  0.5"]


def test_a_table_that_is_too_wide_comes_in_parts() -> None:
    lines = [["FIELD", *"abcde"], ["metrics.loss", *["0.0123456789"] * 5]]
    for room in (30, 44, 79, 80, 200):
        parts = tables.fitting(lines, room)
        assert all(part[1][0] == "metrics.loss" for part in parts)
        assert [name for part in parts for name in part[0][1:]] == list("abcde")
        assert all(len(line) <= room for part in parts for line in tables.aligned(part))
    assert len(tables.fitting(lines, 40)) == 3


@pytest.mark.parametrize(
    ("text", "places"), [("abc", 3), ("训练", 4), ("e\u0301", 1), ("🚀", 2), ("a\u200db", 2), ("", 0)]
)
def test_places_that_a_text_takes(text: str, places: int) -> None:
    assert tables.width(text) == places


def test_wide_letters_are_cut_where_they_end() -> None:
    assert tables.cut("训练损失", 6) == "训练…"
    assert tables.cut("训练损失", 5) == "训练…"
    assert tables.cut("训练损失", 8) == "训练损失"


def test_columns_stand_below_one_another() -> None:
    first, second = tables.aligned([["训练", "b"], ["abc", "d"]])
    assert tables.width(first[: first.index("b")]) == second.index("d")


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tables.table(["NAME", "NOTE"], [("a\nb\tc", "\x1b[31mred")])
    assert capsys.readouterr().out.splitlines() == ["NAME   NOTE", "a b c   [31mred"]


def test_an_empty_table_says_so_to_a_person(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.table(["NAME"], [])
    assert capsys.readouterr() == ("NAME\n", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    tables.table(["NAME"], [])
    assert capsys.readouterr().err == "nothing found\n"


def test_letters_that_the_terminal_does_not_know() -> None:
    program = "from headrace.cli import main, runs; runs._list = lambda _: print('训 é') or 0; main(['runs'])"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
    assert done.stdout.strip() == rb"\u8bad " + "é".encode("latin-1")


@pytest.mark.parametrize("group", ["runs", "experiments"])
def test_a_group_alone_lists(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"headrace.cli.{group}._list", lambda _: 7)
    assert main([group]) == 7
