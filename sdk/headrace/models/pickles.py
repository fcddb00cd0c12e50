"""Objects of Python as files: skops, which is safe to load, and pickle, which runs what it finds."""

import logging
import pickle
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError

logger = logging.getLogger("headrace")

FORMATS = {"skops": "model.skops", "cloudpickle": "model.pkl", "pickle": "model.pkl"}


def chosen(wanted: str | None) -> str:
    """The format: the safe one where it is installed. Says so when it is pickle."""
    found = wanted or ("skops" if find_spec("skops") else by_value())
    if found not in FORMATS:
        raise InvalidArgumentError(
            "serialization_format", f"is {found!r}; expected one of {', '.join(FORMATS)}"
        )
    if found != "skops":
        say(found, "'pip install skops' for a format that is safe to load")
    return found


def by_value() -> str:
    """Cloudpickle where it is installed, which takes functions and classes of scripts as well."""
    return "cloudpickle" if find_spec("cloudpickle") else "pickle"


def say(how: str, remedy: str) -> None:
    """Warns that a model is saved as pickle."""
    logger.warning("the model is saved as pickle (%s): whoever loads it runs what is in it; %s", how, remedy)


def save(thing: Any, path: Path, how: str) -> None:
    """Writes an object in one of :data:`FORMATS`."""
    if how == "skops":
        import_module("skops.io").dump(thing, path)
        return
    module: Any = import_module("cloudpickle") if how == "cloudpickle" else pickle
    with path.open("wb") as file:
        module.dump(thing, file)


def load(path: Path, how: str, trusted: list[str] | None = None) -> Any:
    """Reads an object. A pickle runs code: it is loaded, and a warning says so.

    Raises:
        HeadraceError: a skops file holds types that nobody said to trust.
    """
    if how == "skops":
        skops = import_module("skops.io")
        untrusted = [name for name in skops.get_untrusted_types(file=path) if name not in (trusted or ())]
        if untrusted:
            raise HeadraceError(
                f"{path.name} holds the types {', '.join(untrusted)}: if you trust them, save the model with "
                "skops_trusted_types"
            )
        return skops.load(path, trusted=trusted)
    logger.warning("%s is a pickle: loading it runs what is in it", path)
    module: Any = import_module("cloudpickle") if how == "cloudpickle" else pickle
    with path.open("rb") as file:
        return module.load(file)
