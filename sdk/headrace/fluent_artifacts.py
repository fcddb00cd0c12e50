"""The functions of the fluent API that store files, in the active run or the one named."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from headrace import artifact_face as face
from headrace import experiment, record, tables, values, waiting
from headrace.calls import artifacts
from headrace.core import core_for
from headrace.faces import ask
from headrace.fluent import meant
from headrace.operation import RunOperation
from headrace.together import together
from headrace.tracking_uri import get_tracking_uri


def log_artifact(
    local_path: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs a file. When this returns its bytes are secured: what happens to the file then changes nothing.

    Args:
        local_path: the file; of a folder, what is in it is logged as a folder of its name.
        artifact_path: the folder among the artifacts; default: the topmost.
        run_id: the run; default: the active one.
        synchronous: wait until it is uploaded.

    Raises:
        InvalidArgumentError: there is no such file, or a name cannot be an artifact's; nothing was logged.
        SpoolFullError: there is no room for a copy of the file.
    """
    return _log(run_id, synchronous, face.artifact(local_path, artifact_path))


def log_artifacts(
    local_dir: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs what is in a folder, as one operation. Arguments as in :func:`log_artifact`."""
    return _log(run_id, synchronous, face.artifacts(local_dir, artifact_path))


def log_text(
    text: str, artifact_file: str, run_id: str | None = None, synchronous: bool | None = None
) -> RunOperation:
    """Logs a text as the file ``artifact_file``, as ``notes/first.md``."""
    return _log(run_id, synchronous, face.text_file(text, artifact_file))


def log_dict(
    dictionary: Any, artifact_file: str, run_id: str | None = None, synchronous: bool | None = None
) -> RunOperation:
    """Logs a dict or list as JSON, or as YAML where the name ends in ``.yml`` or ``.yaml``."""
    return _log(run_id, synchronous, face.dict_file(dictionary, artifact_file))


def log_figure(
    figure: Any,
    artifact_file: str,
    *,
    save_kwargs: Mapping[str, Any] | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs a figure: matplotlib's in the format of the name, plotly's as ``.html`` or an image.

    ``save_kwargs`` go to ``savefig``, ``write_html`` or ``write_image``.
    """
    return _log(None, synchronous, face.figure_file(figure, artifact_file, save_kwargs))


def log_image(  # noqa: PLR0917 - MLflow's order
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: values.Whole | None = None,
    timestamp: values.Whole | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs an image as the file ``artifact_file``, or as that of a step of the series ``key``.

    Args:
        image: a PIL image, a :class:`headrace.Image`, the path of an image file, or a NumPy array (H, W),
            (H, W, 1), (H, W, 3) or (H, W, 4) of bool, integers 0 to 255 or floats 0 to 1; other floats are
            scaled to that, with a warning.
        artifact_file: its name, with the format's suffix (default: PNG).
        key: letters, digits, ``_-./`` and spaces. Two files are stored below ``images``: PNG, and a WebP of
            at most 256 pixels.
        step: default 0.
        timestamp: milliseconds since the Unix epoch; default: now.
        synchronous: wait until it is uploaded.
    """
    return _log(None, synchronous, face.image_files(image, artifact_file, key, step, timestamp))


def log_table(
    data: Any,
    artifact_file: str,
    run_id: str | None = None,
    synchronous: bool | None = None,
    *,
    extra_tags: Mapping[str, object] | None = None,
) -> RunOperation:
    """Adds rows to a table, which is made if there is none.

    Unlike other logging calls it asks the daemon, for the rows that are there; two processes that add to one
    table at a time may lose rows, as in MLflow.

    Args:
        data: a dict of columns (lists, or single values for one row), a data frame, a list of dicts, or an
            array of two dimensions. A column may hold images (:class:`headrace.Image`, PIL): they are stored
            as files, and its cells name them.
        artifact_file: ``.json``, or ``.parquet`` with pandas.
        run_id: the run; default: the active one.
        synchronous: wait until it is uploaded.
        extra_tags: set on the run.
    """
    core, run = meant(run_id)
    given = values.tags(extra_tags)
    operation = tables.log_table(core, run, data, artifact_file)
    if given:
        operation = together([operation, record.tags(core.run_log(run), given)])
    return _finished(operation, synchronous)


def load_table(
    artifact_file: str, run_ids: Sequence[str] | None = None, extra_columns: Sequence[str] | None = None
) -> Any:
    """The rows that the runs of the current experiment logged to a table, as a pandas data frame.

    Args:
        artifact_file: the table.
        run_ids: only these runs.
        extra_columns: fields of ``run.info``, params or tags, as ``run_id``, to be added as columns.

    Raises:
        NotFoundError: no run has such a table.
    """
    core = core_for(get_tracking_uri())
    return tables.load_table(core, experiment.chosen_id(core), artifact_file, run_ids, extra_columns)


def delete_artifacts(artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Deletes a file or folder of the run's artifacts; default: all of them."""
    core, run = meant(run_id)
    ask(core, artifacts.delete_artifacts(run, artifact_path))


def _log(run_id: str | None, synchronous: bool | None, files: face.Files) -> RunOperation:
    return _finished(files(*meant(run_id)), synchronous)


def _finished(operation: RunOperation, synchronous: bool | None) -> RunOperation:
    if waiting.wanted(synchronous):
        operation.wait()
    return operation
