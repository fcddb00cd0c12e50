"""A new PostgreSQL folder, made once and copied: making one takes longer than most tests."""

import asyncio
import atexit
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from headrace_ingest.postgres import EmbeddedPostgres


def provide(data: Path) -> None:
    """Gives a data folder that has none the PostgreSQL folder that a daemon's first start makes.

    What the daemon adds to it, the catalog, is not in there.
    """
    if not (data / "postgres").exists():
        data.mkdir(parents=True, exist_ok=True)
        # With the owner: PostgreSQL is not root even when the tests are.
        subprocess.run(["/bin/cp", "-a", _made() / "postgres", data], check=True)


@cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="headrace-new-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def make() -> None:
        server = EmbeddedPostgres(folder)
        await server.start()
        await server.stop()

    with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop
        thread.submit(asyncio.run, make()).result()
    return folder
