"""What can be ordered of the simulator: in Python, and as requests under ``/_sandbox/`` from another process."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from inspect import signature
from typing import Any, Final

from .account import Account
from .common import Clock
from .ecs import rollouts
from .ecs.outcomes import AlarmRule, HookRule, Outcomes, RolloutRule, TaskRule
from .faults import Fault, Faults, Gate
from .logs import LogLine
from .others import Others
from .wire import Answer, Incoming, Request

#: A line, or a pair of seconds since the container's start and a line.
Line = str | Sequence[Any]
Doc = dict[str, Any]
SETTINGS: Final = (
    "latency", "rollout_seconds", "task_seconds", "minute_seconds", "stop_seconds", "container_instances",
    "rates",
)  # fmt: skip
_TEXTS: Final = (
    "operation", "kind", "code", "message", "ends", "service", "image", "reason", "family", "command", "stopped_reason",
    "failure", "stays", "unplaced", "name", "stage", "answer", "target",
)  # fmt: skip
_NUMBERS: Final = (
    "seconds", "latency", "rollout_seconds", "task_seconds", "minute_seconds", "stop_seconds", "log_delay",
)  # fmt: skip
_INTEGERS: Final = (
    "times", "skip", "status", "exit_code", "container_instances", "count", "failures", "log_line_count",
)  # fmt: skip


class Orders:
    """The state of the simulator, and what can be ordered of it. Thread-safe; a wrong argument is a ValueError.

    An order holds for what begins afterwards. ``release`` and an alarm without a time act on what is in progress.
    """

    def __init__(self, clock: Clock, *, rates: bool) -> None:
        self._clock = clock
        self._lock, self._log_lock = threading.RLock(), threading.Lock()
        self._outcomes, self._faults, self._gate, self._others = Outcomes(), Faults(), Gate(), Others()
        self.latency = 0.0
        self.rates = self._rates_at_first = rates
        self._forget()

    def _forget(self) -> None:
        self._account = Account(self._clock, self._outcomes)
        self._requests: dict[int, Request] = {}
        self._numbers = itertools.count(1)

    def reset(self) -> None:
        """Forget everything: state, faults, outcomes, settings and the log of requests. Held requests are dropped."""
        self._gate.release(abandon=True)
        with self._lock, self._log_lock:
            self._faults.clear()
            self._outcomes.clear()
            self._others.reset()
            self._forget()
            self.latency = 0.0
            self.rates = self._rates_at_first

    def fault(
        self,
        operation: str,
        kind: str,
        times: int = 1,
        skip: int = 0,
        code: str = "",
        message: str = "",
        status: int | None = None,
        match: Mapping[str, Any] | None = None,
        count: int = 1,
    ) -> None:
        """Order a fault for requests of ``operation`` ("*": any) whose parameters equal those of ``match``.

        ``times`` of them meet it, after the first ``skip``. ``status`` is 400 by default; for throttle it is the status
        with which the service itself throttles. Kinds: throttle, error, drop_before, drop_after, hold,
        failures (RunTask: ``count`` tasks are not placed; DescribeTasks, DescribeServices: the first is not shown),
        failed_entries (PutTargets, RemoveTargets).
        """
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
        """Order how rollouts end that begin from now on, after ``seconds``: COMPLETED, FAILED, ROLLED_BACK or NEVER.

        ``service`` and ``image`` are globs for the service's name and an image of its task definition; ``reason``
        becomes the rolloutStateReason of a failure. ``failures`` tasks fail before a rollout completes. ``unplaced`` is
        the reason why no task of a failing rollout is placed. The newest fitting rule wins.
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
        """Order how one-off tasks end that start from now on, and how tasks of failing rollouts fail.

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
        """Order what the Lambda functions of lifecycle hooks answer, SUCCEEDED or FAILED, after ``seconds``.

        ``target`` (the hook's hookTargetArn) and ``service`` are globs. The newest fitting rule wins.
        """
        rule = HookRule(answer=answer, seconds=seconds, target=target, stage=stage, service=service)
        with self._lock:
            self._outcomes.add_hook(rule)

    def alarm(
        self,
        name: str,
        seconds: float | None = None,
        stage: str | None = None,
        service: str | None = None,
        image: str | None = None,
    ) -> None:
        """Order a CloudWatch alarm: in rollouts that begin from now on, it goes off ``seconds`` after the beginning or
        when they enter ``stage``. Without either, it goes off now, for the rollouts in progress.

        A rollout fails if its deploymentConfiguration watches the alarm. ``service`` and ``image`` are globs.
        """
        rule = AlarmRule(name=name, seconds=seconds, stage=stage, service=service, image=image)
        if seconds is not None or stage is not None:
            with self._lock:
                self._outcomes.add_alarm(rule)
            return
        with self._lock:
            for ecs in self._account.settle():
                rollouts.ring_now(ecs.region, rule)

    # -- requests ------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> tuple[Request, ...]:
        """The finished requests in the order in which they arrived."""
        with self._log_lock:
            return tuple(self._requests[number] for number in sorted(self._requests))

    def clear_requests(self) -> None:
        """Forget the finished requests. Their numbers are not used again."""
        with self._log_lock:
            self._requests.clear()

    def clear_faults(self) -> None:
        """Forget the faults that were ordered and have not happened yet."""
        self._faults.clear()

    def release(self, drop: bool = False) -> None:
        """Carry out the requests that are held. With ``drop``, close their connections instead."""
        self._gate.release(abandon=drop)

    @property
    def holding(self) -> int:
        """How many requests are held."""
        return self._gate.waiting

    # -- settings --------------------------------------------------------------------------------------------------

    @property
    def rollout_seconds(self) -> float:
        """How long a rollout takes without a rule for it. At first 1."""
        return self._outcomes.rollout_seconds

    @rollout_seconds.setter
    def rollout_seconds(self, seconds: float) -> None:
        self._outcomes.rollout_seconds = seconds

    @property
    def task_seconds(self) -> float:
        """How long a one-off task takes without a rule for it. At first 1."""
        return self._outcomes.task_seconds

    @task_seconds.setter
    def task_seconds(self, seconds: float) -> None:
        self._outcomes.task_seconds = seconds

    @property
    def minute_seconds(self) -> float:
        """How many seconds a minute of a bake time or of a hook's timeout takes. At first 60."""
        return self._outcomes.minute_seconds

    @minute_seconds.setter
    def minute_seconds(self, seconds: float) -> None:
        self._outcomes.minute_seconds = seconds

    @property
    def stop_seconds(self) -> float:
        """How long a service deployment stays STOP_REQUESTED or ROLLBACK_REQUESTED. At first 0."""
        return self._outcomes.stop_seconds

    @stop_seconds.setter
    def stop_seconds(self, seconds: float) -> None:
        self._outcomes.stop_seconds = seconds

    @property
    def container_instances(self) -> int:
        """How many EC2 instances every cluster has. At first 2; with 0, RunTask on EC2 is refused."""
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


class Control:
    """The requests: each calls the method of that name, with the members of its JSON object as arguments."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def respond(self, incoming: Incoming) -> Answer:
        """200 with a JSON document, or 400 (404 for an unknown path) with ``{"error": ...}``, on one line."""
        key = f"{incoming.method} {incoming.path.partition('?')[0].removeprefix('/_sandbox')}"
        action = self._actions().get(key)
        if action is None:
            return _json(404, {"error": f"unknown request {key}: there is {', '.join(self._actions())}"})
        try:
            return _json(200, action(_arguments(incoming.body)))
        except (ValueError, TypeError) as error:
            return _json(400, {"error": str(error)})

    def _actions(self) -> dict[str, Callable[[Doc], object]]:
        aws = self._orders
        return {
            "POST /reset": lambda given: _call(aws.reset, given),
            "POST /fault": lambda given: _call(aws.fault, given),
            "POST /rollout": lambda given: _call(aws.rollout, given),
            "POST /task": lambda given: _call(aws.task, given),
            "POST /alarm": lambda given: _call(aws.alarm, given),
            "POST /hook": lambda given: _call(aws.hook, given),
            "POST /settings": self._settings,
            "POST /release": lambda given: _call(aws.release, given),
            "GET /requests": lambda given: {"requests": [asdict(request) for request in aws.requests]},
            "DELETE /requests": lambda given: _call(aws.clear_requests, given),
        }

    def _settings(self, given: Doc) -> Doc:
        """Set all that is given, or nothing if one value is wrong. Returns all settings."""
        for name in given:
            if name not in SETTINGS:
                raise ValueError(f"unknown setting {name!r}: there is {', '.join(SETTINGS)}")
        if None in given.values():
            raise ValueError("a setting must have a value, not null")
        _typed(given)
        for name, value in given.items():
            setattr(self._orders, name, value)
        return {name: getattr(self._orders, name) for name in SETTINGS}


def _call(method: Callable[..., None], given: Doc) -> Doc:
    known = signature(method).parameters
    for name in given:
        if name not in known:
            raise ValueError(f"unknown argument {name!r}: there is {', '.join(known) or 'none'}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise ValueError(f"missing argument {name!r}")
    _typed(given)
    method(**{name: value for name, value in given.items() if value is not None})
    return {"ok": True}


def _typed(given: Doc) -> None:
    """Raise ValueError for an argument of the wrong JSON type. Null counts as absent."""
    for name, value in given.items():
        wanted = _wanted(name, value)
        if value is not None and wanted:
            raise ValueError(f"{name} must be {wanted}, not {json.dumps(value)}")


def _wanted(name: str, value: object) -> str:
    """What the argument must be, in words, or "" if it is that."""
    if name in _TEXTS:
        fits, words = isinstance(value, str), "a text"
    elif name in _NUMBERS:
        fits, words = _is_number(value), "a number, 0 or more"
    elif name in _INTEGERS:
        fits, words = _is_integer(value), "a whole number, 0 or more"
    elif name in ("started", "drop", "rates"):
        fits, words = isinstance(value, bool), "true or false"
    elif name == "log_lines":
        fits = isinstance(value, list) and all(_is_line(line) for line in value)
        words = "a list of texts, or of pairs of seconds and a text"
    elif name == "exit_codes":
        fits = isinstance(value, dict) and all(_is_integer(code) for code in value.values())
        words = "an object of whole numbers"
    else:
        fits, words = isinstance(value, dict), "an object"
    return "" if fits else words


def _is_line(value: object) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and _is_number(value[0]) and isinstance(value[1], str)
    return isinstance(value, str) or pair


def _is_number(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and value >= 0)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _arguments(body: bytes) -> Doc:
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given


def _json(status: int, document: object) -> Answer:
    body = json.dumps(document, default=str).encode() + b"\n"
    return Answer(status=status, body=body, headers=(("Content-Type", "application/json"),))
