"""What was logged is found, at once, by every client, through a real daemon."""

import asyncio

import pytest

import headrace
from headrace.errors import InvalidArgumentError, UnavailableError
from running import Daemon, eventually


def names(runs: list[headrace.Run]) -> list[str]:
    return [run.info.run_name for run in runs]


def test_runs_are_found_by_what_was_just_logged(daemon: Daemon) -> None:
    headrace.set_experiment("searched")
    with headrace.start_run(run_name="other"):
        headrace.log_metric("loss", 0.5)
    with headrace.start_run(run_name="mine", tags={"team": "mill"}):
        headrace.log_param("lr", 0.1)
        for step in range(20):
            headrace.log_metric("loss", 1.0 / (step + 1), step)
            # Without a wait: a read first waits for what this process logged.
            found = headrace.search_runs(
                filter_string=f"metrics.loss.min <= {1.0 / (step + 1)!r} AND params.lr = '0.1'",
                output_format="list",
            )
            assert [run.data.metrics for run in found] == [{"loss": 1.0 / (step + 1)}]

    client = headrace.Client(daemon.uri)
    assert names(client.search_runs(order_by=["metrics.loss DESC"])) == ["other", "mine"]
    assert names(client.search_runs(filter_string="metrics.loss.first = 1.0 OR tags.team = 'x'")) == ["mine"]
    assert names(client.search_runs(filter_string="tags.team IS NULL")) == ["other"]
    frame = headrace.search_runs(experiment_names=["searched"], order_by=["metrics.loss"])
    assert frame["metrics.loss"].tolist() == [0.05, 0.5]

    async def walk() -> list[str]:
        async with headrace.AsyncClient(daemon.uri) as reader:
            first = await reader.search_runs(max_results=1)
            rest = await reader.search_runs(max_results=1, page_token=first.token)
            assert rest.token is None
            return names([*first, *rest])

    assert sorted(asyncio.run(walk())) == ["mine", "other"]
    with pytest.raises(InvalidArgumentError, match="is wrong at character 16, \"'low'\": expected a number"):
        client.search_runs(filter_string="metrics.loss < 'low'")


def test_a_search_after_the_daemon_was_killed(daemon: Daemon) -> None:
    with headrace.start_run(run_name="one"):
        headrace.log_metric("loss", 1.0).wait()
    client = headrace.Client(daemon.uri)
    assert names(client.search_runs(filter_string="metrics.loss = 1")) == ["one"]
    daemon.kill()
    daemon.start()

    def found() -> list[str]:
        try:
            return names(client.search_runs(filter_string="metrics.loss = 1"))
        except UnavailableError:  # the connection comes back by itself
            return []

    eventually(lambda: found() == ["one"], "the run is found again")
