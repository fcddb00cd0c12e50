"""Uploads in a store: what is hashed beside the writing is what was written."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace_storage.errors import ChecksumMismatchError
from headrace_storage.objects.tree import Tree
from headrace_storage.objects.uploads import Upload, Uploads

ID = "a" * 32


def test_a_write_that_fails_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum is of what is there, not of what was to be written, wherever it failed."""
    data = random.Random(1).randbytes(1_000_000)
    parts = [data[at : at + 200_000] for at in range(0, len(data), 200_000)]
    write = os.write

    def failing_after(left: int) -> Callable[[int, bytes], int]:
        def writes(descriptor: int, part: bytes) -> int:
            nonlocal left
            if left <= 0:
                raise OSError("the disk is full")
            left -= len(part)
            return write(descriptor, part)

        return writes

    for left in (0, 100, 200_000, 300_000, 400_000):
        uploads = Uploads(Tree(tmp_path / str(left)))
        with monkeypatch.context() as patch, uploads.append(ID, 0) as upload:
            patch.setattr(os, "write", failing_after(left))
            with pytest.raises(OSError, match="full"):
                upload.write(parts)
        there = uploads.size(ID)
        assert there >= left
        with uploads.append(ID, there) as upload:
            upload.write([data[there:]])
        uploads.finish(ID, "f", hashlib.sha256(data).hexdigest(), len(data), "")
        assert (tmp_path / str(left) / "f").read_bytes() == data


def test_what_is_not_what_was_meant(tmp_path: Path) -> None:
    uploads = Uploads(Tree(tmp_path))
    with uploads.append(ID, 0) as upload:
        assert isinstance(upload, Upload)
        upload.write([b"abc", b"", b"def"])
        assert upload.size == 6
    with pytest.raises(ChecksumMismatchError):
        uploads.finish(ID, "f", hashlib.sha256(b"abcdeg").hexdigest(), 6, "")
    assert uploads.size(ID) == 0
