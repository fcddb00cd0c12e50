"""What the benchmarks make of what they measured."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import __main__ as main
from benchmarks import page, plots, reference, results, stored
from benchmarks.mlflow_clients import report as mlflow_clients
from headrace_storage.segments.schema import TIME

SPAN = {"median": 2.0, "min": 1.0, "max": 4.0}


def series(ratio: float, *, quick: bool = False) -> dict[str, Any]:
    figures = {"ratio_to_reference": {"median": ratio, "min": ratio, "max": ratio}}
    return {"benchmark": "series", "quick": quick, "figures": figures, "runs": [{}], "commit": "abc"}


def peer(system: str, workload: str, rate: float) -> dict[str, Any]:
    figures = {"p50_us": SPAN, "p99_us": SPAN, "flushed_per_s": {"median": rate, "min": 1.0, "max": 2 * rate}}
    about = {"runs": [{}], "commit": "abc", "ours_to_theirs": 3.5, "durable_on_return": "no"}
    return {"system": system, "workload": workload, **figures, **about}


def test_a_summary_is_the_median_with_the_least_and_the_most() -> None:
    assert results.summary([3.0, 1.0, 10.0, 2.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}


def test_figures_named_at_a_place_are_points_of_curves() -> None:
    figures = {"per_s_at_100": "b", "per_s_at_9": "a", "open_ms_at_9": "c", "p50_ms": "d"}
    assert results.curves(figures) == {"per_s": {9: "a", 100: "b"}, "open_ms": {9: "c"}}


@pytest.mark.parametrize(("ratio", "holds"), [(0.9, True), (0.65, True), (0.63, False)])
def test_a_ratio_is_held_against_the_stored_one(ratio: float, holds: bool) -> None:
    known = {"tolerance": 0.2, "series": {"ratio_to_reference": 0.8, "commit": "abc"}}
    [verdict] = stored.check([series(ratio)], known)
    assert verdict.holds == holds
    assert ("SLOWER" in verdict.line) != holds


def test_what_is_quick_or_not_stored_is_not_held_against_anything() -> None:
    known = {"tolerance": 0.2, "series": {"ratio_to_reference": 0.8, "commit": "abc"}}
    assert stored.check([series(0.1, quick=True), {"benchmark": "retry", "quick": False}], known) == []
    assert stored.check([series(0.1)], {}) == []


def test_storing_a_ratio_keeps_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "stored.json"
    file.write_text(json.dumps({"scalar": {"ratio_to_bare_loop": 0.5}}))
    stored.store([series(0.75)], {"cpu": "a cpu", "cores": 2, "commit": "abc"}, file)
    written = stored.load(file)
    assert written["series"]["ratio_to_reference"] == 0.75
    assert written["scalar"] == {"ratio_to_bare_loop": 0.5}
    [verdict] = stored.check([series(0.75)], written)
    assert verdict.holds


def test_the_stored_file_of_this_repository_can_be_checked() -> None:
    known = stored.load()
    assert stored.check([series(0.0)], known)[0].holds is False


@pytest.mark.parametrize(("arguments", "status"), [(["--check"], 1), ([], 0)])
def test_a_check_that_fails_is_told_and_is_the_exit_status_when_asked_for(
    arguments: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HEADRACE_JOURNAL_DIR", "unused")
    monkeypatch.setattr(main, "measured", lambda *_: [series(0.0)])
    monkeypatch.setattr("sys.argv", ["benchmarks", "series", *arguments])
    assert main.main() == status
    assert "SLOWER" in capsys.readouterr().err


def test_updating_a_file_replaces_the_same_measurement_only(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.write(file, {"cpu": "a cpu"}, [series(0.5), peer("aim", "W1", 10.0)])
    results.write(file, {"cpu": "a cpu"}, [series(0.7)], update=True)
    read = list(results.read([file]).values())
    assert read == [series(0.7), peer("aim", "W1", 10.0)]
    results.write(file, {"cpu": "a cpu"}, [series(0.9)])
    assert list(results.read([file]).values()) == [series(0.9)]


def test_tables_are_filled_in_between_their_marks(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(
        "before\n<!-- begin W1 -->\nold\n<!-- end W1 -->\nafter\n"
        "<!-- begin servers -->\nkept\n<!-- end servers -->\n"
        "<!-- begin call.svg -->\n<!-- end call.svg -->\n"
    )
    page.fill(path, [peer("aim", "W1", 10.0), peer("headrace", "W1", 35.0)], [], [tmp_path / "call.svg"])
    before, first, *rest = path.read_text().splitlines()
    assert (before, first) == ("before", "<!-- begin W1 -->")
    assert [row.split(" | ")[0] for row in rest[:4]] == [
        "| system",
        "|---|---|---|---|---|---|---|",
        "| **Headrace**",
        "| aim",
    ]
    assert rest[4:9] == ["<!-- end W1 -->", "after", "<!-- begin servers -->", "kept", "<!-- end servers -->"]
    assert "(call.svg)" in rest[10]


def of_client(target: str, rate: float, milliseconds: float) -> list[dict[str, Any]]:
    def result(question: str, name: str, median: float) -> dict[str, Any]:
        figures = {name: {"median": median, "min": 1.0, "max": 2 * median}}
        return {"question": question, "target": target, "figures": figures, "runs": [{}]}

    return [result("log-metric", "flushed_per_s", rate), result("history", "history_ms", milliseconds)]


def test_what_mlflows_client_was_told_is_compared_with_its_own_server(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    measured = [*of_client("mlflow", 100.0, 4000.0), *of_client("plugin", 6000.0, 500.0)]
    measured += of_client("nothing", 8000.0, 1.0)[:1]
    head, _, *rows = mlflow_clients.rows(measured).splitlines()
    assert head.startswith("|  | MLflow's server | **Headrace**, REST | **Headrace**, plugin |")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in cells] == ["log-metric `flushed_per_s`", "history `history_ms`"]
    assert [row[3] for row in cells] == [
        "6,000 (1 to 12,000) **60 x** 75% of nothing's",
        "500 (1 to 1,000) **8 x**",
    ]
    assert [row[2] for row in cells] == ["", ""]  # was not asked
    drawn = plots.draw(measured, tmp_path)
    assert {path.name for path in drawn} == {"mlflow-clients.svg", "mlflow-clients.png"}


def test_a_measurement_of_one_target_replaces_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.write(file, {}, [*of_client("mlflow", 1.0, 1.0), *of_client("rest", 2.0, 2.0)])
    results.write(file, {}, of_client("rest", 3.0, 3.0), update=True)
    assert list(results.read([file]).values()) == [
        *of_client("mlflow", 1.0, 1.0),
        *of_client("rest", 3.0, 3.0),
    ]


def test_what_was_measured_is_drawn_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    growth = {"benchmark": "runs", "figures": {"per_s_at_1": SPAN, "per_s_at_1000": SPAN}, "runs": [{}]}
    peers = [peer(system, workload, 9.0) for system in ("aim", "headrace") for workload in ("W1", "W100")]
    drawn = plots.draw([growth, *peers], tmp_path)
    assert {path.name for path in drawn} == {
        f"{name}.{kind}" for name in ("call", "throughput", "growth") for kind in ("svg", "png")
    }
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_points_that_the_reference_did_not_store_are_missed(tmp_path: Path) -> None:
    steps, values = np.arange(3000), np.random.default_rng(1).normal(size=3000)
    times = pa.array(steps).view(TIME)
    sent = pa.record_batch([pa.array(steps), times, pa.array(values)], schema=reference.SENT)
    labels = ["run", "loss", "writer", ""]

    reference.write_file(tmp_path, labels, 0, [sent.slice(0, 1000), sent.slice(1000, 1000)])
    reference.write_file(tmp_path, labels, 2000, [sent.slice(2000)])
    reference.assert_stored(tmp_path, steps, values)
    assert not list(tmp_path.iterdir())

    reference.write_file(tmp_path, labels, 0, [sent.slice(0, 1000)])
    with pytest.raises(AssertionError, match="1000 of 3000 points"):
        reference.assert_stored(tmp_path, steps, values)
    reference.write_file(tmp_path, labels, 2000, [sent.slice(1000)])
    with pytest.raises(AssertionError, match="out of place"):
        reference.assert_stored(tmp_path, steps, values)
