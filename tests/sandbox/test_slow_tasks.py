"""One-off tasks that take their time, never start, find no place, or are stopped."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import Clock, Doc, container, error_of, task_definition


@pytest.fixture
def ready(ecs: Any) -> Any:
    ecs.register_task_definition(**task_definition("job", container("app"), container("side", essential=False)))
    return ecs


def run(ecs: Any, **params: Any) -> Doc:
    answer: Doc = ecs.run_task(cluster="prod", taskDefinition="job", **params)
    return answer


def now(ecs: Any, task: Doc) -> Doc:
    (answer,) = ecs.describe_tasks(cluster="prod", tasks=[task["taskArn"]])["tasks"]
    return dict(answer)


def test_every_status(ready: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=100, exit_code=4)
    (task,) = run(ready)["tasks"]
    seen: list[tuple[str, str, str, int | None]] = []
    for _ in range(101):
        answer = now(ready, task)
        app = next(c for c in answer["containers"] if c["name"] == "app")
        one = (answer["lastStatus"], answer["desiredStatus"], app["lastStatus"], app.get("exitCode"))
        if not seen or seen[-1] != one:
            seen.append(one)
        clock.tick(1)
    assert seen == [
        ("PROVISIONING", "RUNNING", "PENDING", None),
        ("PENDING", "RUNNING", "PENDING", None),
        ("RUNNING", "RUNNING", "RUNNING", None),
        ("DEPROVISIONING", "STOPPED", "STOPPED", 4),
        ("STOPPED", "STOPPED", "STOPPED", 4),
    ]
    last = now(ready, task)
    assert (last["stoppedAt"] - last["executionStoppedAt"]).total_seconds() == pytest.approx(5)


@pytest.mark.parametrize(("status", "code"), [("PROVISIONING", None), ("PENDING", None), ("RUNNING", 137)])
def test_a_task_that_stays(ready: Any, aws: Sandbox, clock: Clock, status: str, code: int | None) -> None:
    aws.task(stays=status)
    (task,) = run(ready)["tasks"]
    clock.tick(1_000_000)
    assert now(ready, task)["lastStatus"] == status
    ready.stop_task(cluster="prod", task=task["taskArn"], reason="took too long")
    assert now(ready, task)["desiredStatus"] == "STOPPED"
    clock.tick(1)
    last = now(ready, task)
    assert (last["lastStatus"], last["stopCode"], last["stoppedReason"]) == (
        "STOPPED",
        "UserInitiated",
        "took too long",
    )
    assert [c.get("exitCode") for c in last["containers"]] == [code, code]
    assert ("startedAt" in last) == (code is not None)


def test_stopping_one_that_was_going_to_fail(ready: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10, failure="OUT_OF_MEMORY")
    (task,) = run(ready)["tasks"]
    clock.tick(5)
    ready.stop_task(cluster="prod", task=task["taskArn"])
    clock.tick(100)
    last = now(ready, task)
    assert last["stopCode"] == "UserInitiated"
    assert all("reason" not in c for c in last["containers"])


@pytest.mark.parametrize(
    ("failure", "code", "exit_code"),
    [
        ("OUT_OF_MEMORY", "EssentialContainerExited", 137),
        ("IMAGE_PULL", "TaskFailedToStart", None),
        ("SECRETS", "TaskFailedToStart", None),
        ("SPOT", "SpotInterruption", 143),
    ],
)
def test_ways_to_fail(ready: Any, aws: Sandbox, clock: Clock, failure: str, code: str, exit_code: int | None) -> None:
    aws.task(failure=failure)
    (task,) = run(ready)["tasks"]
    clock.tick()
    last = now(ready, task)
    containers = {c["name"]: c for c in last["containers"]}
    assert (last["stopCode"], containers["app"].get("exitCode")) == (code, exit_code)


@pytest.mark.parametrize(("count", "unplaced", "started"), [(10, 3, 7), (1, 1, 0), (2, 5, 0)])
def test_no_place_for_some(ready: Any, aws: Sandbox, count: int, unplaced: int, started: int) -> None:
    aws.fault("RunTask", "failures", count=unplaced, code="RESOURCE:CPU")
    answer = run(ready, count=count)
    assert (len(answer["tasks"]), len(answer["failures"])) == (started, count - started)
    assert {failure["reason"] for failure in answer["failures"]} == {"RESOURCE:CPU"}
    assert len(ready.list_tasks(cluster="prod")["taskArns"]) == started


def test_ten_at_most(ready: Any) -> None:
    assert len(run(ready, count=10)["tasks"]) == 10
    with pytest.raises(ClientError) as caught:
        run(ready, count=11)
    assert error_of(caught.value)[0] == "InvalidParameterException"
