"""MLflow's own loaders read the folders of models that Headrace wrote, and the other way round."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import headrace
from headrace.errors import InvalidArgumentError
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
    """55: pickled ones are loaded, those from code refused."""
    mlflow.pyfunc.save_model(
        str(tmp_path / "m"),
        python_model=lambda model_input: model_input["a"] * 2,
        pip_requirements=["pandas"],
    )
    np.testing.assert_allclose(headrace.pyfunc.load_model(tmp_path / "m").predict(FRAME), FRAME["a"] * 2)
    (tmp_path / "code.py").write_text(
        "import mlflow\nmlflow.models.set_model(lambda model_input: model_input)\n"
    )
    mlflow.pyfunc.save_model(
        str(tmp_path / "c"), python_model=str(tmp_path / "code.py"), pip_requirements=["pandas"]
    )
    with pytest.raises(InvalidArgumentError, match="from code"):
        headrace.pyfunc.load_model(tmp_path / "c")
