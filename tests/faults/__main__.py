"""``make faults SEED=7 MINUTES=25``: breaks everything for so long, and prints what came of it.

Exit code 0 only if nothing was lost, doubled, reordered or made up, and nothing stalled.
"""

import argparse
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from campaign import Campaign
from setting import Setting


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", default="", help="the same faults in the same order (default: a new one)")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to inject (default: 3)")
    parser.add_argument(
        "--round", type=float, default=60.0, help="seconds between two judgements (default: 60)"
    )
    parser.add_argument("--json", type=Path, help="write the matrix there too")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs and journals")
    parser.add_argument("--folder", type=Path, help="where to work (default: a new folder in /tmp)")
    options = parser.parse_args()
    # The programs import what lies here.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.resolve()), *_path()])
    seed = options.seed or secrets.token_hex(4)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="headrace-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begun:6.0f} s] {line}", flush=True)

    say(f"SEED={seed} MINUTES={options.minutes:g}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {folder}")
    setting = Setting(folder, seed)
    campaign = Campaign(setting, seed, say, keep=options.keep)
    matrix = campaign.matrix
    try:
        number, until = 0, time.monotonic() + options.minutes * 60
        while time.monotonic() < until and not matrix.stalls:
            number += 1
            campaign.round(number, min(options.round, max(5.0, until - time.monotonic())))
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        setting.end()
    print("\n".join(["", *matrix.lines(), ""]))
    print(f"{matrix.faults:,} faults in {matrix.rounds} rounds, {matrix.reads:,} readings meanwhile")
    print(f"SEED={seed}")
    for stall in matrix.stalls:
        print(f"stalled: {stall}")
    if options.json:
        options.json.write_text(json.dumps({"seed": seed, **matrix.to_json()}, indent=1) + "\n")
    if matrix.clean and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if matrix.clean else 1


def _path() -> list[str]:
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


if __name__ == "__main__":
    sys.exit(main())
