"""Fakes of what the executor and the pipeline touch: a clock, AWS, a journal; each records and can fail at call n."""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
from botocore.exceptions import ClientError, ReadTimeoutError

from ecsplan.apply.deploy import Options, Result, apply, resume
from ecsplan.apply.redacted import redacted_ports, redacted_result
from ecsplan.apply.send import Ports
from ecsplan.aws.gateway import Gateway
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address, Call, Doc, Plan, Step
from ecsplan.core.ports import Answer
from ecsplan.journal import Began, Closed, Deployment, Done, Entry, Failed, Opened
from ecsplan.redact import Redactor
from tests.unit.builders import ACCOUNT, AT, ORIGIN, REGION, START, task_definition_arn

READS = ("describe_", "get_", "list_")


class FakeClock:
    """Time passes when somebody sleeps, and only then."""

    def __init__(self, chance: float = 1.0) -> None:
        self.time, self.chance = START, chance
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds
        self.on_sleep()

    def random(self) -> float:
        return self.chance


@dataclass
class Fault:
    """The calls `first` to `last` of this operation that mention `about` are answered with `error`."""

    operation: str
    error: AwsError
    about: str
    first: int
    last: int
    lost: bool
    """it was carried out, and only the answer got lost"""
    for_all: bool
    """it is raised by a read, and not its answer"""
    seen: int = 0


class FakeAws:
    """Both ports, `do` and `fetch`, on one small world. By default everything succeeds at the first look."""

    def __init__(self) -> None:
        self.sent: list[Call] = []
        self.asked: list[tuple[Call, ...]] = []
        self.trace: list[str] = []
        self.definitions: dict[str, Doc] = {}
        self.inactive: set[str] = set()
        self.services: dict[str, Doc] = {}
        self.targets: dict[str, list[Doc]] = {}
        self.rollouts: dict[tuple[str, int], list[Doc]] = {}
        """by service and number of its update: what each look at the PRIMARY deployment shows; the last one stays"""
        self.tasks: dict[int, list[Doc]] = {}
        """by number of the task: what each look at it shows; the last one stays"""
        self.places: int | None = None
        """how many more tasks find a place; None is any number"""
        self.forgotten: set[str] = set()
        """tasks (ARNs) that ECS no longer shows"""
        self.logs: dict[str, list[str]] = {}
        """by name of the stream: what was written to it so far"""
        self.answers: dict[str, Doc] = {}
        """by operation: answered instead of what this world would answer"""
        self.on_call: Callable[[Call], None] = lambda _call: None
        self.on_ask: Callable[[Sequence[Call]], None] = lambda _calls: None
        self._faults: list[Fault] = []
        self._updates: dict[str, int] = {}
        self._runs = 0
        self._lock = threading.RLock()

    def fail(
        self,
        operation: str,
        error: AwsError,
        *,
        about: str = "",
        at: int = 1,
        times: int = 1,
        lost: bool = False,
        for_all: bool = False,
    ) -> None:
        last = at + times - 1
        self._faults.append(
            Fault(operation=operation, error=error, about=about, first=at, last=last, lost=lost, for_all=for_all)
        )

    def calls(self, operation: str) -> list[Doc]:
        """The parameters of each mutating call of this operation, in the order of arrival."""
        return [call.params for call in self.sent if call.operation == operation]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.sent]

    # --- the ports ---

    def do(self, call: Call) -> Doc:
        with self._lock:
            self.sent.append(call)
            self.trace.append(call.operation)
            fault = self._fault(call)
        self.on_call(call)
        if fault and not fault.lost:
            raise copy.copy(fault.error)
        with self._lock:
            answer = self._answered(call)
        if fault:
            raise copy.copy(fault.error)
        return answer

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        with self._lock:
            self.asked.append(tuple(calls))
            self.trace += [call.operation for call in calls]
        self.on_ask(calls)
        with self._lock:
            return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        assert call.operation.startswith(READS), f"{call} is not a question"
        fault = self._fault(call)
        if fault and fault.for_all:
            raise fault.error
        if fault:
            return Answer(call=call, error=fault.error)
        try:
            return Answer(call=call, data=self._answered(call))
        except AwsError as error:
            return Answer(call=call, error=error)

    def _fault(self, call: Call) -> Fault | None:
        hit = None
        for fault in self._faults:
            if fault.operation == call.operation and fault.about in repr(call.params):
                fault.seen += 1
                if hit is None and fault.first <= fault.seen <= fault.last:
                    hit = fault
        return hit

    def _answered(self, call: Call) -> Doc:
        if call.operation in self.answers:
            return self.answers[call.operation]
        known = getattr(self, f"_{call.operation}", None)
        if known is None:
            raise refusal("UnknownOperationException", f"{call} is not known here")
        answer: Doc = known(call.params)
        return answer

    # --- the world ---

    def _register_task_definition(self, params: Doc) -> Doc:
        family = params["family"]
        numbers = [int(arn.rpartition(":")[2]) for arn in self.definitions if f"/{family}:" in arn]
        arn = task_definition_arn(family, max(numbers, default=0) + 1)
        self.definitions[arn] = dict(params)
        return {"taskDefinition": {**params, "taskDefinitionArn": arn}}

    def _deregister_task_definition(self, params: Doc) -> Doc:
        self.inactive.add(params["taskDefinition"])
        return {"taskDefinition": {"taskDefinitionArn": params["taskDefinition"]}}

    def _describe_task_definition(self, params: Doc) -> Doc:
        name = params["taskDefinition"]
        exact = [arn for arn in self.definitions if arn == name or arn.endswith(f"/{name}")]
        arns = exact or [arn for arn in self.definitions if f"/{name}:" in arn and arn not in self.inactive]
        if not arns:
            raise refusal("ClientException", "Unable to describe task definition.")
        status = "INACTIVE" if arns[-1] in self.inactive else "ACTIVE"
        return {"taskDefinition": {**self.definitions[arns[-1]], "taskDefinitionArn": arns[-1], "status": status}}

    def _list_task_definitions(self, params: Doc) -> Doc:
        found = [arn for arn in self.definitions if f"/{params['familyPrefix']}:" in arn and arn not in self.inactive]
        return {"taskDefinitionArns": list(reversed(found))}

    def _run_task(self, params: Doc) -> Doc:
        count = params.get("count", 1)
        placed = count if self.places is None else min(count, self.places)
        if self.places is not None:
            self.places -= placed
        self._runs += placed
        numbers = range(self._runs - placed + 1, self._runs + 1)
        return {
            "tasks": [{"taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/prod/{number}"} for number in numbers],
            "failures": [{"reason": "RESOURCE:CPU"}] * (count - placed),
        }

    def _get_log_events(self, params: Doc) -> Doc:
        if params["logStreamName"] not in self.logs:
            raise refusal("ResourceNotFoundException", "The specified log stream does not exist.")
        lines, start = self.logs[params["logStreamName"]], int(params.get("nextToken", "0"))
        return {
            "events": [{"timestamp": 0, "message": line} for line in lines[start:]],
            "nextForwardToken": str(len(lines)),
        }

    def _stop_task(self, params: Doc) -> Doc:
        return {"task": {"taskArn": params["task"], "desiredStatus": "STOPPED"}}

    def _describe_tasks(self, params: Doc) -> Doc:
        return {"tasks": [self._task(arn) for arn in params["tasks"] if arn not in self.forgotten]}

    def _task(self, arn: str) -> Doc:
        looks = self.tasks.get(int(arn.rpartition("/")[2]), [stopped(0)])
        return {"taskArn": arn, **(looks.pop(0) if len(looks) > 1 else looks[0])}

    def _update_service(self, params: Doc) -> Doc:
        name = params["service"]
        self._updates[name] = self._updates.get(name, 0) + 1
        self.services[name] = {
            **self.services.get(name, service(name)),
            **{k: v for k, v in params.items() if k not in ("service", "cluster", "forceNewDeployment")},
        }
        return {"service": self._service(name, [{"rolloutState": "IN_PROGRESS"}])}

    def _describe_services(self, params: Doc) -> Doc:
        names = [name for name in params["services"] if name in self.services]
        return {"services": [self._service(name, self.rollouts.get((name, self._updates.get(name, 0)), [{}]))
                             for name in names]}  # fmt: skip

    def _service(self, name: str, looks: list[Doc]) -> Doc:
        found, number = self.services[name], self._updates.get(name, 0)
        primary = {
            "id": f"ecs-svc/{name}-{number}",
            "status": "PRIMARY",
            "taskDefinition": found["taskDefinition"],
            "rolloutState": "COMPLETED",
            "runningCount": 1,
            "desiredCount": 1,
            **(looks.pop(0) if len(looks) > 1 else looks[0]),
        }
        return {**found, "deployments": [primary]}

    def _put_targets(self, params: Doc) -> Doc:
        kept = {target["Id"]: target for target in self.targets.get(params["Rule"], ())}
        self.targets[params["Rule"]] = list({**kept, **{t["Id"]: t for t in params["Targets"]}}.values())
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _remove_targets(self, params: Doc) -> Doc:
        kept = [target for target in self.targets.get(params["Rule"], ()) if target["Id"] not in params["Ids"]]
        self.targets[params["Rule"]] = kept
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _list_targets_by_rule(self, params: Doc) -> Doc:
        if params["Rule"] not in self.targets:
            raise refusal("ResourceNotFoundException", "no such rule")
        return {"Targets": list(self.targets[params["Rule"]])}

    def _publish(self, params: Doc) -> Doc:
        return {"MessageId": "1"}

    def _get_caller_identity(self, params: Doc) -> Doc:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ci", "UserId": "1"}


def service(name: str, family: str = "web", revision: int = 41) -> Doc:
    return {
        "serviceName": name,
        "serviceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/prod/{name}",
        "status": "ACTIVE",
        "taskDefinition": task_definition_arn(family, revision),
        "desiredCount": 1,
    }


def stopped(code: int, name: str = "web") -> Doc:
    """A task that has ended, as a look at it shows it."""
    return {"lastStatus": "STOPPED", "containers": [{"name": name, "exitCode": code}], "stoppedReason": "it ended"}


def refusal(code: str = "ClientException", message: str = "no") -> AwsError:
    """AWS has answered no."""
    return AwsError(message, code=code)


def lost(message: str = "the connection broke before an answer came") -> AwsError:
    """Nobody saw the answer."""
    return AwsError(message, code="NoConnection", unclear=True)


def throttled() -> AwsError:
    return AwsError("Rate exceeded", code="ThrottlingException")


class FakeLog:
    """A journal in memory. `on_append` may raise, and then the entry is not written."""

    def __init__(self, trace: list[str]) -> None:
        self.entries: list[Entry] = []
        self.on_append: Callable[[Entry], None] = lambda _entry: None
        self._trace, self._lock = trace, threading.Lock()

    def append(self, entry: Entry) -> None:
        with self._lock:
            self.on_append(entry)
            self.entries.append(entry)
            match entry:
                case Began() | Done() | Failed():
                    what = type(entry).__name__.lower()
                    self._trace.append(f"{'undo ' if entry.undo else ''}{what} {entry.step}")
                case Closed():
                    self._trace.append(f"closed {entry.outcome.value}")

    def of(self, kind: type[msgspec.Struct]) -> list[Any]:
        return [entry for entry in self.entries if isinstance(entry, kind)]


@dataclass
class Rig:
    """All ports of the executor in one place."""

    clock: FakeClock = field(default_factory=FakeClock)
    aws: FakeAws = field(default_factory=FakeAws)
    said: list[events.Event] = field(default_factory=list)
    told: list[tuple[Step, Call, Doc]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    redactor: Redactor = field(default_factory=Redactor)
    closed: list[events.DeploymentClosed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = FakeLog(self.aws.trace)

    @property
    def trace(self) -> list[str]:
        """Journal entries and calls, in the order in which they happened."""
        return self.aws.trace

    def apply(self, plan: Plan, *, number: int = 7, at: str = AT, **options: Any) -> Result:
        key = Opened(number=number, at=at, origin=ORIGIN, plan=plan).deployment_key
        return self._ended(apply(plan, number, self.ports, Options(**options), key=key))

    def resume(self, deployment: Deployment, **options: Any) -> Result:
        return self._ended(resume(deployment, self.ports, Options(**options)))

    @property
    def ports(self) -> Ports:
        return redacted_ports(self._ports(), self.redactor)

    def hide(self, secret: str) -> None:
        """A secret that the plan holds."""
        variables = [{"name": "PASSWORD", "value": secret}]
        doc = {"containerDefinitions": [{"name": "web", "environment": variables}]}
        self.redactor.learn_documents([(Address("task_definition.web"), doc)])

    def _ports(self) -> Ports:
        return Ports(
            read=self.aws,
            write=self.aws.do,
            journal=self.log,
            clock=StoppableClock(self.clock, self.stop),
            emit=self._hear,
        )

    def _hear(self, event: events.Event | events.Notice) -> None:
        match event:
            case events.CallAnswered():
                self.told.append((event.step, event.call, event.answer))
            case events.DeploymentClosed():
                self.closed.append(event)
            case events.Event():
                self.redactor.listener(self.said.append)(event)

    def _ended(self, result: Result) -> Result:
        result = redacted_result(result, self.redactor)
        assert self.said[-1] == events.DeploymentEnded(
            number=result.number, outcome=result.outcome.value, reason=result.reason
        )
        return result

    def happened(self, kind: type[events.Event]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]


class FakeClient:
    """A boto3 client of one service, answered by that world."""

    def __init__(self, aws: FakeAws, service: str) -> None:
        self._aws, self._service, self.closed = aws, service, False

    def __getattr__(self, operation: str) -> Callable[..., Doc]:
        def send(**params: Any) -> Doc:
            call = Call(service=self._service, operation=operation, params=params)
            try:
                if operation.startswith(READS):
                    return dict(self._aws.fetch([call])[0].value())
                return dict(self._aws.do(call))
            except AwsError as error:
                if error.unclear:
                    raise ReadTimeoutError(endpoint_url="https://aws") from error
                response: Any = {"Error": {"Code": error.code, "Message": error.message}}
                raise ClientError(response, operation) from error

        return send

    def close(self) -> None:
        self.closed = True


def gateway_to(aws: FakeAws) -> Gateway:
    """A gateway whose clients are answered by that world; no session is made, and nothing is sent."""
    gateway = Gateway(region=REGION)
    gateway._session = SimpleNamespace(region_name=REGION)
    for service in ("ecs", "events", "sns", "sts"):
        for once in (True, False):
            gateway._clients[service, once] = FakeClient(aws, service)
    return gateway


def child_environment() -> dict[str, str]:
    """For a Python process of its own: it finds the same modules, wherever it is started."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
