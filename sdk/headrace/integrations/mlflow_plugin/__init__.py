"""MLflow's plugin: ``MLFLOW_TRACKING_URI=headrace://HOST:PORT`` (extra ``headrace[mlflow]``).

MLflow loads this module by the entry points of ``pyproject.toml`` while it is being imported itself, whatever
it tracks to. So nothing of MLflow, nor anything else, is imported before a function is called. Begin reading
in ``store.py``; ``channel.py`` is what it logs through.
"""

from typing import Any

LEAST = "3.2"
"""The oldest MLflow that is tested; ``pyproject.toml`` says the same."""

_SCHEME = "headrace://"


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:  # noqa: ARG001 - MLflow gives it
    """Entry point ``mlflow.tracking_store``: the store of a tracking URI ``headrace://HOST:PORT``."""
    _check_version()
    from headrace.integrations.mlflow_plugin.store import HeadraceStore  # noqa: PLC0415

    return HeadraceStore(store_uri)


def model_registry_store(store_uri: str, tracking_uri: str | None = None) -> Any:  # noqa: ARG001 - MLflow gives it
    """Entry point ``mlflow.model_registry_store``: MLflow's own, at the daemon's HTTP address."""
    _check_version()
    from mlflow.store.model_registry.rest_store import RestStore  # noqa: PLC0415

    from headrace.integrations.mlflow_plugin.address import Address  # noqa: PLC0415

    return RestStore(Address(store_uri))


def artifact_repository(artifact_uri: str, tracking_uri: str | None = None, **others: Any) -> Any:
    """Entry point ``mlflow.artifact_repository``: MLflow's own, at the daemon's HTTP address.

    For ``mlflow-artifacts:/PATH``, as runs and models that MLflow's clients read have it, whatever the
    tracking URI is, and for ``headrace://HOST:PORT/PATH``, the same at a daemon.
    """
    from mlflow.tracking import get_tracking_uri  # noqa: PLC0415

    server = tracking_uri or get_tracking_uri()
    if artifact_uri.startswith(_SCHEME):
        host, _, path = artifact_uri.removeprefix(_SCHEME).partition("/")
        server, artifact_uri = _SCHEME + host, f"mlflow-artifacts:/{path}"
    if server.startswith(_SCHEME):
        _check_version()
        from headrace.integrations.mlflow_plugin.address import Address  # noqa: PLC0415
        from headrace.integrations.mlflow_plugin.artifacts import HeadraceArtifactRepository  # noqa: PLC0415

        return HeadraceArtifactRepository(artifact_uri, Address(server), **others)
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository  # noqa: PLC0415

    # What MLflow does not give, versions that are too old for us do not know.
    given = others if tracking_uri is None else {**others, "tracking_uri": tracking_uri}
    return MlflowArtifactsRepository(artifact_uri, **given)


def _check_version() -> None:
    try:
        from mlflow.version import VERSION  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("MLflow is missing: pip install 'headrace[mlflow]'") from error
    if tuple(map(int, VERSION.split(".")[:2])) < tuple(map(int, LEAST.split("."))):
        raise ImportError(
            f"MLflow {VERSION} is too old for headrace:// (least: {LEAST}): pip install -U mlflow"
        )
