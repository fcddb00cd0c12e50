"""Execs a program that ends with its parent and, on request, is not root.

::

    python -I -S launch.py PARENT SIGNAL [--as UID GID [--keep-access]] -- PROGRAM [ARGUMENT...]

A file of its own that needs the standard library only: it runs between fork and exec, where the daemon, which
has threads, must not run Python code itself. On Linux the kernel sends SIGNAL when the parent process dies,
however it dies; elsewhere nothing does. ``--keep-access`` leaves the new user the one capability to pass
by file permissions (CAP_DAC_OVERRIDE), for folders that lie under one which it may not enter.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_KEEPCAPS: Final = 8
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAP_DAC_OVERRIDE: Final = 1
_CAPABILITY_VERSION: Final = 0x20080522


def command(
    signal: int, program: list[str], *, user: tuple[int, int] | None = None, keep_access: bool = False
) -> list[str]:
    """The command line that runs ``program`` through this file, for a child of this process.

    ``user`` is the (uid, gid) to become; only root can.
    """
    become = ["--as", str(user[0]), str(user[1])] if user else []
    keep = ["--keep-access"] if keep_access else []
    this = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()), str(int(signal))]
    return [*this, *become, *keep, "--", *program]


def _become(uid: int, gid: int, *, keep_access: bool) -> None:
    os.setgroups([])
    os.setgid(gid)
    if keep_access:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setuid(uid)
    if keep_access:
        capability = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        effective_permitted_inheritable = (ctypes.c_uint32 * 6)(capability, capability, capability, 0, 0, 0)
        _check(_libc().capset(header, effective_permitted_inheritable))
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(*arguments: int) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:5]
    _check(_libc().prctl(*(ctypes.c_ulong(argument) for argument in padded)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _main(arguments: list[str]) -> None:
    split = arguments.index("--")
    options, program = arguments[:split], arguments[split + 1 :]
    parent, signal = int(options[0]), int(options[1])
    if "--as" in options:
        at = options.index("--as")
        _become(int(options[at + 1]), int(options[at + 2]), keep_access="--keep-access" in options)
    if sys.platform == "linux":
        # After the change of user, which clears it.
        _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
    os.execv(program[0], program)  # noqa: S606 -- replacing this process is the point


if __name__ == "__main__":
    try:
        _main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[-1]}: {error}")
