"""Many small files in one body: ``length of the head, u32 little-endian | head, JSON | bytes``, repeated.

The head tells ``path``, ``size``, ``sha256`` and ``type``. Bodies of this form are what the daemon takes at
once.
"""

import hashlib
import json
import struct
from typing import Final

SMALL: Final = 256 << 10
"""Files of up to so many bytes go into packs."""

PACK_BYTES: Final = 4 << 20
PACK_FILES: Final = 500
"""What a pack has, about."""

_LENGTH: Final = struct.Struct("<I")


def packed(path: str, data: bytes, content_type: str = "") -> bytes:
    """One file, as a part of a pack."""
    told = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "type": content_type}
    head = json.dumps(told).encode()
    return b"".join((_LENGTH.pack(len(head)), head, data))
