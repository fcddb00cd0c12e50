"""The campaign: rounds in which lanes inject faults at the same time; each is judged when it ends.

What happens, and in which order within a lane, derives from the seed alone. At which instant of the work of
all these processes it happens does not: a campaign finds by numbers, a seed gives the same kind of weather.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import client_faults
import daemon_faults
import database_faults
import network_faults
from checker import Verdict
from diagnosis import describe
from fault import Fault, Field
from journals import Place
from matrix import Matrix
from processes import StalledError, wait_for
from servers import PROGRAMS
from setting import DELIVERY_SECONDS, Round, Setting, Slot

LANES: dict[str, list[Fault]] = {
    "clients 0, 2": client_faults.EVEN,
    "clients 1, 3": client_faults.ODD,
    "network": network_faults.ALL,
    "daemons": daemon_faults.ALL,
    "database": database_faults.ALL,
}
SYNC_SECONDS = 120.0
READ_SECONDS = 300.0
LINGER_SECONDS = 30.0

Say = Callable[[str], None]


class Campaign:
    """Rounds over one setting. ``pause``: seconds between two faults of a lane, at most."""

    def __init__(
        self, setting: Setting, seed: str, say: Say, *, pause: float = 0.4, keep: bool = False
    ) -> None:
        self.setting = setting
        self.seed = seed
        self.matrix = Matrix(dict.fromkeys(fault.name for lane in LANES.values() for fault in lane))
        self._say = say
        self._pause = pause
        self._keep = keep
        self._bags = {lane: Bag(seed, lane, kinds) for lane, kinds in LANES.items()}
        self._pool = ThreadPoolExecutor(8)
        self._lingering: list[Future[None]] = []

    def round(self, number: int, seconds: float) -> None:
        """Logs and injects for so long, delivers, and judges."""
        current = Round(self.setting.folder / f"round-{number}", self.setting.slots, f"{self.seed} {number}")
        injected: list[str] = []
        reader = Reader(self.setting, current)
        try:
            for slot in self.setting.slots:
                current.wait_until_logging(slot)
            self._inject(current, number, time.monotonic() + seconds, injected)
            verdict = self._deliver_and_read(current)
        except StalledError as error:
            self._stalled(current, error)
            self.setting.heal()
            verdict = Verdict(0)
        finally:
            meanwhile = reader.end()
            current.kill()
        self.matrix.reads += reader.passes
        self.matrix.judge(injected, verdict + meanwhile._replace(logged=0))
        if not (self._keep or verdict.violations or meanwhile.violations):
            shutil.rmtree(current.folder, ignore_errors=True)
        self._say(
            f"round {number}: {len(set(injected))} kinds, {self.matrix.faults} faults so far, "
            f"{verdict.logged:,} points, "
            f"lost {verdict.lost}, duplicated {verdict.duplicated}, reordered {verdict.reordered}, "
            f"foreign {verdict.foreign}, {reader.passes} readings meanwhile: {meanwhile.violations} wrong"
        )

    def _inject(self, current: Round, number: int, until: float, injected: list[str]) -> None:
        with ThreadPoolExecutor(len(LANES)) as threads:
            lanes = [threads.submit(self._lane, lane, current, number, until, injected) for lane in LANES]
            try:
                wait(lanes)
            except KeyboardInterrupt:
                self.matrix.stalled("interrupted")  # which the lanes look at
                raise
        for done in [*lanes, *self._lingering]:
            done.result()
        self._lingering.clear()

    def _lane(self, lane: str, current: Round, number: int, until: float, injected: list[str]) -> None:
        rng = random.Random(f"{self.seed} {number} {lane}")
        slots = self.setting.slots
        if lane.startswith("clients"):
            slots = [slot for slot in slots if str(slot.index) in lane]
        while time.monotonic() < until and not self.matrix.stalls:
            fault = self._bags[lane].next()
            if fault.lingers and until - time.monotonic() < LINGER_SECONDS:
                continue  # the round would wait for it
            field = Field(self.setting, current, rng, slots)
            try:
                self._one(fault, field, injected)
            except StalledError as error:
                self._stalled(current, error, fault.name)
                return
            except Exception:  # noqa: BLE001 - the matrix of what happened before is worth printing
                self.matrix.stalled(f"{fault.name}: {traceback.format_exc()}")
                return
            time.sleep(rng.uniform(0, self._pause))

    def _one(self, fault: Fault, field: Field, injected: list[str]) -> None:
        before = field.round.diaries.logged()
        times = fault.inject(field)
        if not times:
            return
        injected.append(fault.name)
        slot = field.slot
        chosen: Callable[[Place], bool] = lambda place: slot is None or place.uri == slot.uri  # noqa: E731
        backlog, ended = field.round.backlog(chosen), time.monotonic()

        def recover(*, everywhere: bool) -> None:
            what = f"everything logged before is durable after: {fault.name}"
            left = partial(field.round.left, backlog, everywhere=everywhere)
            wait_for(lambda: not left(), DELIVERY_SECONDS, what)
            took = time.monotonic() - ended
            self.matrix.add(fault.name, times, field.round.diaries.logged() - before, took)

        def linger(slot: Slot) -> None:
            try:
                with slot.fault():
                    recover(everywhere=True)
            except StalledError as error:
                self._stalled(field.round, error, f"{fault.name} in slot {slot.index}")

        if fault.lingers and slot is not None:
            self._lingering.append(self._pool.submit(linger, slot))
        else:
            recover(everywhere=False)

    def _deliver_and_read(self, current: Round) -> Verdict:
        self.setting.heal()
        current.stop()
        for _ in range(3):  # a connection that was black-holed ends one attempt
            command: list[str | Path] = [sys.executable, "-m", "headrace", "sync", current.journals.root]
            done = _run(command, SYNC_SECONDS)
            if done.returncode == 0:
                break
        else:
            raise StalledError(f"headrace sync: {done.stdout}{done.stderr[-500:]}")
        return self.read(current)

    def read(self, current: Round) -> Verdict:
        """Judges everything that can be read of a round's run."""
        uri = f"headrace://127.0.0.1:{self.setting.daemons[0].port}"
        command: list[str | Path] = [sys.executable, PROGRAMS / "read.py", uri, current.run_id]
        command += [current.diaries.folder, self.setting.folder / "data"]
        # What it takes is no concern of a campaign: it runs beside others.
        done = _run(command, READ_SECONDS, HEADRACE_READ_TIMEOUT=str(READ_SECONDS))
        if done.returncode != 0:
            raise StalledError(f"reading: {done.stderr[-500:]}")
        return Verdict(**json.loads(done.stdout))

    def _stalled(self, current: Round, error: StalledError, during: str = "") -> None:
        first = not self.matrix.stalls
        self.matrix.stalled(f"{during}: {error}" if during else str(error))
        self._say(f"STALLED {during}: {error}")
        if first:
            try:
                told = describe(self.setting, current)
            except Exception:  # noqa: BLE001 - the reason of the stall is worth more than this one
                told = traceback.format_exc()
            path = self.setting.folder / "stall.txt"
            path.write_text(f"{during}: {error}\n{told}\n")
            self._say(f"see {path}")


class Bag:
    """All kinds of a lane in a shuffled order, again and again: each is drawn as often as every other."""

    def __init__(self, seed: str, lane: str, kinds: Sequence[Fault]) -> None:
        self._random = random.Random(f"{seed} {lane}")
        self._kinds = list(kinds)
        self._left: list[Fault] = []

    def next(self) -> Fault:
        """The next kind."""
        if not self._left:
            self._left = self._random.sample(self._kinds, len(self._kinds))
        return self._left.pop()


class Reader:
    """A process that reads and judges while everything else goes on."""

    def __init__(self, setting: Setting, current: Round) -> None:
        self.passes = 0
        self._verdict = Verdict(0)
        uri = f"headrace://127.0.0.1:{setting.daemons[1].port}"
        command: list[str | Path] = [
            sys.executable,
            PROGRAMS / "read.py",
            uri,
            current.run_id,
            current.diaries.folder,
            "--meanwhile",
        ]
        self._log = (current.folder / "reader.log").open("ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            told.pop("read")
            self._verdict += Verdict(**told)
            self.passes += 1

    def end(self) -> Verdict:
        """Ends it; what it found in all passes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join(5)
        self._log.close()
        return self._verdict


def _run(
    command: Sequence[str | Path], seconds: float, **environment: str
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired as error:
        raise StalledError(f"not within {seconds:.0f} s: {' '.join(map(str, command))}") from error
