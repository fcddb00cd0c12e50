"""Names of artifacts: the one place of the SDK that checks them, on their way out and in."""

from headrace.errors import InvalidArgumentError
from headrace_proto.paths import path_problem


def checked(path: str, argument: str = "artifact_file") -> str:
    """``path``, if it can be the path of an artifact."""
    if not isinstance(path, str):
        raise InvalidArgumentError(argument, f"is {path!r}; expected a text")
    if problem := path_problem(path):
        raise InvalidArgumentError(argument, f"{path[:200]!r} {problem}")
    return path


def folder(path: str | None, argument: str = "artifact_path") -> str:
    """``path`` of a folder, "" for that of the run; MLflow takes a slash at its end."""
    stripped = (path or "").removesuffix("/")
    return "" if stripped in {"", "."} else checked(stripped, argument)


def below(above: str, *names: str, argument: str = "artifact_path") -> str:
    """The path of ``names`` below the folder ``above``."""
    return checked("/".join([above, *names] if above else names), argument)
