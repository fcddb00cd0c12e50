"""``python -m benchmarks.peers.install NAME...``: environments for peers; all of them without names."""

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.peers.compare import ASKED, ENVIRONMENTS, ROOT, SERVERS


def main() -> int:
    """Makes what is not there; 1 when one cannot be installed, after trying the others."""
    failed = []
    names = [ASKED if name == SERVERS else name for name in sys.argv[1:]]
    for name in names or PEERS:
        peer = PEERS[name]
        folder = ENVIRONMENTS / peer.module
        ready = folder / ".ready"
        if not ready.exists() or ready.read_text() != str(peer.requirements):
            print(f"installing {name} into {folder}", file=sys.stderr)
            venv.create(folder, with_pip=True, clear=True)
            if not pip(folder, *peer.requirements):
                failed.append(name)
                continue
            ready.write_text(str(peer.requirements))
        # Copied each time, for it may have changed: a link would make the path longer than a user's.
        if peer.ours and not pip(folder, f"{ROOT}[mlflow]"):
            failed.append(name)
    for name in failed:
        print(f"{name} cannot be installed here", file=sys.stderr)
    return 1 if failed else 0


def pip(folder: Path, *requirements: str) -> bool:
    """Installs into an environment; whether that went well."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
