"""A client of MLflow's REST API that sends what it is told to."""

import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

from headrace_ingest.http.mlflow.routes import API
from http_peer import Answer, ask


class Served(NamedTuple):
    port: int

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str | None) -> Answer:
        return await ask(self.port, method, target, body, **headers)

    async def post(self, path: str, **fields: Any) -> Any:
        answer = await self.send(path, fields)
        assert answer.status == 200, answer
        return answer.json

    async def send(self, path: str, fields: Any) -> Answer:
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        return await self.ask("POST", API + path, body, content_type="application/json")

    async def get(self, path: str, prefix: str = API, /, **fields: Any) -> Any:
        answer = await self.ask("GET", f"{prefix}{path}?{urlencode(fields, doseq=True)}")
        assert answer.status == 200, answer
        return answer.json

    async def run(self) -> str:
        made = await self.post("runs/create", experiment_id="0", start_time=5)
        run_id: str = made["run"]["info"]["run_id"]
        return run_id

    async def points(self, run_id: str, key: str) -> list[tuple[Any, ...]]:
        found = await self.get("metrics/get-history", run_id=run_id, metric_key=key)
        return [(each["timestamp"], each["step"], each["value"]) for each in found.get("metrics", [])]
