"""A training in a process of its own that logs when it is told to, and readers as separate programs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[1] / "end_to_end" / "programs" / "obedient.py"


class Training:
    """Logs points of ``loss`` with steps from 0 on."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, PROGRAM], stdin=pipe, stdout=pipe, text=True)
        self.run_id = self._answer()

    def log(self, count: int) -> int:
        """Logs so many more; returns, once they are durable, how many there are."""
        self.tell(count)
        return int(self._answer())

    def tell(self, count: int) -> None:
        """Has it log so many more, without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def wait(self) -> int:
        """Waits until what it was told last is durable."""
        return int(self._answer())

    def end(self) -> None:
        """Ends the run."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the training ended"
        return line.strip()


def headrace(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command of the command line, within a minute."""
    command = [sys.executable, "-m", "headrace", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def steps_of(run_id: str) -> list[int]:
    """The steps of ``loss`` in logged order, read by a separate program."""
    code = "import sys, headrace; print([*headrace.Client().get_metric_columns(sys.argv[1], 'loss').steps])"
    command = [sys.executable, "-c", code, run_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    steps: list[int] = json.loads(done.stdout)
    return steps


def tags_of(run_id: str) -> dict[str, Any]:
    """The run's tags, read by a separate program."""
    done = headrace("runs", "show", run_id, "--json")
    assert done.returncode == 0, done.stderr
    tags: dict[str, Any] = json.loads(done.stdout)["data"]["tags"]
    return tags
