"""The same calls here and at MLflow: the same answers, the same refusals.

A scenario is played on both sides, each with its module and its client; what it notes must be equal. Only
with MLflow: ``make test-mlflow``. What differs is in ``docs/mlflow-differences.md``, and tested at the end.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace import active
from ingest_daemon import DaemonProcess

mlflow = pytest.importorskip("mlflow")

NOBODY = "f" * 32
NOTHING = "987654"
BEGIN = 1_700_000_000_000
EXPERIMENTS = 40
SEARCHES = 150
TEXTS = ("a", "b", "B", "ab", "a%", "x y", "Ä", "7")


@dataclass
class Side:
    """One of the two, and what a scenario noted."""

    module: Any
    client: Any
    noted: list[Any] = field(default_factory=list)

    @property
    def entities(self) -> Any:
        return self.module.entities

    def note(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Notes the answer, or the code of the error; returns the answer."""
        try:
            answer = call(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.noted.append(getattr(error, "error_code", "Exception"))
            return None
        self.noted.append(plain(answer))
        return answer

    def code(self, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Notes whether it is refused, and how."""
        try:
            call(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.noted.append(getattr(error, "error_code", "Exception"))
        else:
            self.noted.append("done")

    def refused(self, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Notes whether it is refused, of which MLflow says nothing more that is of use."""
        self.code(call, *args, **options)
        self.noted[-1] = self.noted[-1] != "done"


def plain(answer: Any) -> Any:
    """What must be equal: no ids, no times of the clock, no tags that come by themselves."""
    if isinstance(answer, list | tuple):
        return [plain(each) for each in answer]
    if hasattr(answer, "info"):
        info, data = answer.info, answer.data
        tags = {key: value for key, value in data.tags.items() if not is_automatic(key)}
        metrics = {key: "nan" if math.isnan(value) else value for key, value in data.metrics.items()}
        named = info.run_name if data.tags.get("named") else ""
        return [
            named,
            str(info.status),
            info.lifecycle_stage,
            info.end_time is None,
            metrics,
            data.params,
            tags,
        ]
    if hasattr(answer, "lifecycle_stage"):
        return [answer.name, answer.lifecycle_stage, dict(answer.tags)]
    if hasattr(answer, "step"):
        return [answer.key, answer.value, answer.timestamp, answer.step]
    if type(answer).__name__ in ("RunOperation", "RunOperations"):
        return None
    return answer


def is_automatic(key: str) -> bool:
    return key.startswith(("mlflow.user", "mlflow.source.", "mlflow.project", "mlflow.runName", "headrace."))


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    folder: Path = tmp_path_factory.mktemp("tracking")
    daemon = DaemonProcess(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_JOURNAL_DIR", str(folder / "journals"))
        for variable in ("HEADRACE_ENABLE_ASYNC_LOGGING", "HEADRACE_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
            patch.setenv(variable, "")
            patch.delenv(variable)
        uris = f"headrace://{daemon.ready()}", f"sqlite:///{folder / 'mlflow.db'}"
        for module, uri in zip((headrace, mlflow), uris, strict=True):
            module.set_tracking_uri(uri)
        headrace.config.enable_async_logging(False)  # MLflow's default
        yield Side(headrace, headrace.MlflowClient()), Side(mlflow, mlflow.MlflowClient())
        headrace.config.enable_async_logging()
        headrace.set_tracking_uri("")
        headrace.Client(uris[0]).close()
    daemon.close()


@pytest.fixture
def play(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Side], None]], None]:
    def both(scenario: Callable[[Side], None]) -> None:
        monkeypatch.setattr("headrace.experiment._chosen", None)
        monkeypatch.delenv("HEADRACE_EXPERIMENT_NAME", raising=False)
        monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        for side in sides:
            side.noted = []
            scenario(side)
            while side.module.active_run() is not None:
                side.module.end_run()
        assert not active.open_sessions()
        ours, theirs = (side.noted for side in sides)
        differing = [
            (number, *pair)
            for number, pair in enumerate(zip(ours, theirs, strict=True))
            if pair[0] != pair[1]
        ]
        assert not differing

    return both


# Experiments.


def experiments(side: Side) -> None:
    client = side.client
    made = client.create_experiment("e one", tags={"team": "mill"})
    side.note(client.get_experiment, made)
    side.note(client.get_experiment_by_name, "e one")
    side.note(client.get_experiment_by_name, "nobody")
    for call in (client.get_experiment, client.delete_experiment, client.restore_experiment):
        side.code(call, NOTHING)
    side.code(client.create_experiment, "e one")
    for name in ("", None, 5, "n" * 501):
        side.code(client.create_experiment, name)
    # Changed.
    side.note(client.rename_experiment, made, "e two")
    side.note(client.get_experiment_by_name, "e one")
    side.code(client.rename_experiment, made, "")
    side.code(client.rename_experiment, NOTHING, "x")
    side.note(client.set_experiment_tag, made, "team", "race")
    side.note(client.set_experiment_tag, made, "number", 7)
    side.note(client.get_experiment, made)
    side.note(client.delete_experiment_tag, made, "number")
    side.code(client.delete_experiment_tag, made, "number")
    side.code(client.set_experiment_tag, NOTHING, "k", "v")
    # Deleted.
    side.code(client.restore_experiment, made)
    side.note(client.delete_experiment, made)
    side.note(client.get_experiment, made)
    side.note(client.get_experiment_by_name, "e two")
    side.code(client.delete_experiment, made)
    side.code(client.set_experiment_tag, made, "k", "v")
    side.code(client.delete_experiment_tag, made, "team")
    side.code(client.create_experiment, "e two")
    side.code(client.create_run, made)
    side.code(side.module.set_experiment, "e two")
    side.code(side.module.set_experiment, experiment_id=made)
    side.note(client.restore_experiment, made)
    side.note(client.get_experiment, made)
    side.note(side.module.set_experiment, "e two")
    side.code(side.module.set_experiment, experiment_id=NOTHING)
    side.code(side.module.set_experiment)
    side.code(side.module.set_experiment, "a", "1")
    side.note(side.module.set_experiment, "e new")


def fluent_experiments(side: Side) -> None:
    module = side.module
    made = module.create_experiment("fluent", artifact_location="/somewhere", tags={"a": "1"})
    side.note(module.get_experiment, made)
    side.code(module.create_experiment, "fluent")
    side.note(module.set_experiment, experiment_id=made)
    module.set_experiment_tag("b", 2)
    module.set_experiment_tags({"c": 3, "d": 2.5})
    side.note(module.get_experiment, made)
    side.note(module.delete_experiment_tag, "c")
    side.code(module.delete_experiment_tag, "c")
    side.note(module.search_experiments, filter_string="name = 'fluent'")
    with module.start_run() as run:
        side.noted.append(
            module.get_artifact_uri("x/y").removesuffix(f"/{run.info.run_id}/artifacts/x/y")[-10:]
        )
    module.delete_experiment(made)
    side.note(module.get_experiment, made)
    side.noted.append(module.get_run(run.info.run_id).info.lifecycle_stage)
    module.restore_experiment(made)
    side.noted.append(module.get_run(run.info.run_id).info.lifecycle_stage)


@pytest.mark.parametrize("scenario", [experiments, fluent_experiments])
def test_experiments(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)


def many_experiments(side: Side) -> list[int]:
    rng = random.Random(3)
    times = []
    for number in range(EXPERIMENTS):
        tags = {key: rng.choice(TEXTS) for key in ("k", "l", "a b") if rng.random() < 0.6}
        made = side.client.create_experiment(f"{rng.choice(TEXTS)} {number}", tags=tags)
        times.append(side.client.get_experiment(made).creation_time)
        if rng.random() < 0.3:
            side.client.delete_experiment(made)
        time.sleep(0.002)  # no two of a millisecond
    return times


def condition(rng: random.Random) -> Callable[[list[int]], str]:
    match rng.randrange(4):
        case 0:
            name = rng.choice(["name", "attribute.name", "attribute.`name`"])
            value = rng.choice([*TEXTS, "a %", "%1%", "B 2_"])
            text = f"{name} {rng.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{value}'"
            return lambda _: text
        case 1:
            number, comparison = rng.randrange(EXPERIMENTS), rng.choice(["=", "!=", "<", "<=", ">", ">="])
            return lambda times: f"creation_time {comparison} {times[number]}"
        case 2:
            text = f"tags.{rng.choice(['k', 'l', '`a b`', 'none'])} {rng.choice(['IS NULL', 'IS NOT NULL'])}"
            return lambda _: text
        case _:
            key = rng.choice(["tags.k", "tag.l", "tags.`a b`", "tags.none"])
            text = f"{key} {rng.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{rng.choice([*TEXTS, '%', '_'])}'"
            return lambda _: text


def test_random_searches_for_experiments_find_the_same(sides: tuple[Side, Side]) -> None:
    times = [many_experiments(side) for side in sides]
    rng = random.Random(5)
    for _ in range(SEARCHES):
        conditions = [condition(rng) for _ in range(rng.randrange(3))]
        names = rng.sample(
            ["name", "creation_time", "experiment_id", "attribute.last_update_time"], rng.randrange(3)
        )
        order = [name + rng.choice(["", " ASC", " DESC"]) for name in names]
        view, size = rng.choice([1, 2, 3]), rng.choice([7, 1000])
        found = []
        for side, at in zip(sides, times, strict=True):
            text = " AND ".join(part(at) for part in conditions)
            pages, token = [], None
            while True:
                page = side.client.search_experiments(view, size, text, order, token)
                pages.append([experiment.name for experiment in page])
                token = page.token
                if not token:
                    break
            found.append(pages)
        assert found[0] == found[1], f"{[part(times[0]) for part in conditions]} {order} {view}"


@pytest.mark.parametrize(
    "text",
    [
        "name < 'a'", "name = a", "metrics.a < 1", "foo = 'a'", "tags.a > 'b'", "creation_time = 'a'",
        "creation_time LIKE 'a'", "name", "tags.a = 1", "attribute.foo = 'a'",
    ],
)  # fmt: skip
def test_both_refuse_a_filter_of_experiments(sides: tuple[Side, Side], text: str) -> None:
    codes = []
    for side in sides:
        with pytest.raises(side.module.MlflowException) as refused:
            side.client.search_experiments(filter_string=text)
        codes.append(refused.value.error_code)
    assert codes == ["INVALID_PARAMETER_VALUE"] * 2


@pytest.mark.parametrize(
    "options", [{"order_by": ["tags.k"]}, {"order_by": ["foo"]}, {"max_results": 0}, {"max_results": 50_001}]
)
def test_both_refuse_a_search_of_experiments(sides: tuple[Side, Side], options: dict[str, Any]) -> None:
    for side in sides:
        with pytest.raises(side.module.MlflowException) as refused:
            side.client.search_experiments(**options)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


# Runs.


def runs_of_a_client(side: Side) -> None:
    client = side.client
    experiment = client.create_experiment("runs of a client")
    made = client.create_run(experiment, 5, {"named": "yes", "n": 1}, "first")
    run = made.info.run_id
    side.note(client.get_run, run)
    side.noted.append(made.info.start_time)
    side.code(client.create_run, NOTHING)
    for call in (client.get_run, client.delete_run, client.restore_run, client.get_parent_run):
        for run_id in (NOBODY, "nobody"):
            side.code(call, run_id)
    side.code(client.create_run, experiment, None, {"mlflow.runName": "a"}, "b")
    side.noted.append(client.create_run(experiment, tags={"mlflow.runName": "a"}).info.run_name)
    # Names and ends.
    client.set_tag(run, "mlflow.runName", "second")
    side.note(client.get_run, run)
    client.update_run(run, name="third")
    side.note(client.get_run, run)
    client.set_terminated(run)
    side.note(client.get_run, run)
    client.set_terminated(run, "KILLED", 77)
    side.noted.append(client.get_run(run).info.end_time)
    for status in ("RUNNING", "FAILED", "SCHEDULED"):
        client.update_run(run, status)
        side.noted.append(str(client.get_run(run).info.status))
    client.set_terminated(run, "FINISHED")
    side.refused(client.set_terminated, run, "GONE")
    # Deleted and restored.
    for call, view in ((client.delete_run, 2), (client.restore_run, 1)):
        for _ in range(2):
            side.note(call, run)
        side.note(client.get_run, run)
        side.noted.append(run in [each.info.run_id for each in client.search_runs([experiment], "", view)])
        side.noted.append([len(client.search_runs([experiment], "", each)) for each in (1, 2, 3)])
    # With their experiment.
    client.delete_experiment(experiment)
    side.note(client.get_run, run)
    side.noted.append([len(client.search_runs([experiment], "", each)) for each in (1, 2, 3)])
    client.restore_experiment(experiment)
    side.note(client.get_run, run)


def params_and_tags(side: Side) -> None:
    client, entities = side.client, side.entities
    run = client.create_run(client.create_experiment("params and tags")).info.run_id
    client.log_param(run, "lr", 0.1)
    client.log_param(run, "lr", "0.1")
    side.code(client.log_param, run, "lr", 0.2)
    for value in (None, True, [1, 2], "", "x" * 6000):
        client.log_param(run, f"p{type(value).__name__}{len(str(value))}", value)
    side.code(client.log_param, run, "k" * 251, 1)
    client.log_param(run, "k" * 250, 1)
    side.code(client.log_param, run, "", 1)
    client.set_tag(run, "t", 1)
    client.set_tag(run, "t", "two")
    client.set_tag(run, "gone", 1)
    client.delete_tag(run, "gone")
    side.code(client.set_tag, run, "k" * 251, 1)
    side.code(client.set_tag, run, "", 1)
    side.note(client.get_run, run)
    params = [entities.Param("a", "1"), entities.Param("b", "2")]
    side.note(client.log_batch, run, [], params, [entities.RunTag("u", "v")])
    side.code(client.log_batch, run, [], [entities.Param("a", "2")])
    side.code(client.log_batch, run, [], [entities.Param("c", "3"), entities.Param("", "2")])
    side.note(client.get_run, run)


def metrics(side: Side) -> None:
    client, entities = side.client, side.entities
    run = client.create_run(client.create_experiment("metrics")).info.run_id
    points = [
        (1.5, BEGIN, 0),
        (0.5, BEGIN + 1, 2),
        (2.5, BEGIN + 2, 1),
        (3, BEGIN + 3, 2),
        (-1.0, BEGIN - 5, -3),
    ]
    for value, timestamp, step in points:
        client.log_metric(run, "loss", value, timestamp, step)
    client.log_metric(run, "true", True)
    client.log_metric(run, "nan", float("nan"))
    client.log_batch(run, [entities.Metric("loss", 9.0, BEGIN, 1), entities.Metric("acc", 0.25, BEGIN, 0)])
    side.note(client.get_run, run)
    side.note(lambda: sorted(client.get_metric_history(run, "loss"), key=lambda point: point.timestamp))
    side.note(client.get_metric_history, run, "nobody")
    for bad in ("text", None):
        side.code(client.log_metric, run, "bad", bad)
    side.refused(client.log_metric, run, "bad", [1.0])
    side.code(client.log_metric, run, "k" * 251, 1.0)
    side.code(client.log_metric, run, "", 1.0)
    side.refused(client.log_metric, run, "a", 1.0, step=2**70)
    side.note(client.get_run, run)


@pytest.mark.parametrize("scenario", [runs_of_a_client, params_and_tags, metrics])
def test_runs(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)


# The fluent functions.


def nested_runs(side: Side) -> None:
    module = side.module
    module.set_experiment("nested")
    side.note(module.active_run)
    with module.start_run(run_name="parent", tags={"named": 1}, description="a note") as parent:
        side.noted.append(module.active_run().info.run_id == parent.info.run_id)
        side.refused(module.start_run)
        module.log_params({"a": 1, "b": "x"})
        with module.start_run(nested=True, run_name="child", tags={"named": 1}) as child:
            module.log_metric("loss", 0.5)
            module.log_metrics({"loss": 0.25, "acc": 1}, step=3)
            side.noted.append(module.active_run().info.run_id == child.info.run_id)
            side.noted.append(module.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id)
            side.refused(module.start_run, nested=True, parent_run_id=NOBODY)
        module.log_metric("loss", 2)
        side.noted.append(module.last_active_run().info.run_id == parent.info.run_id)
        side.note(module.get_parent_run, parent.info.run_id)
    side.note(module.active_run)
    side.noted.append(module.last_active_run().info.run_id == parent.info.run_id)
    for run in (parent, child):
        side.noted.append(
            parent.info.run_id == module.get_run(run.info.run_id).data.tags.get("mlflow.parentRunId")
        )
        found = plain(module.get_run(run.info.run_id))
        found[-1].pop("mlflow.parentRunId", None)
        side.noted.append(found)
    # Under a parent that is named.
    with module.start_run(parent_run_id=parent.info.run_id) as late:
        pass
    side.noted.append(module.get_parent_run(late.info.run_id).info.run_id == parent.info.run_id)
    side.code(module.start_run, parent_run_id=NOBODY)
    module.delete_run(parent.info.run_id)
    side.refused(module.start_run, parent_run_id=parent.info.run_id)
    side.refused(module.start_run, run_id=parent.info.run_id)


def statuses(side: Side) -> None:
    module = side.module
    module.set_experiment("statuses")
    for status in ("FINISHED", "FAILED", "KILLED"):
        run = module.start_run(tags={"named": 1}, run_name=status)
        module.end_run(status)
        side.note(module.get_run, run.info.run_id)
    try:
        with module.start_run() as run:
            raise ValueError  # noqa: TRY301
    except ValueError:
        side.note(module.get_run, run.info.run_id)
    side.note(module.end_run)
    # Resumed.
    with module.start_run(
        run_id=run.info.run_id, tags={"more": 1}, description="why", run_name="new"
    ) as again:
        side.noted.append(again.info.run_id == run.info.run_id)
        module.set_tag("named", 1)
        side.noted.append(str(module.get_run(run.info.run_id).info.status))
    side.note(module.get_run, run.info.run_id)
    side.code(module.start_run, run_id=NOBODY)
    side.code(module.start_run, description="a", tags={"mlflow.note.content": "b"})
    side.code(module.start_run, experiment_id=NOTHING)
    side.note(module.delete_run, run.info.run_id)
    side.code(module.restore_run, NOBODY)
    side.note(module.restore_run, run.info.run_id)


def logging(side: Side) -> None:
    module = side.module
    module.set_experiment("logging")
    module.log_param("begins", "by itself")
    run = module.active_run().info.run_id
    module.set_tags({"a": 1, "b": None})
    module.set_tag("c", 2.5)
    module.delete_tag("a")
    module.log_metric("loss", 1.0, step=5, timestamp=BEGIN)
    module.log_metric("loss", 2.0, 4, True, BEGIN + 1)
    module.log_metrics({"x": 1, "y": 2.5}, 3, True, None, BEGIN)
    module.log_params({"p": 1, "q": [1]}, synchronous=True)
    side.code(module.log_param, "p", 2)
    side.code(module.log_params, {"p": 3, "q": "[1]"})
    module.flush_async_logging()
    side.note(module.get_run, run)
    other = module.MlflowClient().create_run(module.get_run(run).info.experiment_id).info.run_id
    module.log_metric("loss", 7.0, run_id=other)
    module.log_metrics({"loss": 8.0}, step=1, run_id=other)
    module.log_params({"o": 1}, run_id=other)
    side.note(module.get_run, other)
    module.end_run()
    side.noted.append(len(module.search_runs(experiment_names=["logging"], output_format="list")))


@pytest.mark.parametrize("scenario", [nested_runs, statuses, logging])
def test_fluent_functions(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)


# What differs; the numbers are those of docs/mlflow-differences.md.


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - of several classes
        return True
    return False


def run_on(side: Side, name: str) -> str:
    found = side.client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else side.client.create_experiment(name)
    return str(side.client.create_run(experiment).info.run_id)


def test_12_calls_return_at_once(sides: tuple[Side, Side]) -> None:
    headrace.config.enable_async_logging()
    try:
        ours, theirs = (side.client.log_param(run_on(side, "12"), "a", 1) for side in sides)
        assert isinstance(ours, headrace.RunOperation)
        ours.wait()
        assert theirs == 1
    finally:
        headrace.config.enable_async_logging(False)


def long_value(side: Side, run: str) -> int:
    side.client.log_param(run, "long", "x" * 6001)
    return len(side.client.get_run(run).data.params["long"])


def batch_with_a_conflict(side: Side, run: str) -> int:
    side.client.log_param(run, "a", 1)
    params = [side.entities.Param("b", "1"), side.entities.Param("a", "2")]
    assert refused(lambda: side.client.log_batch(run, [], params))
    return len(side.client.get_run(run).data.params)


def deleted_run(side: Side, run: str) -> dict[str, float]:
    side.client.delete_run(run)
    side.client.log_metric(run, "loss", 1.0)
    return dict(side.client.get_run(run).data.metrics)


def unknown_run(side: Side, _: str) -> dict[str, float]:
    run = "e" * 32
    side.client.log_metric(run, "loss", 1.0)
    return dict(side.client.get_run(run).data.metrics)


def absent_tag(side: Side, run: str) -> None:
    side.client.delete_tag(run, "absent")


def end_times(side: Side, run: str) -> list[bool]:
    found = []
    for status in ("FAILED", "RUNNING"):
        side.client.update_run(run, status)
        found.append(side.client.get_run(run).info.end_time is None)
        side.client.set_terminated(run)
    return found


def restored_experiment(side: Side, run: str) -> str:
    experiment = side.client.get_run(run).info.experiment_id
    side.client.delete_run(run)
    side.client.delete_experiment(experiment)
    side.client.restore_experiment(experiment)
    return str(side.client.get_run(run).info.lifecycle_stage)


def other_experiment(side: Side, run: str) -> None:
    side.module.set_experiment("another one")
    side.module.start_run(run_id=run)
    side.module.end_run()


def any_key(side: Side, run: str) -> list[str]:
    for key in ("Ä", "a(b)", "../a"):
        side.client.log_metric(run, key, 1.0)
    return sorted(side.client.get_run(run).data.metrics)


def taken_name(side: Side, _: str) -> str:
    made = side.client.create_experiment("taken 1"), side.client.create_experiment("taken 2")
    try:
        side.client.rename_experiment(made[0], "taken 2")
    except side.module.MlflowException as error:
        return str(error.error_code)
    return "done"


def unknown_model(side: Side, run: str) -> int:
    side.client.log_metric(run, "loss", 1.0, model_id="m-0")
    return len([key for key in side.client.get_run(run).data.tags if key.startswith("headrace.link.")])


def second_run(side: Side, _: str) -> str:
    side.module.set_experiment("another one")
    with side.module.start_run():
        try:
            side.module.start_run()
        except side.module.MlflowException:
            return "MlflowException"
        except Exception as error:  # noqa: BLE001 - MLflow's is of no class of its own
            return type(error).__name__
    return "done"


def run_of_a_thread(side: Side, _: str) -> bool:
    """Whether a thread logs into the run of the main thread."""
    side.module.set_experiment("another one")
    found = []

    def log() -> None:
        side.module.log_metric("loss", 1.0)
        found.append(side.module.active_run().info.run_id)
        if found[0] != run.info.run_id:
            side.module.end_run()

    with side.module.start_run() as run:
        thread = threading.Thread(target=log)
        thread.start()
        thread.join()
    return bool(found[0] == run.info.run_id)


@pytest.mark.parametrize(
    ("what", "ours", "theirs"),
    [
        pytest.param(long_value, None, 6000, id="13"),
        pytest.param(batch_with_a_conflict, 2, 1, id="14"),
        pytest.param(deleted_run, {"loss": 1.0}, None, id="15"),
        pytest.param(unknown_run, {"loss": 1.0}, None, id="16"),
        pytest.param(absent_tag, "done", None, id="17"),
        pytest.param(end_times, [False, True], [True, False], id="18"),
        pytest.param(restored_experiment, "deleted", "active", id="19"),
        pytest.param(other_experiment, "done", None, id="20"),
        pytest.param(any_key, ["../a", "a(b)", "Ä"], None, id="21"),
        pytest.param(taken_name, "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST", id="22"),
        pytest.param(unknown_model, 1, None, id="23"),
        pytest.param(second_run, "MlflowException", "Exception", id="24"),
        pytest.param(run_of_a_thread, True, False, id="25"),
    ],
)
def test_a_difference(
    sides: tuple[Side, Side], what: Callable[[Side, str], Any], ours: Any, theirs: Any
) -> None:
    """``None``: refused."""
    outcomes = []
    for side in sides:
        try:
            outcome = what(side, run_on(side, what.__name__))
            outcomes.append("done" if outcome is None else outcome)
        except Exception:  # noqa: BLE001 - of several classes
            outcomes.append(None)
    assert outcomes == [ours, theirs]
