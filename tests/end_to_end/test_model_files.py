"""A model that is really trained is logged with its files, registered, and loaded by every name it has."""

from pathlib import Path

import numpy as np
import pytest

import headrace
from headrace.errors import InvalidArgumentError, NotFoundError
from headrace.models import infer_signature
from running import Daemon


@pytest.mark.usefixtures("daemon")
def test_a_model_comes_back(tmp_path: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    inputs = np.arange(12.0).reshape(6, 2)
    model = linear_model.LinearRegression().fit(inputs, inputs.sum(axis=1))
    with headrace.start_run() as run:
        logged = headrace.sklearn.log_model(
            model,
            name="line",
            serialization_format="pickle",
            signature=infer_signature(inputs, model.predict(inputs)),
            registered_model_name="lines",
            params={"intercept": True},
            step=3,
        )
    headrace.Client().set_registered_model_alias("lines", "best", 1)
    found = headrace.get_logged_model(logged.model_id)
    assert (found.status, found.params, found.source_run_id) == (
        "READY",
        {"intercept": "True"},
        run.info.run_id,
    )
    made = headrace.get_run(run.info.run_id).outputs.model_outputs
    assert [(one.model_id, one.step) for one in made] == [(logged.model_id, 3)]
    for uri in (logged.model_uri, "models:/lines/1", "models:/lines@best"):
        loaded = headrace.pyfunc.load_model(uri)
        assert loaded.predict(inputs) == pytest.approx(model.predict(inputs))
        assert loaded.metadata["model_id"] == logged.model_id
        assert loaded.signature == infer_signature(inputs, model.predict(inputs))
    again = headrace.sklearn.load_model(logged.model_uri, tmp_path / "again")
    assert again.coef_ == pytest.approx(model.coef_)
    assert (tmp_path / "again" / "MLmodel").is_file()
    with pytest.raises(NotFoundError):
        headrace.pyfunc.load_model(f"models:/m-{'0' * 32}")


def test_a_model_that_cannot_be_saved_failed(daemon: Daemon) -> None:
    with headrace.start_run(), pytest.raises(InvalidArgumentError, match="expected one of"):
        headrace.xgboost.log_model(object(), name="nothing")
    [failed] = headrace.Client(daemon.uri).search_logged_models(filter_string="name = 'nothing'")
    assert failed.status == "FAILED"


@pytest.mark.usefixtures("daemon")
def test_a_function_comes_back(tmp_path: Path) -> None:
    (tmp_path / "offset").mkdir()
    (tmp_path / "offset" / "one").write_text("1")
    with headrace.start_run():
        inner = headrace.pyfunc.log_model(name="double", python_model=lambda values: [2 * v for v in values])
        outer = headrace.pyfunc.log_model(
            name="more",
            python_model=lambda values: values,
            artifacts={"double": inner.model_uri, "offset": str(tmp_path / "offset")},
            registered_model_name="more",
        )
    assert headrace.pyfunc.load_model(inner.model_uri).predict([1, 2]) == [2, 4]
    assert headrace.pyfunc.load_model("models:/more/1", tmp_path / "here").predict([3]) == [3]
    kept = tmp_path / "here" / "artifacts"
    assert (kept / "offset" / "offset" / "one").read_text() == "1"
    [double] = (kept / "double").iterdir()
    assert headrace.pyfunc.load_model(double).predict([3]) == [6]
    assert headrace.get_logged_model(outer.model_id).status == "READY"
