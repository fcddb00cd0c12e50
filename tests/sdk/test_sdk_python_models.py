"""Functions and classes of one's own as models: pickle, which is said, and back with their files."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError


def double(values: list[float]) -> list[float]:
    return [2 * value for value in values]


class Scaled(headrace.pyfunc.PythonModel):
    def load_context(self, context: headrace.pyfunc.PythonModelContext) -> None:
        self.offset = float(Path(context.artifacts["offset"]).read_text())

    def predict(self, context: Any, model_input: list[float], params: Any = None) -> list[float]:
        factor = (params or {}).get("factor", context.model_config["factor"])
        return [factor * value + self.offset for value in model_input]

    def predict_stream(self, model_input: list[float]) -> Iterator[float]:
        yield from model_input


@pytest.mark.parametrize("how", ["cloudpickle", "pickle"])
def test_a_function(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "cloudpickle":
        pytest.importorskip("cloudpickle")
    else:
        monkeypatch.setattr("headrace.models.pickles.find_spec", lambda _: None)
    target = tmp_path / "m"
    with caplog.at_level(logging.WARNING, "headrace"):
        headrace.pyfunc.save_model(target, python_model=double, metadata={"team": "mill"})
        assert f"saved as pickle ({how})" in caplog.text
        caplog.clear()
        model = headrace.pyfunc.load_model(target)
        assert "is a pickle" in caplog.text
    assert model.predict([1.0, 2.0]) == [2.0, 4.0]
    assert model.metadata["metadata"] == {"team": "mill"}
    told = json.loads((target / "MLmodel").read_text())["flavors"]
    assert list(told) == ["python_function"]
    assert told["python_function"]["loader_module"] == "mlflow.pyfunc.model"
    assert "headrace==" in (target / "requirements.txt").read_text()
    with pytest.raises(InvalidArgumentError, match="params"):
        model.predict([1.0], params={"factor": 2})


def test_a_class_with_files_and_settings(tmp_path: Path) -> None:
    (tmp_path / "offset.txt").write_text("0.5")
    headrace.pyfunc.save_model(
        tmp_path / "m",
        python_model=Scaled(),
        artifacts={"offset": str(tmp_path / "offset.txt")},
        model_config={"factor": 2.0},
    )
    (tmp_path / "offset.txt").unlink()  # the folder has its own
    (tmp_path / "m").rename(tmp_path / "moved")
    model = headrace.pyfunc.load_model(tmp_path / "moved")
    assert model.predict([1.0]) == [2.5]
    assert model.predict([1.0], params={"factor": 3.0}) == [3.5]
    assert list(model.predict_stream([1.0, 2.0])) == [1.0, 2.0]
    assert isinstance(model.unwrap_python_model(), Scaled)
    other = headrace.pyfunc.load_model(tmp_path / "moved", model_config={"factor": 4.0})
    assert other.predict([1.0]) == [4.5]


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x = 1")
    for number, model in enumerate((3, Scaled, tmp_path / "none.py", str(tmp_path / "notes.txt"))):
        with pytest.raises(InvalidArgumentError, match="expected a function"):
            headrace.pyfunc.save_model(tmp_path / str(number), python_model=model)
    with pytest.raises(InvalidArgumentError, match="without '/'"):
        headrace.pyfunc.save_model(tmp_path / "a", python_model=double, artifacts={"../x": "x"})
    with pytest.raises(InvalidArgumentError, match="is not there"):
        headrace.pyfunc.save_model(tmp_path / "b", python_model=double, artifacts={"x": "/nowhere/x"})
    with (tmp_path / "open").open("wb") as file, pytest.raises(HeadraceError, match="cannot be pickled"):
        headrace.pyfunc.save_model(tmp_path / "c", python_model=lambda _: file)


CODE = """
import headrace
from headrace.models import ModelConfig, set_model
from scaling_of_this_test import factor

config = ModelConfig(development_config={"offset": 100})


class Scaled(headrace.pyfunc.PythonModel):
    def predict(self, model_input, params=None):
        return [factor() * value + config.get("offset") for value in model_input]


set_model(Scaled())
"""


def test_a_model_from_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "scaling_of_this_test.py").write_text("def factor():\n    return 2\n")
    (tmp_path / "model.py").write_text(CODE)
    headrace.pyfunc.save_model(
        tmp_path / "m",
        python_model=tmp_path / "model.py",
        code_paths=[tmp_path / "scaling_of_this_test.py"],
        model_config={"offset": 1},
    )
    assert not list((tmp_path / "m").rglob("*.pkl"))
    assert "pickle" not in caplog.text
    told = json.loads((tmp_path / "m" / "MLmodel").read_text())["flavors"]["python_function"]
    assert (told["loader_module"], told["model_code_path"]) == (
        "mlflow.pyfunc.loaders.code_model",
        "model.py",
    )
    for name in ("model.py", "scaling_of_this_test.py"):
        (tmp_path / name).unlink()  # the folder has its own
    del sys.modules["scaling_of_this_test"]
    (tmp_path / "m").rename(tmp_path / "moved")
    with caplog.at_level(logging.WARNING, "headrace"):
        model = headrace.pyfunc.load_model(tmp_path / "moved")
    assert "model.py is code" in caplog.text
    assert model.predict([1, 2]) == [3, 5]
    assert headrace.pyfunc.load_model(tmp_path / "moved", model_config={"offset": 5}).predict([1]) == [7]
    assert model.predict([1, 2]) == [3, 5]
    del sys.modules["scaling_of_this_test"]


def test_code_that_is_no_model(tmp_path: Path) -> None:
    for number, (code, problem) in enumerate(
        (
            ("x = 1", "sets no model"),
            ("import headrace\nheadrace.models.set_model(3)", "expected a function"),
            ("1 / 0", "ZeroDivisionError"),
            ("x = (", "SyntaxError"),
            (
                "from headrace.models import ModelConfig\nModelConfig(development_config={'a': 1})",
                "without one",
            ),
        )
    ):
        (tmp_path / f"model_{number}.py").write_text(code)
        with pytest.raises(HeadraceError, match=problem):
            headrace.pyfunc.save_model(tmp_path / "m", python_model=tmp_path / f"model_{number}.py")
        assert not (tmp_path / "m").exists()
    assert headrace.models.ModelConfig(development_config={"a": 1}).get("a") == 1  # by hand it counts


def test_code_that_is_not_there(tmp_path: Path) -> None:
    for paths, problem in (
        ([tmp_path / "none.py"], "is not there"),
        ("code.py", "expected a list"),
        ([Path(__file__), Path(__file__)], "two of the name"),
    ):
        with pytest.raises(InvalidArgumentError, match=problem):
            headrace.pyfunc.save_model(tmp_path / "m", python_model=double, code_paths=paths)
        assert not (tmp_path / "m").exists()


def test_damaged_folders(tmp_path: Path) -> None:
    target = tmp_path / "m"
    headrace.pyfunc.save_model(target, python_model=double)
    (target / "python_model.pkl").write_bytes(b"\x80\x04no pickle")
    with pytest.raises(HeadraceError, match="cannot be read"):
        headrace.pyfunc.load_model(target)
    (target / "python_model.pkl").unlink()
    with pytest.raises(NotFoundError, match=r"no 'python_model.pkl' in it"):
        headrace.pyfunc.load_model(target)
    told = json.loads((target / "MLmodel").read_text())
    function = told["flavors"]["python_function"]
    for change, problem in (
        ({"python_model": "../x.pkl"}, "outside"),
        ({"python_model_compression": "gzip"}, "compressed"),
        ({"loader_module": "os"}, "loaded by 'os'"),
        ({"code": "../code"}, "outside"),
    ):
        told["flavors"]["python_function"] = {**function, **change}
        (target / "MLmodel").write_text(json.dumps(told))
        with pytest.raises(InvalidArgumentError, match=problem):
            headrace.pyfunc.load_model(target)


@pytest.mark.parametrize(("flavor", "library"), [("pytorch", "torch"), ("keras", "keras")])
def test_libraries_that_are_not_installed(
    flavor: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(HeadraceError, match=f"needs {library}: pip install {library}"):
        getattr(headrace, flavor).save_model(object(), tmp_path / "m")
