"""``killed_at.py JOURNALS URI FIRST STRIDE``: kills a process at every STRIDEth bytecode.

Each process makes the same calls, in which every kind of record, new keys and new files of cells occur. When
a process comes to its end alive, there is no later bytecode. Prints for each process the name of its journal
and the tail that the last call which returned has left: so much must survive. The last line is the whole.
"""

import itertools
import mmap
import os
import signal
import sys
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

from headrace.journal import layout
from headrace.journal.folder import boot_id
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace_proto.wire import CELL_SIZE

vars(layout).update(FIRST_FILE=8 * CELL_SIZE, LARGEST_FILE=32 * CELL_SIZE)
journals, uri = Path(sys.argv[1]), sys.argv[2]
returned = memoryview(mmap.mmap(-1, 8)).cast("Q")


def work(name: str) -> None:
    """The calls. Each point has its number as step."""

    def successor(_: Writer) -> Writer:
        raise AssertionError("nothing interrupts these calls")

    # A folder for each: what the others left there would be looked at, and add bytecodes.
    writer = Writer(journals / f"host-{name}", name, {"uri": uri, "boot": boot_id()}, 1.0, successor)
    log = RunLog(writer, "0" * 32, "")
    for number in range(3):
        at = number * 100
        calls = [
            lambda at=at: log.log_metric(f"new{at}", 1.0, at, 1),
            lambda at=at: log.log_metric("old", 1.0, at + 1, 1),
            lambda at=at: log.log_metrics({"old": 1.0, f"also{at}": 2.0}, at + 2, 1),
            lambda at=at: log.log_series(f"series{at}", [1.0] * 7, list(range(at + 3, at + 10)), [1] * 7),
            lambda at=at: log.change(bytes([at % 256]) * 100),
            writer.prepare,
        ]
        for call in calls:
            call()  # type: ignore[operator]
            returned[0] = writer.written()


def kill_at(bytecode: int) -> None:
    """Has this process killed before the bytecode of ours with that number."""
    count = itertools.count()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if "/headrace/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(count) == bytecode:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def main() -> None:
    """Forks the processes, one after the other."""
    first, stride = int(sys.argv[3]), int(sys.argv[4])
    for bytecode in itertools.count(first, stride):
        returned[0] = 0
        name = uuid.uuid4().hex
        child = os.fork()
        if child == 0:
            kill_at(bytecode)
            work(name)
            sys.settrace(None)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(name, returned[0], flush=True)  # noqa: T201
        if status == 0:
            return
        assert os.WIFSIGNALED(status), f"process {bytecode} failed"


main()
