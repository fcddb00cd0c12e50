"""The store of artifacts, a real folder: few descriptors, and folders that are removed while files come."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from headrace_storage.objects import LocalFiles, Small


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
