"""``headrace server`` and ``headrace agent``: programs of their own, with their own arguments."""

import sys
from collections.abc import Sequence
from typing import Any

COMMANDS = {
    "server": "run the daemon that stores and serves what is logged",
    "agent": "ship the journals of all processes of this machine",
}


def add_to(commands: Any) -> None:
    """Lists the commands in the help; :func:`run` gets their arguments unparsed."""
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)


def run(name: str, arguments: Sequence[str]) -> int:
    """Runs ``headrace NAME ARGUMENTS``."""
    return _server(arguments) if name == "server" else _agent(arguments)


def _server(arguments: Sequence[str]) -> int:
    # The daemon's packages are an extra: `headrace[server]`.
    try:
        from headrace_ingest.main import main  # noqa: PLC0415 - loaded only for this command

        return main(list(arguments))
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        print(
            f"headrace: the daemon is not installed (no module {missing!r}); "
            "install it with: pip install 'headrace[server]'",
            file=sys.stderr,
        )
        return 1


def _agent(arguments: Sequence[str]) -> int:
    from headrace.shipping.agent import main  # noqa: PLC0415 - loads gRPC

    return main(list(arguments))
