"""Artifacts over HTTP, on a real server and a real folder."""

import asyncio
import hashlib
import io
import json
import os
import random
import socket
import struct
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from headrace_ingest.activity import Activity
from headrace_ingest.artifacts import Artifacts
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.server import HttpServer
from headrace_ingest.ports import reserve
from headrace_storage.errors import CatalogUnavailableError, NotFoundError
from headrace_storage.objects import Locations
from http_peer import Answer, ask

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
UPLOAD = "a" * 32


class FakeRuns:
    up = True

    async def artifact_uri(self, run_id: str) -> str:
        if run_id == RUN:
            return f"headrace-artifacts:/0/{RUN}/artifacts"
        raise NotFoundError("run", run_id)

    async def reachable(self) -> None:
        if not self.up:
            raise CatalogUnavailableError("it is away")


class Served(NamedTuple):
    port: int
    root: Path
    runs: FakeRuns

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
        return await ask(self.port, method, f"/api/headrace/v1/runs/{RUN}/{path}", body, **headers)

    def files(self) -> list[str]:
        """Everything that is in the store, but for its folder of uploads."""
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return sorted(path for path in found if not path.startswith(".uploads/"))

    def uploads(self) -> list[str]:
        """What is on its way, or was left."""
        return [path.name for path in (self.root / ".uploads").iterdir()]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    runs: Any = FakeRuns()
    root = tmp_path / "store"
    routes = ArtifactRoutes(Artifacts(Locations(root), {"runs": runs.artifact_uri}), 1 << 20).routes()
    app = application(routes, runs.reachable, Hosts(["daemon.example"]), Activity())
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        server = HttpServer(app, "127.0.0.1", port, 1)
        await server.start()
        yield Served(port, root, runs)
        await server.stop()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_a_file_up_and_down(served: Served) -> None:
    data = random.Random(1).randbytes(300_000)
    assert (await served.ask("PUT", "artifacts/models/w%20%C3%A9.bin", data)).status == 200
    down = await served.ask("GET", "artifacts/models/w%20%C3%A9.bin")
    assert (down.status, down.body) == (200, data)
    assert down.headers["etag"] == f'"{sha256(data)}"'
    assert down.headers["content-type"] == "application/octet-stream"
    assert down.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in down.headers["content-security-policy"]
    head = await served.ask("HEAD", "artifacts/models/w%20%C3%A9.bin")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "300000")
    assert served.files() == [f"0/{RUN}/artifacts/models/w é.bin"]
    assert (await served.ask("GET", "artifacts/models")).status == 404
    assert (await served.ask("GET", "artifacts/none")).json["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-", 5, 100), ("bytes=-7", 93, 100), ("bytes=90-1000", 90, 100)],
)
async def test_ranges(served: Served, asked: str, first: int, end: int) -> None:
    data = bytes(range(100))
    await served.ask("PUT", "artifacts/f", data)
    part = await served.ask("GET", "artifacts/f", range=asked)
    assert (part.status, part.body) == (206, data[first:end])
    assert part.headers["content-range"] == f"bytes {first}-{end - 1}/100"
    stale = await served.ask("GET", "artifacts/f", range=asked, if_range='"another"')
    assert (stale.status, stale.body) == (200, data)


async def test_ranges_that_are_none(served: Served) -> None:
    await served.ask("PUT", "artifacts/f", b"x" * 100)
    beyond = await served.ask("GET", "artifacts/f", range="bytes=100-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */100")
    for nonsense in ("bytes=5-1", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=" + "9" * 50 + "-"):
        assert (await served.ask("GET", "artifacts/f", range=nonsense)).status == 200
    whole = await served.ask("GET", "artifacts/f")
    fresh = await served.ask("GET", "artifacts/f", if_none_match=whole.headers["etag"])
    assert (fresh.status, fresh.body) == (304, b"")


async def test_what_is_in_a_folder(served: Served) -> None:
    for path in ("a.txt", "b/c.txt", "b/d/e.txt"):
        await served.ask("PUT", f"artifacts/{path}", path.encode())
    (served.root / "0" / RUN / "artifacts" / "link").symlink_to("/etc/passwd")
    top = (await served.ask("GET", "artifacts")).json["files"]
    assert top == [
        {"path": "a.txt", "is_dir": False, "file_size": 5},
        {"path": "b", "is_dir": True, "file_size": None},
    ]
    deep = (await served.ask("GET", "artifacts?path=b&deep=1")).json["files"]
    assert [file["path"] for file in deep] == ["b/c.txt", "b/d/e.txt"]
    assert (await served.ask("GET", "artifacts?path=a.txt")).json == {"files": []}
    assert (await served.ask("GET", "artifacts?path=none")).json == {"files": []}
    assert (await served.ask("GET", "artifacts/link")).status == 404


async def test_deleting(served: Served) -> None:
    for path in ("a", "b/c", "b/d/e"):
        await served.ask("PUT", f"artifacts/{path}", b"x")
    assert (await served.ask("DELETE", "artifacts/b")).json == {"deleted": True}
    assert (await served.ask("DELETE", "artifacts/b")).json == {"deleted": False}
    assert served.files() == [f"0/{RUN}/artifacts/a"]
    assert (await served.ask("DELETE", "artifacts")).json == {"deleted": True}
    assert (served.files(), served.uploads()) == ([], [])


async def test_an_upload_in_pieces_with_cuts(served: Served) -> None:
    data, rng = random.Random(7).randbytes(400_000), random.Random(8)
    offset = 0
    while offset < len(data):
        count = rng.randint(1, 100_000)
        # Promises all of the rest, and goes away in the middle.
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = f"PATCH /api/headrace/v1/runs/{RUN}/uploads/{UPLOAD} HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Upload-Offset: {offset}\r\nContent-Length: {len(data) - offset}\r\n\r\n"
        writer.write(head.encode() + data[offset : offset + count])
        await writer.drain()
        if offset + count < len(data):
            writer.close()
        else:
            await reader.readline()
            writer.close()
        while True:
            found = await served.ask("PATCH", f"uploads/{UPLOAD}", upload_offset=str(1 << 30))
            if found.status == 409:
                break
            assert found.status == 423  # the one that was cut is not known to be gone
            await asyncio.sleep(0.01)
        offset = int(found.headers["upload-offset"])
    assert int((await served.ask("GET", f"uploads/{UPLOAD}")).headers["upload-offset"]) == len(data)
    assert served.files() == []
    told = {"path": "big.bin", "sha256": sha256(data), "size": len(data), "type": "model/onnx"}
    for _ in range(2):  # an answer that was lost
        assert (await served.ask("POST", f"uploads/{UPLOAD}", json.dumps(told).encode())).status == 200
    down = await served.ask("GET", "artifacts/big.bin")
    assert (sha256(down.body), down.headers["content-type"]) == (sha256(data), "model/onnx")


async def test_what_is_not_what_was_meant_is_not_stored(served: Served) -> None:
    await served.ask("PATCH", f"uploads/{UPLOAD}", b"abc", upload_offset="0")
    told = {"path": "f", "sha256": sha256(b"abd"), "size": 3}
    short = json.dumps(told | {"size": 4}).encode()
    assert (await served.ask("POST", f"uploads/{UPLOAD}", short)).headers["upload-offset"] == "3"
    assert (await served.ask("POST", f"uploads/{UPLOAD}", json.dumps(told).encode())).status == 422
    assert (await served.ask("GET", f"uploads/{UPLOAD}")).headers["upload-offset"] == "0"
    wrong = await served.ask("PUT", "artifacts/f", b"abc", repr_digest="sha-256=:" + "A" * 43 + "=:")
    assert wrong.status == 422
    assert (served.files(), served.uploads()) == ([], [])


def pack(**files: bytes) -> bytes:
    body = b""
    for path, data in files.items():
        head = json.dumps({"path": path, "size": len(data), "sha256": sha256(data)}).encode()
        body += struct.pack("<I", len(head)) + head + data
    return body


async def test_many_small_files_at_once(served: Served) -> None:
    files = {f"d{number % 3}/{number}": str(number).encode() for number in range(50)}
    assert (await served.ask("POST", "artifact-pack", pack(**files))).json == {"files": 50}
    assert len(served.files()) == 50
    assert (await served.ask("GET", "artifacts/d1/7")).body == b"7"
    for broken in (b"\xff\xff\xff\xff", pack(a=b"abc")[:-1], b"\x02\0\0\0[]", pack(**{"../a": b"x"})):
        assert (await served.ask("POST", "artifact-pack", broken)).status == 400
    assert len(served.files()) == 50


async def test_a_folder_as_an_archive(served: Served) -> None:
    files = {
        f"m/{number}/é{'x' * 150}": random.Random(number).randbytes(number * 1000) for number in range(9)
    }
    await served.ask("POST", "artifact-pack", pack(**files))
    answer = await served.ask("GET", "artifact-archive")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        assert {name: file.read() for name, file in found.items() if file} == files
        assert all(member.pax_headers["HEADRACE.sha256"] for member in tar)
    first = min(files)
    part = await served.ask("GET", f"artifact-archive?path=m&after={quote(first)}&below=4000")
    with tarfile.open(fileobj=io.BytesIO(part.body)) as tar:
        assert tar.getnames() == sorted(files)[1:4]


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


async def test_a_file_in_the_way_of_a_folder_and_back(served: Served) -> None:
    await served.ask("PUT", "artifacts/a", b"x")
    assert (await served.ask("PUT", "artifacts/a/b", b"x")).status == 400
    await served.ask("PUT", "artifacts/d/e", b"x")
    assert (await served.ask("PUT", "artifacts/d", b"x")).status == 400
    assert served.uploads() == []


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
    for origin in ("http://evil.example", "null", page + "0", "file://"):
        assert (await served.ask("PUT", "artifacts/f", b"x", origin=origin)).status == 403
    assert (await served.ask("GET", "artifacts", sec_fetch_site="cross-site")).status == 403
    assert served.files() == []


async def test_bodies_are_bounded(served: Served) -> None:
    assert (await served.ask("PUT", "artifacts/f", bytes((1 << 20) + 1))).status == 413
    assert (await served.ask("PATCH", f"uploads/{UPLOAD}", bytes(1 << 20), upload_offset="0")).status == 204
    assert (await served.ask("PATCH", f"uploads/{UPLOAD}", b"x", upload_offset=str(1 << 20))).status == 413
    assert served.files() == []


async def test_routes_and_runs_that_are_none(served: Served) -> None:
    nowhere = await ask(served.port, "GET", "/api/headrace/v1/nothing")
    assert (nowhere.status, nowhere.json["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert (await served.ask("POST", "artifacts")).status == 405
    assert (await ask(served.port, "GET", f"/api/headrace/v1/others/{RUN}/artifacts")).status == 404
    for run in (OTHER, "x", "..", "%00"):
        answer = await ask(served.port, "GET", f"/api/headrace/v1/runs/{run}/artifacts")
        assert answer.status == 404, run
    for upload in ("..", "A" * 32, "a" * 31, "x"):
        assert (await served.ask("GET", f"uploads/{upload}")).status in (400, 404)


async def test_how_the_daemon_is(served: Served) -> None:
    assert (await ask(served.port, "GET", "/healthz", host="any.name")).status == 200
    assert (await ask(served.port, "GET", "/readyz")).status == 200
    FakeRuns.up = False
    try:
        assert (await ask(served.port, "GET", "/readyz")).status == 503
    finally:
        FakeRuns.up = True


async def test_answers_leave_at_once(served: Served) -> None:
    """TCP_NODELAY on what the server accepted: seen from inside, where the test's loop serves too."""
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    mine = writer.get_extra_info("sockname")
    while True:
        for path in Path("/proc/self/fd").iterdir():
            try:
                peer = socket.socket(fileno=os.dup(int(path.name)))
            except OSError:
                continue
            with peer:
                try:
                    if peer.family == socket.AF_INET and peer.getpeername() == mine:
                        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                        writer.close()
                        return
                except OSError:
                    continue
        await asyncio.sleep(0.01)


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
