"""``headrace history``: what it asks for, and what it prints."""

import csv
import io
import json
import math
import sys
from array import array
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fake_core import FakeCore
from headrace.cli import main
from headrace_ingest.packing import pack, packed_chunk
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.segments.logged import Columns

RUN = "0123456789abcdef0123456789abcdef"
WRITER = "a" * 32
MORE = "more"


def told(*keys: str, token: str = "") -> pb.MetricHistories:
    """Three points of each key, the first one by a process of rank 7."""
    columns = Columns(
        np.array([-1, 0, 2] * len(keys)),
        np.array([1_700_000_000_123, 5, 6] * len(keys)),
        np.array([0.1, math.nan, -math.inf] * len(keys)),
    )
    return pb.MetricHistories(
        series=[pb.MetricHistories.Series(run_id=RUN, key=key, points=3) for key in keys],
        points=packed_chunk(columns),
        writers=pack(np.array([0, 1, 1] * len(keys))),
        new_writers=[
            pb.MetricHistories.Writer(writer_id=WRITER, labels={"rank": "7"}),
            pb.MetricHistories.Writer(writer_id="b" * 32),
        ],
        next_page_token=token,
    )


@pytest.fixture(autouse=True)
def daemon(fake: FakeCore) -> FakeCore:
    fake.responses["GetMetricHistories"] = [told("loss")]
    return fake


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_history_as_a_table(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", RUN, "loss"]) == 0
    header, *rows = lines(capsys)
    assert header.split() == ["STEP", "TIME", "RANK", "VALUE"]
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [("-1", "0.1"), ("0", "nan"), ("2", "-inf")]
    assert rows[0].split()[-2] == "7"
    assert daemon.asked[-1][1] == pb.GetMetricHistoriesRequest(
        run_ids=[RUN], keys=["loss"], max_points=100_000
    )
    daemon.responses["GetMetricHistories"] = [told("acc", "loss")]
    assert main(["history", RUN, "--max", "4"]) == 0
    header, *rows = lines(capsys)
    assert header.split() == ["KEY", "STEP", "TIME", "RANK", "VALUE"]
    assert [row.split()[0] for row in rows] == ["acc", "acc", "acc", "loss"]


def test_which_points_of_a_history(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    some = ["--steps", "3:", "--rank", "0", "--rank", "2", "--writer", WRITER, "--max", "50", "--csv"]
    assert main(["history", RUN, "loss", "acc", *some]) == 0
    assert daemon.asked[-1][1] == pb.GetMetricHistoriesRequest(
        run_ids=[RUN], keys=["loss", "acc"], first_step=3, ranks=[0, 2], writer_ids=[WRITER], max_points=50
    )
    ranges = {"5": (5, 5), "-5:7": (-5, 7), ":7": (None, 7), "7:": (7, None)}
    for text, bounds in ranges.items():
        assert main(["history", RUN, f"--steps={text}"]) == 0
        request = daemon.asked[-1][1]
        told = tuple(
            getattr(request, name) if request.HasField(name) else None for name in ("first_step", "last_step")
        )
        assert told == bounds
    capsys.readouterr()
    assert main(["history", RUN, "--steps=7:5"]) == 1
    assert "steps is (7, 5), whose first step is after the last; swap them" in capsys.readouterr().err


def test_a_history_in_buckets(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["GetMetricHistories"] = [
        pb.MetricHistories(
            series=[pb.MetricHistories.Series(run_id=RUN, key="loss", points=2)],
            buckets=pb.MetricChart(
                **{
                    name: array("q", [0, 7]).tobytes() for name in ("first_steps", "last_steps", "nan_counts")
                },
                counts=array("q", [1, 12]).tobytes(),
                **{
                    name: array("d", [0.25, math.nan]).tobytes()
                    for name in ("mins", "maxs", "means", "first_values", "last_values")
                },
            ),
        )
    ]
    assert main(["history", RUN, "loss", "--buckets", "2"]) == 0
    header, first, second = lines(capsys)
    assert header.split() == ["STEPS", "POINTS", "NAN", "MIN", "MEAN", "MAX", "LAST"]
    assert first.split() == ["0", "1", "0", "0.25", "0.25", "0.25", "0.25"]
    assert second.split() == ["7", "12", "7", "nan", "nan", "nan", "nan"]
    assert main(["history", RUN, "loss", "--buckets", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert (rows[1]["count"], rows[1]["mean"], rows[1]["posinf"]) == (12, "NaN", False)


def test_history_as_csv(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    pages = iter([[told("loss", token=MORE)], [told("loss")]])
    daemon.responses["GetMetricHistories"] = lambda _: next(pages)
    assert main(["history", RUN, "loss", "--format", "csv"]) == 0
    assert daemon.asked[-1][1].page_token == MORE
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == ["run_id", "key", "step", "timestamp", "value", "writer", "rank"]
    assert rows[0] == [RUN, "loss", "-1", "1700000000123", "0.1", WRITER, "7"]
    assert [row[4] for row in rows] == ["0.1", "nan", "-inf"] * 2
    assert rows[2][6] == ""


def test_history_as_json(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    assert main(["history", RUN, "loss", "--format", "json", "--output", str(file)]) == 0
    points = json.loads(file.read_text())
    assert points[0] == {
        "run_id": RUN,
        "key": "loss",
        "step": -1,
        "timestamp": 1_700_000_000_123,
        "value": 0.1,
        "writer": WRITER,
        "rank": 7,
    }
    assert [point["value"] for point in points] == [0.1, "NaN", "-Infinity"]


def test_no_history(daemon: FakeCore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["GetMetricHistories"] = []
    file = tmp_path / "out.json"
    assert main(["history", RUN, "los", "--format", "json", "--output", str(file)]) == 1
    assert "no points of 'los'" in capsys.readouterr().err
    assert not file.exists()


def test_history_as_parquet(daemon: FakeCore, tmp_path: Path) -> None:
    pages = iter([[told("loss", token=MORE)], [told("loss")]])
    daemon.responses["GetMetricHistories"] = lambda _: next(pages)
    file = tmp_path / "out.parquet"
    assert main(["history", RUN, "loss", "--format", "parquet", "--output", str(file)]) == 0
    table = pq.read_table(file)
    assert table.column_names == ["run_id", "key", "step", "timestamp", "value", "writer", "rank"]
    assert str(table.schema.field("timestamp").type) == "timestamp[ms, tz=UTC]"
    assert table.column("step").to_pylist() == [-1, 0, 2] * 2
    assert table.column("value").to_pylist()[::2] == pytest.approx([0.1, -math.inf, math.nan], nan_ok=True)
    assert table.column("timestamp").to_pylist()[0].timestamp() == 1_700_000_000.123
    assert set(table.column("run_id").to_pylist()) == {RUN}
    assert table.column("rank").to_pylist()[:2] == [7, None]


def test_history_as_parquet_on_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["history", RUN, "loss", "--format", "parquet"]) == 0
    data = capfdbinary.readouterr().out
    assert pq.read_table(io.BytesIO(data)).num_rows == 3


def test_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["history", RUN, "loss", "--format", "parquet"]) == 1
    assert "headrace[server]" in capsys.readouterr().err
