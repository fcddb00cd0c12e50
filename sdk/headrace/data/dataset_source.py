"""Where a dataset comes from: a kind, and what finds it again, as JSON."""

import json
from typing import Any, ClassVar, Self

from headrace.errors import HeadraceError


class DatasetSource:
    """The base of all sources; its attributes are what :meth:`to_dict` tells."""

    source_type: ClassVar[str] = ""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def _get_source_type(self) -> str:
        return self.source_type

    def load(self, **options: Any) -> Any:  # noqa: ARG002 - of those that can
        """The data, where that is possible."""
        raise HeadraceError(
            f"a source of type {self.source_type!r} cannot be loaded; read it as you first did"
        )

    def to_dict(self) -> dict[str, Any]:
        """What finds the data again."""
        return dict(self._fields)

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """What :meth:`to_dict` told."""
        return cls(**source_dict)

    @classmethod
    def from_json(cls, source_json: str) -> Self:
        """What :meth:`to_json` wrote."""
        return cls.from_dict(json.loads(source_json))


class FileDatasetSource(DatasetSource):
    """Files: ``source_type`` is "local", or the scheme of the URI ("s3", "gs", ...)."""

    def __init__(self, uri: str, source_type: str = "local") -> None:
        super().__init__(uri=uri)
        self.uri = uri
        self._type = source_type

    def _get_source_type(self) -> str:
        return self._type

    def load(self, **options: Any) -> str:
        """The path of a local file."""
        if self._type != "local":
            return str(super().load(**options))
        return self.uri.removeprefix("file://")
