"""Headrace's plugin in MLflow, whether or not Headrace was installed by pip."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
GROUPS: Final = ("mlflow.tracking_store", "mlflow.model_registry_store", "mlflow.artifact_repository")


def _told() -> Mapping[str, Mapping[str, str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups: Mapping[str, Mapping[str, str]] = project["entry-points"]
    return groups


def is_installed() -> bool:
    """Whether the entry points are there, as pip makes them."""
    return all("headrace" in importlib.metadata.entry_points(group=group).names for group in GROUPS)


def provide(folder: Path) -> dict[str, str]:
    """The environment of a program in which MLflow finds the plugin, in ``folder`` if nowhere else."""
    if is_installed():
        return dict(os.environ)
    info = folder / "headrace-0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace\nVersion: 0\n")
    lines = []
    for group in GROUPS:
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in _told()[group].items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}


def register() -> None:
    """Has MLflow, in this process, know the plugin."""
    if is_installed():
        return
    from mlflow.store.artifact import artifact_repository_registry as artifacts  # noqa: PLC0415
    from mlflow.tracking._model_registry import utils as models  # noqa: PLC0415
    from mlflow.tracking._tracking_service import utils as tracking  # noqa: PLC0415

    registries: tuple[Any, ...] = (
        tracking._tracking_store_registry,
        models._get_store_registry(),
        artifacts._artifact_repository_registry,
    )
    for group, registry in zip(GROUPS, registries, strict=True):
        for name, place in _told()[group].items():
            registry.register(name, importlib.metadata.EntryPoint(name, place, group).load())


def run(folder: Path, program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with nothing but the environment; its end."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=provide(folder) | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
