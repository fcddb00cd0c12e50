"""The same files up and down: by Headrace, by MLflow's server as a proxy, and by ``cp`` and a sync.

MLflow's server and client are those of ``make bench-peers PEERS=mlflow-sync``; the server has a PostgreSQL
and a folder, all else is as it is shipped.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks import machine
from benchmarks.peers.servers import mlflow_server
from benchmarks.workloads.artifacts import SMALL_BYTES, copied, measured

LARGE = 256 << 20
SMALL_FILES = 1_000

CLIENT = """
import json, os, sys, time
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
from mlflow import MlflowClient
client = MlflowClient()
told = {}
for what, source in json.loads(sys.argv[1]).items():
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "warm", "warm")
    one = os.path.isfile(source)
    began = time.perf_counter()
    if one:
        client.log_artifact(run_id, source)
    else:
        client.log_artifacts(run_id, source, "many")
    stored = time.perf_counter()
    into = os.path.join(sys.argv[2], what)
    os.makedirs(into)
    down = client.download_artifacts(run_id, os.path.basename(source) if one else "many", into)
    told[what] = [stored - began, time.perf_counter() - stored]
    for name in [source] if one else [os.path.join(source, name) for name in os.listdir(source)]:
        copy = down if one else os.path.join(down, os.path.basename(name))
        with open(name, "rb") as a, open(copy, "rb") as b:
            while True:
                left, right = a.read(1 << 20), b.read(1 << 20)
                assert left == right
                if not left:
                    break
print(json.dumps(told))
"""


def run(points: int) -> dict[str, float]:
    """A file of 256 MiB and 1,000 small ones: ours, MLflow's proxied artifacts, ``cp`` and a sync."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        folder = Path(name)
        large, many = folder / "large", folder / "many"
        count = made(large, many, points)
        size = large.stat().st_size / 1e6
        machine.settle()
        file_seconds = copied(large, folder / "copy")
        began = perf_counter()
        for file in many.iterdir():
            copied(file, folder / "copy")
        files_seconds = perf_counter() - began
        theirs = of_mlflow(folder, {"large": str(large), "many": str(many)})
        ours = {}
        for source in (large, many):
            machine.settle()
            ours[source.name] = measured(source, folder / f"ours {source.name}")[0]
    up, down = theirs["large"]
    small_up, small_down = theirs["many"]
    return {
        "up_mb_per_s": size / ours["large"]["up"],
        "mlflow_up_mb_per_s": size / up,
        "cp_mb_per_s": size / file_seconds,
        "up_of_cp": file_seconds / ours["large"]["up"],
        "mlflow_up_of_cp": file_seconds / up,
        "down_mb_per_s": size / ours["large"]["down"],
        "mlflow_down_mb_per_s": size / down,
        "small_up_per_s": count / ours["many"]["up"],
        "mlflow_small_up_per_s": count / small_up,
        "cp_small_per_s": count / files_seconds,
        "small_down_per_s": count / ours["many"]["down"],
        "mlflow_small_down_per_s": count / small_down,
    }


def made(large: Path, many: Path, points: int) -> int:
    """Writes the files; how many are small."""
    part = os.urandom(1 << 20)
    with large.open("wb") as file:
        for _ in range(max(1, (LARGE >> 20) * points // 1_000_000)):
            file.write(part)
        os.fsync(file.fileno())
    many.mkdir()
    count = max(10, SMALL_FILES * points // 1_000_000)
    for number in range(count):
        (many / f"{number:05}").write_bytes(os.urandom(SMALL_BYTES))
    return count


def of_mlflow(folder: Path, sources: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Seconds up and down of each source, by MLflow's client and server."""
    from benchmarks.peers.compare import ASKED, python_of  # noqa: PLC0415 - it imports the workloads

    python = python_of(ASKED)
    if not python.exists():
        raise RuntimeError(f"MLflow is not installed: make bench-peers PEERS={ASKED}")
    work = folder / "mlflow"
    work.mkdir()
    with mlflow_server(python, work) as server:
        done = subprocess.run(
            [str(python), "-c", CLIENT, json.dumps(sources), str(work / "down")],
            env={**os.environ, "MLFLOW_TRACKING_URI": server.address},
            stdout=subprocess.PIPE,
            check=True,
            cwd=work,
        )
    told: dict[str, tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return told
