"""How tasks of services fail, what the service says of it, and what the circuit breaker makes of it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    BREAKER,
    FARGATE,
    NETWORK,
    Clock,
    Doc,
    container,
    create_service,
    detail,
    error_of,
    messages,
    primary,
    service_of,
    task_definition,
    update,
)

GROUP: Final = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1234567890abcdef"


@pytest.fixture
def service(ecs: Any, clock: Clock) -> Any:
    """``web`` with two running tasks behind a load balancer; revision 2 carries the tag of failing rehearsals."""
    for image in ("app:1", "app:v2-fail-rollout"):
        main = container(image=image, portMappings=[{"containerPort": 8080}])
        ecs.register_task_definition(**task_definition("web", main, container("side", essential=False), **FARGATE))
    balancer = {"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}
    create_service(
        ecs, taskDefinition="web:1", desiredCount=2, launchType="FARGATE", networkConfiguration=NETWORK,
        loadBalancers=[balancer],
    )  # fmt: skip
    clock.tick()
    return ecs


def fail(ecs: Any, **params: Any) -> Doc:
    """Deploy what fails; the PRIMARY deployment."""
    return primary(update(ecs, taskDefinition="web:2", deploymentConfiguration=BREAKER, **params))


def stopped(ecs: Any, deployment: str) -> list[Doc]:
    arns = ecs.list_tasks(cluster="prod", serviceName="web", desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"]
    return [task for task in tasks if task["startedBy"] == deployment]


OOM: Final = "OutOfMemoryError: Container killed due to memory usage"
RETRIED: Final = "pull image manifest has been retried 1 time(s)"
PULL: Final = f"CannotPullContainerError: {RETRIED}: failed to resolve ref app:v2-fail-rollout"
INITIALISE: Final = "ResourceInitializationError: unable to pull secrets or registry auth: "
#: failure · stop code · how the task's reason begins · the exit code and reason of its containers · what an event says
FAILURES: Final[list[tuple[str | None, str, str, list[tuple[Any, Any]], str]]] = [
    (None, "EssentialContainerExited", "Essential container in task exited", [(1, None), (0, None)], ""),
    ("OUT_OF_MEMORY", "EssentialContainerExited", "Essential container in task exited", [(137, OOM), (0, None)], ""),
    ("IMAGE_PULL", "TaskFailedToStart", PULL, [(None, PULL), (None, PULL)], ""),
    ("SECRETS", "TaskFailedToStart", INITIALISE, [(None, None), (None, None)], ""),
    ("CONTAINER_HEALTH", "ServiceSchedulerInitiated", "Task failed container health checks", [(137, None), (0, None)],
     "(service web) (task {task}) failed container health checks."),
    ("ELB_HEALTH", "ServiceSchedulerInitiated", f"Task failed ELB health checks in (target-group {GROUP})",
     [(137, None), (0, None)],
     f"(service web) (task {{task}}) (port 8080) is unhealthy in (target-group {GROUP}) due to (reason Health checks "
     "failed with these codes: [503])."),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "code", "reason", "containers", "event"), FAILURES, ids=lambda v: str(v)[:20])
def test_how_tasks_fail(
    service: Any, aws: Sandbox, clock: Clock, failure: str, code: str, reason: str, containers: list[Any], event: str
) -> None:
    aws.task(failure=failure)
    deployment = fail(service)["id"]
    clock.tick()
    tasks = stopped(service, deployment)
    assert len(tasks) == 3
    for task in tasks:
        assert (task["lastStatus"], task["stopCode"], task["group"]) == ("STOPPED", code, "service:web")
        assert task["stoppedReason"].startswith(reason)
        found = {c["name"]: (c.get("exitCode"), c.get("reason")) for c in task["containers"]}
        assert [found["app"], found["side"]] == containers
        assert ("startedAt" in task) == (code != "TaskFailedToStart")
        assert not event or event.format(task=task["taskArn"].rsplit("/")[-1]) in messages(service)


def test_members_of_their_own_win(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(failure="OUT_OF_MEMORY", exit_codes={"side": 139}, reason="r", stopped_reason="s")
    deployment = fail(service)["id"]
    clock.tick()
    task = stopped(service, deployment)[0]
    assert task["stoppedReason"] == "s"
    assert {c["name"]: (c["exitCode"], c.get("reason")) for c in task["containers"]} == {
        "app": (0, "r"),
        "side": (139, "r"),
    }


def test_the_story_in_events(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(failure="CONTAINER_HEALTH")
    began = len(messages(service))
    failed = fail(service)["id"]
    clock.tick(3)
    first, second, third = (task["taskArn"].rsplit("/")[-1] for task in stopped(service, failed))
    back = primary(service_of(service))["id"]
    story = [text.removeprefix("(service web) ") for text in messages(service)[: -began or None]][::-1]
    expected = []
    for task in (first, second, third):
        expected += [f"has started 1 tasks: (task {task}).", f"(task {task}) failed container health checks."]
    assert story[:6] == expected
    assert story[6:8] == [
        f"(deployment {failed}) deployment failed: tasks failed to start.",
        f"rolling back to deployment {back}.",
    ]
    assert story[8].startswith("has started 2 tasks: (task ")
    assert story[9] == f"registered 2 targets in (target-group {GROUP})"
    assert story[10].startswith("has stopped 2 running tasks: (task ")
    assert story[11] == f"deregistered 2 targets in (target-group {GROUP})"
    assert story[12:] == [f"(deployment {back}) deployment completed.", "has reached a steady state."]
    times = [event["createdAt"] for event in service_of(service)["events"]]
    assert times == sorted(times, reverse=True)


def test_a_task_is_there_before_it_fails(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout_seconds = 30
    fail(service)
    seen = set()
    for _ in range(10):
        clock.tick(1)
        now = primary(service_of(service))
        seen.add((now["pendingCount"], now["runningCount"], now["failedTasks"]))
    assert seen == {(1, 0, 0), (0, 1, 0), (1, 0, 1)}


def test_no_place_for_tasks(service: Any, aws: Sandbox, clock: Clock) -> None:
    why = (
        "no container instance met all of its requirements. Reason: No Container Instances were found in your cluster."
    )
    aws.rollout("ROLLED_BACK", unplaced=why)
    fail(service)
    clock.tick(0.9)
    assert messages(service)[:2] == [f"(service web) was unable to place a task because {why}"] * 2
    now = primary(service_of(service))
    assert (now["failedTasks"], now["runningCount"], now["pendingCount"]) == (2, 0, 0)
    assert service.list_tasks(cluster="prod", startedBy=now["id"], desiredStatus="STOPPED")["taskArns"] == []
    clock.tick(2)
    assert detail(service)["status"] == "ROLLBACK_SUCCESSFUL"


def test_some_tasks_fail_before_all_is_well(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout("COMPLETED", seconds=10, failures=2)
    deployment = fail(service)["id"]
    clock.tick(4)
    assert (
        primary(service_of(service))["failedTasks"] == detail(service)["deploymentCircuitBreaker"]["failureCount"] == 2
    )
    assert len(stopped(service, deployment)) == 2
    clock.tick(2.5)
    now = service_of(service)
    assert (primary(now)["failedTasks"], primary(now)["runningCount"]) == (0, 2)
    assert detail(service)["deploymentCircuitBreaker"]["failureCount"] == 0
    clock.tick(3.5)
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_failures_that_are_not_forgotten(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout("COMPLETED", failures=2)
    breaker = BREAKER["deploymentCircuitBreaker"] | {"resetOnHealthyTask": False}
    update(service, forceNewDeployment=True, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    clock.tick()
    assert detail(service)["deploymentCircuitBreaker"] == {
        "status": "MONITORING_COMPLETE", "failureCount": 2, "threshold": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("configured", "desired", "threshold"),
    [
        (None, 2, 3),
        (None, 7, 4),
        ({"type": "BOUNDED_PERCENT", "value": 10}, 50, 5),
        ({"type": "BOUNDED_PERCENT", "value": 100}, 2, 3),
        ({"type": "UNBOUNDED_PERCENT", "value": 50}, 2, 1),
        ({"type": "COUNT", "value": 5}, 1, 5),
    ],
)
def test_the_threshold(service: Any, clock: Clock, configured: Doc | None, desired: int, threshold: int) -> None:
    update(service, desiredCount=desired)
    clock.tick()
    breaker = BREAKER["deploymentCircuitBreaker"] | ({"thresholdConfiguration": configured} if configured else {})
    new = update(service, taskDefinition="web:2", deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    clock.tick()
    answer = detail(service)["deploymentCircuitBreaker"]
    assert answer == {"status": "TRIGGERED", "failureCount": threshold, "threshold": threshold}
    assert len(stopped(service, primary(new)["id"])) == threshold


def test_the_threshold_of_many_tasks(service: Any) -> None:
    update(service, desiredCount=1000)
    assert detail(service)["deploymentCircuitBreaker"]["threshold"] == 200


def test_stopped_tasks_are_kept_for_an_hour(service: Any, clock: Clock) -> None:
    deployment = fail(service)["id"]
    clock.tick()
    pages = service.get_paginator("list_tasks").paginate(
        cluster="prod", serviceName="web", desiredStatus="STOPPED", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["taskArns"]) for page in pages] == [2, 1]
    clock.tick(3599)
    assert len(service.list_tasks(cluster="prod", startedBy=deployment, desiredStatus="STOPPED")["taskArns"]) > 0
    clock.tick(10)
    assert service.list_tasks(cluster="prod", startedBy=deployment, desiredStatus="STOPPED")["taskArns"] == []


def test_a_task_that_somebody_stops_is_replaced(service: Any, clock: Clock) -> None:
    (first, other) = service.list_tasks(cluster="prod", serviceName="web")["taskArns"]
    service.stop_task(cluster="prod", task=first)
    clock.tick()
    after = service.list_tasks(cluster="prod", serviceName="web")["taskArns"]
    assert (len(after), first in after, other in after) == (2, False, True)
    (task,) = service.describe_tasks(cluster="prod", tasks=[first])["tasks"]
    assert (task["stopCode"], {c["exitCode"] for c in task["containers"]}) == ("UserInitiated", {137})


def test_stopping_takes_its_time(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout("NEVER")
    aws.stop_seconds = 3
    arn = update(service, taskDefinition="web:2")["currentServiceDeployment"]
    clock.tick()
    service.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert detail(service, arn)["status"] == "ROLLBACK_REQUESTED"
    with pytest.raises(ClientError) as caught:
        service.stop_service_deployment(serviceDeploymentArn=arn)
    assert error_of(caught.value)[0] == "ConflictException"
    clock.tick(3)
    assert detail(service, arn)["status"] == "ROLLBACK_IN_PROGRESS"
    clock.tick(1)
    assert detail(service, arn)["status"] == "ROLLBACK_SUCCESSFUL"


def test_aborting(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.stop_seconds = 1
    aws.rollout_seconds = 10
    update(service, forceNewDeployment=True)
    clock.tick(5)
    answer = update(service, taskDefinition="web:2")
    arn = answer["currentServiceDeployment"]
    clock.tick(1)
    service.stop_service_deployment(serviceDeploymentArn=arn, stopType="ABORT")
    assert detail(service, arn)["status"] == "STOP_REQUESTED"
    clock.tick(100)
    last = detail(service, arn)
    assert (last["status"], last["statusReason"]) == ("STOPPED", "Service deployment was stopped by the user.")
    assert primary(service_of(service))["id"] == primary(answer)["id"]
    assert service_of(service)["taskDefinition"].endswith("web:2")
    assert "rollback" not in last


def test_superseded_by_another(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout_seconds = 10
    first = update(service, forceNewDeployment=True)
    clock.tick(4)
    second = update(service, forceNewDeployment=True)
    old = detail(service, first["currentServiceDeployment"])
    assert (old["status"], old["statusReason"]) == ("STOPPED", "Service deployment was superseded by a newer one.")
    assert old["stoppedAt"] == old["finishedAt"]
    shown = [(d["id"], d["status"]) for d in service_of(service)["deployments"]]
    assert shown[:2] == [(primary(second)["id"], "PRIMARY"), (primary(first)["id"], "ACTIVE")]
    assert [status for _, status in shown[1:]] == ["ACTIVE", "ACTIVE"]
    assert len(detail(service)["sourceServiceRevisions"]) == 2


def test_what_is_rolling_out_ends_with_its_service(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout_seconds = 10
    arn = update(service, forceNewDeployment=True)["currentServiceDeployment"]
    clock.tick(1)
    service.delete_service(cluster="prod", service="web", force=True)
    clock.tick(100)
    assert detail(service, arn)["status"] == "STOPPED"
    assert (service_of(service)["status"], service_of(service)["deployments"]) == ("INACTIVE", [])
    assert service.list_tasks(cluster="prod")["taskArns"] == []
