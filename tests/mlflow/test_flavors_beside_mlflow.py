"""MLflow's own loaders read the folders of models that Headrace wrote, and the other way round."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import headrace
from headrace.models import infer_signature

mlflow = pytest.importorskip("mlflow")

FRAME = pd.DataFrame(np.random.default_rng(1).random((40, 3)), columns=list("abc"))
TARGET = FRAME["a"] * 2 + FRAME["b"]


def models() -> list[Any]:
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415

    made = [pytest.param("sklearn", LinearRegression().fit(FRAME, TARGET), {}, id="sklearn")]
    cloudpickle = {"serialization_format": "cloudpickle"}
    made.append(
        pytest.param("sklearn", LinearRegression().fit(FRAME, TARGET), cloudpickle, id="sklearn pickle")
    )
    forest = import_module("sklearn.ensemble").RandomForestRegressor(3).fit(FRAME, TARGET)
    trusted = {"skops_trusted_types": ["sklearn.tree._tree.Tree"]}
    made.append(pytest.param("sklearn", forest, trusted, id="sklearn forest"))
    try:
        xgboost = import_module("xgboost")

        made.append(
            pytest.param("xgboost", xgboost.XGBRegressor(n_estimators=3).fit(FRAME, TARGET), {}, id="xgboost")
        )
        booster = xgboost.train({}, xgboost.DMatrix(FRAME, TARGET), 3)
        made.append(pytest.param("xgboost", booster, {}, id="xgboost booster"))
    except ImportError:
        pass
    try:
        lightgbm = import_module("lightgbm")

        small = {"verbose": -1, "min_data_in_leaf": 2}
        booster = lightgbm.train(small, lightgbm.Dataset(FRAME, TARGET), 3)
        made.append(pytest.param("lightgbm", booster, {}, id="lightgbm booster"))
        model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, min_child_samples=2).fit(FRAME, TARGET)
        made.append(pytest.param("lightgbm", model, {}, id="lightgbm"))
    except ImportError:
        pass
    return made


@pytest.mark.parametrize(("flavor", "model", "options"), models())
def test_mlflow_loads_what_headrace_saved(flavor: str, model: Any, options: Any, tmp_path: Path) -> None:
    options = {name: value for name, value in options.items() if name != "skops_trusted_types"}  # needs none
    signature = infer_signature(FRAME, np.zeros(3))
    ours, theirs = getattr(headrace, flavor), getattr(mlflow, flavor)
    ours.save_model(model, tmp_path / "m", signature=signature, input_example=FRAME[:2], **options)
    function = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    expected = headrace.pyfunc.load_model(tmp_path / "m").predict(FRAME)
    np.testing.assert_allclose(function.predict(FRAME), expected)
    assert type(theirs.load_model(str(tmp_path / "m"))) is type(model)
    loaded = mlflow.models.Model.load(str(tmp_path / "m"))
    assert loaded.signature == mlflow.models.infer_signature(FRAME, np.zeros(3))
    pd.testing.assert_frame_equal(loaded.load_input_example(str(tmp_path / "m")), FRAME[:2])


@pytest.mark.parametrize(("flavor", "model", "options"), models())
def test_headrace_loads_what_mlflow_saved(flavor: str, model: Any, options: Any, tmp_path: Path) -> None:
    signature = mlflow.models.infer_signature(FRAME, np.zeros(3))
    getattr(mlflow, flavor).save_model(model, str(tmp_path / "m"), signature=signature, **options)
    loaded = headrace.pyfunc.load_model(tmp_path / "m")
    expected = mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(FRAME)
    np.testing.assert_allclose(loaded.predict(FRAME), expected)
    assert loaded.signature == infer_signature(FRAME, np.zeros(3))
    assert type(getattr(headrace, flavor).load_model(tmp_path / "m")) is type(model)


@pytest.mark.parametrize("params", [None, {"a": 1}, {"a": [1.0, 2.0], "b": "x", "c": True}])
def test_signatures(params: Any) -> None:
    ours = infer_signature(FRAME, TARGET, params)
    assert ours.to_dict() == mlflow.models.infer_signature(FRAME, TARGET, params).to_dict()


class Sums(headrace.pyfunc.PythonModel):
    def load_context(self, context: Any) -> None:
        self.more = float(Path(context.artifacts["more"]).read_text())

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input.sum(axis=1) * context.model_config["factor"] + self.more + (params or {})["plus"]


def test_python_models(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("1.5")
    signature = infer_signature(FRAME, np.zeros(3), {"plus": 1.0})
    options: dict[str, Any] = {
        "artifacts": {"more": str(tmp_path / "more")},
        "model_config": {"factor": 2.0},
    }
    headrace.pyfunc.save_model(tmp_path / "m", python_model=Sums(), signature=signature, **options)
    expected = FRAME.sum(axis=1) * 2 + 1.5 + 1
    for function in (headrace.pyfunc, mlflow.pyfunc):
        model = function.load_model(str(tmp_path / "m"))
        np.testing.assert_allclose(model.predict(FRAME, params={"plus": 1.0}), expected)
    headrace.pyfunc.save_model(tmp_path / "f", python_model=lambda frame: frame["a"] * 2)
    np.testing.assert_allclose(mlflow.pyfunc.load_model(str(tmp_path / "f")).predict(FRAME), FRAME["a"] * 2)


def test_python_models_of_mlflow(tmp_path: Path) -> None:
    mlflow.pyfunc.save_model(
        str(tmp_path / "m"),
        python_model=lambda model_input: model_input["a"] * 2,
        pip_requirements=["pandas"],
    )
    np.testing.assert_allclose(headrace.pyfunc.load_model(tmp_path / "m").predict(FRAME), FRAME["a"] * 2)


OF_A_CLASS = """
from {module}.models import ModelConfig, set_model
import {module}.pyfunc
from {helper} import plus

config = ModelConfig(development_config={{"factor": 0}})


class Sums({module}.pyfunc.PythonModel):
    def load_context(self, context):
        self.more = float(open(context.artifacts["more"]).read())

    def predict(self, context, model_input, params=None):
        return plus(model_input.sum(axis=1) * config.get("factor"), self.more)


set_model(Sums())
"""

OF_A_FUNCTION = """
from {module}.models import set_model
from {helper} import plus


def predict(model_input):
    return plus(model_input["a"], 1.5)


set_model(predict)
"""


@pytest.mark.parametrize("of_code", ["headrace", "mlflow"])
@pytest.mark.parametrize("code", [OF_A_CLASS, OF_A_FUNCTION], ids=["class", "function"])
def test_models_from_code(tmp_path: Path, of_code: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of either, saved by either, is loaded by both, with the code that was saved with it."""
    modules = {"headrace": headrace, "mlflow": mlflow}
    for saved_by, saving in modules.items():
        if (saved_by, of_code, code) == ("mlflow", "headrace", OF_A_CLASS):
            continue  # MLflow saves objects of its own class only
        helper = f"helper_{saved_by}_{of_code}_{len(code)}"
        (tmp_path / f"{helper}.py").write_text("def plus(a, b):\n    return a + b\n")
        source = tmp_path / f"{saved_by}.py"
        source.write_text(code.format(module=of_code, helper=helper))
        (tmp_path / "more").write_text("1.5")
        target = tmp_path / f"by {saved_by}"
        options: dict[str, Any] = {"code_paths": [str(tmp_path / f"{helper}.py")]}
        if code is OF_A_CLASS:
            options["artifacts"] = {"more": str(tmp_path / "more")}
            options["model_config"] = {"factor": 2.0}
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(tmp_path))
            saving.pyfunc.save_model(
                str(target), python_model=str(source), pip_requirements=["pandas"], **options
            )
        expected = FRAME.sum(axis=1) * 2 + 1.5 if code is OF_A_CLASS else FRAME["a"] + 1.5
        for loading in modules.values():
            with monkeypatch.context() as patch:
                patch.setattr(sys, "path", list(sys.path))
                patch.delitem(sys.modules, helper, raising=False)
                model = loading.pyfunc.load_model(str(target))
                np.testing.assert_allclose(model.predict(FRAME), expected)
                assert str(target) in str(sys.modules[helper].__file__)
                if code is OF_A_CLASS:
                    model = loading.pyfunc.load_model(str(target), model_config={"factor": 3.0})
                    np.testing.assert_allclose(model.predict(FRAME), FRAME.sum(axis=1) * 3 + 1.5)


@pytest.mark.parametrize(("saving", "loading"), [(headrace, mlflow), (mlflow, headrace)])
def test_code_of_other_flavors(
    saving: Any, loading: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An estimator of a file of one's own comes back where only the model's folder has that file."""
    name = f"estimators_of_{saving.__name__}"
    (tmp_path / f"{name}.py").write_text(
        "from sklearn.linear_model import LinearRegression\n\nclass Own(LinearRegression):\n    pass\n"
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        model = import_module(name).Own().fit(FRAME, TARGET)
        saving.sklearn.save_model(
            model,
            str(tmp_path / "m"),
            code_paths=[str(tmp_path / f"{name}.py")],
            serialization_format="pickle",
            pip_requirements=["pandas"],
        )
    (tmp_path / f"{name}.py").unlink()
    for load in (loading.sklearn.load_model, loading.pyfunc.load_model):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", list(sys.path))
            patch.delitem(sys.modules, name, raising=False)
            np.testing.assert_allclose(load(str(tmp_path / "m")).predict(FRAME), model.predict(FRAME))
