"""Segments that are damaged on disk: named by readers and by fsck; the rest stays readable."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from obedient import Training, headrace, steps_of
from running import Daemon

POINTS = 10_000


def fsck(daemon: Daemon) -> tuple[int, dict[str, Any]]:
    done = headrace("fsck", daemon.data, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def delete(path: Path) -> None:
    path.unlink()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "its checksum is": flip_a_bit,
    "is missing": delete,
}


def test_damage_is_named_and_the_rest_stays_readable(daemon: Daemon) -> None:
    files: dict[str, Path] = {}
    known: set[Path] = set()
    for _ in range(len(DAMAGE) + 1):
        training = Training()
        training.log(POINTS)
        training.end()
        fresh = set((daemon.data / "segments").rglob("*.parquet")) - known
        files[training.run_id] = max(fresh, key=lambda path: path.stat().st_size)
        known |= fresh
    *damaged, intact = files
    daemon.stop()
    stranger = files[intact].with_name("stranger.parquet")
    stranger.write_bytes(b"?")

    code, found = fsck(daemon)
    assert code == 0
    assert found["rows"] == len(files) * POINTS
    assert str(stranger.relative_to(daemon.data)) in found["orphans"]

    for run_id, damage in zip(damaged, DAMAGE.values(), strict=True):
        damage(files[run_id])
    daemon.start()

    told = headrace("fsck", daemon.data)
    assert told.returncode == 1
    for run_id, problem in zip(damaged, DAMAGE, strict=True):
        name = str(files[run_id].relative_to(daemon.data))
        [line] = [line for line in told.stdout.splitlines() if line.startswith(f"damaged: {name}: ")]
        assert problem in line
        assert f"points of run {run_id})" in line
        failed = headrace("history", run_id, "loss", "--format", "json")
        assert failed.returncode == 1
        assert name in failed.stderr
        assert problem in failed.stderr
    assert headrace("runs", "show", damaged[0]).returncode == 0, "what the catalog knows stays readable"
    assert steps_of(intact) == list(range(POINTS))


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    done = headrace("fsck", tmp_path)
    assert done.returncode == 1
    assert "is no data folder" in done.stderr
    assert not list(tmp_path.glob("store-id")), "nothing is made"
