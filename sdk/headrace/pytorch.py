"""PyTorch models, as ``mlflow.pytorch``: as program, TorchScript, weights, or pickle, which is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models import torch_files
from headrace.models.flavor import Flavor, library
from headrace.models.folder import Description
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log


def _predict(model: Any, data: Any, params: Mapping[str, Any] | None) -> Any:
    torch = library("torch")
    if not hasattr(data, "to_numpy") and not hasattr(data, "__array__"):
        raise InvalidArgumentError("data", f"is a {type(data).__name__}; expected a data frame or an array")
    first = next(model.parameters(), None)
    with torch.no_grad():
        given = torch_files.as_tensor(torch, data)
        answer = model(given if first is None else given.to(first.device), **(params or {})).cpu().numpy()
    return type(data)(answer, index=data.index) if hasattr(data, "columns") else answer


FLAVOR = Flavor(
    "pytorch",
    ("torch", "numpy", "cloudpickle"),
    torch_files.write,
    torch_files.read,
    _predict,
    torch_files.FOLDER,
)


def _described(example: Any) -> Any:
    """Several inputs have no form in MLflow's file of an example."""
    return None if isinstance(example, tuple | list) else example


def save_model(
    pytorch_model: Any,
    path: str | Path,
    *,
    serialization_format: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`.

    Args:
        pytorch_model: a ``torch.nn.Module``, which may be scripted.
        path: the folder, new or empty.
        serialization_format: "pt2" (``torch.export``, for evaluation; needs ``input_example``), "torchscript"
            (of scripted models), "state_dict" (weights, which MLflow reads by ``load_state_dict`` only), or
            "pickle" (the whole module). Default: the first that works, without "state_dict".
        signature: see there, as the following; sizes of -1 may change in a program.
        input_example: a tensor, an array, a data frame, or a list of tensors and arrays.
        pip_requirements: see there.
        metadata: see there.
        code_paths: see there.
    """
    description = Description(signature, _described(input_example), metadata, pip_requirements, code_paths)
    how = serialization_format
    FLAVOR.save(
        pytorch_model, path, description, serialization_format=how, example=input_example, shapes=signature
    )


def log_model(
    pytorch_model: Any,
    artifact_path: str | None = None,
    *,
    name: str | None = None,
    registered_model_name: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    model_type: str | None = None,
    step: int = 0,
    serialization_format: str | None = None,
) -> ModelInfo:
    """Logs a model with its files, as one that the active run made, if there is one.

    Args:
        pytorch_model: as of :func:`save_model`, which has the arguments that are not here as well.
        artifact_path: older name of ``name``.
        name: of the logged model; default: a random one.
        registered_model_name: also make a version of this registered model.
        signature: see :func:`save_model`, as the following four.
        input_example: see there.
        pip_requirements: see there.
        metadata: see there.
        code_paths: see there.
        params: of the logged model; values become text.
        tags: of the logged model; values become text.
        model_type: of the logged model.
        step: of the run, at which it was made.
        serialization_format: see :func:`save_model`.

    Returns:
        Its id, and ``model_uri`` for :func:`load_model`. The files are stored then.
    """
    return log(
        FLAVOR,
        pytorch_model,
        Description(signature, _described(input_example), metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        serialization_format=serialization_format,
        example=input_example,
        shapes=signature,
    )


def load_model(
    model_uri: str | Path,
    dst_path: str | Path | None = None,
    *,
    model: Any = None,
    map_location: Any = None,
) -> Any:
    """A model that was written here or by MLflow; arguments as of :func:`headrace.sklearn.load_model`.

    ``model``: for "state_dict", the class, a function that makes one, or the object that takes the weights;
    ``map_location``: as ``torch.load``'s; default: the CPU where there is no CUDA.
    """
    return FLAVOR.load(fetched(model_uri, dst_path), model=model, map_location=map_location)
