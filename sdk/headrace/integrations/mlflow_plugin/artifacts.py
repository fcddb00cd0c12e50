"""MLflow's repository of artifacts, at the HTTP address that the daemon has at the moment."""

from typing import Any

from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

from headrace.integrations.mlflow_plugin.address import Address


class HeadraceArtifactRepository(MlflowArtifactsRepository):  # type: ignore[misc]  # MLflow has no types
    """MLflow keeps it as long as the process lives; the daemon may be elsewhere when it was started again."""

    def __init__(self, artifact_uri: str, address: Address, **others: Any) -> None:
        """``artifact_uri``: ``mlflow-artifacts:/PATH``."""
        self._address = address
        self._place = artifact_uri
        super().__init__(artifact_uri, tracking_uri=address.http(), **others)

    @property
    def artifact_uri(self) -> str:
        """``http://IP:PORT/...``."""
        return str(self.resolve_uri(self._place, self._address.http()))

    @artifact_uri.setter
    def artifact_uri(self, uri: str) -> None:
        """MLflow's own class sets it once."""
