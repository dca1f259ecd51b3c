"""The errors of `ecsplan.core.errors`, at the path that Python users know."""

from ecsplan.core.errors import (
    AwsError,
    EcsplanError,
    Exit,
    JournalError,
    LockedError,
    PlanFileError,
    PlanningError,
    SpecError,
    StaleError,
    UnfinishedError,
    UsageError,
)

__all__ = [
    "AwsError", "EcsplanError", "Exit", "JournalError", "LockedError", "PlanFileError", "PlanningError", "SpecError",
    "StaleError", "UnfinishedError", "UsageError",
]  # fmt: skip
