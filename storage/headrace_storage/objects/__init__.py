"""Where things lie. ``contract.py`` says what every store promises.

Segments are immutable objects under relative names (``local.py``: a folder). Artifacts are files under
names that users chose (``files.py``: a folder, ``tree.py`` keeps everything inside it, ``uploads.py`` has
what is on its way, ``locations.py`` tells which store an artifact URI means).
"""

from headrace_storage.objects.contract import FileStore, ObjectStore
from headrace_storage.objects.files import LocalFiles, Reading
from headrace_storage.objects.local import LocalStore
from headrace_storage.objects.locations import Locations, Place
from headrace_storage.objects.tree import Listed
from headrace_storage.objects.uploads import Small, Upload

__all__ = [
    "FileStore",
    "Listed",
    "LocalFiles",
    "LocalStore",
    "Locations",
    "ObjectStore",
    "Place",
    "Reading",
    "Small",
    "Upload",
]
