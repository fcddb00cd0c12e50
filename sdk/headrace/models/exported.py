"""Programs that ``torch.export`` wrote, read without running what somebody put into them.

``torch.export.load`` unpickles parts of its archive without restriction, so each part is looked at first.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError

_SHORT_TEXT = re.compile(rb"[A-Za-z0-9._-]{1,64}\n?")
_PAYLOADS = re.compile(r"data/(?:weights|constants)/[^/]+_config\.json$")
_NUMBERS = ("weight_", "tensor_")
"""What torch reads as bare numbers unless told to unpickle; other names are always unpickled."""


def check(torch: Any, path: Path) -> None:
    """Checks that every part of a program is text, bare numbers, or a pickle of tensors only.

    torch reads archives with a reader of its own, and those that this does not understand with Python's: both
    must find the same.

    Raises:
        HeadraceError: something else is in it, or it is no such file.
    """
    reader = torch._C.PyTorchFileReader(str(path))  # noqa: SLF001 - what torch.export.load reads with
    names = set(reader.get_all_records())
    bare = _bare(reader, names)
    with zipfile.ZipFile(path) as archive:
        listed = [part for part in archive.namelist() if not part.endswith("/")]
        root = listed[0].partition("/")[0]
        if sorted(listed) != sorted(f"{root}/{name}" for name in names):
            raise HeadraceError(f"{path.name} is refused: it is damaged, or reads differently in two ways")
        for name in names - bare:
            content = reader.get_record(name)
            if content != archive.read(f"{root}/{name}") or not _harmless(torch, content):
                raise HeadraceError(
                    f"{path.name} is refused: {name!r} in it is damaged, or may run code when it is loaded"
                )


def _bare(reader: Any, names: set[str]) -> set[str]:
    bare: set[str] = set()
    pickled: set[str] = set()
    for config in names:
        if not _PAYLOADS.match(config):
            continue
        folder = config.rpartition("/")[0]
        for entry in json.loads(reader.get_record(config))["config"].values():
            name = str(entry["path_name"])
            is_bare = entry.get("use_pickle") is False and name.startswith(_NUMBERS) and "/" not in name
            (bare if is_bare else pickled).add(f"{folder}/{name}")
    return bare - pickled


def _harmless(torch: Any, content: bytes) -> bool:
    if _SHORT_TEXT.fullmatch(content):
        return True
    try:
        json.loads(content)
    except ValueError:
        pass
    else:
        return True
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever torch says of what it does not take
        return False
    return True
