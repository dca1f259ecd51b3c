"""How rollouts and tasks end: by order, the newest first, else by the rehearsal tags. How tasks fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, TypeVar

from ecsplan.sandbox.logs import LogLine

T = TypeVar("T")

COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
ROLLED_BACK: Final = "ROLLED_BACK"
NEVER: Final = "NEVER"
ENDS: Final = (COMPLETED, FAILED, ROLLED_BACK, NEVER)
#: The statuses in which a task can stay until it is stopped.
STAYS: Final = ("PROVISIONING", "PENDING", "RUNNING")
#: The answers of a Lambda function that is the target of a lifecycle hook.
ANSWERS: Final = ("SUCCEEDED", "FAILED")
#: The stages that an alarm can be ordered for (botocore's model; PRE_PRODUCTION_TRAFFIC_SHIFT from its documentation).
STAGES: Final = (
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME",
    "CLEAN_UP",
)  # fmt: skip

FAIL_ROLLOUT: Final = "fail-rollout"
FAIL_TASK: Final = "fail-task"

#: The ways in which tasks fail.
OUT_OF_MEMORY: Final = "OUT_OF_MEMORY"
IMAGE_PULL: Final = "IMAGE_PULL"
CONTAINER_HEALTH: Final = "CONTAINER_HEALTH"
ELB_HEALTH: Final = "ELB_HEALTH"
SECRETS: Final = "SECRETS"
SPOT: Final = "SPOT"
FAILURES: Final = (OUT_OF_MEMORY, IMAGE_PULL, CONTAINER_HEALTH, ELB_HEALTH, SECRETS, SPOT)

EXITED: Final = "EssentialContainerExited"
NOT_STARTED: Final = "TaskFailedToStart"
BY_SCHEDULER: Final = "ServiceSchedulerInitiated"
KILLED: Final = 137  # by SIGKILL
TERMINATED: Final = 143  # by SIGTERM


@dataclass(frozen=True, kw_only=True)
class RolloutRule:
    """``ends`` None is the rehearsal tag: tasks fail, and the service's circuit breaker decides what follows.

    ``failures`` tasks fail before a rollout that completes. ``unplaced`` is the reason why no task is placed.
    """

    ends: str | None
    seconds: float | None = None
    service: str | None = None
    image: str | None = None
    reason: str | None = None
    failures: int = 0
    unplaced: str | None = None

    def fits(self, service: str, images: Sequence[str]) -> bool:
        return _fits((self.service, (service,)), (self.image, images))


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """An alarm that goes off ``seconds`` after a rollout began, or when it enters ``stage``."""

    name: str
    seconds: float | None = None
    stage: str | None = None
    service: str | None = None
    image: str | None = None

    def fits(self, service: str, images: Sequence[str]) -> bool:
        return _fits((self.service, (service,)), (self.image, images))


@dataclass(frozen=True, kw_only=True)
class HookRule:
    """What a lifecycle hook's Lambda function answers, and after how many seconds."""

    answer: str = "SUCCEEDED"
    seconds: float = 0.0
    target: str | None = None
    stage: str | None = None
    service: str | None = None

    def fits(self, service: str, target: str, stage: str) -> bool:
        return _fits((self.service, (service,)), (self.target, (target,)), (self.stage, (stage,)))


@dataclass(frozen=True, kw_only=True)
class TaskRule:
    """The end of a task. ``exit_codes`` takes precedence over ``exit_code`` for the containers that it names.

    ``failure`` is one of FAILURES. ``exit_code``, ``reason`` and the others take precedence over what it implies.
    ``stays`` is the status in which the task stays. Log lines can be read ``log_delay`` seconds after they are written.
    """

    exit_codes: Mapping[str, int] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float | None = None
    image: str | None = None
    family: str | None = None
    command: str | None = None
    started: bool = True
    reason: str | None = None
    stopped_reason: str | None = None
    failure: str | None = None
    stays: str | None = None
    log_lines: tuple[LogLine, ...] = ()
    log_line_count: int = 0
    log_delay: float = 0.0

    def fits(self, family: str, images: Sequence[str], commands: Sequence[str]) -> bool:
        return _fits((self.family, (family,)), (self.image, images), (self.command, commands))

    def exit_of(self, container: str) -> int:
        return self.exit_codes.get(container, self.exit_code)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """Those given, then the generated ones, numbered from 1."""
        return self.log_lines + tuple(LogLine(text=f"line {n}") for n in range(1, self.log_line_count + 1))

    @property
    def fails(self) -> bool:
        return bool(not self.started or self.failure or self.exit_code or any(self.exit_codes.values()))


class Outcomes:
    """The rules of one account, and the settings that apply without a rule.

    ``container_instances`` is how many EC2 instances each cluster has; any number of tasks of any size fits on them.
    ``minute_seconds`` is how many seconds a minute of a bake time or a hook's timeout takes. ``stop_seconds`` is how
    long a service deployment stays STOP_REQUESTED or ROLLBACK_REQUESTED.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.rollout_seconds = 1.0
        self.task_seconds = 1.0
        self.minute_seconds = 60.0
        self.stop_seconds = 0.0
        self.container_instances = 2
        self._rollouts: list[RolloutRule] = []
        self._tasks: list[TaskRule] = []
        self._alarms: list[AlarmRule] = []
        self._hooks: list[HookRule] = []

    def add_rollout(self, rule: RolloutRule) -> None:
        _one_of("end of a rollout", rule.ends, ENDS)
        _not_negative(rule.seconds)
        if rule.failures and rule.ends != COMPLETED:
            raise ValueError("failures are for rollouts that end COMPLETED; all others fail by themselves")
        if rule.unplaced is not None and rule.ends == COMPLETED:
            raise ValueError("tasks that find no place are for rollouts that do not end COMPLETED")
        self._rollouts.append(rule)

    def add_task(self, rule: TaskRule) -> None:
        _not_negative(rule.seconds)
        if rule.failure is not None:
            _one_of("failure of a task", rule.failure, FAILURES)
        if rule.stays is not None:
            _one_of("status to stay in", rule.stays, STAYS)
            if rule.fails:
                raise ValueError(f"a task that stays {rule.stays} cannot fail as well")
        if rule.log_lines and rule.log_line_count:
            raise ValueError("log_lines and log_line_count exclude each other")
        self._tasks.append(rule)

    def add_alarm(self, rule: AlarmRule) -> None:
        if (rule.seconds is None) == (rule.stage is None):
            raise ValueError("an alarm that is still to come needs either seconds or a stage")
        _not_negative(rule.seconds)
        if rule.stage is not None:
            _one_of("stage", rule.stage, STAGES)
        self._alarms.append(rule)

    def add_hook(self, rule: HookRule) -> None:
        _one_of("answer of a hook", rule.answer, ANSWERS)
        _not_negative(rule.seconds)
        if rule.stage is not None:
            _one_of("stage", rule.stage, STAGES)
        self._hooks.append(rule)

    def rollout(self, service: str, images: Sequence[str]) -> RolloutRule:
        for rule in reversed(self._rollouts):
            if rule.fits(service, images):
                return rule
        return RolloutRule(ends=None if _tagged(images, FAIL_ROLLOUT) else COMPLETED)

    def alarms(self, service: str, images: Sequence[str]) -> list[AlarmRule]:
        """All fitting rules, in the order in which they were given."""
        return [rule for rule in self._alarms if rule.fits(service, images)]

    def hook(self, service: str, target: str, stage: str) -> HookRule:
        return next((rule for rule in reversed(self._hooks) if rule.fits(service, target, stage)), HookRule())

    def task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule:
        rule = self.ordered_task(family, images, commands)
        return rule or TaskRule(exit_code=1 if _tagged(images, FAIL_TASK) else 0)

    def ordered_task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule | None:
        """The newest fitting rule, None if there is none."""
        return next((rule for rule in reversed(self._tasks) if rule.fits(family, images, commands)), None)


def _fits(*wanted: tuple[str | None, Sequence[str]]) -> bool:
    """Does each glob that is given match one of its values?"""
    return all(glob is None or any(fnmatchcase(value, glob) for value in values) for glob, values in wanted)


def _tagged(images: Sequence[str], text: str) -> bool:
    """Does an image's tag contain ``text``? The registry's port and the repository's name do not count."""
    names = (image.rsplit("/", 1)[-1].split("@", 1)[0] for image in images)
    return any(text in name.partition(":")[2] for name in names)


def _one_of(what: str, value: T, allowed: Sequence[T]) -> None:
    if value not in allowed:
        raise ValueError(f"unknown {what} {value!r}: it must be one of {', '.join(map(str, allowed))}")


def _not_negative(seconds: float | None) -> None:
    if seconds is not None and seconds < 0:
        raise ValueError("seconds must not be negative")


# -- how tasks fail, in ECS's words -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class End:
    """How a failed task is described. ``exit_code`` is None if no container started.

    ``container_reason`` is that of the failing container, ``event`` the text of the service's event.
    """

    stop_code: str
    stopped_reason: str
    exit_code: int | None = None
    container_reason: str | None = None
    health: str = "UNKNOWN"
    event: str = ""


def failed_end(kind: str, *, task: str, image: str, port: int, target_group: str) -> End:
    """The end of a task with one of FAILURES. ``task`` is its id, ``image`` that of the failing container."""
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
