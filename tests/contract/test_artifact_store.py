"""The store of artifacts, a real folder: few descriptors, and folders that are removed while files come."""

import argparse
import asyncio
import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace_ingest import config
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects import LocalFiles, Locations, Small


@contextlib.contextmanager
def descriptors(most: int) -> Iterator[None]:
    """This process may open so many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    largest = os.dup(0)
    os.close(largest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (largest + most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_pack_of_many_files_takes_few_descriptors(tmp_path: Path) -> None:
    store = LocalFiles(tmp_path)
    with descriptors(100):
        await store.put([Small(f"a/{number}", b"x", "", "") for number in range(300)])
    assert len(list((tmp_path / "a").iterdir())) == 300
    assert list((tmp_path / ".uploads").iterdir()) == []


def test_folders_are_removed_while_files_come(tmp_path: Path) -> None:
    store, stop = LocalFiles(tmp_path), threading.Event()

    def remove() -> None:
        while not stop.is_set():
            asyncio.run(store.delete("a"))

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for number in range(60):
            asyncio.run(store.put([Small(f"a/{at}/b", b"x", "", "") for at in range(3)]))
            with store.append(f"{number:032x}", 0) as upload:
                upload.write([b"x"])
            asyncio.run(store.finish(f"{number:032x}", "a/c/d", "", 1, ""))
    finally:
        stop.set()
        remover.join()
    left = [path.name for path in (tmp_path / ".uploads").iterdir()]
    assert all(name.endswith(".removed") for name in left), left


def test_a_root_is_known_by_the_name_that_the_operator_said(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    roots = [f"--artifact-root={tmp_path / name}" for name in ("data", "disk/inner")]
    locations = Locations(tmp_path / "own", config.from_arguments(parser.parse_args(roots)).artifact_roots)
    for name in ("data", "disk"):
        place = locations.place(f"file://{tmp_path / name}/a/b")
        assert (place.store, place.folder) == (locations.stores[1], "a/b")
    inner = locations.place(str(tmp_path / "disk" / "inner" / "a"))
    assert (inner.store, inner.folder) == (locations.stores[2], "a")
    with pytest.raises(InvalidArgumentError, match="--artifact-root"):
        locations.check(str(tmp_path / "other"))
