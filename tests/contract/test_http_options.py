"""``--artifacts-only``, ``--no-serve-artifacts``, and what is not implemented: who is answered what."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from headrace_ingest.config import Config, StartError
from headrace_ingest.http.artifacts import PREFIX
from headrace_ingest.http.mlflow.routes import API, PAGES
from headrace_ingest.ports import reserve
from ingest_daemon import serving
from mlflow_rest import Served

FILES = "/api/2.0/mlflow-artifacts/"


@asynccontextmanager
async def served(data: Path, database_url: str, **options: Any) -> AsyncIterator[Served]:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        async with serving(data, database_url, port, **options):
            yield Served(port)


async def test_only_artifacts(tmp_path: Path, database_url: str) -> None:
    async with (
        served(tmp_path / "data", database_url) as whole,
        served(tmp_path / "data", database_url, artifacts_only=True) as files,
    ):
        run = await whole.run()
        root = f"{FILES}artifacts/0/{run}/artifacts"
        assert (await files.ask("PUT", f"{root}/a.txt", b"text")).status == 200
        for daemon in (whole, files):
            assert (await daemon.ask("GET", f"{root}/a.txt")).body == b"text"
            own = f"{PREFIX}/runs/{run}/artifacts/a.txt"
            assert (await daemon.ask("GET", own)).body == b"text"
        for path in ("/health", "/version", "/healthz", "/readyz", "/api/3.0/mlflow/server-info"):
            assert (await files.ask("GET", path)).status == 200, path
        for method, path in (
            ("POST", f"{API}runs/create"),
            ("GET", f"{PAGES}runs/get?run_id={run}"),
            ("GET", f"{API}logged-models/m-1"),
            ("GET", f"/get-artifact?run_id={run}&path=a.txt"),
            ("POST", f"{API}artifacts/presigned-upload-url"),
        ):
            answer = await files.ask(method, path)
            assert answer.status == 503, path
            assert "--artifacts-only" in answer.json["message"]
        assert (await files.ask("GET", f"{API}runs/nothing")).status == 404


async def test_no_artifacts(tmp_path: Path, database_url: str) -> None:
    data = tmp_path / "data folder"
    async with served(data, database_url, serve_artifacts=False) as daemon:
        made = await daemon.post("experiments/create", name="e")
        experiment = (await daemon.get("experiments/get", **made))["experiment"]
        run = (await daemon.post("runs/create", **made))["run"]["info"]
        folder = data / "artifacts" / made["experiment_id"]
        assert experiment["artifact_location"] == folder.as_uri()
        assert run["artifact_uri"] == f"{folder.as_uri()}/{run['run_id']}/artifacts"
        # Where the client stores it by itself, the daemon finds it.
        within = folder / run["run_id"] / "artifacts"
        within.mkdir(parents=True)
        (within / "a.txt").write_text("text")
        listed = await daemon.get("artifacts/list", run_id=run["run_id"])
        assert listed["files"] == [{"path": "a.txt", "is_dir": False, "file_size": 4}]
        shown = await daemon.ask("GET", f"/get-artifact?run_uuid={run['run_id']}&path=a.txt")
        assert shown.body == b"text"
        path = f"artifacts/{made['experiment_id']}/{run['run_id']}/artifacts/a.txt"
        for method in ("GET", "PUT", "DELETE"):
            answer = await daemon.ask(method, FILES + path, b"x")
            assert answer.status == 503
            assert "--no-serve-artifacts" in answer.json["message"]
            own = await daemon.ask(method, f"{PREFIX}/runs/{run['run_id']}/artifacts/a.txt", b"x")
            assert own.status == 403
        assert (await daemon.ask("GET", f"{FILES}artifacts?path=0")).status == 503
        assert (within / "a.txt").read_text() == "text"
        source = f"{run['artifact_uri']}/model"
        await daemon.post("registered-models/create", name="m")
        version = await daemon.post("model-versions/create", name="m", source=source)
        assert version["model_version"]["source"] == source
    # The same experiment, at a daemon that serves files.
    async with served(data, database_url) as daemon:
        experiment = (await daemon.get("experiments/get", **made))["experiment"]
        assert experiment["artifact_location"] == f"mlflow-artifacts:/{made['experiment_id']}"
        version = await daemon.get("model-versions/get", name="m", version="1")
        assert version["model_version"]["source"].startswith("mlflow-artifacts:/")
        assert (await daemon.ask("GET", FILES + path)).body == b"text"


async def test_a_daemon_of_files_alone_takes_no_streams(tmp_path: Path, database_url: str) -> None:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        async with (
            serving(tmp_path / "data", database_url, port, artifacts_only=True) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            for service in ("Ingest", "Tracking", "Models"):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await check(health_pb2.HealthCheckRequest(service=f"headrace.v1.{service}"))
                assert refused.value.code() == grpc.StatusCode.NOT_FOUND
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary("/headrace.v1.Tracking/GetRun")(b"")
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_nothing_to_serve_is_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="leave nothing to serve"):
        Config(tmp_path, serve_artifacts=False, artifacts_only=True)


async def test_files_as_pages_ask_for_them(tmp_path: Path, database_url: str) -> None:
    async with served(tmp_path / "data", database_url) as daemon:
        run = await daemon.run()
        upload = f"{PAGES}upload-artifact?run_uuid={run}&path="
        assert (await daemon.ask("POST", f"{upload}in/a.html", b"<p>")).json == {}
        shown = await daemon.ask("GET", f"/get-artifact?run_id={run}&path=in/a.html")
        assert (shown.status, shown.body) == (200, b"<p>")
        assert shown.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in shown.headers["content-security-policy"]
        for refused, status in (
            (await daemon.ask("POST", f"{upload}../a", b"x"), 400),
            (await daemon.ask("POST", upload, b"x"), 400),
            (await daemon.ask("POST", f"{upload}b", content_length="0"), 400),
            (await daemon.ask("POST", f"{PAGES}upload-artifact?path=b", b"x"), 400),
            (await daemon.ask("GET", f"/get-artifact?run_id={run}&path=in"), 404),
            (await daemon.ask("GET", f"/get-artifact?run_id={run}&path=../x"), 400),
            (await daemon.ask("GET", f"/get-artifact?run_id={run}"), 400),
            (await daemon.ask("GET", "/get-artifact?path=a"), 404),
        ):
            assert refused.status == status
            assert set(refused.json) == {"error_code", "message"}
        with contextlib.suppress(ConnectionError):  # it is told before all of it is read
            assert (await daemon.ask("POST", f"{upload}c", bytes(11 << 20))).status == 413
        made = await daemon.post("logged-models", experiment_id="0")
        model = made["model"]["info"]
        where = model["artifact_uri"].removeprefix("mlflow-artifacts:/")
        assert (await daemon.ask("PUT", f"{FILES}artifacts/{where}/MLmodel", b"m")).status == 200
        files = f"{PAGES}logged-models/{model['model_id']}/artifacts/files?artifact_file_path="
        assert (await daemon.ask("GET", f"{files}MLmodel")).body == b"m"
        assert (await daemon.ask("GET", files)).status == 400


async def test_what_is_not_implemented_is_said_so(tmp_path: Path, database_url: str) -> None:
    async with served(tmp_path / "data", database_url) as daemon:
        for method, path in (
            *(("POST", f"{FILES}mpu/{each}/0/a") for each in ("create", "complete", "abort")),
            ("GET", f"{FILES}presigned/0/a"),
            ("POST", f"{API}artifacts/presigned-upload-url"),
            ("POST", f"{PAGES}artifacts/presigned-download-url"),
        ):
            answer = await daemon.ask(method, path, b"" if method == "GET" else b"{}")
            assert (answer.status, answer.json["error_code"]) == (501, "NOT_IMPLEMENTED"), path
