"""What went wrong, as data: what a person would look up next, found before anybody asks. Kinds fill it in, the journal
keeps it, renderers put it on one screen."""

from __future__ import annotations

from enum import Enum

from ecsplan.model import Value


class Verdict(Enum):
    """What has become of something that takes time. The value is the word in events and in the journal."""

    UNDER_WAY = "under way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"  # by ECS itself: the service is well, on what it had before
    SUPERSEDED = "superseded"  # by another deployment
    PAUSED = "paused"  # at a lifecycle hook that waits for somebody
    TIMED_OUT = "timed out"
    FORGOTTEN = "forgotten"  # it has ended, and AWS no longer tells how


class Tally(Value, frozen=True, kw_only=True):
    """Tasks of what is under way; `failed` counts those of this rollout that stopped or never started."""

    running: int = 0
    desired: int = 0
    pending: int = 0
    failed: int = 0


class Pause(Value, frozen=True, kw_only=True):
    """A lifecycle hook that waits for somebody: ContinueServiceDeployment takes the ARN and the id. `expires` is ISO
    8601 in UTC, after which `action` (ROLLBACK or CONTINUE) is taken; both "" where AWS does not say."""

    deployment: str
    hook: str
    stage: str = ""
    expires: str = ""
    action: str = ""


class ContainerEnd(Value, frozen=True, kw_only=True):
    """How a container ended. `exit_code` is None where it never started; `meaning` says it in words where they are
    known ("out of memory", "the image cannot be pulled"), else it is ""."""

    name: str
    exit_code: int | None = None
    reason: str = ""
    meaning: str = ""


class StoppedTasks(Value, frozen=True, kw_only=True):
    """Tasks that stopped in the same way: how many, why, and the newest of them (`task` is its id)."""

    count: int
    reason: str
    stop_code: str = ""
    containers: tuple[ContainerEnd, ...] = ()
    task: str = ""


class ServiceEvent(Value, frozen=True, kw_only=True):
    """An event of a service. `count` of them, alike but for ids, the newest at `at` (ISO 8601 in UTC)."""

    text: str
    count: int = 1
    at: str = ""


class LogTail(Value, frozen=True, kw_only=True):
    """The last lines of a container that failed, oldest first."""

    container: str
    task: str
    group: str
    stream: str
    lines: tuple[str, ...]


class Diagnosis(Value, frozen=True, kw_only=True):
    """What is known of a failure, the most telling first. Everything may be empty but `reason`.

    `failures` of `threshold` is the count of the circuit breaker, 0 of 0 where there is none. `alarms` are the names of
    those that went off. `events` and `tasks` are newest first. `unseen` tells what could not be looked up, a sentence
    each.
    """

    reason: str
    failures: int = 0
    threshold: int = 0
    alarms: tuple[str, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    tasks: tuple[StoppedTasks, ...] = ()
    logs: tuple[LogTail, ...] = ()
    unseen: tuple[str, ...] = ()
