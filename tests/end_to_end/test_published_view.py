"""Readers without Headrace: DuckDB and pandas, while segments are merged beneath them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

import headrace
from running import Daemon, Ranks, eventually

ROOT = Path(__file__).parents[2]


def query(daemon: Daemon, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    """What DuckDB says over the view as it is published now; nothing while nothing is."""
    view = daemon.data / "headrace.sql"
    if not view.exists():
        return []
    with duckdb.connect() as connection:
        connection.execute(view.read_text())
        return connection.execute(sql, parameters).fetchall()


def files(daemon: Daemon) -> list[dict[str, Any]]:
    """What the manifest lists now."""
    manifest = daemon.data / "manifest.json"
    listed: list[dict[str, Any]] = json.loads(manifest.read_text())["files"] if manifest.exists() else []
    return listed


def test_columns_have_sensible_types_and_small_commits_appear(daemon: Daemon) -> None:
    with headrace.start_run() as run:
        headrace.log_metric("loss", 0.5, 7, timestamp=1_700_000_000_123).wait()
        headrace.log_metric("loss", float("nan"), -1).wait()

    sql = "SELECT run_id, key, step, timestamp, value FROM metrics WHERE run_id = ?"
    eventually(lambda: len(query(daemon, sql, run.info.run_id)) == 2, "both points are published")

    by_step = {row[2]: row for row in query(daemon, sql, run.info.run_id)}
    assert by_step[7][:3] == (run.info.run_id, "loss", 7)
    assert by_step[7][3].isoformat() == "2023-11-14T22:13:20.123000"
    assert by_step[7][4] == 0.5
    assert np.isnan(by_step[-1][4])
    types = dict(row[:2] for row in query(daemon, "DESCRIBE metrics"))
    assert {name: types[name] for name in ("run_id", "key", "step", "timestamp", "value")} == {
        "run_id": "VARCHAR",
        "key": "VARCHAR",
        "step": "BIGINT",
        "timestamp": "TIMESTAMP",
        "value": "DOUBLE",
    }


def test_no_look_shows_a_point_twice_or_loses_one_while_segments_are_merged(
    daemon: Daemon, ranks: Ranks
) -> None:
    with headrace.start_run() as run:
        started = ranks.start(run.info.run_id, count=4, each=40_000, pause=0.03)
        places = [{value: place for place, value in enumerate(rank.points[1])} for rank in started]
        shown: list[list[set[int]]] = [[set()] for _ in started]
        sql = "SELECT value FROM metrics WHERE run_id = ? ORDER BY writer, sequence"

        def complete() -> bool:
            values = [row[0] for row in query(daemon, sql, run.info.run_id)]
            for rank in range(4):
                seen = [places[rank][value] for value in values if value // 1e6 == rank]
                assert seen == sorted(set(seen)), "each point once, in the order of its writer"
                assert shown[rank][-1] <= set(seen), "what was shown stays"
                shown[rank].append(set(seen))
            return len(values) == 4 * 40_000

        eventually(complete, "all is published")

    assert any(entry["level"] > 0 for entry in files(daemon)), "segments were merged meanwhile"
    assert all(len({len(points) for points in looks}) > 2 for looks in shown), "it was read while it grew"


def test_pandas_reads_the_files_of_the_manifest(daemon: Daemon) -> None:
    import pandas as pd  # noqa: PLC0415 - heavy, and only here

    logged = np.random.default_rng(5).normal(size=10_000)
    with headrace.start_run() as run:
        headrace.log_series("loss", logged).wait()

    def frame() -> pd.DataFrame:
        frames = [pd.read_parquet(daemon.data / entry["path"]) for entry in files(daemon)]
        table = pd.concat(frames) if frames else pd.DataFrame({"run_id": []})
        return table[table["run_id"] == run.info.run_id]

    eventually(lambda: len(frame()) == len(logged), "the manifest lists the files")

    table = frame().sort_values("step")
    np.testing.assert_array_equal(table["value"], logged)
    assert str(table["timestamp"].dtype) == "datetime64[ms, UTC]"


def test_the_programs_of_the_manual_read_it(daemon: Daemon) -> None:
    with headrace.start_run() as run:
        headrace.log_series("loss", [0.5, 0.25, 0.125])
    eventually(lambda: sum(entry["rows"] for entry in files(daemon)) == 3, "all is published")

    manual = (ROOT / "docs" / "operations.md").read_text()
    manual = manual[manual.index("### Reading without Headrace") :]
    programs = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        text = program.replace("run_id = '...'", f"run_id = '{run.info.run_id}'") + "print(*frame.value)"
        command = [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=daemon.data.parent, capture_output=True, text=True, check=True)
        assert sorted(map(float, done.stdout.split())) == [0.125, 0.25, 0.5]
