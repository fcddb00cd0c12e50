"""Image: a picture for :func:`headrace.log_image`, and for the cells of :func:`headrace.log_table`."""

import os
from typing import Any

from headrace.files import images


class Image:
    """A picture, kept as a PIL image; ``size`` is its width and height in pixels. Needs Pillow."""

    def __init__(self, image: Any) -> None:
        """``image``: what :func:`headrace.log_image` takes, or the lists of an array.

        InvalidArgumentError: it is none.
        """
        self.image = images.pillow(image)
        self.size: tuple[int, int] = self.image.size

    def to_pil(self) -> Any:
        """The PIL image."""
        return self.image

    def to_array(self) -> Any:
        """A NumPy array of its pixels."""
        import numpy as np  # noqa: PLC0415 - an extra of the user's

        return np.array(self.image)

    def to_list(self) -> list[Any]:
        """Its pixels, row by row: numbers, or tuples of the bands."""
        return [self.image.getpixel((x, y)) for y in range(self.size[1]) for x in range(self.size[0])]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it into a file, in the format of the name."""
        self.image.save(path)

    def resize(self, size: tuple[int, int]) -> "Image":
        """A copy of another size."""
        return Image(self.image.resize(size))
