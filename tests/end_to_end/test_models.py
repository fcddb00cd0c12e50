"""Datasets, logged models and the registry through a real daemon, which is killed in the middle."""

import asyncio

import numpy as np
import pytest

import headrace
from headrace.entities import LoggedModelOutput
from headrace.errors import InvalidArgumentError, NotFoundError, RejectedError
from running import Daemon


def test_the_best_checkpoint_of_a_training_is_registered(daemon: Daemon) -> None:
    headrace.set_experiment("checkpoints")
    validation = headrace.data.from_numpy(np.arange(6.0).reshape(3, 2), "s3://data/v.npy", name="validation")
    with headrace.start_run() as run:
        headrace.log_input(validation, context="validation")
        for epoch, accuracy in enumerate([0.5, 0.9, 0.7]):
            model = headrace.initialize_logged_model(f"epoch-{epoch}", params={"epoch": epoch})
            headrace.log_outputs([LoggedModelOutput(model.model_id, epoch)])
            if epoch == 1:  # what is in the journal outlives it
                daemon.kill()
            headrace.log_metric("accuracy", accuracy, epoch, model_id=model.model_id, dataset=validation)
            headrace.log_metric("accuracy", 1.0, epoch, model_id=model.model_id)  # in training
            if epoch == 1:
                daemon.start()
            headrace.finalize_logged_model(model.model_id, "READY")

    [best] = headrace.search_logged_models(
        filter_string=f"source_run_id = '{run.info.run_id}'",
        datasets=[{"dataset_name": "validation"}],
        order_by=[{"field_name": "metrics.accuracy", "ascending": False, "dataset_name": "validation"}],
        max_results=1,
        output_format="list",
    )
    assert (best.name, best.status, best.params) == ("epoch-1", "READY", {"epoch": "1"})
    points = {(point.value, point.dataset_name) for point in best.metrics}
    assert points == {(0.9, "validation"), (1.0, None)}

    found = headrace.get_run(run.info.run_id)
    [used] = found.inputs.dataset_inputs
    assert (used.dataset.digest, [(tag.key, tag.value) for tag in used.tags]) == (
        validation.digest, [("mlflow.data.context", "validation")],
    )  # fmt: skip
    assert [made.step for made in found.outputs.model_outputs] == [0, 1, 2]
    assert found.inputs.model_inputs == []
    assert len(headrace.Client().get_metric_history(run.info.run_id, "accuracy")) == 6
    assert len(headrace.search_runs(filter_string="datasets.name = 'validation'", output_format="list")) == 1

    version = headrace.register_model(best.model_uri, "digits")
    client = headrace.Client(daemon.uri)
    client.set_registered_model_alias("digits", "champion", version.version)
    champion = client.get_model_version_by_alias("digits", "champion")
    assert (champion.model_id, champion.run_id) == (best.model_id, run.info.run_id)

    async def read() -> list[str]:
        async with headrace.AsyncClient(daemon.uri) as reader:
            models = await reader.search_logged_models(filter_string="metrics.accuracy >= 0.9")
            return [model.name for model in models]

    assert asyncio.run(read()) == ["epoch-2", "epoch-1", "epoch-0"]


def test_what_there_is_not(daemon: Daemon) -> None:
    client = headrace.Client(daemon.uri)
    run = client.create_run("0").info.run_id
    with pytest.raises(RejectedError, match="there is no logged model") as caught:
        client.log_metric(run, "a", 1.0, model_id=f"m-{'0' * 32}").wait()
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert client.get_run(run).data.metrics == {"a": 1.0}
    with pytest.raises(NotFoundError):
        client.get_logged_model(f"m-{'0' * 32}")
    with pytest.raises(InvalidArgumentError, match="no attribute of model versions"):
        client.search_model_versions("stage = 'Production'")
    with pytest.raises(NotFoundError):
        client.create_model_version("nothing", "s3://a")
