"""The source of a dataset whose source nobody said: the program that made it."""

from typing import Any

from headrace.data.dataset_source import DatasetSource


class CodeDatasetSource(DatasetSource):
    """Known by the tags that a run of the program has: user, source, git commit."""

    source_type = "code"

    def __init__(self, tags: dict[str, Any]) -> None:
        super().__init__(tags=tags)
        self.tags = tags
