"""The rules of the kinds against the embedded AWS, which knows none of them: what a row sends, registered or put and
read back, is no difference, and what it sends otherwise is one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ecsplan.aws.api import members
from ecsplan.core.model import Doc
from ecsplan.sandbox import Sandbox
from tests.unit.fakes_kinds import CLUSTER, paths, same
from tests.unit.kinds.event_targets import test_rows as targets
from tests.unit.kinds.task_definition import test_containers as containers
from tests.unit.kinds.task_definition import test_rows as tasks

TASKS = [(row[0], tasks.task, row) for row in [*tasks.TASK_ROWS, *tasks.VOLUME_ROWS]] + [
    (row[0], containers.task, row) for row in containers.ROWS
]
FARGATE: Doc = {"networkMode": "awsvpc", "cpu": "256", "memory": "512"}


def completed(doc: Doc) -> Doc:
    """A row's document with what ECS wants beside the one thing that the row is about."""
    result = copy.deepcopy(doc)
    if "FARGATE" in result.get("requiresCompatibilities", ()):
        result = FARGATE | result
    for field in ("cpu", "memory"):
        if isinstance(result.get(field), int):
            result[field] = str(result[field])  # as they are sent
    others = ("a", "b", "logger", "init")
    result["containerDefinitions"] += [{"name": name, "image": name} for name in others]
    for container in result["containerDefinitions"]:
        container.setdefault("memory", 65)
    if any("mountPoints" in container for container in result["containerDefinitions"]):
        result["volumes"] = [{"name": "v"}, {"name": "w"}]
    return {"executionRoleArn": "e"} | result


def registered(aws: Sandbox, sent: Doc) -> Doc:
    """The task definition as it is read."""
    aws.ecs().call("RegisterTaskDefinition", copy.deepcopy(sent))
    answer = aws.ecs().call("DescribeTaskDefinition", {"taskDefinition": sent["family"], "include": ["TAGS"]})
    found = {
        name: value
        for name, value in answer["taskDefinition"].items()
        if name in members("ecs", "register_task_definition")
    }
    return found | ({"tags": answer["tags"]} if answer["tags"] else {})


@pytest.mark.parametrize(("task", "row"), [pytest.param(task, row, id=name) for name, task, row in TASKS])
def test_task_definitions(aws: Sandbox, task: Callable[[Doc], Doc], row: Any) -> None:
    _, sent, _, other, _ = row
    live = registered(aws, completed(task(sent)))
    assert same(tasks.KIND, live, completed(task(sent)))
    assert paths(tasks.KIND, live, completed(task(other))) != []


@pytest.mark.parametrize(
    ("mode", "sent", "other"),
    [
        ("bridge", {"containerPort": 80}, {"containerPort": 80, "hostPort": 80}),
        ("bridge", {"containerPort": 80, "hostPort": 80}, {"containerPort": 80}),
        ("awsvpc", {"containerPort": 80}, {"containerPort": 81}),
        ("awsvpc", {"containerPort": 80, "hostPort": 0}, {"containerPort": 80, "protocol": "udp"}),
        ("host", {"containerPort": 80}, {"containerPort": 81}),
        ("bridge", {"containerPortRange": "8080-8090"}, {"containerPortRange": "8080-8091"}),
    ],
)
def test_ports(aws: Sandbox, mode: str, sent: Doc, other: Doc) -> None:
    def one(port: Doc) -> Doc:
        return completed(containers.task({"portMappings": [port]}, networkMode=mode))

    live = registered(aws, one(sent))
    assert same(containers.KIND, live, one(sent))
    assert not same(containers.KIND, live, one(other))


ROLE: Doc = {"Arn": CLUSTER, "RoleArn": "arn:aws:iam::123456789012:role/e"}


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in targets.ROWS])
def test_event_targets(events: Any, row: Any) -> None:
    _, declared, _, other, _ = row
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 hour)")

    def whole(fields: Doc) -> Doc:
        target = {"Id": "report"} | ROLE | fields
        target[targets.E] = targets.ecs()[targets.E] | target.get(targets.E, {})
        return target

    # An empty one is left out when it is sent (event_targets.steps).
    sent = whole(declared)
    sent[targets.E] = {name: value for name, value in sent[targets.E].items() if value != ""}
    assert events.put_targets(Rule="nightly", Targets=[sent])["FailedEntryCount"] == 0
    live = targets.rule(*events.list_targets_by_rule(Rule="nightly")["Targets"])
    assert same(targets.KIND, live, targets.rule(whole(declared)))
    assert not same(targets.KIND, live, targets.rule(whole(other)))
