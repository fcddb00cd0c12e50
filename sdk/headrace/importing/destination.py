"""The daemon that an import goes to: what is there, what is durable, and what a killed import left."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headrace.calls.experiments import experiment_named, experiment_with_id
from headrace.calls.runs import search_runs
from headrace.client import Client
from headrace.core import core_for
from headrace.entities import Experiment, FileInfo, Run, ViewType
from headrace.errors import HeadraceError, JournalError, NotFoundError, UnavailableError
from headrace.files.incoming import listing
from headrace.importing.source import SourceRun
from headrace.journal.folder import boot_folder, header, try_lock, writer_lives
from headrace.shipping.carrier import Carrier
from headrace.shipping.http import Http
from headrace.spool.entry import ENTRY
from headrace.spool.reader import spools
from headrace_proto.v1 import tracking_pb2 as pb

FROM: Final = "headrace.imported_from"
"""The tag of experiments, runs and registered models that says where they come from."""

DONE: Final = "headrace.import"
"""The tag of runs: who began to import it, then, as JSON, how much there was in the source."""

SIZE: Final = "size of metrics"
"""What the tag tells besides of a run of a store of files."""

BEGUN: Final = "begun by "

SERIES: Final = 50_000
"""Series, and runs, that a journal gets before the next one begins: the daemon knows those of open ones."""

_PATIENCE: Final = 60.0
"""Seconds in which something has to become durable, or to be sent."""

_LEFT_PATIENCE: Final = 300.0
"""Seconds in which one more of what another process left has to: a large file shows no progress."""

_LOOK: Final = 0.05

_ASKED: Final = 500
"""Runs that are asked for at once."""


class Destination:
    """See the module."""

    def __init__(self, client: Client) -> None:
        # Not the client's own: a run that goes on elsewhere is not ended because this process ends.
        self.core = core_for(client._core.uri, client._core.settings, attends=False)  # noqa: SLF001
        self.client = client
        client._core = self.core  # noqa: SLF001 - its reads wait for what is written here
        self._series = 0
        self.scratch = Path()
        """A folder of this machine for files on their way, while it is :meth:`alone`."""

    @property
    def begun(self) -> str:
        """What the tag of a run says that this machine began to import."""
        return f"{BEGUN}{socket.gethostname()} in {self._journals}"

    @property
    def _journals(self) -> Path:
        return boot_folder(self.core.settings.journal_dir).parent.resolve()

    @contextmanager
    def alone(self, source: str) -> Iterator[None]:
        """Keeps other imports of this machine from the same source away, and delivers what a killed one left.

        Raises:
            HeadraceError: there is another one.
            UnavailableError: no daemon answers.
        """
        self.core.call("ListExperiments", pb.ListExperimentsRequest(max_results=1))
        self.core.current_writer()  # begins to ship, what others left too
        name = hashlib.sha256(f"{self.core.uri} {source}".encode()).hexdigest()[:16]
        lock = try_lock(self._journals / f"import-{name}.lock")
        if lock is None:
            raise HeadraceError(f"another import from {source} is going on on this machine")
        self.scratch = boot_folder(self.core.settings.journal_dir) / f"import-{name}"
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)  # of one that was killed
            self.scratch.mkdir(mode=0o700, parents=True)
            self._await(
                "what an earlier process left in the journals",
                lambda: (self._left_behind(), 0),
                _LEFT_PATIENCE,
            )
            yield
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
            os.close(lock)

    def _left_behind(self) -> int:
        """Operations and files of processes that are gone, on their way to this daemon."""
        left = sum(
            standing.pending
            for standing in Carrier(self._journals, 0.0, lambda _: None).standings()
            if standing.uri == self.core.uri and not standing.living
        )
        for spool in spools(self._journals):
            with contextlib.suppress(JournalError, OSError):  # it is removed when it is empty
                if not writer_lives(spool) and header(spool).get("uri") == self.core.uri:
                    left += len(list(spool.glob(f"[0-9]*{ENTRY}")))
        return left

    def room_for(self, series: int) -> None:
        """Begins another journal where the one that is written knows of many series already."""
        self._series += series + 1
        if self._series > SERIES:
            self.flush()
            self.core.close()
            self._series = series + 1

    def flush(self) -> None:
        """Waits until all that was written is durable and visible. UnavailableError: nothing moves."""

        def left() -> tuple[int, int]:
            sent = sum(spool.sent for spool in self.core.files.spools)
            return self.core.flush(1.0).operations, sent

        self._await("what was read", left, _PATIENCE)

    def _await(self, what: str, left: Callable[[], tuple[int, int]], patience: float) -> None:
        before, moved = left(), time.monotonic()
        while before[0]:
            time.sleep(_LOOK)
            now = left()
            if now != before:
                before, moved = now, time.monotonic()
            elif time.monotonic() - moved > patience:
                raise UnavailableError(
                    f"{what} is not delivered to {self.core.uri} ({now[0]:,} operations or files are left); "
                    "it is safe in the journals: call the same import again when the daemon answers"
                )

    # What is there.

    def experiment(self, *, name: str = "", experiment_id: str = "") -> Experiment | None:
        """The experiment with this name or id, deleted or not."""
        call = experiment_named(name) if name else experiment_with_id(experiment_id)
        try:
            return call.ask(self.core, self.core.settings.read_timeout)
        except NotFoundError:
            return None

    def runs(self, run_ids: Iterable[str]) -> dict[str, Run]:
        """Those of the runs that there are, deleted or not, by id."""
        ids = list(run_ids)
        found: dict[str, Run] = {}
        for at in range(0, len(ids), _ASKED):
            some = ids[at : at + _ASKED]
            listed = ", ".join(f"'{run_id}'" for run_id in some)
            question = search_runs(None, f"attributes.run_id IN ({listed})", ViewType.ALL, len(some))
            runs = question.ask(self.core, self.core.settings.read_timeout)
            found |= {run.info.run_id: run for run in runs}
        return found

    def points(self, run_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many points each metric of each run has."""
        requests = [pb.GetSummariesRequest(run_id=run_id) for run_id in run_ids]
        answers = self.core.call_all("GetSummaries", requests)
        return {
            run_id: {each.key: each.count for each in answer.summaries}
            for run_id, answer in zip(run_ids, answers, strict=True)
        }

    def files(self, owner: str) -> dict[str, int]:
        """The sizes of all files of a run, or of ``models/ID``, by path."""
        look: Callable[[Http], list[FileInfo]] = lambda http: listing(http, owner, "", deep=True)  # noqa: E731
        try:
            found = self.core.files.over_http(look)
        except NotFoundError:
            return {}
        return {file.path: file.file_size or 0 for file in found}

    def refusals(self, run_id: str) -> list[str]:
        """Why operations of a run were refused, the newest first."""
        return [reject.message for reject in self.client.list_rejects(run_id, max_results=5)]


def imported(known: Run) -> "Counter[str] | None":
    """What an earlier call counted in the source, if it came to the end of the run."""
    try:
        counted = json.loads(known.data.tags.get(DONE, ""))
    except ValueError:
        return None
    return Counter(counted) if isinstance(counted, dict) else None


def is_unchanged(run: SourceRun, known: Run, before: "Counter[str]") -> bool:
    """Whether the source tells no more of a run than Headrace, as far as is seen without histories."""
    latest = known.data.metrics
    return (
        run.params.keys() <= known.data.params.keys()
        and run.tags.keys() <= known.data.tags.keys()
        and run.latest.keys() <= latest.keys()
        and all(value is None or str(value) == str(latest[key]) for key, value in run.latest.items())
        and run.size == before[SIZE]
        and run.status in {known.info.status, "RUNNING"}
        and len(run.datasets) <= len(known.inputs.dataset_inputs)
    )
