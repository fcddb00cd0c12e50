"""A program: runs the examples that it is told of, and prints as JSON what became of each."""

import contextlib
import io
import json
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import headrace

sys.path.insert(0, str(Path(__file__).parent))
from guide_examples import EXAMPLES, TRAINING
from model_examples import CHECKPOINTS, FILES, MODELS

KINDS = {"all": EXAMPLES | FILES | MODELS, "training": TRAINING, "checkpoints": CHECKPOINTS}


def adapted(source: str) -> str:
    """A script for MLflow with its imports changed, and nothing else."""
    source = re.sub(r"^import mlflow$", "import headrace as mlflow", source, flags=re.MULTILINE)
    return re.sub(r"^(from|import) mlflow\b(?! as)", r"\1 headrace", source, flags=re.MULTILINE)


def outcome(name: str, source: str) -> dict[str, Any]:
    headrace.set_experiment(name)
    known = {run.info.run_id for run in everything()}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(compile(adapted(source), name, "exec"), {"__name__": "__main__"})  # noqa: S102
            error = None
        except Exception:  # noqa: BLE001 - it is what the test shows
            error = traceback.format_exc()
        while headrace.active_run() is not None:
            headrace.end_run()
    runs = [run.to_dictionary() for run in everything() if run.info.run_id not in known]
    return {"error": error, "printed": printed.getvalue(), "runs": runs}


def everything() -> list[headrace.Run]:
    found: list[headrace.Run] = headrace.search_runs(search_all_experiments=True, output_format="list")
    return found


if __name__ == "__main__":
    chosen = KINDS[sys.argv[1]]
    print(json.dumps({name: outcome(name, source) for name, source in chosen.items()}))  # noqa: T201
