"""An account as the two ports that kinds are given: hundreds of requests take a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ecsplan.core.model import Address, Call, Doc
from ecsplan.core.ports import Answer
from ecsplan.kinds.contract import Delta, Kind, Live, Resource
from ecsplan.plan.diff import diff
from tests.support.aws import Aws, aws_name
from tests.unit.fakes_kinds import CLUSTER, compare, kind, revision

ADDRESSES = {
    "task_definition": Address("task_definition.web"),
    "service": Address("service.prod/web"),
    "event_targets": Address("event_targets.nightly"),
    "schedule": Address("schedule.default/nightly"),
}


class Embedded:
    """An account of its own. `seen` is what becomes of an operation's answer on its way to whoever asks."""

    def __init__(self) -> None:
        self._gateway = Aws().in_process(edited=_rolled_out)
        self.seen: Callable[[str, Doc], Doc] = lambda _, answer: answer

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        answer = self._gateway.submit(call).result()
        return answer if answer.error else Answer(call=call, data=self.seen(aws_name(call), answer.value()))

    def do(self, call: Call) -> Doc:
        """Carried out. Raises AwsError."""
        return self._gateway.do(call)

    def send(self, service: str, operation: str, **params: Any) -> Doc:
        return self.do(Call(service=service, operation=operation, params=params))


def _rolled_out(_call: Call, answer: Doc) -> None:
    """The laws are about documents: whatever hooks and alarms a service has, its rollouts are shown as completed."""
    for service in answer.get("services", ()):
        for deployment in service["deployments"]:
            deployment["rolloutState"] = "COMPLETED"


def seeded(name: str) -> Embedded:
    """What a resource of that kind needs before it can be deployed to."""
    aws = Embedded()
    if name == "service":
        ports = [{"containerPort": 80, "name": "http"}, {"containerPort": 8080, "name": "admin"}]
        app = {"name": "app", "image": "app:1", "memory": 64, "portMappings": ports}
        for _ in range(2):
            aws.send("ecs", "register_task_definition", family="web", networkMode="awsvpc", containerDefinitions=[app])
        aws.send("ecs", "create_cluster", clusterName="prod")
        network = {"awsvpcConfiguration": {"subnets": ["first"]}}
        names = {"cluster": "prod", "serviceName": "web", "taskDefinition": "web:1"}
        aws.send("ecs", "create_service", **names, desiredCount=1, networkConfiguration=network)
    if name == "event_targets":
        aws.send("events", "put_rule", Name="nightly", ScheduleExpression="rate(1 day)")
    if name == "schedule":
        role = "arn:aws:iam::123456789012:role/scheduler"
        target = {"Arn": CLUSTER, "RoleArn": role, "EcsParameters": {"TaskDefinitionArn": revision("web:1")}}
        when = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
        aws.send("scheduler", "create_schedule", Name="nightly", **when, Target=target)
    return aws


def declared(name: str, doc: Doc) -> Resource:
    return Resource(kind=kind(name), address=ADDRESSES[name], task="web", doc=doc)


def planned(aws: Embedded, name: str, doc: Doc) -> Delta:
    """What a plan makes of what is declared and live."""
    one = declared(name, doc)
    (delta,) = diff([one], {one.address: live(aws, one)})
    return delta


def live(aws: Embedded, one: Resource) -> Live:
    (found,) = compare(kind(one.address.kind)).read(aws, [one])
    return found


def applied(aws: Embedded, name: str, doc: Doc) -> Delta:
    """The same, and carried out."""
    of: Kind = kind(name)
    delta = planned(aws, name, doc)
    if delta.change.action.value != "keep":
        for draft in of.change.steps(delta):
            aws.do(draft.call)
    return delta
