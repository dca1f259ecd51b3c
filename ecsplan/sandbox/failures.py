"""The ways in which tasks fail, in ECS's words: stop codes, reasons, exit codes, and what the service's events say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OUT_OF_MEMORY: Final = "OUT_OF_MEMORY"
IMAGE_PULL: Final = "IMAGE_PULL"
CONTAINER_HEALTH: Final = "CONTAINER_HEALTH"
ELB_HEALTH: Final = "ELB_HEALTH"
SECRETS: Final = "SECRETS"
SPOT: Final = "SPOT"
KINDS: Final = (OUT_OF_MEMORY, IMAGE_PULL, CONTAINER_HEALTH, ELB_HEALTH, SECRETS, SPOT)

EXITED: Final = "EssentialContainerExited"
NOT_STARTED: Final = "TaskFailedToStart"
BY_SCHEDULER: Final = "ServiceSchedulerInitiated"
KILLED: Final = 137  # by SIGKILL
TERMINATED: Final = 143  # by SIGTERM


@dataclass(frozen=True, kw_only=True)
class End:
    """How a task looks that has failed: ``exit_code`` None where no container started.

    ``container_reason`` is that of the failing container; ``event`` what the service says of it after its own name.
    """

    stop_code: str
    stopped_reason: str
    exit_code: int | None = None
    container_reason: str | None = None
    health: str = "UNKNOWN"
    event: str = ""


def end(kind: str, *, task: str, image: str, port: int, target_group: str) -> End:
    """A task that fails as one of KINDS; ``task`` is its id, ``image`` that of the container that fails."""
    if kind == OUT_OF_MEMORY:
        reason = "OutOfMemoryError: Container killed due to memory usage"
        text = "Essential container in task exited"
        return End(stop_code=EXITED, stopped_reason=text, exit_code=KILLED, container_reason=reason)
    if kind == IMAGE_PULL:
        text = f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}"
        reason = f"CannotPullContainerError: {text}"
        return End(stop_code=NOT_STARTED, stopped_reason=reason, container_reason=reason)
    if kind == SPOT:
        text = "Your Spot Task was interrupted."
        return End(stop_code="SpotInterruption", stopped_reason=text, exit_code=TERMINATED)
    if kind == CONTAINER_HEALTH:
        text = "Task failed container health checks"
        event = f"(task {task}) failed container health checks."
        return End(
            stop_code=BY_SCHEDULER, stopped_reason=text, exit_code=KILLED, health="UNHEALTHY", event=event
        )  # fmt: skip
    if kind == ELB_HEALTH:
        text = f"Task failed ELB health checks in (target-group {target_group})"
        why = "due to (reason Health checks failed with these codes: [503])."
        event = f"(task {task}) (port {port}) is unhealthy in (target-group {target_group}) {why}"
        return End(stop_code=BY_SCHEDULER, stopped_reason=text, exit_code=KILLED, event=event)
    reason = (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secret from asm: service call has been retried 1 time(s): AccessDeniedException"
    )
    return End(stop_code=NOT_STARTED, stopped_reason=reason)
