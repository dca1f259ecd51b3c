"""The embedded AWS as both ports of the executor: called directly, on the test's clock. A call of choice can fail."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Plan
from ecsplan.core.ports import Answer
from ecsplan.core.text import short_arn
from ecsplan.sandbox import common
from ecsplan.sandbox.account import Account
from ecsplan.sandbox.ecs import Clock, outcomes
from ecsplan.sandbox.ecs.outcomes import RolloutRule, TaskRule
from tests.unit.builders import ACCOUNT, CLUSTER, REGION, ROLE, task_definition_arn

READS = ("describe_", "get_", "list_")


@dataclass
class Fault:
    """The calls `first` to `last` of this operation that mention `about` fail with `error`. `lost`: AWS carries the
    call out, and only its answer is lost. `for_all`: a read raises it, so that the other calls have no answer either.
    """

    operation: str
    error: AwsError
    about: str
    first: int
    last: int
    lost: bool
    for_all: bool
    seen: int = 0


class Outcomes(outcomes.Outcomes):
    """What has no order succeeds at once. Tasks and rollouts can also be ordered by their numbers."""

    def clear(self) -> None:
        super().clear()
        self.rollout_seconds = self.task_seconds = 0.0
        self.tasks: dict[int, TaskRule] = {}
        """by number of the one-off task, from 1"""
        self.rollouts: dict[tuple[str, int], RolloutRule] = {}
        """by service and number of its update; 0 is its creation"""
        self._begun: Counter[str] = Counter()

    def task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule:
        self._begun["tasks"] += 1
        return self.tasks.get(self._begun["tasks"]) or super().task(family, images, commands)

    def rollout(self, service: str, images: Sequence[str]) -> RolloutRule:
        name = f"rollouts of {service}"
        self._begun[name] += 1
        return self.rollouts.get((service, self._begun[name] - 1)) or super().rollout(service, images)


class FailingAccount:
    """One account and region. Thread-safe. `sent` and `asked` are the calls so far, `trace` their operations."""

    def __init__(self, clock: Clock) -> None:
        self.sent: list[Call] = []
        self.asked: list[tuple[Call, ...]] = []
        self.trace: list[str] = []
        self.outcomes = Outcomes()
        account = Account(clock, self.outcomes)
        self.clock, self.ecs, self.events = clock, account.ecs(REGION), account.events(REGION)
        self.places: int | None = None
        """how many more one-off tasks find a place; None is any number"""
        self.answers: dict[str, Doc] = {"publish": {"MessageId": "1"}, "get_caller_identity": {"Account": ACCOUNT}}
        """by operation: answered instead of what the account would answer"""
        self.on_call: Callable[[Call], None] = lambda _call: None
        self.on_ask: Callable[[Sequence[Call]], None] = lambda _calls: None
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self.ecs.settle()
        self.ecs.call("CreateCluster", {"clusterName": short_arn(CLUSTER)})

    # --- what fails ---

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
        self._faults.append(Fault(operation, error, about, at, at + times - 1, lost, for_all))

    def _fault(self, call: Call) -> Fault | None:
        hit = None
        for fault in self._faults:
            if fault.operation == call.operation and fault.about in repr(call.params):
                fault.seen += 1
                if hit is None and fault.first <= fault.seen <= fault.last:
                    hit = fault
        return hit

    # --- the ports ---

    def write(self, call: Call) -> Doc:
        with self._lock:
            self.sent.append(call)
            self.trace.append(call.operation)
            fault = self._fault(call)
        self.on_call(call)
        if fault and not fault.lost:
            raise copy.copy(fault.error)
        with self._lock:
            answer = self._carried_out(call)
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
            return Answer(call=call, data=self._carried_out(call))
        except AwsError as error:
            return Answer(call=call, error=error)

    def _carried_out(self, call: Call) -> Doc:
        if call.operation in self.answers:
            return self.answers[call.operation]
        operation = "".join(word.title() for word in call.operation.split("_"))
        try:
            if call.service == "events":
                return copy.deepcopy(self.events.call(operation, call.params))
            if call.service == "logs":
                return self.ecs.region.logs.call(REGION, operation, call.params, self.clock.now())
            unplaced = self._unplaced(call)
            reason = {"reason": "RESOURCE:CPU"} if unplaced else None
            return copy.deepcopy(self.ecs.call(operation, call.params, reason, unplaced))
        except common.AwsError as error:
            raise AwsError(error.message, code=error.code) from error

    def _unplaced(self, call: Call) -> int:
        """How many tasks of this RunTask find no place."""
        if call.operation != "run_task" or self.places is None:
            return 0
        count = call.params.get("count", 1)
        placed = min(count, self.places)
        self.places -= placed
        return int(count - placed)

    # --- what was sent, and what there is now ---

    def calls(self, operation: str) -> list[Doc]:
        """The parameters of each mutating call of this operation, in the order of arrival."""
        return [call.params for call in self.sent if call.operation == operation]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.sent]

    @property
    def tasks(self) -> list[str]:
        """The ARNs of the one-off tasks, in the order of their start."""
        return [task.arn for task in self.ecs.region.tasks.values() if task.service is None]

    def service(self, name: str) -> Doc:
        """A service as ECS describes it now."""
        (found,) = self.ecs.call("DescribeServices", {"cluster": "prod", "services": [name]})["services"]
        return dict(found)

    def primary(self, name: str) -> str:
        """The id of a service's PRIMARY deployment."""
        return str(self.service(name)["deployments"][0]["id"])

    def targets(self, rule: str) -> list[Doc]:
        return list(self.events.call("ListTargetsByRule", {"Rule": rule})["Targets"])

    def status(self, family: str, number: int) -> str:
        """Is that revision ACTIVE or INACTIVE?"""
        return self.ecs.region.families[family][self._numbers(family).index(number)].status

    # --- what there is before a test ---

    def seed(self, plan: Plan) -> None:
        """Make what the plan's steps found, where it is not there yet."""
        for step in plan.steps:
            newest = step.expect.get("newest", 0)
            if step.call.operation == "register_task_definition" and newest:
                self.add_revision(step.call.params["family"], newest)
            for call in (step.undo, step.call):
                if isinstance(call, Call):
                    self._seed(call)

    def _seed(self, call: Call) -> None:
        match call.params:
            case {"service": name, "taskDefinition": str(arn)}:
                self.add_service(name, arn)
            case {"taskDefinition": str(arn)}:
                self.add_arn(arn)
            case {"Rule": rule, "Targets": [*targets]}:
                known = [one for one in targets if isinstance(one["EcsParameters"]["TaskDefinitionArn"], str)]
                self.add_rule(rule, *known)

    def add_arn(self, arn: str) -> None:
        family, _, number = short_arn(arn).partition(":")
        self.add_revision(family, int(number))

    def add_revision(self, family: str, number: int, **members: Any) -> str:
        """The ARN of that revision, which runs the image `FAMILY:vNUMBER`."""
        region = self.ecs.region
        if number not in self._numbers(family):
            last = region.last_revision.get(family, 0)
            region.last_revision[family] = number - 1
            container = {"name": "web", "image": f"{family}:v{number}", "memory": 128}
            self.ecs.call("RegisterTaskDefinition", {"family": family, "containerDefinitions": [container]} | members)
            region.last_revision[family] = max(last, number)
            region.families[family].sort(key=lambda revision: revision.number)
        return task_definition_arn(family, number)

    def _numbers(self, family: str) -> list[int]:
        return [revision.number for revision in self.ecs.region.families.get(family, [])]

    def add_service(self, name: str, arn: str = task_definition_arn("web", 41), **members: Any) -> None:
        """A service of one task on that revision, without events. Its deployment is `ecs-svc/NAME-0`."""
        if ("prod", name) in self.ecs.region.services:
            return
        self.add_arn(arn)
        made = {"cluster": "prod", "serviceName": name, "taskDefinition": arn, "desiredCount": 1, **members}
        self.ecs.call("CreateService", made)
        self.ecs.settle()
        service = self.ecs.region.services["prod", name]
        service.deployments[0].id = f"ecs-svc/{name}-0"
        service.events.clear()

    def add_rule(self, rule: str, *targets: Doc) -> None:
        """A rule with these targets, where it has none of their ids."""
        if rule not in [one["Name"] for one in self.events.call("ListRules", {})["Rules"]]:
            self.events.call("PutRule", {"Name": rule, "ScheduleExpression": "rate(1 hour)"})
        known = [one["Id"] for one in self.targets(rule)]
        new = [{"Arn": CLUSTER, "RoleArn": ROLE, **one} for one in targets if one["Id"] not in known]
        if new:
            self.events.call("PutTargets", {"Rule": rule, "Targets": new})
