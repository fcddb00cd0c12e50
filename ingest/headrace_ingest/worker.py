"""A worker of ``headrace server --workers N``: serves what its standard input says, and ends with it."""

import asyncio
import json
import os
import sys

import structlog

from headrace_ingest import app, logs, signals
from headrace_ingest.config import Config, StartError
from headrace_ingest.supervisor import READY
from headrace_storage.errors import StorageError


def main() -> int:
    """Serves until SIGTERM, or until the parent is gone."""
    logs.configure()
    structlog.contextvars.bind_contextvars(worker=int(sys.argv[1]))
    task = json.loads(sys.stdin.buffer.readline())
    try:
        signals.run(_serve(Config.from_json(task["config"]), task["database_url"], task["target"]))
    except (StartError, StorageError, OSError) as error:
        print(f"headrace server: worker {sys.argv[1]}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(config: Config, database_url: str, target: str) -> None:
    stop = signals.stop_event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _on_input, stop)
    await app.serve(config, database_url, target, stop, _ready)


def _ready() -> None:
    os.write(sys.stdout.fileno(), READY)


def _on_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
