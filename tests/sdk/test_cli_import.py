"""``headrace import``: what it says without MLflow, or without a source; imports are in ``tests/mlflow``."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fake_core import FakeCore
from headrace.cli import imports, main
from headrace.importing.file_store import folder_of
from headrace.importing.report import Report


@pytest.fixture
def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("name: Default\n")
    return tmp_path / "mlruns"


@pytest.mark.usefixtures("without_mlflow")
def test_what_to_install_is_said(
    fake: FakeCore, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "mlflow.db"
    database.touch()
    for source in (str(store), store.as_uri(), f"sqlite:///{database}"):
        assert main(["import", "mlflow", source]) == 1
        assert "pip install 'headrace[mlflow]'" in capsys.readouterr().err
    assert not fake.asked


def test_a_source_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for source, said in (
        (str(tmp_path / "nowhere"), "is no folder"),
        (str(tmp_path / "empty"), "holds no experiment"),
        (f"sqlite:///{tmp_path}/nowhere.db", "there is no database"),
        ("http://127.0.0.1:1", "no MLflow server answers"),
    ):
        assert main(["import", "mlflow", source]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "nowhere.db").exists(), "MLflow would have made one"


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file:///a/b%20c", "/a/b c"),
        ("./mlruns", "mlruns"),
        ("/a:b/c", "/a:b/c"),
        ("mlflow-artifacts:/1/run/artifacts", None),
        ("s3://bucket/key", None),
        ("dbfs:/x", None),
    ],
)
def test_what_is_a_local_folder(uri: str, folder: str | None) -> None:
    assert folder_of(uri) == (folder and Path(folder))


@pytest.mark.parametrize("prefix", ["old/", "a:b"])
def test_a_prefix_that_no_registered_model_can_have(prefix: str, store: Path) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["import", "mlflow", str(store), "--prefix", prefix])
    assert usage.value.code == 2


@pytest.mark.parametrize("lost", [0, 1])
def test_what_is_told(lost: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(_source: str, _client: Any, _options: Any, report: Report, tick: Any) -> None:
        tick()
        report.compare("run 1", Counter(runs=1, points=1000), Counter(runs=1, points=1000 - lost))
        report.notes.append("experiment 'a': its id is 2 here; 1 was taken")

    monkeypatch.setattr(imports, "run_import", run)
    assert main(["import", "mlflow", "./mlruns"]) == lost
    out, err = capsys.readouterr()
    assert "its id is 2 here" in out
    points = next(line.split() for line in out.splitlines() if line.startswith("points"))
    assert points == (["points", "1,000", "999", "-1"] if lost else ["points", "1,000", "1,000"])
    assert ("run 1: 1,000 points in the source, 999 in Headrace" in err) == bool(lost)
    assert main(["import", "mlflow", "./mlruns", "--json"]) == lost
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["points"] == {"source": 1000, "headrace": 1000 - lost}
    assert told["complete"] is not bool(lost)
