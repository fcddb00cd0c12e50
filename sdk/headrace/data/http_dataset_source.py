"""A dataset on the web."""

from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

from headrace.data.dataset_source import DatasetSource
from headrace.errors import InvalidArgumentError


class HTTPDatasetSource(DatasetSource):
    """A file behind an HTTP or HTTPS URL."""

    source_type = "http"

    def __init__(self, url: str) -> None:
        super().__init__(url=url)
        self.url = url

    def load(self, dst_path: str | None = None, **_: Any) -> str:
        """Downloads the file into ``dst_path`` (default: a new temporary folder) and returns its path."""
        address = urlparse(self.url)
        if address.scheme not in {"http", "https"}:
            raise InvalidArgumentError("url", f"is {self.url!r}; expected http:// or https://")
        folder = Path(dst_path or import_module("tempfile").mkdtemp(prefix="headrace-"))
        target = folder / (PurePosixPath(address.path).name or "dataset_source")
        opened = import_module("urllib.request").urlopen(self.url)
        with opened as response, target.open("wb") as file:
            while chunk := response.read(1 << 20):
                file.write(chunk)
        return str(target)
