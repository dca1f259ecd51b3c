"""Faults ordered in advance: each kind, and what a client makes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import Clock, create_service, error_of, primary, service_of, task_definition, update

Client = Callable[..., Any]


def operations(aws: Sandbox) -> list[tuple[str, int, str]]:
    return [(r.operation, r.status, r.error) for r in aws.requests]


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for another thread; fails after five seconds."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_throttling(ecs: Any, aws: Sandbox) -> None:
    aws.fault("ListClusters", "throttle")
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert error_of(caught.value) == ("ThrottlingException", "Rate exceeded")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ecs.list_clusters()["clusterArns"]


def test_boto3_survives_throttling(ecs: Any, client: Client, aws: Sandbox) -> None:
    aws.clear_requests()
    aws.fault("ListClusters", "throttle")
    assert client("ecs", attempts=2).list_clusters()["clusterArns"]
    assert operations(aws) == [("ListClusters", 400, "ThrottlingException"), ("ListClusters", 200, "")]


def test_an_error_of_ones_choice(ecs: Any, aws: Sandbox) -> None:
    text = "Too many concurrent attempts to create a new revision of the specified family."
    aws.fault("RegisterTaskDefinition", "error", code="ClientException", message=text)
    aws.fault("ListClusters", "error", code="ServerException", message="x", status=500)
    with pytest.raises(ClientError) as caught:
        ecs.register_task_definition(**task_definition())
    assert error_of(caught.value) == ("ClientException", text)
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []


def test_dropped_before(ecs: Any, aws: Sandbox) -> None:
    aws.fault("RegisterTaskDefinition", "drop_before")
    with pytest.raises(ConnectionClosedError):
        ecs.register_task_definition(**task_definition())
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert [(r.operation, r.status) for r in aws.requests][-2:] == [
        ("RegisterTaskDefinition", 0),
        ("ListTaskDefinitions", 200),
    ]


def test_dropped_after(ecs: Any, aws: Sandbox) -> None:
    aws.fault("RegisterTaskDefinition", "drop_after")
    with pytest.raises(ConnectionClosedError):
        ecs.register_task_definition(**task_definition())
    assert len(ecs.list_task_definitions()["taskDefinitionArns"]) == 1


def test_a_repeated_registration_makes_two_revisions(ecs: Any, client: Client, aws: Sandbox) -> None:
    aws.fault("RegisterTaskDefinition", "drop_after")
    answer = client("ecs", attempts=2).register_task_definition(**task_definition())
    assert answer["taskDefinition"]["revision"] == 2


def test_a_repeated_run_makes_one_task(ecs: Any, client: Client, aws: Sandbox) -> None:
    ecs.register_task_definition(**task_definition())
    aws.fault("RunTask", "drop_after")
    client("ecs", attempts=2).run_task(cluster="prod", taskDefinition="web")  # botocore makes a token and repeats it
    assert [r.status for r in aws.requests if r.operation == "RunTask"] == [0, 200]
    assert len(ecs.list_tasks(cluster="prod")["taskArns"]) == 1


def test_holding(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    create_service(ecs)
    clock.tick()
    aws.fault("UpdateService", "hold")
    with ThreadPoolExecutor(1) as pool:
        referenced_values = pool.submit(update, ecs, forceNewDeployment=True)
        eventually(lambda: aws.holding == 1)
        assert len(service_of(ecs)["deployments"]) == 1  # not carried out yet, and no other request waits
        aws.release()
        assert primary(referenced_values.result(5))["rolloutState"] == "IN_PROGRESS"
    assert aws.holding == 0
    assert len(service_of(ecs)["deployments"]) == 2


def test_what_is_held_can_be_dropped_and_is_then_not_carried_out(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    create_service(ecs)
    clock.tick()
    aws.fault("UpdateService", "hold")
    with ThreadPoolExecutor(1) as pool:
        referenced_values = pool.submit(update, ecs, forceNewDeployment=True)
        eventually(lambda: aws.holding == 1)
        aws.release(drop=True)
        with pytest.raises(HTTPClientError):
            referenced_values.result(5)
    assert len(service_of(ecs)["deployments"]) == 1


def test_a_reset_drops_what_is_held(ecs: Any, aws: Sandbox) -> None:
    aws.fault("ListClusters", "hold")
    with ThreadPoolExecutor(1) as pool:
        referenced_values = pool.submit(ecs.list_clusters)
        eventually(lambda: aws.holding == 1)
        aws.reset()
        with pytest.raises(HTTPClientError):
            referenced_values.result(5)
    eventually(lambda: aws.holding == 0)
    assert aws.requests == ()


def test_unplaced_tasks(ecs: Any, aws: Sandbox) -> None:
    ecs.register_task_definition(**task_definition())
    aws.fault("RunTask", "failures", code="RESOURCE:CPU", message="m", times=2)
    answer = ecs.run_task(cluster="prod", taskDefinition="web", count=3)
    assert len(answer["tasks"]) == 2
    (failure,) = answer["failures"]
    assert (failure["reason"], failure["detail"]) == ("RESOURCE:CPU", "m")
    answer = ecs.run_task(cluster="prod", taskDefinition="web")
    assert (answer["tasks"], len(answer["failures"])) == ([], 1)
    assert ecs.run_task(cluster="prod", taskDefinition="web")["failures"] == []


def test_times_and_skip(ecs: Any, aws: Sandbox) -> None:
    aws.fault("ListClusters", "throttle", skip=1, times=2)
    seen = []
    for _ in range(5):
        try:
            ecs.list_clusters()
            seen.append("ok")
        except ClientError:
            seen.append("throttled")
    assert seen == ["ok", "throttled", "throttled", "ok", "ok"]


def test_match(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    for name in ("web", "api"):
        create_service(ecs, serviceName=name)
    aws.fault("UpdateService", "throttle", match={"service": "api"})
    update(ecs, desiredCount=2)
    with pytest.raises(ClientError):
        update(ecs, service="api", desiredCount=2)
    update(ecs, service="api", desiredCount=2)


def test_any_operation(ecs: Any, events: Any, aws: Sandbox) -> None:
    aws.fault("*", "throttle", times=2)
    for call in (ecs.list_clusters, events.list_rules):
        with pytest.raises(ClientError) as caught:
            call()
        assert error_of(caught.value)[0] == "ThrottlingException"
    assert ecs.list_clusters()["clusterArns"]


def test_a_fault_of_another_service(client: Client, aws: Sandbox) -> None:
    aws.fault("Publish", "error", code="InternalError", status=500)
    sns = client("sns")
    arn = sns.create_topic(Name="t")["TopicArn"]
    with pytest.raises(ClientError):
        sns.publish(TopicArn=arn, Message="m")
    sns.publish(TopicArn=arn, Message="m")
    assert [r.status for r in aws.requests if r.operation == "Publish"] == [500, 200]


@pytest.mark.parametrize(
    "order",
    [
        {"operation": "RunTask", "kind": "explode"},
        {"operation": "PutTargets", "kind": "failures"},
        {"operation": "RunTask", "kind": "failed_entries"},
        {"operation": "RunTask", "kind": "throttle", "times": 0},
        {"operation": "RunTask", "kind": "throttle", "skip": -1},
    ],
)
def test_orders_that_make_no_sense(aws: Sandbox, order: Any) -> None:
    with pytest.raises(ValueError, match=r"fault|times"):
        aws.fault(**order)


def test_latency(ecs: Any, client: Client, aws: Sandbox) -> None:
    """Requests wait side by side, not one after the other."""
    aws.latency = 0.05
    aws.clear_requests()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ecs.list_clusters(), range(8)))
    took = time.monotonic() - began
    assert 0.05 <= took < 0.35
    for request in aws.requests:
        assert request.ended - request.began >= 0.05


def test_many_threads(ecs: Any, aws: Sandbox) -> None:
    """Numbers are given once, however many ask at the same time."""
    start = threading.Barrier(8)

    def register(_: int) -> list[int]:
        start.wait()
        made = [ecs.register_task_definition(**task_definition())["taskDefinition"]["revision"] for _ in range(5)]
        ecs.list_task_definitions()
        return made

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for made in pool.map(register, range(8)) for number in made]
    assert sorted(numbers) == list(range(1, 41))
    logged = [r.number for r in aws.requests]
    assert logged == sorted(set(logged))


def test_what_describes_can_leave_out_the_first(ecs: Any, aws: Sandbox) -> None:
    """As ECS does for a moment after a task was started."""
    ecs.create_cluster(clusterName="prod")
    ecs.register_task_definition(**task_definition())
    arns = [task["taskArn"] for task in ecs.run_task(cluster="prod", taskDefinition="web", count=2)["tasks"]]
    aws.fault("DescribeTasks", "failures")
    answer = ecs.describe_tasks(cluster="prod", tasks=arns)
    assert [task["taskArn"] for task in answer["tasks"]] == arns[1:]
    assert [(one["arn"], one["reason"]) for one in answer["failures"]] == [(arns[0], "MISSING")]
    assert len(ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"]) == 2


def test_orders_can_be_taken_back(ecs: Any, aws: Sandbox) -> None:
    aws.fault("ListClusters", "throttle", times=99)
    aws.clear_faults()
    assert ecs.list_clusters()["clusterArns"]
