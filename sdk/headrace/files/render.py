"""What objects become as files: texts, dictionaries, figures, tables. MLflow's formats."""

import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError


def suffix(path: str) -> str:
    """The part of a name after its last dot, in lower case, with the dot; "" when there is none."""
    return Path(path).suffix.lower()


def text(content: str) -> bytes:
    """A text as UTF-8."""
    if not isinstance(content, str):
        raise InvalidArgumentError("text", f"is a {type(content).__name__}; expected a str")
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("text", f"is not valid Unicode ({error.reason})") from None


def dictionary(content: Any, path: str) -> bytes:
    """JSON, or YAML where the name ends in ``.yml`` or ``.yaml``."""
    if suffix(path) in {".yml", ".yaml"}:
        try:
            import yaml  # noqa: PLC0415 - an extra of the user's
        except ImportError:
            raise InvalidArgumentError(
                "artifact_file", "ends in .yaml, which needs PyYAML: pip install PyYAML"
            ) from None
        dumped: str = yaml.dump(content, indent=2, default_flow_style=False)
        return dumped.encode()
    # What JSON does not know becomes text, as in MLflow.
    return json.dumps(content, indent=2, default=str).encode()


def figure(content: Any, path: str, save_kwargs: Mapping[str, Any] | None = None) -> bytes:
    """A matplotlib figure in the format of the name, or a plotly one as ``.html`` or an image."""
    given = dict(save_kwargs or {})
    kind = suffix(path).removeprefix(".")
    if callable(getattr(content, "savefig", None)):
        buffer = io.BytesIO()
        content.savefig(buffer, **{"format": kind or "png", **given})
        return buffer.getvalue()
    if kind == "html" and callable(getattr(content, "write_html", None)):
        given = {"include_plotlyjs": "cdn", "auto_open": False, **given}
        return _written(lambda target: content.write_html(target, **given), path)
    if kind in {"png", "jpeg", "jpg", "webp", "svg", "pdf"} and callable(
        getattr(content, "write_image", None)
    ):
        return _written(lambda target: content.write_image(target, **given), path)
    if callable(getattr(content, "write_image", None)):
        raise InvalidArgumentError(
            "artifact_file", f"ends in {kind!r}; a plotly figure can be html, png, jpeg, webp, svg or pdf"
        )
    raise InvalidArgumentError(
        "figure", f"is a {type(content).__name__}; expected a figure of matplotlib or plotly"
    )


def _written(write: Any, path: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        target = Path(folder, "figure" + suffix(path))
        write(str(target))
        return target.read_bytes()
