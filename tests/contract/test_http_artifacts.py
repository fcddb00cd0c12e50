"""Artifacts over HTTP, on a real server and a real folder."""

import asyncio
import hashlib
import io
import json
import os
import random
import socket
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from artifact_server import RUN, OneRun, Served, pack
from headrace_storage.objects import Reading
from http_peer import ask

OTHER = "f" * 32
UPLOAD = "a" * 32


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
    replaced = await served.ask("GET", "artifacts/f", range="bytes=100-", if_range='"another"')
    assert (replaced.status, replaced.body) == (200, b"x" * 100)
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


async def test_a_file_in_the_way_of_a_folder_and_back(served: Served) -> None:
    await served.ask("PUT", "artifacts/a", b"x")
    assert (await served.ask("PUT", "artifacts/a/b", b"x")).status == 400
    await served.ask("PUT", "artifacts/d/e", b"x")
    assert (await served.ask("PUT", "artifacts/d", b"x")).status == 400
    assert served.uploads() == []


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
    OneRun.up = False
    try:
        assert (await ask(served.port, "GET", "/readyz")).status == 503
    finally:
        OneRun.up = True


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


async def test_nothing_is_read_for_a_client_that_is_gone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.ask("PUT", "artifacts/small", b"x")
    with (served.root / "0" / RUN / "artifacts" / "big").open("wb") as file:
        file.truncate(256 << 20)
    await served.ask("HEAD", "artifacts/big")
    closed, chunks, read = asyncio.Event(), 0, Reading.read

    def counted(reading: Reading, offset: int, count: int) -> bytes:
        nonlocal chunks
        chunks += 1
        return read(reading, offset, count)

    def close(reading: Reading) -> None:
        os.close(reading._descriptor)
        closed.set()

    monkeypatch.setattr(Reading, "read", counted)
    monkeypatch.setattr(Reading, "close", close)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"GET /api/headrace/v1/runs/{RUN}/artifacts/big HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    assert await reader.read(1000)
    writer.close()
    await asyncio.wait_for(closed.wait(), 60)
    assert chunks < 128
