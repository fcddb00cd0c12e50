"""What readers of files get, without a daemon: the live files that the manifest names."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from checker import Verdict, descents
from processes import StalledError

COLUMNS = ["run_id", "attempt", "step", "writer", "sequence", "value"]
PATIENCE = 60.0


def check_published(data: Path, run_id: str, expected: int) -> Verdict:
    """Judges the files once they show ``expected`` points of the run: each once, each writer's in order.

    What is compared here and nowhere else is the order of a writer's points across keys.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        table = _read(data, run_id)
        if table is not None and len(table) == expected:
            break
        if time.monotonic() > deadline:
            if table is not None and len(table) > expected:
                break
            found = "nothing" if table is None else len(table)
            raise StalledError(f"the published files show {found} of {expected} points")
        time.sleep(0.2)
    reordered = 0
    for writer in pc.unique(table["writer"]):
        values = table.filter(pc.equal(table["writer"], writer)).sort_by("sequence")["value"].to_numpy()
        reordered += descents(np.asarray(values))
    return Verdict(0, duplicated=len(table) - expected, reordered=reordered)


def _read(data: Path, run_id: str) -> pa.Table | None:
    """The points that a run shows; ``None`` when the files changed meanwhile."""
    try:
        manifest = json.loads((data / "manifest.json").read_text())
        views = [view for view in manifest["views"] if view["run_id"] == run_id]
        parts = [
            part
            for file in manifest["files"]
            for view in views or [{"source": run_id, "last_steps": {}, "others": True}]
            for part in [_shown(data / file["path"], view)]
        ]
    except FileNotFoundError:
        return None
    return pa.concat_tables(parts) if parts else None


def _shown(path: Path, view: dict[str, Any]) -> pa.Table:
    """What a view shows of a file, as docs/rewind.md says."""
    table = pq.read_table(path, columns=COLUMNS, filters=[("run_id", "=", view["source"])]).select(COLUMNS)
    attempt = table["attempt"].cast(pa.string())
    tokens = pa.array(list(view["last_steps"]), pa.string())
    lasts = pa.array(list(view["last_steps"].values()), pa.int64())
    last = lasts.take(pc.index_in(attempt, tokens).combine_chunks())
    return table.filter(pc.fill_null(pc.less_equal(table["step"], last), view["others"]))
