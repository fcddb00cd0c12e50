"""``AsyncClient``: ``Client``'s twin for asyncio, on the caller's loop, whichever that is."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from headrace import tables, values
from headrace.artifact_face import ArtifactFace
from headrace.calls import artifacts, experiments, histories, metrics, models, registry, rewinds, runs
from headrace.errors import InvalidArgumentError, OperationTimeoutError
from headrace.faces import awaited, awaited_pages
from headrace.operation import RunOperation


class AsyncClient(ArtifactFace):
    """Logs into runs and reads them, by their ids, without ever blocking the loop.

    Logging calls are plain calls: they return at once with a :class:`RunOperation`, which may be awaited.
    Everything that asks the daemon is a coroutine. Errors and arguments are those of :class:`Client`.

    ::

        async with AsyncClient() as client:
            client.log_metric(run_id, "loss", 0.5, step=1)
            await client.log_metric(run_id, "loss", 0.4, step=2)  # until it is durable and visible
    """

    create_experiment = awaited(experiments.create_experiment)
    get_experiment = awaited(experiments.get_experiment)
    get_experiment_by_name = awaited(experiments.get_experiment_by_name)
    search_experiments = awaited(experiments.search_experiments)
    rename_experiment = awaited(experiments.rename_experiment)
    delete_experiment = awaited(experiments.delete_experiment)
    restore_experiment = awaited(experiments.restore_experiment)
    set_experiment_tag = awaited(experiments.set_experiment_tag)
    set_experiment_tags = awaited(experiments.set_experiment_tags)
    delete_experiment_tag = awaited(experiments.delete_experiment_tag)

    create_run = awaited(runs.create_run)
    get_run = awaited(runs.get_run)
    get_parent_run = awaited(runs.get_parent_run)
    search_runs = awaited(runs.search_runs)
    delete_run = awaited(runs.delete_run)
    restore_run = awaited(runs.restore_run)
    erase_deleted = awaited(runs.erase_deleted)

    list_artifacts = awaited(artifacts.list_artifacts)
    download_artifacts = awaited(artifacts.download_artifacts)
    download_archive = awaited(artifacts.download_archive)
    delete_artifacts = awaited(artifacts.delete_artifacts)

    get_metric_history = awaited(metrics.get_metric_history)
    get_metric_histories = awaited(histories.get_metric_histories)
    iter_metric_histories = awaited_pages(histories.iter_metric_histories)
    get_metric_columns = awaited(metrics.get_metric_columns)
    get_metric_chart = awaited(metrics.get_metric_chart)
    get_metric_summaries = awaited(metrics.get_metric_summaries)
    list_writers = awaited(metrics.list_writers)
    list_rejects = awaited(metrics.list_rejects)

    list_rewinds = awaited(rewinds.list_rewinds)
    undo_rewind = awaited(rewinds.undo_rewind)
    redo_rewind = awaited(rewinds.redo_rewind)
    create_logged_model = awaited(models.create_logged_model)
    get_logged_model = awaited(models.get_logged_model)
    finalize_logged_model = awaited(models.finalize_logged_model)
    log_model_params = awaited(models.log_model_params)
    set_logged_model_tags = awaited(models.set_logged_model_tags)
    delete_logged_model_tag = awaited(models.delete_logged_model_tag)
    delete_logged_model = awaited(models.delete_logged_model)
    search_logged_models = awaited(models.search_logged_models)

    create_registered_model = awaited(registry.create_registered_model)
    get_registered_model = awaited(registry.get_registered_model)
    rename_registered_model = awaited(registry.rename_registered_model)
    update_registered_model = awaited(registry.update_registered_model)
    delete_registered_model = awaited(registry.delete_registered_model)
    search_registered_models = awaited(registry.search_registered_models)
    get_latest_versions = awaited(registry.get_latest_versions)
    set_registered_model_tag = awaited(registry.set_registered_model_tag)
    delete_registered_model_tag = awaited(registry.delete_registered_model_tag)
    set_registered_model_alias = awaited(registry.set_registered_model_alias)
    delete_registered_model_alias = awaited(registry.delete_registered_model_alias)
    create_model_version = awaited(registry.create_model_version)
    copy_model_version = awaited(registry.copy_model_version)
    get_model_version = awaited(registry.get_model_version)
    get_model_version_by_alias = awaited(registry.get_model_version_by_alias)
    get_model_version_download_uri = awaited(registry.get_model_version_download_uri)
    get_model_version_stages = awaited(registry.get_model_version_stages)
    update_model_version = awaited(registry.update_model_version)
    transition_model_version_stage = awaited(registry.transition_model_version_stage)
    delete_model_version = awaited(registry.delete_model_version)
    set_model_version_tag = awaited(registry.set_model_version_tag)
    delete_model_version_tag = awaited(registry.delete_model_version_tag)
    search_model_versions = awaited(registry.search_model_versions)

    async def log_table(self, run_id: str, data: Any, artifact_file: str) -> RunOperation:
        """Adds rows to a table, as :func:`headrace.log_table` does, which asks the daemon first."""
        checked = values.run_id(run_id)
        return await asyncio.to_thread(tables.log_table, self._core, checked, data, artifact_file)

    async def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: Sequence[str] | None = None,
        extra_columns: Sequence[str] | None = None,
    ) -> Any:
        """The rows of a table of an experiment's runs, as :func:`headrace.load_table` gives them."""
        number = values.experiment_id(experiment_id)
        return await asyncio.to_thread(
            tables.load_table, self._core, number, artifact_file, run_ids, extra_columns
        )

    async def flush(self, timeout: float | None = None) -> None:
        """Waits until everything that this process logged here is durable and visible.

        Args:
            timeout: seconds; default ``HEADRACE_EXIT_TIMEOUT`` (20).

        Raises:
            OperationTimeoutError: something is left; it stays in the journal, on its way.
        """
        await self._core.settle_async(self._core.settings.exit_timeout if timeout is None else timeout)
        if left := self._core.pending():
            raise OperationTimeoutError(str(left))

    async def close(self) -> None:
        """Waits, bounded, until what was logged is durable, and warns if it isn't. The core lives on."""
        await self._core.settle_async(self._core.settings.exit_timeout)
        self._core.warn_of_pending()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _waits(self, synchronous: bool | None) -> bool:
        if synchronous:
            raise InvalidArgumentError("synchronous", "would block the event loop; await the operation")
        return False
