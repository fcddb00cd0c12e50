"""What a process can tell of itself: the launch that it belongs to, and who runs it."""

import getpass
import os
import socket
from collections.abc import Mapping


def attempt_token(given: str, environment: Mapping[str, str] = os.environ) -> str:
    """The token that all ranks of this launch share: ``given`` (HEADRACE_ATTEMPT), the launcher's, or "".

    A launcher that starts the ranks again counts restarts, which makes the next attempt.
    """
    if given:
        return given
    if launch := environment.get("TORCHELASTIC_RUN_ID"):
        if launch == "none":  # torchrun's default is no name; its agent is the ranks' common parent
            launch = f"{socket.gethostname()}.{os.getppid()}"
        return f"torchelastic.{launch}.{environment.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    if job := environment.get("SLURM_JOB_ID"):
        return f"slurm.{job}.{environment.get('SLURM_RESTART_COUNT', '0')}"
    return ""


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an id without a name, as in many containers
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


RANK_VARIABLES = ("HEADRACE_RANK", "RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")


def labels() -> dict[str, str]:
    """Who writes a journal: host, pid, user, and the rank that the launcher gave."""
    given = {"host": socket.gethostname(), "pid": str(os.getpid()), "user": user()}
    rank = next((os.environ[name] for name in RANK_VARIABLES if os.environ.get(name)), None)
    return given if rank is None else given | {"rank": rank}
