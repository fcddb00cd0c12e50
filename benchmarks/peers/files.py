"""``python -m benchmarks.peers.files [MB] [FILES]``: the same files to MLflow's server and to ours.

MLflow runs in the environment of ``make bench-peers PEERS=mlflow-sync``, or ``--mlflow PYTHON``. JSON:
seconds up, until stored, and down, of a file of so many MiB and of so many small ones, as one call each.
"""

import argparse
import json
import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers.compare import ENVIRONMENTS
from benchmarks.peers.servers import end_group, free_port, wait_for
from benchmarks.workloads.artifacts import SMALL_BYTES, copied, measured

CLIENT = """
import json, sys, time
from pathlib import Path
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
run_id = client.create_run(client.create_experiment("files")).info.run_id
client.log_text(run_id, "warm", "warm")
found = {}
for source in map(Path, sys.argv[3:]):
    began = time.perf_counter()
    if source.is_file():
        client.log_artifact(run_id, str(source))
    else:
        client.log_artifacts(run_id, str(source), source.name)
    stored = time.perf_counter()
    client.download_artifacts(run_id, source.name, sys.argv[2])
    found[source.name] = {"up": stored - began, "down": time.perf_counter() - stored}
print(json.dumps(found))
"""


def main() -> None:
    """Measures both, one after the other, on the same disk."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.files", description=__doc__)
    parser.add_argument("mb", nargs="?", type=int, default=256)
    parser.add_argument("files", nargs="?", type=int, default=1000)
    parser.add_argument("--mlflow", type=Path, default=ENVIRONMENTS / "mlflow" / "bin" / "python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        folder = Path(name)
        large, small = folder / "large", folder / "small"
        with large.open("wb") as file:
            part = os.urandom(1 << 20)
            for _ in range(options.mb):
                file.write(part)
        small.mkdir()
        for number in range(options.files):
            (small / f"{number:05}").write_bytes(os.urandom(SMALL_BYTES))
        theirs = mlflow(options.mlflow, folder / "mlflow", [large, small])
        ours = {
            source.name: {part: told[part] for part in ("up", "down")}
            for source in (large, small)
            for told, _ in [measured(source, folder / f"down of {source.name}")]
        }
        print(json.dumps({"headrace": ours, "mlflow": theirs, "cp": copied(large, folder / "copy")}))


def mlflow(python: Path, folder: Path, sources: list[Path]) -> dict[str, dict[str, float]]:
    """What MLflow's client measures of its server."""
    (folder / "down").mkdir(parents=True)
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    port = free_port()
    serve = [str(python), "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    serve += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "a"),
    ]
    with (folder / "mlflow.log").open("wb") as log, ExitStack() as stack:
        server = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, env=own, start_new_session=True)
        stack.callback(end_group, server)
        wait_for(f"http://127.0.0.1:{port}/health", server, folder / "mlflow.log")
        paths = [str(path) for path in (folder / "down", *sources)]
        command = [str(python), "-c", CLIENT, f"http://127.0.0.1:{port}", *paths]
        env = own | {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
        done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
