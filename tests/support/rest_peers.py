"""Two servers that are asked the same by raw requests, and what must be equal of their answers."""

import json
import re
import urllib.error
import urllib.request
from functools import reduce
from typing import Any, Final
from urllib.parse import quote, urlencode

from headrace_ingest.http.mlflow.routes import API, PAGES

BEGIN: Final = 1_700_000_000_000

_OF_A_SERVER: Final = {"sqlstate", "error_class", "message", "workspace"}
"""What only MLflow's has, or what is for people."""

_TIMES: Final = {
    "creation_time",
    "last_update_time",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
    "creation_timestamp",
    "last_updated_timestamp",
}


class Peer:
    """One of the two, and the ids that it gave."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.names: dict[str, str] = {}
        self.asked: set[str] = set()

    def ask(self, method: str, path: str, fields: Any, content_type: str = "application/json") -> Any:
        """Status and body; ``$name`` is an id that was given before, ``{x}`` in a path is ``fields[x]``."""
        self.asked.add(f"{method} {path}")
        if "{" in path:
            fields = dict(fields)
            path = re.sub(r"\{(\w+)\}", lambda match: quote(str(fields.pop(match[1]))), path)
        path = self._filled(path)
        if not isinstance(fields, bytes):
            fields = json.loads(self._filled(json.dumps(fields)))
        target, body = f"{self.uri}{path}", None
        if method == "GET" and fields:
            target += "?" + urlencode(fields, doseq=True)
        elif method != "GET":
            body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        request = urllib.request.Request(target, body, method=method)  # noqa: S310
        request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read()
            return error.code, json.loads(said) if said.startswith(b"{") else said

    def _filled(self, text: str) -> str:
        for name, id_ in self.names.items():
            text = re.sub(rf"(\$|%24){name}\b", id_, text)
        return text

    def plain(self, value: Any, key: str = "") -> Any:
        """A body without what differs from server to server."""
        if isinstance(value, dict):
            if key == "data" and "metrics" in value:
                value = value | {"metrics": sorted(value["metrics"], key=lambda metric: metric["key"])}
            return {name: self.plain(each, name) for name, each in value.items() if name not in _OF_A_SERVER}
        if isinstance(value, list):
            each = [self.plain(one, key) for one in value]
            return sorted(each, key=json.dumps) if key in {"tags", "params", "aliases"} else each
        if key in _TIMES and isinstance(value, int) and value > BEGIN:
            return "a time"
        return self._named(value, key) if isinstance(value, str) else value

    def _named(self, value: str, key: str) -> str:
        if key == "next_page_token" or re.fullmatch(r"[a-z]+-[a-z]+-[0-9]{1,4}|model-[0-9a-f]{8}", value):
            return "a token or a name"
        if key == "experiment_id" and value not in self.names.values():
            return "an experiment"
        for name, id_ in self.names.items():
            value = (
                value.replace(id_, f"${name}")
                if len(id_) >= 32 or (key == "experiment_id" and value == id_)
                else value
            )
        return re.sub("[0-9a-f]{32}", "an id", re.sub("(mlflow-artifacts:/)[0-9]+(?=/|$)", r"\1N", value))


class Both:
    """Asks both the same."""

    def __init__(self, ours: Peer, theirs: Peer) -> None:
        self.peers = ours, theirs
        self.differing: list[Any] = []

    def remember(self, name: str, answers: Any, *place: str) -> None:
        """The ids that both gave are ``$name`` from now on."""
        for peer, (status, body) in zip(self.peers, answers, strict=True):
            assert status == 200, body
            peer.names[name] = reduce(lambda within, step: within[step], place, body)

    def post(self, path: str, fields: Any = None, **options: str) -> Any:
        return self.same("POST", API + path, {} if fields is None else fields, **options)

    def get(self, path: str, prefix: str = API, /, **fields: Any) -> Any:
        return self.same("GET", prefix + path, fields)

    def ask(self, method: str, path: str, /, **fields: Any) -> Any:
        return self.same(method, API + path, fields)

    def stricter(self, method: str, path: str, fields: Any) -> None:
        """MLflow answers 200 and leaves out what it cannot read, and the rest; Headrace refuses it."""
        (ours, _), (theirs, _) = self.unlike(method, path, fields)
        assert (ours, theirs) == (400, 200), (path, fields)

    def fails_there(self, method: str, path: str, fields: Any, status: int = 400) -> None:
        """MLflow answers 500, at which clients send again; Headrace says that it is the user's error."""
        (ours, _), (theirs, _) = self.unlike(method, path, fields)
        assert (ours, theirs) == (status, 500), (path, fields)

    def unlike(self, method: str, path: str, fields: Any) -> Any:
        """Both answers, which nobody compares."""
        return [peer.ask(method, API + path, fields) for peer in self.peers]

    def same(self, method: str, path: str, fields: Any, **options: str) -> Any:
        answers = [peer.ask(method, path, fields, **options) for peer in self.peers]
        ours, theirs = (
            (status, peer.plain(body)) for peer, (status, body) in zip(self.peers, answers, strict=True)
        )
        if ours != theirs:
            self.differing.append((method, path, fields, ours, theirs))
        return answers


def is_of_models(path: str) -> bool:
    """Whether a route is of datasets, logged models or the registry."""
    return (
        path.startswith((API, PAGES))
        and not path.endswith("/artifacts/files")  # no JSON
        and re.search("models|model-versions|log-model|datasets|inputs|outputs", path) is not None
    )
