"""All diaries of a folder, as the checker wants them."""

from pathlib import Path
from threading import Lock

import numpy as np

from checker import Stream
from intents import FORK, INTENDED, LAUNCH, RETURNED, STOP, Diary


class Diaries:
    """The diaries of all processes that logged into one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[Path, Diary] = {}
        self._lock = Lock()

    def all(self) -> list[Diary]:
        """Those that exist by now."""
        for path in sorted(self.folder.glob("*.diary")):
            with self._lock:
                if path not in self._open:
                    self._open[path] = Diary(path)
        with self._lock:
            return list(self._open.values())

    def stop(self) -> None:
        """Asks all processes to end, those that a fork makes later too when called again."""
        for diary in self.all():
            diary.words[STOP] = 1

    def logged(self) -> int:
        """Calls that returned, of all."""
        return sum(diary.words[RETURNED] for diary in self.all())

    def streams(self) -> list[Stream]:
        """What was called of the run. While processes run, each stream as it was at one moment."""
        return self._streams(is_fork=False)

    def of_forks(self) -> dict[int, Stream]:
        """What was called of forks, by the number of the stream."""
        return {stream.number: stream for stream in self._streams(is_fork=True)}

    def _streams(self, *, is_fork: bool) -> list[Stream]:
        streams = []
        for diary in self.all():
            if bool(diary.words[FORK]) != is_fork:
                continue
            returned, intended = diary.words[RETURNED], diary.words[INTENDED]
            records = np.frombuffer(diary.records, "<i8").reshape(-1, 2)[:intended]
            launch = str(diary.words[LAUNCH])
            streams.append(Stream(diary.number, records[:, 1], records[:, 0], returned, launch))
        return streams
