"""A client of MLflow's REST API that costs next to nothing: what is measured is the server."""

import http.client
import json
import math
import socket
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

BEGIN: Final = 1_700_000_000_000


class Connection:
    """One, to a server of this machine."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> Any:
        """What is answered to a POST."""
        return json.loads(self.tell(path, body))

    def get(self, path: str, **fields: str) -> Any:
        """What is answered to a GET."""
        return json.loads(self.ask(path, **fields))

    def tell(self, path: str, body: bytes) -> bytes:
        """The same, as it came; it must be good."""
        return self._answer("POST", path, body)

    def ask(self, path: str, **fields: str) -> bytes:
        """The same, as it came; it must be good."""
        return self._answer("GET", f"{path}?{urlencode(fields)}", None)

    def run(self, experiment: str = "0") -> str:
        """A new run's id."""
        run_id: str = self.post("runs/create", encoded({"experiment_id": experiment, "start_time": BEGIN}))[
            "run"
        ]["info"]["run_id"]
        return run_id

    def history(self, run: str, key: str) -> list[Any]:
        """All points of a metric."""
        points: list[Any] = self.get("metrics/get-history", run_id=run, metric_key=key)["metrics"]
        return points

    def send(self, batches: Sequence[bytes]) -> list[int]:
        """Sends each as a log-batch when the one before is answered: the microseconds of each."""
        samples = []
        for body in batches:
            began = perf_counter()
            self.post("runs/log-batch", body)
            samples.append(int((perf_counter() - began) * 1e6))
        return samples

    def _answer(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"}
        self._connection.request(method, f"/api/2.0/mlflow/{path}", body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data


def bodies(run: str, batches: int, keys: int, points: int) -> Iterator[bytes]:
    """Batches of so many points each, a step of all keys after the other."""
    for start in range(0, batches * points, points):
        metrics = [
            {
                "key": f"m{number % keys}",
                "value": math.sin(number),
                "timestamp": BEGIN + number,
                "step": number // keys,
            }
            for number in range(start, start + points)
        ]
        yield encoded({"run_id": run, "metrics": metrics})


def encoded(body: dict[str, Any]) -> bytes:
    """As MLflow's client does it."""
    return json.dumps(body).encode()
