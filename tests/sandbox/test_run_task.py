"""Section 4 of the table: one-off tasks."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import ARN, EPOCH, FARGATE, NETWORK, Clock, Doc, container, error_of, task_definition


@pytest.fixture
def ready(ecs: Any) -> Any:
    """``web`` for EC2 with an essential container and another, ``job`` for Fargate."""
    containers = (container(command=["./manage.py", "migrate"]), container("side", essential=False, cpu=10))
    ecs.register_task_definition(**task_definition("web", *containers, tags=[{"key": "a", "value": "b"}]))
    ecs.register_task_definition(**task_definition("job", **FARGATE))
    return ecs


def run(ecs: Any, **params: Any) -> Doc:
    answer: Doc = ecs.run_task(**({"cluster": "prod", "taskDefinition": "web"} | params))
    return answer


def one(ecs: Any, **params: Any) -> Doc:
    (task,) = run(ecs, **params)["tasks"]
    return dict(task)


def now(ecs: Any, task: Doc, **params: Any) -> Doc:
    (answer,) = ecs.describe_tasks(cluster="prod", tasks=[task["taskArn"]], **params)["tasks"]
    return dict(answer)


def codes(task: Doc) -> Doc:
    return {c["name"]: c.get("exitCode") for c in task["containers"]}


def test_what_is_filled_in(ready: Any) -> None:
    task = one(ready)
    assert task["taskArn"].startswith(f"{ARN}task/prod/")
    assert task["taskDefinitionArn"] == f"{ARN}task-definition/web:1"
    assert (task["group"], task["launchType"], task["lastStatus"]) == ("family:web", "EC2", "PROVISIONING")
    assert (task["cpu"], task["memory"], task["desiredStatus"]) == ("10", "128", "RUNNING")
    names = [override["name"] for override in task["overrides"]["containerOverrides"]]
    assert sorted(names) == ["app", "side"]
    assert task["overrides"]["inferenceAcceleratorOverrides"] == []
    assert "startedBy" not in task
    assert "platformVersion" not in task
    assert task["createdAt"].timestamp() == EPOCH


def test_on_fargate(ready: Any) -> None:
    task = one(ready, taskDefinition="job", launchType="FARGATE", networkConfiguration=NETWORK)
    assert (task["platformVersion"], task["platformFamily"]) == ("1.4.0", "Linux")
    assert task["ephemeralStorage"] == {"sizeInGiB": 20}
    assert (task["cpu"], task["memory"]) == ("256", "512")


def test_with_a_strategy(ready: Any) -> None:
    task = one(
        ready,
        taskDefinition="job",
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}],
        networkConfiguration=NETWORK,
    )
    assert (task["capacityProviderName"], task["launchType"]) == ("FARGATE_SPOT", "FARGATE")


def test_overrides_are_shown(ready: Any) -> None:
    override = {"name": "app", "command": ["x"], "environment": [{"name": "A", "value": "1"}]}
    task = one(ready, overrides={"containerOverrides": [override], "cpu": "512", "memory": "1024"}, startedBy="me")
    assert override in task["overrides"]["containerOverrides"]
    assert (task["cpu"], task["memory"], task["startedBy"]) == ("512", "1024", "me")


def test_tags(ready: Any) -> None:
    own = [{"key": "c", "value": "d"}]
    task = one(ready, tags=own)
    assert now(ready, task, include=["TAGS"])["tags"] == own
    task = one(ready, tags=own, propagateTags="TASK_DEFINITION")
    assert now(ready, task, include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}, *own]


def test_the_life_of_a_task(ready: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task_seconds = 10
    task = one(ready)
    seen = []
    for _ in range(11):
        answer = now(ready, task)
        seen.append((answer["lastStatus"], answer["desiredStatus"], answer.get("stopCode"), codes(answer)["app"]))
        clock.tick(1)
    assert seen[0] == ("PROVISIONING", "RUNNING", None, None)
    assert seen[1:3] == [("PENDING", "RUNNING", None, None)] * 2
    assert seen[3:10] == [("RUNNING", "RUNNING", None, None)] * 7
    assert seen[10] == ("STOPPED", "STOPPED", "EssentialContainerExited", 0)
    last = now(ready, task)
    assert last["stoppedReason"] == "Essential container in task exited"
    assert [last[k].timestamp() - EPOCH for k in ("createdAt", "startedAt", "stoppedAt")] == [0, 3, 10]


def test_the_stopped_waiter(ready: Any, clock: Clock) -> None:
    task = one(ready)
    clock.tick()
    waiter = ready.get_waiter("tasks_stopped")
    waiter.wait(cluster="prod", tasks=[task["taskArn"]], WaiterConfig={"Delay": 0, "MaxAttempts": 1})


#: rule · the containers' exit codes · members of the task
ENDS: Final[list[tuple[Doc, Doc, Doc]]] = [
    ({}, {"app": 0, "side": 0}, {"stopCode": "EssentialContainerExited"}),
    ({"exit_code": 3}, {"app": 3, "side": 0}, {"stoppedReason": "Essential container in task exited"}),
    ({"exit_codes": {"side": 9}}, {"app": 0, "side": 9}, {}),
    ({"exit_codes": {"app": 137}, "stopped_reason": "OOM"}, {"app": 137, "side": 0}, {"stoppedReason": "OOM"}),
    ({"started": False, "reason": "CannotPullContainerError: no"}, {"app": None, "side": None},
     {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: no"}),
    ({"started": False, "reason": "r", "stopped_reason": "s"}, {"app": None, "side": None}, {"stoppedReason": "s"}),
]  # fmt: skip


@pytest.mark.parametrize("row", ENDS, ids=lambda row: str(row[0]))
def test_ordered_ends(ready: Any, aws: Sandbox, clock: Clock, row: tuple[Doc, Doc, Doc]) -> None:
    rule, exits, members = row
    aws.task(**rule)
    task = one(ready)
    clock.tick(1)
    last = now(ready, task)
    assert last["lastStatus"] == "STOPPED"
    assert codes(last) == exits
    assert {k: last[k] for k in members} == members
    if rule.get("reason"):
        assert {c.get("reason") for c in last["containers"]} == {rule["reason"]}
    assert ("startedAt" in last) == rule.get("started", True)


@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ({"family": "we*"}, True),
        ({"family": "job"}, False),
        ({"image": "side:*"}, True),
        ({"image": "side"}, False),
        ({"command": "*manage.py migrate"}, True),
        ({"command": "*migrate", "family": "job"}, False),
    ],
)
def test_which_tasks_a_rule_is_for(ready: Any, aws: Sandbox, clock: Clock, glob: Doc, fits: bool) -> None:
    aws.task(exit_code=5, **glob)
    task = one(ready)
    clock.tick()
    assert codes(now(ready, task))["app"] == (5 if fits else 0)


def test_a_rule_sees_the_overridden_command(ready: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(exit_code=5, command="true")
    task = one(ready, overrides={"containerOverrides": [{"name": "app", "command": ["true"]}]})
    clock.tick()
    assert codes(now(ready, task))["app"] == 5


def test_the_rehearsal_tag(ready: Any, clock: Clock) -> None:
    ready.register_task_definition(**task_definition("web", container(image="app:v2-fail-task"), container("b")))
    task = one(ready)
    clock.tick()
    assert codes(now(ready, task)) == {"app": 1, "b": 1}


def test_log_lines(client: Any, ready: Any, aws: Sandbox, clock: Clock) -> None:
    options = {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    logged = container(logConfiguration={"logDriver": "awslogs", "options": options})
    ready.register_task_definition(**task_definition("logged", logged))
    aws.task(exit_code=1, log_lines=["one", "two"])
    task = one(ready, taskDefinition="logged")
    clock.tick()
    now(ready, task)
    stream = f"p/app/{task['taskArn'].rsplit('/', 1)[-1]}"
    answer = client("logs").get_log_events(logGroupName="g", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in answer["events"]] == ["one", "two"]


#: what RunTask refuses: row · sent · code · text
REFUSALS: Final[list[tuple[str, Doc, str, str]]] = [
    ("inactive", {"taskDefinition": "web:2"}, "InvalidParameterException", "TaskDefinition is inactive"),
    ("unknown", {"taskDefinition": "none"}, "ClientException", "Unable to describe task definition."),
    ("cluster", {"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
    ("eleven", {"count": 11}, "InvalidParameterException", "Count must be between 1 and 10."),
    ("none", {"count": 0}, "InvalidParameterException", "Count must be between 1 and 10."),
    ("no network", {"taskDefinition": "job"}, "InvalidParameterException",
     "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    ("a network in bridge mode", {"networkConfiguration": NETWORK}, "InvalidParameterException",
     "Network Configuration is not valid for the given networkMode of this task definition."),
    ("Fargate for a bridge", {"launchType": "FARGATE"}, "InvalidParameterException",
     "Task definition does not support launch_type FARGATE."),
    ("override of nothing", {"overrides": {"containerOverrides": [{"name": "x"}]}}, "InvalidParameterException",
     "Override for container named x is not a container in the TaskDefinition."),
    ("large overrides", {"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 8192]}]}},
     "InvalidParameterException", "The overrides must be at most 8192 characters long."),
    ("token", {"clientToken": "x" * 65}, "InvalidParameterException",
     "clientToken must be at most 64 characters long."),
    ("startedBy", {"startedBy": "x" * 129}, "InvalidParameterException",
     "startedBy must be at most 128 characters long."),
    ("propagateTags", {"propagateTags": "SERVICE"}, "InvalidParameterException",
     "Tags can only be propagated to a task from its task definition."),
    ("both capacities", {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]},
     "InvalidParameterException",
     "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "code", "text"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refused(ready: Any, sent: Doc, code: str, text: str) -> None:
    ready.register_task_definition(**task_definition())
    ready.deregister_task_definition(taskDefinition="web:2")
    with pytest.raises(ClientError) as caught:
        run(ready, **sent)
    assert error_of(caught.value) == (code, text)
    assert ready.list_tasks(cluster="prod")["taskArns"] == []


def test_without_instances(ready: Any, aws: Sandbox) -> None:
    aws.container_instances = 0
    with pytest.raises(ClientError) as caught:
        run(ready)
    text = "No Container Instances were found in your cluster."
    assert error_of(caught.value) == ("InvalidParameterException", text)
    assert run(ready, taskDefinition="job", launchType="FARGATE", networkConfiguration=NETWORK)["tasks"]


def test_client_token(ready: Any, clock: Clock) -> None:
    first = [t["taskArn"] for t in run(ready, clientToken="t", count=2)["tasks"]]
    clock.tick()
    again = run(ready, clientToken="t", count=2)
    assert [t["taskArn"] for t in again["tasks"]] == first
    assert again["tasks"][0]["lastStatus"] == "STOPPED"
    with pytest.raises(ClientError) as caught:
        run(ready, clientToken="t", count=1)
    assert error_of(caught.value)[0] == "ConflictException"
    assert run(ready, clientToken="u")["tasks"][0]["taskArn"] not in first


def test_listing(ready: Any, clock: Clock) -> None:
    web = [t["taskArn"] for t in run(ready, count=3, startedBy="me")["tasks"]]
    job = one(ready, taskDefinition="job", launchType="FARGATE", networkConfiguration=NETWORK)["taskArn"]

    def listed(**filters: Any) -> list[str]:
        return list(ready.list_tasks(cluster="prod", **filters)["taskArns"])

    assert sorted(listed()) == sorted([*web, job])
    assert listed(family="job") == listed(launchType="FARGATE") == [job]
    assert sorted(listed(startedBy="me")) == sorted(web)
    assert listed(desiredStatus="STOPPED") == []
    pages = list(ready.get_paginator("list_tasks").paginate(cluster="prod", PaginationConfig={"PageSize": 3}))
    assert [len(page["taskArns"]) for page in pages] == [3, 1]
    clock.tick()
    assert listed() == []
    assert sorted(listed(desiredStatus="STOPPED", startedBy="me")) == sorted(web)
    with pytest.raises(ClientError) as caught:
        listed(startedBy="me", family="web")
    assert error_of(caught.value)[0] == "InvalidParameterException"
    with pytest.raises(ClientError) as caught:
        listed(serviceName="none")
    assert error_of(caught.value)[0] == "ServiceNotFoundException"


def test_describing(ready: Any, clock: Clock) -> None:
    arn = one(ready)["taskArn"]
    id_ = arn.rsplit("/", 1)[-1]
    answer = ready.describe_tasks(cluster="prod", tasks=[id_, "0" * 32])
    assert [t["taskArn"] for t in answer["tasks"]] == [arn]
    assert answer["failures"] == [{"arn": f"{ARN}task/prod/{'0' * 32}", "reason": "MISSING"}]
    with pytest.raises(ClientError) as caught:
        ready.describe_tasks(cluster="prod", tasks=[id_] * 101)
    assert error_of(caught.value)[0] == "InvalidParameterException"
    clock.tick(3600)
    assert ready.describe_tasks(cluster="prod", tasks=[arn])["tasks"]
    clock.tick(2)
    assert ready.describe_tasks(cluster="prod", tasks=[arn])["failures"][0]["reason"] == "MISSING"


def test_stopping(ready: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=100)
    task = one(ready)
    clock.tick(50)
    answer = ready.stop_task(cluster="prod", task=task["taskArn"], reason="enough")["task"]
    assert (answer["desiredStatus"], answer["stoppedReason"]) == ("STOPPED", "enough")
    clock.tick(1)
    last = now(ready, task)
    assert (last["lastStatus"], last["stopCode"], codes(last)["app"]) == ("STOPPED", "UserInitiated", 137)
    with pytest.raises(ClientError) as caught:
        ready.stop_task(cluster="prod", task="x")
    assert error_of(caught.value)[0] == "InvalidParameterException"
