"""Hostile requests to the daemon's HTTP side: names, links, hosts, origins, sizes."""

import hashlib
import json
import random
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

import hostile_paths
from artifact_server import RUN, Served, pack

OTHER = "f" * 32
UPLOAD = "a" * 32


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_names_stay_inside(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("what it holds")
    names = [
        *("..", "../x", "a/../../x", "/etc/passwd", "//etc/passwd", "a//b", "a/./b", "a/", "C:/x", "c:x"),
        *("%2e%2e/%2e%2e/secret", "%2e%2e%2fx", "..%2f..%2f..%2fsecret", "%00", "a%00b", "a%5cb", "..%5cx"),
        *(
            "con",
            "NUL.txt",
            "a/AUX",
            "x" * 4096,
            "a/" * 2000 + "a",
            "e%CC%81",
            "%ff",
            "%c0%ae%c0%ae/x",
            "a%0ab",
        ),
        *("a.", "a%20", "%ef%bf%bd", "%2fetc%2fpasswd", "%e2%80%ae/..", "....//x"),
    ]
    for name in names:
        for method in ("PUT", "GET", "DELETE"):
            answer = await served.ask(method, f"artifacts/{name}", b"x" if method == "PUT" else b"")
            assert answer.status in (400, 404, 405), (method, name, answer)
            assert b"what it holds" not in answer.body
        listed = await served.ask("GET", f"artifacts?path={name}")
        assert listed.status in (200, 400), (name, listed)
        if listed.status == 200:
            assert listed.json == {"files": []}
        told = json.dumps({"path": name, "sha256": sha256(b""), "size": 0}).encode()
        if "%" not in name:
            assert (await served.ask("POST", f"uploads/{UPLOAD}", told)).status == 400
    # Twice encoded is once decoded: a funny name, and a file inside.
    assert (await served.ask("PUT", "artifacts/%252e%252e%252fx", b"x")).status == 200
    assert served.files() == [f"0/{RUN}/artifacts/%2e%2e%2fx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "store"]


@pytest.mark.parametrize("kind", [*hostile_paths.CLASSES, "raw"])
async def test_each_kind_of_name_on_each_route(served: Served, tmp_path: Path, kind: str) -> None:
    """Nothing is stored or read, nothing fails: by our routes, in bodies, and as MLflow's clients ask."""
    (tmp_path / "secret").write_text("what it holds")
    (tmp_path / "a").write_text("what it holds")
    if kind == "raw":
        targets, bodies = list(hostile_paths.RAW), []
    else:
        bodies = list(hostile_paths.CLASSES[kind])
        targets = [quote(path, safe=safe) for path in bodies for safe in ("", "/.")]
        targets = [target for target in targets if target and len(target) < 8000]
    asked = []
    for target in targets:
        for method in ("PUT", "GET", "DELETE"):
            body = b"x" if method == "PUT" else b""
            asked += [(target, await served.ask(method, f"artifacts/{target}", body))]
            if method == "PUT" and target.rstrip("/") and not unquote(target).endswith("/"):  # MLflow's may
                asked += [(target, await served.ask_as_mlflow(method, target, body))]
        for route in ("artifacts?deep=1&path=", "artifact-archive?path="):
            answer = await served.ask("GET", route + target)
            assert answer.status in (200, 400), (route, target, answer)
            assert answer.status == 400 or not answer.body.strip(b"\0").replace(b'{"files":[]}', b"")
        for method in ("GET", "DELETE"):
            answer = await served.ask_as_mlflow(method, target)
            assert answer.status in (200, 400, 404), (method, target, answer)
            assert b"what it holds" not in answer.body
    for path in bodies:
        told = json.dumps({"path": path, "sha256": sha256(b""), "size": 0}).encode()
        asked += [(path, await served.ask("POST", f"uploads/{UPLOAD}", told))]
        asked += [(path, await served.ask("POST", "artifact-pack", pack(**{"good": b"x", path: b"x"})))]
    for target, answer in asked:
        assert answer.status in (400, 404, 405), (target, answer)
        assert b"what it holds" not in answer.body
    assert (served.files(), served.uploads()) == ([], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "secret", "store"]


async def test_funny_names_are_names(served: Served, tmp_path: Path) -> None:
    """However it is encoded once, it is one file, inside, and comes back; also as MLflow's clients ask."""
    for number, path in enumerate(hostile_paths.FUNNY):
        target = quote(path, safe="/" if number % 2 else "")
        assert (await served.ask("PUT", f"artifacts/{target}", b"x")).json["path"] == path
        assert (await served.ask_as_mlflow("GET", target)).body == b"x"
    found = [f"0/{RUN}/artifacts/{path}" for path in hostile_paths.FUNNY]
    assert served.files() == sorted(found)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("where", ["artifacts", "artifacts/in"])
async def test_links_are_not_followed(served: Served, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("kept")
    link = served.root / "0" / RUN / where
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    inside = where.removeprefix("artifacts").lstrip("/")
    path = f"artifacts/{inside}/f".replace("//", "/")
    assert (await served.ask("GET", path)).status == 404
    assert (await served.ask("PUT", path, b"x")).status == 400
    assert (
        await served.ask("POST", "artifact-pack", pack(**{path.removeprefix("artifacts/"): b"x"}))
    ).status == 400
    assert (await served.ask("DELETE", path)).json == {"deleted": False}
    assert (await served.ask("GET", "artifact-archive")).body == bytes(1024)
    assert (outside / "f").read_text() == "kept"


async def test_whose_name_is_called(served: Served) -> None:
    own = (
        "localhost",
        f"127.0.0.1:{served.port}",
        "[::1]",
        "10.1.2.3:80",
        "daemon.example:7080",
        "DAEMON.example",
    )
    for host in own:
        assert (await served.ask("GET", "artifacts", host=host)).status == 200, host
    others = ("evil.example", "", "localhost.evil.example", "evil.example@localhost", "localhost:x", None)
    for other in others:
        assert (await served.ask("GET", "artifacts", host=other)).status in (400, 403), other
    page = f"http://127.0.0.1:{served.port}"
    assert (await served.ask("GET", "artifacts", origin=page)).status == 200
    for origin in ("http://evil.example", "null", page + "0", "file://", "http://["):
        assert (await served.ask("PUT", "artifacts/f", b"x", origin=origin)).status == 403
    assert (await served.ask("GET", "artifacts", sec_fetch_site="cross-site")).status == 403
    assert served.files() == []


async def test_bodies_are_bounded(served: Served) -> None:
    assert (await served.ask("PUT", "artifacts/f", bytes((1 << 20) + 1))).status == 413
    assert (await served.ask("PATCH", f"uploads/{UPLOAD}", bytes(1 << 20), upload_offset="0")).status == 204
    assert (await served.ask("PATCH", f"uploads/{UPLOAD}", b"x", upload_offset=str(1 << 20))).status == 413
    assert served.files() == []


async def test_a_fuzz_of_paths(served: Served, tmp_path: Path) -> None:
    """Whatever is made of these, and however often it is encoded: what is stored is inside."""
    rng = random.Random(11)
    parts = [
        "..",
        ".",
        "",
        "a",
        "é",
        "e\u0301",
        "con",
        "\0",
        "\\",
        "C:",
        "~",
        "%",
        "/",
        "\u202e",
        "x" * 255,
        "aux.txt",
    ]
    parts += [
        ".uploads",
        "artifacts",
        RUN,
        "0",
        "\ufffd",
        " ",
        "a.",
        "?",
        "#",
        ";",
        "*",
        "\r\n",
        "\u2025",
        "\uff0e\uff0e",
    ]
    (tmp_path / "canary").write_text("canary")
    stored = set()
    for _ in range(200):
        path = rng.choice(["/", "%2f", "\\"]).join(rng.choices(parts, k=rng.randint(1, 5)))
        target = path
        for _ in range(rng.randint(1, 3)):
            target = quote(target, safe=rng.choice(["", "/", "/%."]))
        answer = await served.ask("PUT", f"artifacts/{target}", b"x")
        assert answer.status in (200, 400, 404, 405), (target, answer)
        if answer.status == 200:
            stored.add(answer.json["path"])
        for method, where in (("GET", "artifacts/"), ("DELETE", "artifacts/../"), ("GET", "artifacts?path=")):
            assert (await served.ask(method, where + target)).status in (200, 400, 404, 405)
    assert stored
    prefix = f"0/{RUN}/artifacts/"
    assert set(served.files()) <= {prefix + path for path in stored}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "store"]
    assert sorted(path.name for path in served.root.iterdir()) == [".uploads", "0"]
    assert served.uploads() == []
