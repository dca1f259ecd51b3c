"""What can be ordered of the embedded AWS: faults, how rollouts and tasks go and end, alarms, hooks, settings."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .faults import Fault, Faults
from .outcomes import AlarmRule, HookRule, LogLine, Outcomes, RolloutRule, TaskRule

#: A line, or a pair of seconds since the container's start and a line.
Line = str | Sequence[Any]


class Orders:
    """The ordering half of the sandbox. What is ordered holds for what begins afterwards; nonsense is a ValueError."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._outcomes = Outcomes()
        self._faults = Faults()
        self.latency = 0.0
        self.rates = False

    def fault(
        self,
        operation: str,
        kind: str,
        times: int = 1,
        skip: int = 0,
        code: str = "",
        message: str = "",
        status: int = 400,
        match: Mapping[str, Any] | None = None,
        count: int = 1,
    ) -> None:
        """Have requests meet a fault: the ``times`` after the first ``skip`` of those of ``operation`` ("*": any) whose
        parameters equal those of ``match``. Kinds: throttle, error, drop_before, drop_after, hold, failures (RunTask:
        ``count`` tasks find no place; DescribeTasks, DescribeServices: the first is not shown), failed_entries
        (PutTargets, RemoveTargets)."""
        fault = Fault(
            operation=operation, kind=kind, code=code, message=message, status=status, match=match, count=count
        )
        self._faults.order(fault, times=times, skip=skip)

    def rollout(
        self,
        ends: str = "COMPLETED",
        seconds: float | None = None,
        service: str | None = None,
        image: str | None = None,
        reason: str | None = None,
        failures: int = 0,
        unplaced: str | None = None,
    ) -> None:
        """Say how rollouts that begin from now on end, after ``seconds``: COMPLETED, FAILED, ROLLED_BACK or NEVER.

        ``service`` and ``image`` are globs for the service's name and an image of its task definition; ``reason``
        becomes the rolloutStateReason of a failure. ``failures`` tasks fail before a rollout completes; with
        ``unplaced``, why, no task of one that fails finds a place. The newest fitting rule wins.
        """
        rule = RolloutRule(
            ends=ends, seconds=seconds, service=service, image=image, reason=reason, failures=failures,
            unplaced=unplaced,
        )  # fmt: skip
        with self._lock:
            self._outcomes.add_rollout(rule)

    def task(
        self,
        exit_codes: Mapping[str, int] | None = None,
        exit_code: int = 0,
        seconds: float | None = None,
        image: str | None = None,
        family: str | None = None,
        command: str | None = None,
        started: bool = True,
        reason: str | None = None,
        stopped_reason: str | None = None,
        failure: str | None = None,
        stays: str | None = None,
        log_lines: Iterable[Line] = (),
        log_line_count: int = 0,
        log_delay: float = 0.0,
    ) -> None:
        """Say how one-off tasks that start from now on end, and how tasks of failing rollouts fail.

        ``exit_code`` is that of every essential container, ``exit_codes`` those of containers by name. ``image``,
        ``family`` and ``command`` (a container's words with blanks between) are globs. ``started`` False:
        the task never starts and has no exit code. ``reason`` is the containers', ``stopped_reason`` the task's.
        ``failure`` is OUT_OF_MEMORY, IMAGE_PULL, CONTAINER_HEALTH, ELB_HEALTH, SECRETS or SPOT; a one-off task that
        ``stays`` PROVISIONING, PENDING or RUNNING does so until it is stopped. ``log_lines`` (or ``log_line_count``
        generated ones) go to the essential containers' awslogs streams, spread over the time that these run, or as
        ``[seconds, line]``; they can be read ``log_delay`` seconds later. The newest fitting rule wins.
        """
        rule = TaskRule(
            exit_codes=dict(exit_codes or {}), exit_code=exit_code, seconds=seconds, image=image, family=family,
            command=command, started=started, reason=reason, stopped_reason=stopped_reason, failure=failure,
            stays=stays, log_lines=tuple(map(_line, log_lines)), log_line_count=log_line_count, log_delay=log_delay,
        )  # fmt: skip
        with self._lock:
            self._outcomes.add_task(rule)

    def hook(
        self,
        answer: str = "SUCCEEDED",
        seconds: float = 0.0,
        target: str | None = None,
        stage: str | None = None,
        service: str | None = None,
    ) -> None:
        """Say what the Lambda functions of lifecycle hooks answer from now on, SUCCEEDED or FAILED, after ``seconds``.

        ``target`` (the hook's hookTargetArn) and ``service`` are globs. The newest fitting rule wins.
        """
        rule = HookRule(answer=answer, seconds=seconds, target=target, stage=stage, service=service)
        with self._lock:
            self._outcomes.add_hook(rule)

    def _order_alarm(self, rule: AlarmRule) -> None:
        with self._lock:
            self._outcomes.add_alarm(rule)

    # -- settings --------------------------------------------------------------------------------------------------

    @property
    def rollout_seconds(self) -> float:
        """How long a rollout takes where no rule says otherwise; 1 to begin with."""
        return self._outcomes.rollout_seconds

    @rollout_seconds.setter
    def rollout_seconds(self, seconds: float) -> None:
        self._outcomes.rollout_seconds = seconds

    @property
    def task_seconds(self) -> float:
        """How long a one-off task takes where no rule says otherwise; 1 to begin with."""
        return self._outcomes.task_seconds

    @task_seconds.setter
    def task_seconds(self, seconds: float) -> None:
        self._outcomes.task_seconds = seconds

    @property
    def minute_seconds(self) -> float:
        """How many seconds the minutes of bake times and of hooks' timeouts have; 60 to begin with."""
        return self._outcomes.minute_seconds

    @minute_seconds.setter
    def minute_seconds(self, seconds: float) -> None:
        self._outcomes.minute_seconds = seconds

    @property
    def stop_seconds(self) -> float:
        """How long a service deployment is STOP_REQUESTED or ROLLBACK_REQUESTED; 0 to begin with."""
        return self._outcomes.stop_seconds

    @stop_seconds.setter
    def stop_seconds(self, seconds: float) -> None:
        self._outcomes.stop_seconds = seconds

    @property
    def container_instances(self) -> int:
        """How many EC2 instances every cluster has; 2 to begin with. Without any, RunTask on EC2 is refused."""
        return self._outcomes.container_instances

    @container_instances.setter
    def container_instances(self, count: int) -> None:
        self._outcomes.container_instances = count


def _line(given: Line) -> LogLine:
    if isinstance(given, str):
        return LogLine(text=given)
    pair = tuple(given)
    if len(pair) != 2:
        raise ValueError("a log line must be a text, or a pair of seconds and a text")
    return LogLine(text=str(pair[1]), seconds=float(pair[0]))
