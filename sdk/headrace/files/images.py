"""Images as files, and the names of those that belong to a step. MLflow's rules."""

import io
import logging
import os
import random
import re
import string
import uuid
from typing import Any

from headrace.errors import InvalidArgumentError

logger = logging.getLogger("headrace")

COMPRESSED_SIZE = 256
"""Pixels of the longer side of the small copy."""

_KEY = re.compile(r"[\w\-./ ]+")
_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP"}


def pillow(image: Any) -> Any:
    """A PIL image of a PIL image, of a NumPy array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or of a file.

    Integers are 0 to 255; floats 0 to 1, others are scaled to that, with a warning.
    """
    try:
        from PIL import Image  # noqa: PLC0415 - an extra of the user's
    except ImportError:
        raise InvalidArgumentError("image", "needs Pillow: pip install Pillow") from None
    if isinstance(image, Image.Image):
        return image
    if callable(getattr(image, "to_pil", None)):  # headrace.Image, or MLflow's
        return image.to_pil()
    if isinstance(image, str | os.PathLike):
        return _opened(Image, image)
    if not hasattr(image, "__array_interface__") and not isinstance(image, list):
        raise InvalidArgumentError(
            "image", f"is a {type(image).__name__}; expected a NumPy array or a PIL image"
        )
    return Image.fromarray(_pixels(image))


def _opened(pillow_image: Any, path: Any) -> Any:
    try:
        with pillow_image.open(path) as image:
            image.load()
            return image
    except OSError as error:
        raise InvalidArgumentError("image", f"{path!s:.200} cannot be read as an image: {error}") from None


def _pixels(image: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - whoever has an array has it

    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise InvalidArgumentError("image", f"has the type {array.dtype}; expected bool, integers or floats")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {3, 4}):
        raise InvalidArgumentError(
            "image", f"has the shape {array.shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    if not array.size:
        raise InvalidArgumentError("image", "is empty")
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * 255
    low, high = array.min(), array.max()
    if array.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise InvalidArgumentError(
                "image", f"has integers from {low} to {high}; the bounds are 0 and 255"
            )
        return array.astype(np.uint8)
    if not np.isfinite(array).all():
        raise InvalidArgumentError("image", "has values that are not finite")
    if low < 0 or high > 1:
        logger.warning("the image has floats from %g to %g: they are scaled to 0 to 1", low, high)
        array = (array - low) / (high - low)
    return (array * 255).astype(np.uint8)


def encoded(image: Any, path: str) -> bytes:
    """A PIL image in the format of the name; PNG when that says nothing."""
    dot = path.rfind(".")
    kind = _KINDS.get(path[dot:].lower() if dot > path.rfind("/") else ".png")
    if kind is None:
        raise InvalidArgumentError("artifact_file", f"is {path!r}; images can be {', '.join(sorted(_KINDS))}")
    if kind == "JPEG" and image.mode not in {"RGB", "L", "CMYK"}:
        image = image.convert("RGB")
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind)
    except (OSError, ValueError) as error:  # not every format has every kind of pixels
        raise InvalidArgumentError("image", f"cannot be written as {kind}: {error}") from None
    return buffer.getvalue()


def is_image(thing: Any) -> bool:
    """Whether it is a picture of PIL, Headrace or MLflow: what MLflow goes by."""
    return all(callable(getattr(thing, name, None)) for name in ("save", "resize")) and hasattr(thing, "size")


def small(image: Any) -> Any:
    """A copy of a PIL image that fits a square of :data:`COMPRESSED_SIZE` pixels."""
    width, height = image.size
    scale = COMPRESSED_SIZE / max(width, height)
    return image.resize((max(1, int(width * scale)), max(1, int(height * scale))))


def name_of_step(key: str, step: int, timestamp: int) -> str:
    """The name, without a suffix, of an image that belongs to a step."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidArgumentError(
            "key", f"is {key!r}; expected letters, digits, _, -, ., / and spaces, at least one of them"
        )
    # Does not begin with a hex digit, so that nothing takes it for an escape.
    unique = random.choice(string.ascii_lowercase[6:]) + str(uuid.uuid4())[1:]  # noqa: S311 - a name
    return f"images/{key.replace('/', '#')}%step%{step}%timestamp%{timestamp}%{unique}"
