"""A PostgreSQL that comes back whenever it ends: ``postgres.py FOLDER``; its URL goes to FOLDER/url."""

import asyncio
import signal
import sys
from pathlib import Path

from headrace_ingest.postgres import EmbeddedPostgres

SETTINGS = {"max_connections": "40", "shared_buffers": "32MB", "log_min_messages": "fatal"}


async def main(folder: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = EmbeddedPostgres(folder, SETTINGS)
    await server.start()
    supervising = asyncio.create_task(server.supervise())
    (folder / "url.new").write_text(server.url)
    (folder / "url.new").rename(folder / "url")
    await stop.wait()
    supervising.cancel()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
