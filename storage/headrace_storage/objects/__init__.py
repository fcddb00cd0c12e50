"""Where segments lie: immutable objects under relative names, and the two files that publish them.

``contract.py`` says what every store promises; ``local.py`` is a folder.
"""

from headrace_storage.objects.contract import ObjectStore
from headrace_storage.objects.local import LocalStore

__all__ = ["LocalStore", "ObjectStore"]
