"""Why something failed, as data: what an operator would look up next. Kinds collect it, the journal keeps it, and
renderers show it on one screen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import msgspec

from ecsplan.core.model import Address, Value

LONGEST_LINE = 1000  # characters of a line that are kept; a line may have a megabyte

# What differs from one task, attempt or moment to the next.
_CHANGING = re.compile(
    r"\((?:task|deployment|taskSet|container-instance|instance) [^)]*\)|ecs-svc/\d+"
    r"|arn:aws[\w-]*:ecs:\S*?:(?:task|container-instance|service-deployment|service-revision)/[^\s,)]+"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{12,64}\b|\bi-[0-9a-f]{8,17}\b"
    r"|\b\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-][\d:]+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\(port \d+\)"
)


class Status(Enum):
    """The status of something that takes time. The value is the word in events and in the journal."""

    UNDER_WAY = "under way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"  # by ECS itself: the service is well, on what it had before
    SUPERSEDED = "superseded"  # by another deployment
    PAUSED = "paused"  # at a lifecycle hook that waits for an operator
    TIMED_OUT = "timed out"
    FORGOTTEN = "forgotten"  # it has ended, and AWS no longer shows how


class Tally(Value, frozen=True, kw_only=True):
    """Task counts; `failed` counts those of this rollout that stopped or never started."""

    running: int = 0
    desired: int = 0
    pending: int = 0
    failed: int = 0


class Pause(Value, frozen=True, kw_only=True):
    """A lifecycle hook that waits for an operator: ContinueServiceDeployment takes the ARN of `deployment` and the id
    of `hook`. At `expires` (ISO 8601 in UTC) AWS takes `action` (ROLLBACK or CONTINUE); both are "" if unknown."""

    deployment: str
    hook: str
    stage: str = ""
    expires: str = ""
    action: str = ""


class ContainerEnd(Value, frozen=True, kw_only=True):
    """How a container ended. `exit_code` is None if it never started. `meaning` is the reason in plain words ("out of
    memory", "the image cannot be pulled"), "" if none are known. The task ends with an essential container."""

    name: str
    exit_code: int | None = None
    reason: str = ""
    meaning: str = ""
    essential: bool = True


class StoppedTasks(Value, frozen=True, kw_only=True):
    """Tasks that stopped in the same way: how many, why, and the newest of them (`task` is its id). `meaning` is the
    reason in plain words, "" if none are known."""

    count: int
    reason: str
    stop_code: str = ""
    containers: tuple[ContainerEnd, ...] = ()
    task: str = ""
    meaning: str = ""


class ServiceEvent(Value, frozen=True, kw_only=True):
    """An event of a service. `count` events differ in ids only; the newest is of `at` (ISO 8601 in UTC)."""

    text: str
    count: int = 1
    at: str = ""


class LogTail(Value, frozen=True, kw_only=True):
    """The last lines of a container that failed, oldest first; empty if none were found."""

    container: str
    task: str
    group: str
    stream: str
    lines: tuple[str, ...]


class Diagnosis(Value, frozen=True, kw_only=True):
    """What is known of a failure. Everything may be empty but `reason`.

    `meaning` is the reason in plain words, `advice` what to do about it. `failures` of `threshold` is the count of the
    circuit breaker, 0 of 0 without one. `alarms` are the names of the alarms that fired. `events` and `tasks` are
    newest first. `unseen` are sentences on what could not be looked up.
    """

    reason: str
    meaning: str = ""
    advice: str = ""
    failures: int = 0
    threshold: int = 0
    alarms: tuple[str, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    tasks: tuple[StoppedTasks, ...] = ()
    logs: tuple[LogTail, ...] = ()
    unseen: tuple[str, ...] = ()


def shortened(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with long lines cut. Mask secrets before: half a secret is not recognized."""
    logs = tuple(msgspec.structs.replace(log, lines=tuple(_cut(line) for line in log.lines)) for log in diagnosis.logs)
    return msgspec.structs.replace(diagnosis, logs=logs)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"


def alike(text: str) -> str:
    """The text with ids, addresses and times replaced, for comparing texts."""
    return _CHANGING.sub("*", text)


def together(diagnoses: Mapping[Address, Diagnosis]) -> tuple[tuple[tuple[Address, ...], Diagnosis], ...]:
    """Groups addresses that failed for the same reason and in the same way, with the diagnosis of the first."""
    groups: dict[object, list[Address]] = {}
    for address, found in diagnoses.items():
        groups.setdefault(_way(found), []).append(address)
    return tuple((tuple(addresses), diagnoses[addresses[0]]) for addresses in groups.values())


def joined(one: Diagnosis, other: Diagnosis) -> Diagnosis:
    """Merges two diagnoses of one address, whose tasks were started by several requests: the first one's reason, and
    the tasks of both."""
    tasks: dict[object, StoppedTasks] = {}
    for task in (*one.tasks, *other.tasks):
        known = tasks.get(_end_of(task))
        tasks[_end_of(task)] = msgspec.structs.replace(known, count=known.count + task.count) if known else task
    logs = one.logs or other.logs
    unseen = tuple(dict.fromkeys((*one.unseen, *other.unseen)))
    return msgspec.structs.replace(one, tasks=tuple(tasks.values()), logs=logs, unseen=unseen)


def _way(diagnosis: Diagnosis) -> object:
    tasks = tuple(_end_of(task) for task in diagnosis.tasks)
    return (alike(diagnosis.reason), alike(diagnosis.meaning), diagnosis.alarms, tasks)


def _end_of(task: StoppedTasks) -> object:
    return (alike(task.reason), tuple((end.name, end.exit_code, alike(end.reason)) for end in task.containers))
