"""Downloads from a daemon that says whatever it likes: nothing is written outside of the folder."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import hostile_paths
from headrace.errors import HeadraceError
from headrace.files import incoming
from headrace.shipping.backoff import Backoff
from headrace.shipping.http import Http

RUN = "f" * 32
DATA = b"of the daemon"
KEPT = b"more than the daemon tells of"
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Hostile:
    """What it answers."""

    listing: Any = field(default_factory=lambda: {"files": []})
    archive: bytes = b""
    etag: str = SHA256
    size: str = str(len(DATA))
    data: bytes = DATA
    address: str = ""


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)
    hostile = Hostile()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            if "/artifacts/" in self.path:
                self.answer(200, hostile.size)
            else:
                self.answer(404, "0")

        def do_GET(self) -> None:
            if "artifact-archive" in self.path:
                body = hostile.archive
            elif "/artifacts?" in self.path or self.path.endswith("/artifacts"):
                body = json.dumps(hostile.listing).encode()
            else:
                body = hostile.data
            self.answer(200, str(len(body)))
            self.wfile.write(body)

        def answer(self, status: int, size: str) -> None:
            self.send_response(status)
            self.send_header("ETag", f'"{hostile.etag}"')
            self.send_header("Content-Length", size)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hostile.address = f"127.0.0.1:{server.server_address[1]}"
    yield hostile
    server.shutdown()
    server.server_close()
    thread.join()


def get(daemon: Hostile, folder: Path, path: str = "") -> Path:
    return incoming.Download(Http(lambda: daemon.address), RUN, folder / "in").get(path)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def listed(*paths: Any, size: Any = 13) -> dict[str, Any]:
    return {"files": [{"path": path, "is_dir": False, "file_size": size} for path in paths]}


@pytest.mark.parametrize("kind", hostile_paths.CLASSES)
def test_names_in_a_listing(daemon: Hostile, tmp_path: Path, kind: str) -> None:
    for size in (len(DATA), 2 << 20):  # in an archive, and each by itself
        for path in hostile_paths.CLASSES[kind]:
            daemon.listing = listed("good", path, size=size)
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
                info = tarfile.TarInfo(path)
                info.size, info.pax_headers = len(DATA), {"HEADRACE.sha256": SHA256}
                tar.addfile(info, io.BytesIO(DATA))
            daemon.archive = packed.getvalue()
            with pytest.raises(HeadraceError):
                get(daemon, tmp_path)
    assert tree(tmp_path) == {}


def test_an_archive_of_what_was_not_asked_for(daemon: Hostile, tmp_path: Path) -> None:
    """Names that no listing had, members that are links, and names that lead out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for kind, name in ((tarfile.SYMTYPE, "a"), (tarfile.LNKTYPE, "b")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../outside"
            tar.addfile(info)
        for name in ("a", "b", "a/../../outside", "../outside", "/outside", "other"):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(DATA), {"HEADRACE.sha256": SHA256}
            tar.addfile(info, io.BytesIO(DATA))
    daemon.listing, daemon.archive = listed("a", "b"), packed.getvalue()
    get(daemon, tmp_path)
    assert tree(tmp_path) == {"in/a": DATA, "in/b": DATA}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "etag",
    [
        "",
        "x",
        "A" * 64,
        f"{SHA256}0",
        "x/../../victim",
        "/../../victim",
        "../../../../../victim",
        "\\..\\victim",
    ],
)
def test_a_checksum_that_is_a_path(daemon: Hostile, tmp_path: Path, etag: str) -> None:
    """It becomes a part of the name of a file that is not whole yet."""
    (tmp_path / "victim.part").write_bytes(KEPT)
    (tmp_path / "in" / ".f.x").mkdir(parents=True)
    daemon.etag = etag
    with pytest.raises(HeadraceError):
        get(daemon, tmp_path, "f")
    assert tree(tmp_path) == {"victim.part": KEPT}


def test_what_is_not_below_what_was_asked_for(daemon: Hostile) -> None:
    """Somebody who gets ``plots`` into a folder does not have train.py replaced there."""
    daemon.listing = listed("train.py", size=2 << 20)
    with pytest.raises(HeadraceError, match=r"asked for 'plots', the daemon names 'train.py'"):
        incoming.listing(Http(lambda: daemon.address), RUN, "plots")


@pytest.mark.parametrize(
    "listing", [[], {}, {"files": [1]}, {"files": 5}, listed(size="many"), {"files": [{}]}]
)
def test_a_listing_that_is_none(daemon: Hostile, tmp_path: Path, listing: Any) -> None:
    daemon.listing = listed("f", size="many") if listing == listed(size="many") else listing
    with pytest.raises(HeadraceError):
        get(daemon, tmp_path)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("size", ["-1", "many", str(len(DATA) - 1), str(len(DATA) + 1)])
def test_sizes_that_are_wrong(daemon: Hostile, tmp_path: Path, size: str) -> None:
    """What has another size, or goes on and on, is not what was stored."""
    daemon.size = size
    daemon.data = DATA * 1000 if size == str(len(DATA) - 1) else DATA
    with pytest.raises(HeadraceError):
        get(daemon, tmp_path, "f")
    left = tree(tmp_path)
    assert not [name for name in left if not name.endswith(".part")]
    assert all(len(data) <= len(DATA) for data in left.values())


def test_an_honest_one(daemon: Hostile, tmp_path: Path) -> None:
    daemon.listing = listed("a/b", size=2 << 20)
    assert (get(daemon, tmp_path) / "a" / "b").read_bytes() == DATA
