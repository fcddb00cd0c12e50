"""Which code a run is of: the program, how it was started, and its commit. Asks no other program."""

import functools
import os
import sys
from pathlib import Path

from headrace.entities import SourceType

_COMMIT_DIGITS = (40, 64)


def name() -> str:
    """The program's path as it was started, or what stands for one."""
    return _program() or "<console>"


def kind() -> SourceType:
    """What kind of program this is."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    notebook = shell is not None and "ipykernel" in type(shell).__module__
    return SourceType.NOTEBOOK if notebook else SourceType.LOCAL


def entry_point() -> str:
    """What was started: a module (``python -m train.main``: "train.main"), else the program's file name."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    return os.path.basename(_program())  # noqa: PTH119 - it may be anything


def git_commit() -> str:
    """The commit that is checked out where the program lies, else where it was started; "" if none is."""
    program = Path(_program() or ".").absolute()
    start = program.parent if program.is_file() else Path.cwd()
    return commit_of(start)


def _program() -> str:
    """What was started; "" where Python lies within another program, which need not set ``sys.argv``."""
    return next(iter(getattr(sys, "argv", ())), "")


@functools.cache
def commit_of(folder: Path) -> str:
    """The commit that is checked out in a folder or one above it; "" if none is, or it cannot be told."""
    try:
        for place in (folder, *folder.parents):
            git = place / ".git"
            if git.is_file():  # a worktree or a submodule
                git = place / git.read_text().removeprefix("gitdir:").strip()
            if git.is_dir():
                return _head_of(git)
    except (OSError, UnicodeDecodeError):
        pass
    return ""


def _head_of(git: Path) -> str:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head if len(head) in _COMMIT_DIGITS else ""
    reference = head.removeprefix("ref:").strip()
    common = git / "commondir"
    base = git / common.read_text().strip() if common.is_file() else git
    if (base / reference).is_file():
        return (base / reference).read_text().strip()
    packed = base / "packed-refs"
    if packed.is_file():
        for line in packed.read_text().splitlines():
            commit, _, named = line.partition(" ")
            if named == reference:
                return commit
    return ""
