"""Models as folders: what is in them, what comes back, and what is said of pickles."""

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import headrace
from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError
from headrace.models import ModelSignature, folder, infer_signature, pickles
from headrace.models.flavor import Flavor
from headrace.types import ColSpec, DataType, Schema

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]})


def test_a_signature() -> None:
    found = infer_signature(FRAME, np.zeros(3), {"trees": 10, "names": ["a"]})
    assert found.inputs == Schema([ColSpec(DataType.double, "a"), ColSpec(DataType.double, "b")])
    assert json.loads(found.to_dict()["params"] or "")[1] == {
        "name": "names", "default": ["a"], "shape": [-1], "type": "string",
    }  # fmt: skip
    assert found == infer_signature(FRAME, np.zeros(3), {"trees": 10, "names": ["a"]})
    with pytest.raises(InvalidArgumentError, match="all missing"):
        ModelSignature()


def test_a_model_of_sklearn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit(FRAME, [1.0, 2.0, 3.0])
    target = tmp_path / "model"
    with caplog.at_level(logging.WARNING, "headrace"):
        headrace.sklearn.save_model(
            model,
            target,
            serialization_format="pickle",
            signature=infer_signature(FRAME, np.zeros(3)),
            input_example=FRAME,
            metadata={"team": "mill"},
        )
        assert "runs what is in it" in caplog.text
        caplog.clear()
        loaded = headrace.sklearn.load_model(target)
        assert "is a pickle" in caplog.text
    assert loaded.predict(FRAME) == pytest.approx(model.predict(FRAME))
    told = json.loads((target / "MLmodel").read_text())
    assert told["flavors"]["sklearn"]["serialization_format"] == "pickle"
    assert told["flavors"]["python_function"]["loader_module"] == "mlflow.sklearn"
    assert told["metadata"] == {"team": "mill"}
    assert json.loads((target / "input_example.json").read_text())["columns"] == ["a", "b"]
    assert "scikit-learn==" in (target / "requirements.txt").read_text()
    whole = headrace.pyfunc.load_model(target)
    assert whole.predict(FRAME) == pytest.approx(model.predict(FRAME))
    assert whole.signature is not None
    assert whole.signature.inputs == infer_signature(FRAME).inputs
    with pytest.raises(InvalidArgumentError, match="not empty"):
        headrace.sklearn.save_model(model, target, serialization_format="pickle")
    with pytest.raises(InvalidArgumentError, match="not xgboost"):
        headrace.xgboost.load_model(target)


def test_no_folder_of_a_model(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        headrace.pyfunc.load_model(tmp_path)
    (tmp_path / "MLmodel").write_text('{"flavors": {"spark": {}}}')
    with pytest.raises(InvalidArgumentError, match="spark"):
        headrace.pyfunc.load_model(tmp_path)
    (tmp_path / "MLmodel").write_text("[]")
    with pytest.raises(InvalidArgumentError, match="names no flavors"):
        headrace.pyfunc.load_model(tmp_path)


@pytest.mark.parametrize("name", ["../outside.pkl", "/etc/passwd", "a/../../x"])
def test_files_outside_of_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.pkl").write_bytes(pickle.dumps("loaded"))
    target = tmp_path / "model"
    target.mkdir()
    flavor = {"pickled_model": name, "serialization_format": "pickle"}
    (target / "MLmodel").write_text(json.dumps({"flavors": {"sklearn": flavor}}))
    with pytest.raises(InvalidArgumentError, match="outside"):
        headrace.sklearn.load_model(target)
    with pytest.raises(InvalidArgumentError, match="outside"):
        folder.inside(target, name)


def test_formats(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="expected one of skops"):
        pickles.write({}, tmp_path, "dill")


def test_untrusted_types_are_named(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    pickles.save({"path": Path("x")}, tmp_path / "m", "skops")
    with pytest.raises(HeadraceError, match="if you trust them"):
        pickles.load(tmp_path / "m", "skops")


class Odd:
    """An estimator of a script: skops knows it not."""

    def predict(self, data: object) -> object:
        return data


def test_what_skops_does_not_take(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Types of scikit-learn itself are trusted; with others it is a pickle, unless skops was asked for."""
    pytest.importorskip("skops")
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestRegressor(3).fit(FRAME, [1.0, 2.0, 3.0])
    headrace.sklearn.save_model(forest, tmp_path / "forest")
    told = json.loads((tmp_path / "forest" / "MLmodel").read_text())["flavors"]["sklearn"]
    assert (told["serialization_format"], told["skops_trusted_types"]) == (
        "skops",
        ["sklearn.tree._tree.Tree"],
    )
    loaded = headrace.sklearn.load_model(tmp_path / "forest")
    assert loaded.predict(FRAME) == pytest.approx(forest.predict(FRAME))
    with caplog.at_level(logging.WARNING, "headrace"):
        headrace.sklearn.save_model(Odd(), tmp_path / "odd")
    assert "saved as pickle" in caplog.text
    assert "Odd" in caplog.text
    assert headrace.sklearn.load_model(tmp_path / "odd").predict(1) == 1
    assert not (tmp_path / "odd" / "model.skops").exists()
    with pytest.raises(InvalidArgumentError, match="skops_trusted_types"):
        headrace.sklearn.save_model(Odd(), tmp_path / "refused", serialization_format="skops")
    assert not (tmp_path / "refused").exists()


def breaks(_: object, folder: Path) -> tuple[dict[str, object], str]:
    (folder / "data").mkdir()
    (folder / "data" / "half").write_text("half")
    raise OSError("the disk is full")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Half a model is none, and what was there before the call is there after it."""
    flavor = Flavor("broken", (), breaks, breaks)
    (tmp_path / "empty").mkdir()
    for target in ("new", "empty", "above/it"):
        with pytest.raises(OSError, match="full"):
            flavor.save(None, tmp_path / target, folder.Description())
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    whole = Flavor("whole", (), lambda *_: ({}, ""), breaks)
    with pytest.raises(TypeError):  # of what comes after the model's own files
        whole.save(None, tmp_path / "new", folder.Description(metadata={"no": object()}))
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    with pytest.raises(InvalidArgumentError, match="not empty"):
        whole.save(None, tmp_path / "full", folder.Description())
    assert (tmp_path / "full" / "kept").read_text() == "kept"
