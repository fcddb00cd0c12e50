"""What a crash of the training's machine left of its journal is delivered; the rest is counted."""

from pathlib import Path

from headrace.journal.folder import header, write_header
from headrace.journal.layout import CONTROL, TAIL
from headrace_proto.wire import CELL_SIZE
from obedient import Training, headrace, steps_of, tags_of
from running import Daemon, eventually


def test_what_is_left_after_a_crash_of_the_machine(daemon: Daemon, private_journals: Path) -> None:
    training = Training()
    training.log(10)
    daemon.kill()
    training.tell(20_000)
    [first] = private_journals.glob("*/*/00000000000000000000.cells")
    eventually(lambda: _tail(first.parent) > 20_010, "everything is written")
    training.kill()
    write_header(first.parent, header(first.parent) | {"boot": "another boot"})
    with first.open("r+b") as file:  # a page that never reached the disk
        file.seek(4096)
        file.write(bytes(4096))
    daemon.start()
    done = headrace("sync", private_journals)
    assert done.returncode == 0, done.stderr
    assert "cannot be delivered any more" in done.stderr
    steps = steps_of(training.run_id)
    lost = 4096 // CELL_SIZE
    assert len(steps) == 20_010 - lost
    assert steps[-1] == 20_009
    assert tags_of(training.run_id)["headrace.lost"] == str(lost)


def _tail(journal: Path) -> int:
    return memoryview((journal / CONTROL).read_bytes()).cast("Q")[TAIL]
