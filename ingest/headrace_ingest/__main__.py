"""``python -m headrace_ingest`` is ``headrace server``."""

import sys

from headrace_ingest.main import main

if __name__ == "__main__":
    sys.exit(main())
