"""What a program leaves open when it ends, told by the journal it leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_core import Change, read
from headrace.journal.folder import journals
from headrace_proto.v1 import tracking_pb2 as pb

CHILD = """
import multiprocessing, headrace

def child():
    headrace.start_run()
    {end}

if __name__ == "__main__":
    process = multiprocessing.get_context("{method}").Process(target=child)
    process.start()
    process.join()
"""


def statuses(script: str, folder: Path) -> list[str]:
    """How each run ended, after the script did."""
    program = folder / "program.py"
    program.write_text(script)
    environment = {
        **os.environ,
        "HEADRACE_JOURNAL_DIR": str(folder / "journals"),
        "HEADRACE_TRACKING_URI": "headrace://127.0.0.1:9",
        "HEADRACE_EXIT_TIMEOUT": "0",
        "HEADRACE_START_TIMEOUT": "0.2",
    }
    subprocess.run([sys.executable, str(program)], env=environment, check=False, capture_output=True)
    records = [record for folder in journals(folder / "journals") for record in read(folder)]
    changes = [record.change for record in records if isinstance(record, Change)]
    assert any(change.HasField("create") for change in changes)
    return [pb.RunStatus.Name(change.end.status) for change in changes if change.HasField("end")]


@pytest.mark.parametrize(
    ("last_words", "status"),
    [
        ("", "FINISHED"),
        ("import sys; sys.exit(0)", "FINISHED"),
        ("raise ValueError", "FAILED"),
        ("try:\n    raise ValueError\nexcept ValueError:\n    pass", "FINISHED"),
    ],
)
def test_an_open_run_is_ended_as_the_program_ends(tmp_path: Path, last_words: str, status: str) -> None:
    script = f"import headrace\nheadrace.start_run()\nheadrace.log_metric('loss', 1.0)\n{last_words}\n"
    assert statuses(script, tmp_path) == [status]


def test_nested_open_runs_are_all_ended(tmp_path: Path) -> None:
    script = "import headrace\nheadrace.start_run()\nheadrace.start_run(nested=True)\n"
    assert statuses(script, tmp_path) == ["FINISHED", "FINISHED"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize(("end", "status"), [("pass", "FINISHED"), ("raise ValueError", "FAILED")])
def test_children_of_multiprocessing_end_theirs(tmp_path: Path, method: str, end: str, status: str) -> None:
    assert statuses(CHILD.format(method=method, end=end), tmp_path) == [status]
