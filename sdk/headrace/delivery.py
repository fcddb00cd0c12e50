"""Waiting, bounded, until what was logged is durable; saying what is left if it isn't."""

import logging

from headrace.core import Core, Pending

logger = logging.getLogger("headrace")


def deliver(core: Core) -> None:
    """Waits for the process's operations, and says in one line what is left and how it will be delivered."""
    if left := core.flush(core.settings.exit_timeout):
        logger.warning("%s", left_over(core, left))


async def deliver_async(core: Core) -> None:
    """:func:`deliver` for an event loop."""
    await core.settle_async(core.settings.exit_timeout)
    if left := core.pending():
        logger.warning("%s", left_over(core, left))


def left_over(core: Core, left: Pending) -> str:
    """What is not delivered, where it is, and how it will be delivered."""
    return (
        f"{left.operations} operations are not delivered to {core.uri} yet; they are safe in "
        f"{', '.join(map(str, left.journals))} and go out as soon as it answers, from this process or "
        f"the next one here that logs to it, or with: headrace sync {left.journals[0].parent.parent}"
    )
