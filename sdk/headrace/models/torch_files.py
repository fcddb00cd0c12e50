"""PyTorch models as files, in the four formats that there are."""

import contextlib
import logging
import pickle
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.models import exported, pickles
from headrace.models.flavor import library
from headrace.models.folder import inside
from headrace.models.signature import ModelSignature

logger = logging.getLogger("headrace")

FOLDER = "data"

_FILES = {
    "pt2": "model.pt2",
    "torchscript": "model.pth",
    "state_dict": "state_dict.pth",
    "pickle": "model.pth",
}
_REMEDY = "an input_example lets it be exported (pt2), serialization_format='state_dict' keeps weights only"


def write(
    model: Any,
    folder: Path,
    serialization_format: str | None,
    example: Any = None,
    shapes: ModelSignature | None = None,
) -> tuple[dict[str, Any], str]:
    """Writes a model in one of the formats, or the safest that it has."""
    torch = library("torch")
    if not isinstance(model, torch.nn.Module):
        raise InvalidArgumentError(
            "pytorch_model", f"is a {type(model).__name__}; expected a torch.nn.Module"
        )
    if serialization_format is not None and serialization_format not in _FILES:
        problem = f"is {serialization_format!r}; expected one of {', '.join(_FILES)}"
        raise InvalidArgumentError("serialization_format", problem)
    (folder / FOLDER).mkdir()
    scripted = isinstance(model, torch.jit.ScriptModule)
    how = serialization_format or ("torchscript" if scripted else "pt2" if example is not None else "pickle")
    if how == "pickle" and scripted:
        how = "torchscript"  # as MLflow understands it
    if how == "pt2":
        try:
            _export(torch, model, folder / FOLDER / _FILES["pt2"], example, shapes)
        except Exception as error:  # torch.export refuses in many ways
            if serialization_format is not None:
                raise
            logger.warning("the model cannot be exported: %s", str(error).partition("\n")[0])
            (folder / FOLDER / _FILES["pt2"]).unlink(missing_ok=True)
            how = "pickle"
    if how != "pt2":
        _save(torch, model, folder / FOLDER / _FILES[how], how)
    told = {"model_data": FOLDER, "pytorch_version": str(torch.__version__), "serialization_format": how}
    return {**told, "code": None}, "" if how == "state_dict" else f"{FOLDER}/{_FILES[how]}"


def _export(torch: Any, model: Any, path: Path, example: Any, signature: ModelSignature | None) -> None:
    inputs = _tensors(torch, example)
    shapes = [_free(torch, number, one, signature) for number, one in enumerate(inputs)]
    with _evaluating(model):
        program = torch.export.export(model, inputs, dynamic_shapes=shapes)
    torch.export.save(program, path)
    exported.check(torch, path)


def _save(torch: Any, model: Any, path: Path, how: str) -> None:
    if how == "state_dict":
        torch.save(model.state_dict(), path)
        return
    # What MLflow reads model.pth with; what cloudpickle wrote, pickle reads as well.
    (path.parent / "pickle_module_info.txt").write_text("pickle")
    if how == "torchscript":
        torch.jit.save(model, path)
        return
    with_what = pickles.by_value()
    pickles.say(with_what, _REMEDY)
    torch.save(model, path, pickle_module=import_module(with_what))


def _tensors(torch: Any, example: Any) -> tuple[Any, ...]:
    if example is None:
        raise InvalidArgumentError("input_example", "is needed for pt2: the model is traced with it")
    values = example if isinstance(example, tuple | list) else [example]
    return tuple(as_tensor(torch, value) for value in values)


def as_tensor(torch: Any, value: Any) -> Any:
    """An array as it is; a data frame as 32-bit floats, as MLflow has it."""
    if hasattr(value, "to_numpy"):
        value = value.to_numpy(dtype="float32")
    if isinstance(value, torch.Tensor):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def _free(torch: Any, number: int, example: Any, signature: ModelSignature | None) -> dict[int, Any]:
    """The dimensions whose size may change: those that the signature leaves open, else the first."""
    specs = list(signature.inputs.inputs) if signature is not None and signature.inputs is not None else []
    shape = getattr(specs[number], "shape", None) if number < len(specs) else None
    if shape is None:
        shape = (-1,) * min(example.dim(), 1)
    return {axis: torch.export.Dim.AUTO for axis, size in enumerate(shape) if size == -1}


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """A program stays as it was exported, with or without dropout: it is exported for evaluation."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def read(
    folder: Path, told: dict[str, Any], model: Callable[[], Any] | Any = None, map_location: Any = None
) -> Any:
    """Reads a model, which was written here or by MLflow."""
    torch = library("torch")
    data = inside(folder, told["model_data"])
    how = told.get("serialization_format") or ("pt2" if (data / _FILES["pt2"]).exists() else "pickle")
    if how not in _FILES:
        raise InvalidArgumentError("model", f"has the format {how!r}; expected one of {', '.join(_FILES)}")
    path = inside(folder, f"{told['model_data']}/{_FILES[how]}")
    if map_location is None and not torch.cuda.is_available():
        map_location = "cpu"
    if how == "pt2":
        exported.check(torch, path)
        return torch.export.load(path).module()
    if how == "state_dict":
        if model is None:
            raise InvalidArgumentError(
                "model", "is needed: these are weights only; pass the class or an object"
            )
        made = model if isinstance(model, torch.nn.Module) else model()
        made.load_state_dict(torch.load(path, map_location=map_location, weights_only=True))
        return made.eval()
    if how == "torchscript":
        return torch.jit.load(path, map_location=map_location).eval()
    logger.warning("%s is a pickle: loading it runs what is in it", path)
    loaded = torch.load(path, map_location=map_location, weights_only=False, pickle_module=pickle)
    if not isinstance(loaded, torch.nn.Module):
        raise HeadraceError(f"{path} holds a {type(loaded).__name__}, not a model")
    return loaded.eval()
