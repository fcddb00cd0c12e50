"""NumPy, where the training has loaded it: the SDK needs none, and is faster with it."""

import sys
from types import ModuleType


def numpy() -> ModuleType | None:
    """NumPy; ``None`` where nobody imported it, or another thread is still about it.

    A module stands in ``sys.modules`` before its code has run. While it does, the import system marks its
    ``__spec__`` (``importlib._bootstrap._load_unlocked``); a module without the mark is whole.
    """
    module = sys.modules.get("numpy")
    loading = getattr(getattr(module, "__spec__", None), "_initializing", False)
    return None if loading else module
