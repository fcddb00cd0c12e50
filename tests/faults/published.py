"""What readers of files get, without a daemon: the live files that the manifest names."""

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from checker import Verdict, descents
from processes import StalledError

COLUMNS = ["run_id", "writer", "sequence", "value"]
PATIENCE = 60.0


def check_published(data: Path, run_id: str, expected: int) -> Verdict:
    """Judges the files once they hold ``expected`` points of the run: each once, each writer's in order.

    What is compared here and nowhere else is the order of a writer's points across keys.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        table = _read(data, run_id)
        if table is not None and len(table) >= expected:
            break
        if time.monotonic() > deadline:
            found = "nothing" if table is None else len(table)
            raise StalledError(f"the published files hold {found} of {expected} points")
        time.sleep(0.2)
    reordered = 0
    for writer in pc.unique(table["writer"]):
        values = table.filter(pc.equal(table["writer"], writer)).sort_by("sequence")["value"].to_numpy()
        reordered += descents(np.asarray(values))
    return Verdict(0, duplicated=len(table) - expected, reordered=reordered)


def _read(data: Path, run_id: str) -> pa.Table | None:
    """The points of a run; ``None`` when the files changed meanwhile."""
    try:
        files = json.loads((data / "manifest.json").read_text())["files"]
        parts = [
            pq.read_table(data / file["path"], columns=COLUMNS, filters=[("run_id", "=", run_id)]).select(
                COLUMNS[1:]
            )
            for file in files
        ]
    except FileNotFoundError:
        return None
    return pa.concat_tables(parts) if parts else None
