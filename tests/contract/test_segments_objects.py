"""What every object store promises."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_storage.objects import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "not" / "there" / "yet")


async def test_an_object_is_what_was_put_last(store: LocalStore) -> None:
    await store.put("segments/00000001/a.parquet", b"one")
    await store.put("segments/00000001/a.parquet", memoryview(b"another"))
    assert await store.get("segments/00000001/a.parquet") == b"another"
    assert store.local_path("segments/00000001/a.parquet").read_bytes() == b"another"


async def test_a_missing_object(store: LocalStore) -> None:
    with pytest.raises(FileNotFoundError):
        await store.get("a/b")
    with pytest.raises(FileNotFoundError):
        await store.delete("a/b")
    await store.delete("a/b", missing_ok=True)


async def test_a_deleted_object_is_gone(store: LocalStore) -> None:
    await store.put("a/b", b"")
    await store.delete("a/b")
    with pytest.raises(FileNotFoundError):
        await store.get("a/b")


async def test_a_prefix_lists_its_folder_and_what_crashes_left(store: LocalStore) -> None:
    for path in ("s/1/b", "s/1/a", "s/2/c"):
        await store.put(path, b"x")
    store.local_path("s/1/d.tmp").write_bytes(b"half")
    assert list(await store.list("s/1/")) == ["s/1/a", "s/1/b", "s/1/d.tmp"]
    assert list(await store.list("s/")) == ["s/1/a", "s/1/b", "s/1/d.tmp", "s/2/c"]
    assert list(await store.list("s/3/")) == []


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a\0b", "a\\b", "a/"]
)
async def test_names_stay_inside(store: LocalStore, path: str) -> None:
    for refused in (store.put(path, b""), store.get(path), store.delete(path, missing_ok=True)):
        with pytest.raises(ValueError, match="not the name of an object"):
            await refused


async def test_readers_never_see_a_part(store: LocalStore) -> None:
    contents = [bytes([n]) * (200_000 + n) for n in range(8)]
    await store.put("a", contents[0])
    writing = asyncio.gather(*(store.put("a", content) for content in contents * 5))
    while not writing.done():
        assert await store.get("a") in contents
    await writing


async def test_a_failed_put_leaves_what_was_there(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.put("s/a", b"before")

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        await store.put("s/a", b"after")
    with pytest.raises(OSError, match="No space"):
        await store.put("s/b", b"after")
    monkeypatch.undo()
    assert await store.get("s/a") == b"before"
    assert list(await store.list("s/")) == ["s/a"]


async def test_what_is_put_is_synced_before_it_has_its_name_and_then_its_folder(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put("s/before", b"")
    seen = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append(("folder" if folder else "file", store.local_path("s/a").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await store.put("s/a", b"x")
    assert seen == [("file", False), ("folder", True)]


def test_the_identity_stays_when_the_store_is_moved(tmp_path: Path) -> None:
    one, other = LocalStore(tmp_path / "one"), LocalStore(tmp_path / "other")
    assert one.identity != other.identity
    (tmp_path / "one").rename(tmp_path / "moved")
    assert LocalStore(tmp_path / "moved").identity == one.identity


def test_processes_that_make_one_store_agree_on_its_identity(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from headrace_storage.objects import LocalStore;"
        "sys.stdin.readline(); print(LocalStore(Path(sys.argv[1])).identity)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "new")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert len({process.communicate("\n")[0] for process in started}) == 1
