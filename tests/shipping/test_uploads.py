"""Uploads and downloads through connections that are cut anywhere."""

import errno
import hashlib
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_server import RUN, CuttingProxy, serving_artifacts, stored
from headrace.errors import RejectedError, UnavailableError
from headrace.files import incoming
from headrace.operation import RunOperation
from headrace.shipping.backoff import Backoff
from headrace.shipping.courier import Courier
from headrace.shipping.http import Head, Http
from headrace.shipping.uploads import Refused, Uploader
from headrace.spool.entry import Entry
from headrace.spool.pack import packed
from headrace.spool.spool import Limits, Spool
from headrace_proto.paths import MAX_PATH_NAME_BYTES
from small_disk import small_disk

CUTS = int(os.environ.get("HEADRACE_TEST_CUTS", "20"))
"""How often connections are cut. ``make test-artifacts`` says 100."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def server(store: Path) -> Iterator[str]:
    with serving_artifacts(store) as address:
        yield address


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.01)


def file_entry(data: bytes, path: str = "big.bin") -> Entry:
    return Entry(RUN, "file", len(data), hashlib.md5(data).hexdigest(), path)  # noqa: S324


def upload(uploader: Uploader, entry: Entry, data: Path) -> int:
    """Uploads, as often as it takes; how often that was."""
    attempts = 1
    while True:
        try:
            uploader.upload(entry, data)
        except UnavailableError:
            attempts += 1
        else:
            return attempts


def test_an_upload_that_is_cut_goes_on(tmp_path: Path, store: Path, server: str) -> None:
    content = random.Random(1).randbytes(CUTS * 200_000)
    data = tmp_path / "data"
    data.write_bytes(content)
    proxy = CuttingProxy(server, CUTS, 300_000, seed=2)
    uploader = Uploader(Http(lambda: proxy.address))
    assert upload(uploader, file_entry(content), data) > CUTS / 2
    assert not proxy.left
    assert (stored(store) / "big.bin").read_bytes() == content
    assert list((store / ".uploads").iterdir()) == []


def test_another_process_goes_on(tmp_path: Path, store: Path, server: str) -> None:
    content = random.Random(3).randbytes(3_000_000)
    data = tmp_path / "data"
    data.write_bytes(content)
    proxy = CuttingProxy(server, 1, 0, seed=4)
    sent: list[int] = []

    def stop_in_the_middle(count: int) -> None:
        sent.append(count)
        if len(sent) == 3:
            raise UnavailableError("killed")

    upload_once = Uploader(Http(lambda: server), stop_in_the_middle)
    with pytest.raises(UnavailableError):
        upload_once.upload(file_entry(content), data)
    upload_once.close()
    upload(Uploader(Http(lambda: proxy.address)), file_entry(content), data)
    assert (stored(store) / "big.bin").read_bytes() == content


def test_a_pack_that_is_cut_is_sent_again(tmp_path: Path, store: Path, server: str) -> None:
    body = b"".join(packed(f"d/{number}", str(number).encode() * 1000) for number in range(100))
    data = tmp_path / "data"
    data.write_bytes(body)
    proxy = CuttingProxy(server, 5, len(body), seed=5)
    upload(Uploader(Http(lambda: proxy.address)), Entry(RUN, "pack", len(body), "0" * 32), data)
    assert len(list((stored(store) / "d").iterdir())) == 100


def test_packs_of_many_calls_go_together(tmp_path: Path, store: Path, server: str) -> None:
    spool = Spool(tmp_path / "host", {"uri": "x"}, Limits(1.0, "raise"))

    def add(path: str, run_id: str = RUN) -> RunOperation:
        body = packed(path, path.encode())
        return spool.add(
            lambda size: Entry(run_id, "pack", size, "0" * 32), lambda target: target.write_bytes(body)
        )

    operations = [add(f"d/{number}") for number in range(40)]
    bad, other = add("d/7/in a file"), add("d/x", "f" * 32)
    operations += [add(f"d/{number}") for number in range(40, 100)]
    requests: list[str] = []

    class Counting(Http):
        def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[Head, bytes]:
            requests.append(target)
            return super().call(method, target, body, **headers)

    courier = Courier("x", lambda: server)
    courier._uploader = Uploader(Counting(lambda: server))
    assert courier.take_on(spool.folder, spool)
    assert [operation.exception(60) for operation in operations] == [None] * 100
    for refused in (bad, other):
        with pytest.raises(RejectedError):
            refused.wait(60)
    courier.stop()
    assert len(list((stored(store) / "d").iterdir())) == 100
    assert len(requests) < 60  # 42 of them alone, after they were refused together


def test_what_is_refused(tmp_path: Path, store: Path, server: str) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"abc")
    uploader = Uploader(Http(lambda: server))
    with pytest.raises(Refused) as nobody:
        uploader.upload(Entry("f" * 32, "file", 3, "0" * 32, "x"), data)
    assert nobody.value.code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(Refused) as hostile:
        uploader.upload(file_entry(b"abc", "../x"), data)
    assert hostile.value.code == "INVALID_PARAMETER_VALUE"
    assert not stored(store).exists()


def test_a_download_that_is_cut_goes_on(tmp_path: Path, store: Path, server: str) -> None:
    files = {f"small/{number}": random.Random(number).randbytes(20_000) for number in range(60)}
    files["big/a"] = random.Random(6).randbytes(CUTS * 200_000)
    for path, content in files.items():
        (stored(store) / path).parent.mkdir(parents=True, exist_ok=True)
        (stored(store) / path).write_bytes(content)
    proxy = CuttingProxy(server, CUTS, 400_000, seed=7)
    download = incoming.Download(Http(lambda: proxy.address), RUN, tmp_path / "down")
    assert download.get("") == tmp_path / "down"
    assert not proxy.left
    found = {
        path.relative_to(tmp_path / "down").as_posix(): path.read_bytes()
        for path in (tmp_path / "down").rglob("*")
        if path.is_file()
    }
    assert found == files


def test_what_a_process_left_of_a_download_is_used(tmp_path: Path, store: Path, server: str) -> None:
    content = random.Random(8).randbytes(2_000_000)
    stored(store).mkdir(parents=True)
    (stored(store) / "f").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / f".f.{sha256[:16]}.part").write_bytes(content[:1_900_000])
    # More than what is missing cannot come.
    proxy = CuttingProxy(server, 1000, 0, seed=0)
    proxy._random.randint = lambda *_: 110_000  # type: ignore[method-assign]
    incoming.Download(Http(lambda: proxy.address), RUN, tmp_path / "down").get("f")
    assert (tmp_path / "down" / "f").read_bytes() == content
    (tmp_path / "down" / f".f.{sha256[:16]}.part").write_bytes(b"x" * 1000)  # of no use
    incoming.Download(Http(lambda: server), RUN, tmp_path / "down").get("f")
    assert (tmp_path / "down" / "f").read_bytes() == content
    assert [path.name for path in (tmp_path / "down").iterdir()] == ["f"]


def test_damage_is_found(tmp_path: Path, store: Path, server: str) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"abc" * 1000)
    Uploader(Http(lambda: server)).upload(file_entry(b"abc" * 1000), data)
    with (stored(store) / "big.bin").open("r+b") as file:
        file.write(b"X")
    with pytest.raises(Exception, match="checksum is wrong"):
        incoming.Download(Http(lambda: server), RUN, tmp_path / "down").get("big.bin")
    assert list((tmp_path / "down").iterdir()) == []


def test_several_processes_download_into_one_folder(tmp_path: Path, store: Path, server: str) -> None:
    content = random.Random(7).randbytes(8 << 20)
    stored(store).mkdir(parents=True)
    (stored(store) / "weights").write_bytes(content)
    begin, paths = threading.Barrier(4), list[Path]()

    def download() -> None:
        begin.wait()
        paths.append(incoming.Download(Http(lambda: server), RUN, tmp_path / "to").get("weights"))

    ranks = [threading.Thread(target=download) for _ in range(4)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert len(paths) == 4
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["weights"]
    assert (tmp_path / "to" / "weights").read_bytes() == content


def test_several_processes_download_one_archive(tmp_path: Path, store: Path, server: str) -> None:
    stored(store).mkdir(parents=True)
    (stored(store) / "weights").write_bytes(bytes(4 << 20))
    begin, target = threading.Barrier(4), tmp_path / "run.tar"

    def download() -> None:
        begin.wait()
        incoming.Download(Http(lambda: server), RUN, tmp_path).archive("", target)
        done.append(target.stat().st_size)

    done: list[int] = []
    ranks = [threading.Thread(target=download) for _ in range(4)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert len(done) == 4
    assert len(set(done)) == 1


def test_nothing_is_left_of_an_archive_that_broke_off(tmp_path: Path, store: Path, server: str) -> None:
    stored(store).mkdir(parents=True)
    (stored(store) / "weights").write_bytes(bytes(4 << 20))
    proxy, to = CuttingProxy(server, 1000, 0, seed=0), tmp_path / "to"
    proxy._random.randint = lambda *_: 1_000_000  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        incoming.Download(Http(lambda: proxy.address), RUN, to).archive("", to / "run.tar")
    assert list(to.iterdir()) == []


@pytest.mark.parametrize("character", ["a", "é", "模", "🚀"])
def test_names_of_any_length_that_artifacts_have(
    character: str, tmp_path: Path, store: Path, server: str
) -> None:
    name = character * (MAX_PATH_NAME_BYTES // len(character.encode()))
    stored(store).mkdir(parents=True)
    (stored(store) / name).write_bytes(b"x")
    assert incoming.Download(Http(lambda: server), RUN, tmp_path / "to").get(name).read_bytes() == b"x"


def test_nothing_is_left_of_a_file_that_is_replaced_while_it_is_downloaded(
    tmp_path: Path, store: Path, server: str
) -> None:
    folder = stored(store)
    folder.mkdir(parents=True)
    (folder / "f").write_bytes(b"old" * 1_000_000)

    class Replaces(Http):
        def open(self, method: str, *arguments: Any) -> Any:
            if method == "GET":
                (folder / "new").write_bytes(b"new")
                (folder / "new").replace(folder / "f")
            return super().open(method, *arguments)

    path = incoming.Download(Replaces(lambda: server), RUN, tmp_path / "to").get("f")
    assert path.read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["f"]


@pytest.mark.parametrize("status", ["404 Not Found", "413 Payload Too Large", "400 Bad Request"])
def test_only_the_daemon_refuses_for_good(status: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(packed("a", b"x"))
    page = b"<html>default backend</html>"

    def proxy(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + page)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=proxy, args=(listener,), daemon=True).start()
        uploader = Uploader(Http(lambda: f"127.0.0.1:{listener.getsockname()[1]}"))
        with pytest.raises(UnavailableError):
            uploader.upload_packs(RUN, [data])


def test_nothing_is_left_where_a_disk_is_full(tmp_path: Path, store: Path, server: str) -> None:
    stored(store).mkdir(parents=True)
    for name in "ab":
        (stored(store) / name).write_bytes(b"x" * 100_000)
    with small_disk(tmp_path / "disk", "128k") as disk:
        with pytest.raises(OSError, match="No space") as full:
            incoming.Download(Http(lambda: server), RUN, disk / "to").get("")
        assert full.value.errno == errno.ENOSPC  # and not that the daemon is away
        assert [path.name for path in (disk / "to").iterdir()] == ["a"]
