"""Objects of Python as files: skops, which is safe to load, and pickle, which runs what it finds."""

import logging
import pickle
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError

logger = logging.getLogger("headrace")

FORMATS = {"skops": "model.skops", "cloudpickle": "model.pkl", "pickle": "model.pkl"}


def write(
    thing: Any, folder: Path, wanted: str | None, trusted: Sequence[str] = (), library: str = ""
) -> tuple[str, str, list[str] | None]:
    """Writes an object, in the safest format that takes it if none is ``wanted``; says so when it is pickle.

    skops takes the types that it knows, those ``trusted``, and those of ``library`` itself.

    Returns:
        The format, the name of the file, and what skops is to trust when it is loaded.

    Raises:
        InvalidArgumentError: ``wanted`` is no format, or skops, which does not take it.
    """
    if wanted is not None and wanted not in FORMATS:
        problem = f"is {wanted!r}; expected one of {', '.join(FORMATS)}"
        raise InvalidArgumentError("serialization_format", problem)
    remedy = "'pip install skops' for a format that is safe to load"
    how = wanted or ("skops" if find_spec("skops") else by_value())
    if how == "skops":
        path = folder / FORMATS[how]
        try:
            return how, path.name, _skops(thing, path, trusted, library)
        except Exception as error:  # skops refuses in several ways
            if wanted is not None:
                raise InvalidArgumentError("serialization_format", f"is 'skops', but {error}") from error
            path.unlink(missing_ok=True)
            how, remedy = by_value(), f"as skops does not take it: {error}"
    say(how, remedy)
    save(thing, folder / FORMATS[how], how)
    return how, FORMATS[how], None


def _skops(thing: Any, path: Path, trusted: Sequence[str], library: str) -> list[str] | None:
    """Writes it; the types to trust. It is an error if it could not be loaded with them."""
    save(thing, path, "skops")
    found = import_module("skops.io").get_untrusted_types(file=path)
    own = [name for name in found if library and name.partition(".")[0] == library]
    if left := [name for name in found if name not in {*trusted, *own}]:
        raise ValueError(
            f"the model holds the types {', '.join(left)}: if you trust them, pass skops_trusted_types, "
            "or choose serialization_format='cloudpickle'"
        )
    return [*trusted, *(name for name in own if name not in trusted)] or None


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
