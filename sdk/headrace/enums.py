"""Words and numbers with a meaning: of runs, experiments and views."""

from enum import IntEnum, StrEnum


class RunStatus(StrEnum):
    """Where a run stands. A plain string in comparisons: ``run.info.status == "FINISHED"``."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @staticmethod
    def is_terminated(status: str) -> bool:
        """Whether a run with this status has ended."""
        return status in {RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED}

    @staticmethod
    def to_string(status: str) -> str:
        """The status as text: MLflow's are numbers."""
        return RunStatus(status).value

    @staticmethod
    def from_string(status_str: str) -> "RunStatus":
        """The status with this name."""
        return RunStatus(status_str)

    @staticmethod
    def all_status() -> "list[RunStatus]":
        """Every status there is."""
        return list(RunStatus)


class LifecycleStage(StrEnum):
    """Whether an experiment or a run was deleted."""

    ACTIVE = "active"
    DELETED = "deleted"

    @staticmethod
    def is_valid(lifecycle_stage: str) -> bool:
        """Whether there is such a stage."""
        return lifecycle_stage in list(LifecycleStage)

    @staticmethod
    def view_type_to_stages(view_type: int = 3) -> "list[str]":
        """The stages that a :class:`ViewType` shows."""
        shown = {ViewType.ACTIVE_ONLY: "active", ViewType.DELETED_ONLY: "deleted"}
        return [stage for view, stage in shown.items() if view_type in {view, ViewType.ALL}]

    @staticmethod
    def matches_view_type(view_type: int, lifecycle_stage: str) -> bool:
        """Whether a :class:`ViewType` shows what is in this stage."""
        return lifecycle_stage in LifecycleStage.view_type_to_stages(view_type)


class SourceType(StrEnum):
    """What started a run (the tag ``mlflow.source.type``)."""

    NOTEBOOK = "NOTEBOOK"
    JOB = "JOB"
    PROJECT = "PROJECT"
    LOCAL = "LOCAL"
    UNKNOWN = "UNKNOWN"

    @staticmethod
    def to_string(status: str) -> str:
        """The type as text: MLflow's are numbers."""
        return SourceType(status).value

    @staticmethod
    def from_string(status_str: str) -> "SourceType":
        """The type with this name."""
        return SourceType(status_str)


class ViewType(IntEnum):
    """Which runs or experiments a search sees: MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3

    @staticmethod
    def to_string(view_type: int) -> str:
        """MLflow's name of a view: "active_only", "deleted_only" or "all"."""
        return ViewType(view_type).name.lower()

    @staticmethod
    def from_string(view_str: str) -> "ViewType":
        """The view with this name."""
        return ViewType[view_str.upper()]
