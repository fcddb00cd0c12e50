"""``Client``: MLflow's client methods, by run id, blocking. ``AsyncClient`` is its twin for asyncio.

Logging calls and signatures are in ``faces.py``, what is asked in ``calls``.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from headrace import tables, values
from headrace.artifact_face import ArtifactFace
from headrace.calls import artifacts, experiments, histories, metrics, models, registry, rewinds, runs
from headrace.errors import OperationTimeoutError
from headrace.faces import blocking, paged
from headrace.operation import RunOperation


class Client(ArtifactFace):
    """Logs into runs and reads them, by their ids. Cheap to make; all clients of a process share one core.

    Logging calls return at once with a :class:`RunOperation`; ``synchronous=True`` waits until it is durable
    and visible. Reads first wait, bounded, for what this process logged itself, so they see it.

    What asks the daemon raises ``NotFoundError``, ``AlreadyExistsError``, ``UnavailableError`` (no daemon
    answers) or ``OperationTimeoutError``; every method raises ``InvalidArgumentError`` for a bad argument.
    """

    create_experiment = blocking(experiments.create_experiment)
    get_experiment = blocking(experiments.get_experiment)
    get_experiment_by_name = blocking(experiments.get_experiment_by_name)
    search_experiments = blocking(experiments.search_experiments)
    rename_experiment = blocking(experiments.rename_experiment)
    delete_experiment = blocking(experiments.delete_experiment)
    restore_experiment = blocking(experiments.restore_experiment)
    set_experiment_tag = blocking(experiments.set_experiment_tag)
    set_experiment_tags = blocking(experiments.set_experiment_tags)
    delete_experiment_tag = blocking(experiments.delete_experiment_tag)

    create_run = blocking(runs.create_run)
    get_run = blocking(runs.get_run)
    get_parent_run = blocking(runs.get_parent_run)
    search_runs = blocking(runs.search_runs)
    delete_run = blocking(runs.delete_run)
    restore_run = blocking(runs.restore_run)
    erase_deleted = blocking(runs.erase_deleted)

    list_artifacts = blocking(artifacts.list_artifacts)
    download_artifacts = blocking(artifacts.download_artifacts)
    download_archive = blocking(artifacts.download_archive)
    delete_artifacts = blocking(artifacts.delete_artifacts)

    get_metric_history = blocking(metrics.get_metric_history)
    get_metric_histories = blocking(histories.get_metric_histories)
    iter_metric_histories = paged(histories.iter_metric_histories)
    get_metric_columns = blocking(metrics.get_metric_columns)
    get_metric_chart = blocking(metrics.get_metric_chart)
    get_metric_summaries = blocking(metrics.get_metric_summaries)
    list_writers = blocking(metrics.list_writers)
    list_rejects = blocking(metrics.list_rejects)

    list_rewinds = blocking(rewinds.list_rewinds)
    undo_rewind = blocking(rewinds.undo_rewind)
    redo_rewind = blocking(rewinds.redo_rewind)
    create_logged_model = blocking(models.create_logged_model)
    get_logged_model = blocking(models.get_logged_model)
    finalize_logged_model = blocking(models.finalize_logged_model)
    log_model_params = blocking(models.log_model_params)
    set_logged_model_tags = blocking(models.set_logged_model_tags)
    delete_logged_model_tag = blocking(models.delete_logged_model_tag)
    delete_logged_model = blocking(models.delete_logged_model)
    search_logged_models = blocking(models.search_logged_models)

    create_registered_model = blocking(registry.create_registered_model)
    get_registered_model = blocking(registry.get_registered_model)
    rename_registered_model = blocking(registry.rename_registered_model)
    update_registered_model = blocking(registry.update_registered_model)
    delete_registered_model = blocking(registry.delete_registered_model)
    search_registered_models = blocking(registry.search_registered_models)
    get_latest_versions = blocking(registry.get_latest_versions)
    set_registered_model_tag = blocking(registry.set_registered_model_tag)
    delete_registered_model_tag = blocking(registry.delete_registered_model_tag)
    set_registered_model_alias = blocking(registry.set_registered_model_alias)
    delete_registered_model_alias = blocking(registry.delete_registered_model_alias)
    create_model_version = blocking(registry.create_model_version)
    copy_model_version = blocking(registry.copy_model_version)
    get_model_version = blocking(registry.get_model_version)
    get_model_version_by_alias = blocking(registry.get_model_version_by_alias)
    get_model_version_download_uri = blocking(registry.get_model_version_download_uri)
    get_model_version_stages = blocking(registry.get_model_version_stages)
    update_model_version = blocking(registry.update_model_version)
    transition_model_version_stage = blocking(registry.transition_model_version_stage)
    delete_model_version = blocking(registry.delete_model_version)
    set_model_version_tag = blocking(registry.set_model_version_tag)
    delete_model_version_tag = blocking(registry.delete_model_version_tag)
    search_model_versions = blocking(registry.search_model_versions)

    def log_table(
        self, run_id: str, data: Any, artifact_file: str, synchronous: bool | None = None
    ) -> RunOperation:
        """Adds rows to a table, as :func:`headrace.log_table` does."""
        waits = self._waits(synchronous)
        operation = tables.log_table(self._core, values.run_id(run_id), data, artifact_file)
        if waits:
            operation.wait()
        return operation

    def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: Sequence[str] | None = None,
        extra_columns: Sequence[str] | None = None,
    ) -> Any:
        """The rows of a table of an experiment's runs, as :func:`headrace.load_table` gives them."""
        number = values.experiment_id(experiment_id)
        return tables.load_table(self._core, number, artifact_file, run_ids, extra_columns)

    def flush(self, timeout: float | None = None) -> None:
        """Waits until everything that this process logged here is durable and visible.

        Args:
            timeout: seconds; default ``HEADRACE_EXIT_TIMEOUT`` (20).

        Raises:
            OperationTimeoutError: something is left; it stays in the journal, on its way.
        """
        if left := self._core.flush(self._core.settings.exit_timeout if timeout is None else timeout):
            raise OperationTimeoutError(str(left))

    def close(self) -> None:
        """Waits, bounded, until what was logged is durable, and warns if it isn't. The core lives on."""
        self._core.deliver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


MlflowClient = Client
"""The name that MLflow's users import."""
