"""``headrace artifacts``: the files of runs, listed, fetched and stored."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.cli import output
from headrace.cli.runs import find_run_id
from headrace.entities import FileInfo
from headrace.files import names
from headrace.files.incoming import Download, listing
from headrace.operation import RunOperation

LOOK_SECONDS = 0.1


def add_to(commands: Any) -> None:
    """Adds the commands."""
    parser = commands.add_parser("artifacts", help="list, get and put the files of runs")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    each = actions.add_parser("list", help="what is in a folder of a run's artifacts")
    _add_run(each, "the folder (default: all that is at the top)")
    each.add_argument("--recursive", action="store_true", help="all files below it")
    output.add_formats(each)
    each.set_defaults(run=_list)

    get = actions.add_parser("get", help="download a file, a folder, or all")
    _add_run(get, "the file or folder (default: all)")
    get.add_argument(
        "--to", type=Path, default=Path(), metavar="DIR", help="into this folder (default: here)"
    )
    get.add_argument("--archive", type=Path, metavar="FILE", help="as one tar archive instead")
    output.add_json(get)
    get.set_defaults(run=_get)

    put = actions.add_parser("put", help="store a file, or what is in a folder")
    put.add_argument("RUN", help="the run's id, the beginning of it, or its name")
    put.add_argument("LOCAL", type=Path, help="the file or folder")
    put.add_argument(
        "--to", default="", metavar="PATH", help="the folder among the artifacts (default: the top)"
    )
    output.add_json(put)
    put.set_defaults(run=_put)
    for command in (each, get, put):
        output.add_source(command)


def _add_run(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("RUN", help="the run's id, the beginning of it, or its name")
    parser.add_argument("PATH", nargs="?", default="", help=what)


def _list(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    if options.recursive:
        folder = names.folder(options.PATH, "PATH")
        found = client._core.files.over_http(lambda http: listing(http, run_id, folder, deep=True))  # noqa: SLF001
    else:
        found = client.list_artifacts(run_id, options.PATH)
    rows = [(f"{file.path}/" if file.is_dir else file.path, _size(file)) for file in found]
    data = [{"path": file.path, "is_dir": file.is_dir, "file_size": file.file_size} for file in found]
    output.show(options, ("PATH", "BYTES"), rows, data)
    return 0


def _size(file: FileInfo) -> str:
    return "" if file.file_size is None else str(file.file_size)


def _get(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id, path = find_run_id(client, options.RUN), names.folder(options.PATH, "PATH")
    into = options.archive.parent if options.archive else options.to

    def work(http: Any) -> Path:
        download = Download(http, run_id, into, _bar)
        return download.archive(path, options.archive) if options.archive else download.get(path)

    where = client._core.files.over_http(work)  # noqa: SLF001 - with a progress bar
    if options.json:
        output.print_json({"path": str(where)})
    else:
        print(where)
    return 0


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    came = 0
    with output.progress(name) as show:

        def advance(count: int) -> None:
            nonlocal came
            came += count
            show(came, total or came)

        yield advance


def _put(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    if options.LOCAL.is_dir():
        operation = client.log_artifacts(run_id, options.LOCAL, options.to)
    else:
        operation = client.log_artifact(run_id, options.LOCAL, options.to)
    with output.progress("uploading") as show:
        total = sum(path.stat().st_size for path in _files(options.LOCAL))
        _watch(client._core.files.spool, operation, lambda sent: show(sent, total))  # noqa: SLF001
    operation.wait()
    if options.json:
        output.print_json({"run_id": run_id, "bytes": total})
    else:
        print(f"stored {total:,} bytes in {run_id}")
    return 0


def _watch(spool: Callable[[], Any], operation: RunOperation, show: Callable[[int], None]) -> None:
    """Shows how much of the largest file is sent, until all is stored."""
    while not operation.done():
        show(spool().sent)
        time.sleep(LOOK_SECONDS)


def _files(local: Path) -> list[Path]:
    return [path for path in local.rglob("*") if path.is_file()] if local.is_dir() else [local]
