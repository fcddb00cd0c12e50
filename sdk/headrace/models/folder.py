"""The folder of a model: ``MLmodel``, the files of its flavour, requirements, an input example.

Everything is written as JSON, which is YAML as well: nothing is needed to write it, and MLflow reads it.
"""

import datetime as dt
import json
import platform
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError
from headrace.models.signature import ModelSignature

MLMODEL = "MLmodel"
CODE = "code"

_LIKE_MLFLOW = "3.0.0"
"""The version of MLflow whose format this is."""


@dataclass(frozen=True)
class Description:
    """What ``MLmodel`` says besides the flavours."""

    signature: ModelSignature | None = None
    input_example: Any = None
    metadata: Mapping[str, Any] | None = None
    requirements: Sequence[str] | None = None
    """Lines of ``requirements.txt``; default: the libraries of the flavour, as they are installed."""
    code_paths: Sequence[str | Path] | None = None
    """Files and folders of Python that the model needs; found by ``import`` when it is loaded."""
    model_id: str | None = None
    run_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def write(
    folder: Path,
    flavors: Mapping[str, dict[str, Any]],
    libraries: Sequence[str],
    description: Description,
) -> None:
    """Completes a folder that has the files of its flavours. ``MLmodel``, which makes it one, comes last."""
    if description.code_paths:
        _copy_code(folder / CODE, description.code_paths)
        for told in flavors.values():
            told["code"] = CODE
    lines = list(description.requirements or _pinned(libraries))
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n")
    python = platform.python_version()
    _dump(folder / "python_env.yaml", {"python": python, "dependencies": ["-r requirements.txt"]})
    dependencies = [f"python={python}", "pip", {"pip": lines}]
    _dump(folder / "conda.yaml", {"name": "model", "channels": ["conda-forge"], "dependencies": dependencies})
    example = _write_example(folder, description.input_example)
    content = {
        "flavors": flavors,
        "mlflow_version": _LIKE_MLFLOW,
        "model_uuid": uuid.uuid4().hex,
        "utc_time_created": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S.%f}",
        "model_size_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "model_id": description.model_id,
        "run_id": description.run_id,
        "signature": description.signature.to_dict() if description.signature else None,
        "saved_input_example_info": example,
        "metadata": description.metadata,
        **description.extra,
    }
    draft = folder / f".{MLMODEL}"
    _dump(draft, {key: value for key, value in content.items() if value is not None})
    draft.rename(folder / MLMODEL)


def python_function(loader: str, model_path: str, **more: Any) -> dict[str, Any]:
    """The flavour that :func:`headrace.pyfunc.load_model` and MLflow's load."""
    return {
        "loader_module": loader,
        "model_path": model_path,
        "python_version": platform.python_version(),
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        **more,
    }


def read(folder: Path) -> dict[str, Any]:
    """What ``MLmodel`` says; MLflow's own, which are YAML, need PyYAML.

    Raises:
        NotFoundError: there is none in the folder.
    """
    path = folder / MLMODEL
    if not path.is_file():
        raise NotFoundError(f"{folder} is no model: there is no {MLMODEL} in it")
    text = path.read_text()
    try:
        told = json.loads(text)
    except ValueError:
        try:
            told = import_module("yaml").safe_load(text)
        except ModuleNotFoundError:
            raise HeadraceError(f"{path} was written by MLflow: reading it needs PyYAML") from None
    if not isinstance(told, dict) or not isinstance(told.get("flavors"), dict):
        raise InvalidArgumentError("model", f"{path} names no flavors")
    return told


def inside(folder: Path, name: object) -> Path:
    """A file that ``MLmodel`` names.

    Raises:
        InvalidArgumentError: it is outside of the folder.
        NotFoundError: it is not there.
    """
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InvalidArgumentError("model", f"names {str(name)[:100]!r}, which is outside of its folder")
    if not path.exists():
        raise NotFoundError(f"{folder} is no whole model: there is no {str(name)[:100]!r} in it")
    return path


def find_code(folder: Path, told: Mapping[str, Any]) -> None:
    """Has ``import`` find the code that was saved with a model, for as long as the process lives."""
    if told.get("code"):
        path = str(inside(folder, told["code"]))
        if path not in sys.path:
            sys.path.insert(0, path)
        invalidate_caches()


def _copy_code(target: Path, paths: Sequence[str | Path]) -> None:
    if isinstance(paths, str | Path):
        raise InvalidArgumentError("code_paths", f"is {str(paths)!r}; expected a list of paths")
    target.mkdir()
    for path in map(Path, paths):
        if not path.exists():
            raise InvalidArgumentError("code_paths", f"names {str(path)!r}, which is not there")
        into = target / path.resolve().name
        if into.exists():
            raise InvalidArgumentError("code_paths", f"has two of the name {into.name!r}")
        if path.is_dir():
            shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, into)


def _pinned(libraries: Sequence[str]) -> list[str]:
    found = []
    for library in libraries:
        try:
            found.append(f"{library}=={version(library)}")
        except PackageNotFoundError:
            continue
    return found


def _write_example(folder: Path, example: Any) -> dict[str, Any] | None:
    if example is None:
        return None
    name = "input_example.json"
    if hasattr(example, "to_dict") and hasattr(example, "columns"):
        (folder / name).write_text(example.to_json(orient="split", index=False))
        return {"artifact_path": name, "type": "dataframe", "pandas_orient": "split"}
    if hasattr(example, "tolist") and hasattr(example, "dtype"):
        _dump(folder / name, {"inputs": example.tolist()})
        return {"artifact_path": name, "type": "ndarray", "format": "tf-serving"}
    _dump(folder / name, example)
    return {"artifact_path": name, "type": "json_object"}


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
