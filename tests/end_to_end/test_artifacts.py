"""Artifacts through a real daemon: logged, read back, and safe whatever dies."""

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import headrace
from headrace import AsyncClient, Client
from headrace.cli import main
from headrace.errors import InvalidArgumentError, NotFoundError, RejectedError, UnavailableError
from ingest_daemon import DaemonProcess
from running import Daemon, agents, eventually

pytestmark = pytest.mark.xdist_group("artifacts")

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for the tests that kill none."""
    folder = tmp_path_factory.mktemp("artifacts")
    running = Daemon(folder, "--artifact-root", str(folder / "elsewhere"))
    running.start()
    yield running
    running.end()


@pytest.fixture(autouse=True)
def private_journals(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One folder for all tests here: they share a core, which goes on with its journals."""
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    journals = tmp_path_factory.getbasetemp() / "journals of artifacts"
    monkeypatch.setenv("HEADRACE_JOURNAL_DIR", str(journals))
    return journals


@pytest.fixture
def client(shared: Daemon, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("HEADRACE_TRACKING_URI", shared.uri)
    return Client(shared.uri)


@pytest.fixture
def run_id(client: Client) -> str:
    return client.create_run("0").info.run_id


@pytest.fixture(params=["blocking", "async"])
def ask(request: pytest.FixtureRequest, client: Client) -> Ask:
    if request.param == "blocking":
        return lambda method, *args, **options: getattr(client, method)(*args, **options)

    def answer(method: str, *args: Any, **options: Any) -> Any:
        async def main() -> Any:
            result = getattr(AsyncClient(client.tracking_uri), method)(*args, **options)
            return await result if inspect.iscoroutine(result) else result

        return asyncio.run(main())

    return answer


def script(code: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """A program, which may kill itself; a line that it prints is its result."""
    return subprocess.run(
        [sys.executable, "-c", "import headrace, os, signal, sys\n" + code],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_all_kinds_there_and_back(ask: Ask, run_id: str, tmp_path: Path) -> None:
    large = np.random.default_rng(1).bytes(3_000_000)
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "large").write_bytes(large)
    (folder / "deep" / "small").write_text("small")
    (folder / "empty").write_text("")
    operations = [
        ask("log_artifacts", run_id, folder, "in/here"),
        ask("log_artifact", run_id, folder / "deep" / "small"),
        ask("log_artifact", run_id, folder),
        ask("log_text", run_id, "text", "notes/é.txt"),
        ask("log_dict", run_id, {"a": 1}, "d.json"),
        ask("log_image", run_id, np.zeros((4, 4), np.uint8), "i.png"),
        ask("log_image", run_id, Image.new("RGB", (4, 4)), key="k", step=2),
        ask("log_table", run_id, {"n": [1]}, "t.json"),
        ask("log_table", run_id, {"n": [2], "m": "x"}, "t.json"),
    ]
    for operation in operations:
        operation.wait(60)
    listed = {file.path: (file.is_dir, file.file_size) for file in ask("list_artifacts", run_id)}
    assert listed["small"] == (False, 5)
    assert {path for path, (is_dir, _) in listed.items() if is_dir} == {"in", "folder", "notes", "images"}
    assert [file.path for file in ask("list_artifacts", run_id, "in/here")] == [
        f"in/here/{name}" for name in ("deep", "empty", "large")
    ]
    assert len(ask("list_artifacts", run_id, "images")) == 2
    down = Path(ask("download_artifacts", run_id, dst_path=tmp_path / "down"))
    assert (down / "in/here/large").read_bytes() == (down / "folder/large").read_bytes() == large
    assert (down / "in/here/empty").read_bytes() == b""
    assert (down / "notes/é.txt").read_text() == "text"
    assert json.loads((down / "t.json").read_text()) == {"columns": ["n", "m"], "data": [[1, None], [2, "x"]]}
    one = ask("download_artifacts", run_id, "in/here/deep", tmp_path / "one")
    assert [path.name for path in Path(one).iterdir()] == ["small"]
    archive = ask("download_archive", run_id, tmp_path)
    with tarfile.open(archive) as tar:
        assert "in/here/large" in tar.getnames()
    ask("delete_artifacts", run_id, "in")
    assert "in" not in {file.path for file in ask("list_artifacts", run_id)}
    with pytest.raises(NotFoundError):
        ask("download_artifacts", run_id, "in")
    table = ask("load_table", "0", "t.json", [run_id], ["run_id"])
    assert list(table["run_id"]) == [run_id] * 2
    assert ask("get_run", run_id).data.tags["mlflow.loggedImages"] == "True"


def test_the_fluent_functions(client: Client, tmp_path: Path) -> None:
    headrace.set_tracking_uri(client.tracking_uri)
    try:
        with headrace.start_run() as run:
            headrace.log_text("t", "a/b.txt")
            headrace.log_dict([1], "d.json", run_id=run.info.run_id)
            (tmp_path / "f").write_text("f")
            headrace.log_artifact(str(tmp_path / "f"), "a/", synchronous=True)
            headrace.log_image(np.zeros((4, 4), np.uint8), "x.png")
            uri = headrace.get_artifact_uri("a")
        assert uri.endswith(f"/{run.info.run_id}/artifacts/a")
        assert [file.path for file in headrace.artifacts.list_artifacts(uri)] == ["a/b.txt", "a/f"]
        assert headrace.artifacts.load_text(f"{uri}/b.txt") == "t"
        assert headrace.artifacts.load_dict(f"runs:/{run.info.run_id}/d.json") == [1]
        assert headrace.artifacts.load_image(f"runs:/{run.info.run_id}/x.png").size == (4, 4)
        where = headrace.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="a/b.txt")
        assert Path(where).read_text() == "t"
        headrace.delete_artifacts("a", run_id=run.info.run_id)
        with pytest.raises(InvalidArgumentError, match="both"):
            headrace.artifacts.list_artifacts(uri, run.info.run_id)
    finally:
        headrace.set_tracking_uri("")


def test_what_is_refused(client: Client, run_id: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="no run"):
        client.log_text("f" * 32, "x", "a").wait(60)
    for name in ("../a", "/a", "a\0", "con", "x" * 4096, "e\u0301"):
        with pytest.raises(InvalidArgumentError):
            client.log_text(run_id, "x", name)
        with pytest.raises(InvalidArgumentError):
            client.download_artifacts(run_id, name, tmp_path)
    with pytest.raises(InvalidArgumentError):
        client.log_artifact(run_id, tmp_path / "none")
    client.log_text(run_id, "x", "a").wait(60)
    with pytest.raises(RejectedError, match="folder"):
        client.log_text(run_id, "x", "a/b").wait(60)
    with pytest.raises(NotFoundError):
        client.list_artifacts("f" * 32)
    assert client.list_artifacts(run_id, "none") == []


def test_the_file_may_change_after_the_call(client: Client, run_id: str, tmp_path: Path) -> None:
    for size in (1000, 2_000_000):
        source = tmp_path / f"f{size}"
        source.write_bytes(b"a" * size)
        operation = client.log_artifact(run_id, source)
        source.write_bytes(b"b" * size)
        source.unlink()
        operation.wait(60)
        down = client.download_artifacts(run_id, f"f{size}", tmp_path / "down")
        assert Path(down).read_bytes() == b"a" * size


def test_points_do_not_wait_for_files(
    client: Client, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise UnavailableError("it is slow")

    (tmp_path / "f").write_bytes(bytes(1_000_000))
    with monkeypatch.context() as held:
        courier = client._core.files.courier()
        held.setattr(courier._http, "_locate", nowhere)
        courier._http.close()
        file = client.log_artifact(run_id, tmp_path / "f")
        client.log_metric(run_id, "loss", 1.0).wait(60)
        assert client.get_run(run_id).data.metrics == {"loss": 1.0}
        assert not file.done()
        assert "not delivered" in str(client._core.pending())
    file.wait(60)


@pytest.mark.parametrize("location", ["own", "elsewhere"])
def test_where_an_experiment_has_its_artifacts(client: Client, shared: Daemon, location: str) -> None:
    root = shared.data / "artifacts"
    where = None
    if location == "elsewhere":
        root = shared.data.parent / "elsewhere"
        where = f"file://{root}/deep"
        with pytest.raises(InvalidArgumentError, match="--artifact-root"):
            client.create_experiment("refused", str(shared.data.parent / "not there"))
    run = client.create_run(client.create_experiment(f"located {location}", where))
    client.log_text(run.info.run_id, "here", "a/b").wait(60)
    [found] = root.rglob(f"{run.info.run_id}/artifacts/a/b")
    assert found.read_text() == "here"
    if where:
        assert run.info.artifact_uri == f"{where}/{run.info.run_id}/artifacts"
    client.delete_run(run.info.run_id)
    client.erase_deleted([run.info.run_id])
    eventually(lambda: not found.exists(), "the files of an erased run are deleted")


KILLED = """
run = headrace.Client().create_run("0").info.run_id
open(os.environ["FILE"], "wb").write(b"x" * 3_000_000)
headrace.Client().log_text(run, "small", "small")
headrace.Client().log_artifact(run, os.environ["FILE"])
print(run, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


SYNC = "from headrace.cli import main; sys.exit(main(['sync', os.environ['HEADRACE_JOURNAL_DIR']]))"


def test_killed_right_after_the_call(client: Client, tmp_path: Path) -> None:
    where = {"HEADRACE_JOURNAL_DIR": str(tmp_path / "journals")}
    dead = script(KILLED, FILE=str(tmp_path / "f"), **where)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    run_id = dead.stdout.strip()
    synced = script(SYNC, **where)
    assert synced.returncode == 0, synced.stderr
    down = Path(client.download_artifacts(run_id, dst_path=tmp_path / "down"))
    assert (down / "f").read_bytes() == b"x" * 3_000_000
    assert (down / "small").read_text() == "small"
    assert "files" not in script(SYNC, **where).stdout
    assert not list((tmp_path / "journals").glob("*/spool-*"))


FORKED = """
client = headrace.Client()
run = client.create_run("0").info.run_id
client.log_text(run, "parent", "parent").wait(60)
child = os.fork()
if not child:
    try:
        client.log_text(run, "child", "child").wait(60)
        os._exit(0)
    finally:
        os._exit(1)
print(run, os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("shipper", ["thread", "agent"])
def test_forked_children_and_the_agent(client: Client, shipper: str) -> None:
    done = script(FORKED, HEADRACE_SHIPPER=shipper)
    run_id, status = done.stdout.split()
    assert status == "0", done.stderr
    assert [file.path for file in client.list_artifacts(run_id)] == ["child", "parent"]


LEFT = """
open(os.environ["FILE"], "wb").write(b"x" * 30_000_000)
client = headrace.Client()
run = client.create_run("0").info.run_id
client.log_text(run, "first", "first").wait(60)
client.log_artifact(run, os.environ["FILE"])
print(run)
"""


def test_the_agent_uploads_what_is_left_at_the_end(client: Client, tmp_path: Path) -> None:
    where = {"HEADRACE_JOURNAL_DIR": str(tmp_path / "journals"), "HEADRACE_EXIT_TIMEOUT": "0"}
    done = script(LEFT, FILE=str(tmp_path / "f"), **where)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.strip()

    def there() -> bool:
        return [file.file_size for file in client.list_artifacts(run_id)] == [30_000_000, 5]

    eventually(there, "the agent uploads it")
    for agent in agents(tmp_path / "journals"):
        os.kill(agent, signal.SIGTERM)


def test_several_workers(start_daemon: Callable[..., DaemonProcess], tmp_path: Path) -> None:
    uri = f"headrace://{start_daemon('--workers', '2').ready()}"
    content = np.random.default_rng(3).bytes(2_000_000)
    (tmp_path / "f").write_bytes(content)
    for client in (Client(uri), Client(uri)):
        run_id = client.create_run("0").info.run_id
        client.log_artifact(run_id, tmp_path / "f").wait(60)
        assert Path(client.download_artifacts(run_id, "f", tmp_path / run_id)).read_bytes() == content


def test_the_daemon_dies_in_the_middle(daemon: Daemon, tmp_path: Path) -> None:
    client = Client(daemon.uri)
    run_id = client.create_run("0").info.run_id
    content = np.random.default_rng(2).bytes(30_000_000)
    (tmp_path / "f").write_bytes(content)
    operation = client.log_artifact(run_id, tmp_path / "f")
    spool = client._core.files.spool()
    eventually(lambda: spool.sent > 2_000_000 or operation.done(), "some of it is sent")
    daemon.kill()
    daemon.start()
    operation.wait(60)
    assert Path(client.download_artifacts(run_id, "f", tmp_path / "down")).read_bytes() == content


def test_the_command_line(run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "f").write_text("content")
    (folder / "large").write_bytes(bytes(2_000_000))
    assert main(["artifacts", "put", run_id, str(folder), "--to", "in"]) == 0
    assert "2,000,007 bytes" in capsys.readouterr().out
    assert main(["artifacts", "list", run_id, "in", "--recursive", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[0] == {"path": "in/deep/f", "is_dir": False, "file_size": 7}
    assert main(["artifacts", "list", run_id, "in"]) == 0
    assert capsys.readouterr().out.split() == ["PATH", "BYTES", "in/deep/", "in/large", "2000000"]
    assert main(["artifacts", "get", run_id, "in/deep", "--to", str(tmp_path / "down")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "down" / "in" / "deep")
    assert (tmp_path / "down" / "in" / "deep" / "f").read_text() == "content"
    assert main(["artifacts", "get", run_id, "--archive", str(tmp_path / "all.tar"), "--json"]) == 0
    with tarfile.open(tmp_path / "all.tar") as tar:
        assert tar.getnames() == ["in/deep/f", "in/large"]
    assert main(["artifacts", "get", run_id, "none"]) == 1
    assert main(["artifacts", "put", run_id, str(tmp_path / "none")]) == 1
