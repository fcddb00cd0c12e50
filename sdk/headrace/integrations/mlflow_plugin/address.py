"""Where the daemon of ``headrace://HOST:PORT``, which is its gRPC address, speaks HTTP."""

import socket
import time
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from mlflow.utils.credentials import get_default_host_creds

from headrace.config import Settings
from headrace.core import Core, core_for
from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.shipping.address import normalize
from headrace.shipping.runtime import forked

CONNECT_SECONDS = 10.0

FRESH_SECONDS = 2.0
"""For so long what the daemon said is taken for true: one that was started again may be at another port."""

_found: dict[str, tuple[str, float]] = {}
"""By URI: where it is, and until when nobody asks again."""


class Address:
    """Of a daemon, as MLflow's REST stores ask for it: called before each request. Cheap, and can be pickled.

    Children of a fork know what their parent knew: they cannot ask.
    """

    def __init__(self, uri: str) -> None:
        """MlflowException: ``uri`` is no ``headrace://HOST:PORT``."""
        try:
            # "headrace:7070" would be a folder.
            self.uri = normalize(uri if "://" in uri else f"{uri}://")
        except InvalidArgumentError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error

    def __call__(self) -> Any:
        """The address with MLflow's credentials, if there are any."""
        return get_default_host_creds(self.http())

    @property
    def core(self) -> Core:
        """What this process logs through, and asks with.

        Not the one of Headrace's own API: runs that MLflow made are ended by whoever ends them, whether their
        process lives or not.
        """
        return core_for(self.uri, Settings.from_environment(), attends=False)

    def http(self) -> str:
        """``http://IP:PORT``. MlflowException: none answers, or it serves no HTTP; it tells the remedy."""
        known, until = _found.get(self.uri, ("", 0.0))
        if known and (time.monotonic() < until or forked() or self.core.ended):
            return known
        try:
            known = self._ask()
        except MlflowException:
            if not known:
                raise
        _found[self.uri] = known, time.monotonic() + FRESH_SECONDS
        return known

    def _ask(self) -> str:
        try:
            host, _, port = self.core.http_address().rpartition(":")
        except (HeadraceError, TimeoutError) as error:
            raise MlflowException(
                f"{error or 'it does not answer'}. MLflow needs the daemon of {self.uri} and its HTTP side: "
                "start it (headrace server), or correct MLFLOW_TRACKING_URI",
                TEMPORARILY_UNAVAILABLE,
            ) from error
        try:
            with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
                ip, number, *_ = connection.getpeername()
        except OSError as error:
            raise MlflowException(
                f"the daemon of {self.uri} serves HTTP on port {port}, which cannot be reached from here: "
                f"{error}; open that port too, or forward it under the same number",
                TEMPORARILY_UNAVAILABLE,
            ) from error
        # In digits: the daemon answers to its addresses, whatever other names lead to it.
        return f"http://[{ip.partition('%')[0]}]:{number}" if ":" in ip else f"http://{ip}:{number}"
