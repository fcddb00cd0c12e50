"""Runs as a data frame, here and at MLflow: the same columns, dtypes and values.

Only with MLflow: ``make test-mlflow``.
"""

from typing import Any

import pytest

from beside import Side

pytest.importorskip("mlflow")

OWN = ("tags.mlflow.", "tags.headrace.")


def frame_of(side: Side, name: str, ended: int) -> Any:
    """A frame of three runs, of which some have ended; without ids and the tags that come by themselves."""
    experiment = side.client.create_experiment(name)
    for number in range(3):
        run = side.client.create_run(
            experiment, 1_700_000_000_000 + number, {"team": "mill"}, f"run {number}"
        )
        run_id = run.info.run_id
        if number:
            side.client.log_metric(run_id, "loss", 0.5 * number, step=number)
            side.client.log_param(run_id, "lr", number)
        if number == 2:
            side.client.log_metric(run_id, "nan", float("nan"))
            side.client.set_tag(run_id, "a b", "c")
        if number < ended:
            side.client.set_terminated(run_id, "FAILED", 1_700_000_000_999 + number)
    frame = side.module.search_runs([experiment])
    assert list(frame.columns[:6]) == [
        "run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"
    ]  # fmt: skip
    assert set(frame["experiment_id"]) == {experiment}
    return frame[[name for name in frame.columns if not name.startswith(OWN)]]


@pytest.mark.parametrize("ended", [1, 3])
def test_frames(sides: tuple[Side, Side], ended: int) -> None:
    ours, theirs = (frame_of(side, f"frames {ended}", ended) for side in sides)
    assert sorted(ours.columns) == sorted(theirs.columns)
    assert ours.dtypes.sort_index().to_dict() == theirs.dtypes.sort_index().to_dict()
    for name in ours.columns:
        if name not in ("run_id", "experiment_id", "artifact_uri"):
            assert ours[name].equals(theirs[name]), name
    assert (ours.index == theirs.index).all()


def test_what_else_is_asked_of_frames(sides: tuple[Side, Side]) -> None:
    for side in sides:
        search, experiment = side.module.search_runs, side.client.create_experiment("more frames")
        for _ in range(3):
            side.client.create_run(experiment)
        assert len(search([experiment], max_results=2)) == 2
        assert len(search(experiment_names=["more frames", "nobody"])) == 3
        assert len(search(experiment_names=["nobody"])) == 0
        assert search([experiment], max_results=0, output_format="list") == []
        assert len(search([experiment], "status = 'FAILED'").columns) == 6
        with pytest.raises(ValueError, match="output"):
            search([experiment], output_format="arrow")
        with pytest.raises(side.module.MlflowException):
            search([experiment], experiment_names=["more frames"])
