"""What ``import headrace`` gives, and what it costs."""

import subprocess
import sys
from types import ModuleType

import headrace


def test_all_is_what_is_public() -> None:
    public = {
        name
        for name, thing in vars(headrace).items()
        if not name.startswith("_") and not isinstance(thing, ModuleType)
    }
    now = {"artifacts", "config", "entities", "exceptions", "tracking", "utils"}
    later = {"data", "keras", "lightgbm", "models", "pyfunc", "pytorch", "sklearn", "types", "xgboost"}
    assert set(headrace.__all__) == public | now | later
    assert headrace.__all__ == sorted(headrace.__all__)


def test_both_clients_have_the_same_methods() -> None:
    def methods(face: type) -> set[str]:
        return {name for name in vars(face) if not name.startswith("_")}

    assert methods(headrace.Client) == methods(headrace.AsyncClient)


def test_importing_loads_nothing_heavy() -> None:
    script = (
        "import headrace, sys; heavy = {'numpy', 'pyarrow', 'asyncpg', 'rich', 'uvloop', 'structlog', "
        "'headrace_ingest', 'headrace_storage'}; print(*heavy & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.split() == []
