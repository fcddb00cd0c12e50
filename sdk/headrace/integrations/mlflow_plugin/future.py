"""What asynchronous logging calls give: a future for each, as MLflow's ``RunOperations`` holds them."""

import os
import threading
from concurrent.futures import Future
from typing import Any

from headrace.errors import HeadraceError
from headrace.integrations.mlflow_plugin.errors import as_mlflow
from headrace.operation import RunOperation

_lock = threading.Lock()


class Logged(Future[None]):
    """The future of an operation. It costs nothing until somebody looks at it, and few do."""

    def __init__(self, operation: RunOperation) -> None:  # Future's own is called at the first look
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        """All of a future's state is in attributes; while one is missing, nobody has looked yet."""
        if name.startswith("__"):
            raise AttributeError(name)
        with _lock:
            look = "_condition" not in self.__dict__
            if look:
                Future.__init__(self)
                self.set_running_or_notify_cancel()  # it is on its way, and will not be taken back
        if look:
            self._operation.add_done_callback(self._settle)
        return object.__getattribute__(self, name)

    def _settle(self, operation: RunOperation) -> None:
        try:
            operation.wait()
        except HeadraceError as error:
            self.set_exception(as_mlflow(error))
        except Exception as error:  # noqa: BLE001 - of whatever kind: who waits must not wait for ever
            self.set_exception(error)
        else:
            self.set_result(None)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent's may have had it
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
