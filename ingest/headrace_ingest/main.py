"""The program: ``headrace server``."""

import argparse
import asyncio
import importlib
import os
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import structlog

from headrace_ingest import config as configuration
from headrace_ingest import logs, signals
from headrace_ingest.config import Config, StartError, add_arguments
from headrace_ingest.folder import announced, locked
from headrace_ingest.ports import reachable, reserve, target
from headrace_ingest.postgres import EmbeddedPostgres, PostgresError

__all__ = ["add_arguments", "main", "run"]

log = structlog.get_logger("headrace")

_OPEN_FILES: Final = 1 << 16
"""A thousand streams, as many HTTP connections, and their files are more than 1024, the usual limit."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parses ``argv`` and serves until a signal; the exit code."""
    parser = argparse.ArgumentParser(prog="headrace server", description="Serves Headrace on this machine.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Serves as the options of :func:`add_arguments` say, until a signal; the exit code."""
    logs.configure()
    allow_open_files()
    try:
        signals.run(_serve(configuration.from_arguments(arguments)))
    except StartError as error:
        print(f"headrace server: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def allow_open_files(wanted: int = _OPEN_FILES) -> None:
    """Has this process, and its children, open so many files and connections, as far as it may by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(config: Config) -> None:
    stop = signals.stop_event()
    with (
        locked(config.data),
        reserve(config.host, config.grpc_port) as reserved,
        reserve(config.host, config.http_port, "--http-port") as reserved_http,
        ExitStack() as stack,
    ):
        host, port, *_ = reserved.getsockname()
        config = replace(config, http_port=reserved_http.getsockname()[1])
        address, http = reachable(host, port), reachable(host, config.http_port)

        def ready() -> None:
            stack.enter_context(announced(config.data, address, http))
            where = "embedded PostgreSQL" if config.database_url is None else "given by --database-url"
            print(  # noqa: T201
                f"headrace serves on {address} (HTTP on {http}), data in {config.data}, database {where}, "
                f"pid {os.getpid()}",
                flush=True,
            )

        loading = asyncio.create_task(asyncio.to_thread(_load))
        async with _database(config) as database_url:
            app, supervisor = await loading
            await app.prepare_catalog(config, database_url)
            serve = app.serve if config.workers == 1 else supervisor.supervise
            await serve(config, database_url, target(host, port), stop, ready)


def _load() -> tuple[Any, Any]:
    """Imports what serves, which takes as long as starting PostgreSQL does, and can be done meanwhile."""
    # gRPC reads it when it is imported. Children of a daemon exec at once and need no support.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    return importlib.import_module("headrace_ingest.app"), importlib.import_module(
        "headrace_ingest.supervisor"
    )


@asynccontextmanager
async def _database(config: Config) -> AsyncIterator[str]:
    """The URL of the database: the given one, or that of the embedded server, as long as this lasts."""
    if config.database_url is not None:
        yield config.database_url
        return
    server = EmbeddedPostgres(config.data)
    try:
        await server.start()
    except PostgresError as error:
        raise StartError(str(error)) from error
    supervising = asyncio.create_task(server.supervise())
    try:
        yield server.url
    finally:
        supervising.cancel()
        await server.stop()
