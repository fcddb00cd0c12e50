"""Whether logging calls wait: as each call says, else as the process does. Here they don't unless it does.

``HEADRACE_ENABLE_ASYNC_LOGGING=false``, or ``headrace.config.enable_async_logging(False)``, makes every
logging call that does not say ``synchronous=`` wait until what it logged is durable and visible, which is
MLflow's default.
"""

import os

VARIABLE = "HEADRACE_ENABLE_ASYNC_LOGGING"

always = False
"""Whether calls wait that do not say. The hot path looks at this and nothing else."""


def wanted(synchronous: bool | None) -> bool:
    """Whether a call that was given ``synchronous`` waits."""
    return always if synchronous is None else bool(synchronous)


def follow(asynchronous: bool) -> None:
    """Sets what calls do that do not say."""
    global always  # noqa: PLW0603
    always = not asynchronous


def enable_async_logging(enable: bool = True) -> None:
    """Says whether logging calls return at once (the default) or wait until they are durable and visible.

    Holds for calls without ``synchronous=``, in this process and those that it starts. An
    :class:`headrace.AsyncClient` never waits.
    """
    os.environ[VARIABLE] = "true" if enable else "false"
    follow(enable)
