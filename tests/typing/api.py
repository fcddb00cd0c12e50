"""The public API as users write it: type-checked, never run."""

from array import array
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import assert_type

import numpy as np

import headrace
from headrace import (
    ActiveRun,
    AsyncClient,
    Client,
    Experiment,
    FileInfo,
    Metric,
    MetricHistories,
    MetricSummary,
    PagedList,
    Param,
    Run,
    RunOperation,
    RunStatus,
    RunTag,
)


def fluent() -> None:
    headrace.set_tracking_uri("runs")
    assert_type(headrace.get_tracking_uri(), str)
    assert_type(headrace.set_experiment("digits"), Experiment)
    assert_type(headrace.set_experiment(experiment_id="1"), Experiment)
    assert_type(headrace.get_experiment_by_name("digits"), Experiment | None)
    with headrace.start_run(run_name="first", tags={"n": 1}, nested=True) as run:
        assert_type(run, ActiveRun)
        assert_type(run.info.run_id, str)
        assert_type(run.info.end_time, int | None)
    assert_type(headrace.active_run(), ActiveRun | None)
    headrace.end_run()
    headrace.end_run(RunStatus.KILLED)
    headrace.end_run("FAILED")


def values() -> None:
    operation = headrace.log_metric("loss", 0.5, 3, False, 1_700_000_000_000)
    assert_type(operation, RunOperation)
    for value in (1, True, np.float32(0.5), np.int64(3), Decimal("0.5")):
        headrace.log_metric("loss", value, step=np.int64(3))
    headrace.log_metrics({"loss": 0.5, "accuracy": 1})
    headrace.log_metrics({"loss": np.float64(0.5)}, step=1, synchronous=True)
    headrace.log_series("loss", np.zeros(3), steps=np.arange(3), timestamps=[1, 2, 3])
    headrace.log_series("loss", array("d", [1.0]))
    headrace.log_series("loss", [1, 2.0], steps=range(2))
    headrace.log_params({"lr": 0.1, "layers": [1, 2]})
    headrace.set_tags({"team": "a"})
    headrace.log_batch([Metric("loss", 0.5, 0, 0)], [Param("a", "b")], [RunTag("c", "d")])
    headrace.log_metric("loss", "0.5")  # type: ignore[arg-type]
    headrace.log_metric("loss", None)  # type: ignore[arg-type]
    headrace.log_metric(5, 0.5)  # type: ignore[arg-type]


def experiments_and_runs(run_id: str) -> None:
    assert_type(headrace.create_experiment("digits", tags={"n": 1}), str)
    assert_type(
        headrace.search_experiments(headrace.ViewType.ALL, filter_string="name = 'a'"), list[Experiment]
    )
    assert_type(headrace.get_run(run_id), Run)
    assert_type(headrace.get_parent_run(run_id), Run | None)
    assert_type(headrace.last_active_run(), Run | None)
    headrace.delete_run(run_id)
    headrace.set_experiment_tags({"team": "a"})
    headrace.log_metric("loss", 0.5, model_id="m-1", dataset=object())
    headrace.get_run(5)  # type: ignore[arg-type]
    headrace.create_experiment("digits", nobody="x")  # type: ignore[call-arg]


def files(run_id: str) -> None:
    assert_type(headrace.log_artifact("model.pt", "models", run_id), RunOperation)
    assert_type(headrace.log_artifacts(Path("plots"), synchronous=True), RunOperation)
    assert_type(headrace.log_text("text", "notes.md"), RunOperation)
    assert_type(headrace.log_image(np.zeros((2, 2)), key="samples", step=3), RunOperation)
    assert_type(headrace.artifacts.download_artifacts(run_id=run_id, dst_path=Path()), str)
    assert_type(headrace.artifacts.list_artifacts("runs:/x"), list[FileInfo])
    headrace.log_text(b"bytes", "notes.md")  # type: ignore[arg-type]
    headrace.log_artifact()  # type: ignore[call-arg]


def operations(operation: RunOperation) -> None:
    operation.wait()
    operation.wait(timeout=0.5)
    assert_type(operation.done(), bool)
    operation.add_done_callback(print)


def client(run_id: str) -> None:
    with Client("headrace://127.0.0.1:7070") as reader:
        assert_type(reader.get_run(run_id), Run)
        assert_type(reader.get_metric_history(run_id, "loss"), list[Metric])
        found = reader.get_metric_histories([run_id], "loss", steps=(None, 9), rank=0, max_points=5)
        assert_type(found, MetricHistories)
        assert_type(found.series[0].run_id, str)
        for page in reader.iter_metric_histories(run_id, rank=[0, 1], buckets=5):
            assert_type(page, MetricHistories)
        assert_type(reader.get_metric_chart(run_id, "loss", buckets=10, last_step=5).means, "array[float]")
        assert_type(reader.get_metric_summaries(run_id), dict[str, MetricSummary])
        assert_type(reader.search_experiments(max_results=5), PagedList[Experiment])
        assert_type(reader.update_run(run_id, name="new"), RunOperation)
        assert_type(reader.list_artifacts(run_id, "models"), list[FileInfo])
        assert_type(reader.download_artifacts(run_id, "models", Path("here")), str)
        assert_type(reader.delete_artifacts(run_id), None)
        assert_type(reader.erase_deleted(dry_run=True).run_ids, list[str])
        reader.get_run()  # type: ignore[call-arg]
        runs = reader.search_runs(["0"], max_results=5)
        assert_type(runs, PagedList[Run])
        assert_type(runs[0].data.metrics["loss"], float)
        assert_type(runs.token, str | None)
        assert_type(np.frombuffer(reader.get_metric_columns(run_id, "loss").steps, np.int64).size, int)


async def async_client(run_ids: Sequence[str]) -> None:
    async with AsyncClient() as reader:
        for run_id in run_ids:
            await reader.log_metric(run_id, "loss", 0.5, step=1)
            assert_type(await reader.get_run(run_id), Run)
            assert_type(await reader.get_parent_run(run_id), Run | None)
            assert_type(await reader.get_metric_histories(run_ids), MetricHistories)
            async for page in reader.iter_metric_histories(run_ids):
                assert_type(page, MetricHistories)
            assert_type(await reader.create_experiment("digits"), str)
            assert_type(await reader.download_artifacts(run_id), str)
            await reader.log_text(run_id, "text", "notes.md")
            reader.set_terminated(run_id, "FINISHED")
