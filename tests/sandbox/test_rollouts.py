"""How rollouts go on and end, and the history that they leave."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    ARN,
    BREAKER,
    FARGATE,
    NETWORK,
    Clock,
    container,
    create_service,
    detail,
    error_of,
    history,
    messages,
    primary,
    service_of,
    task_definition,
    update,
)

NO_ROLLBACK: Final = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
FAILED_TO_START: Final = "ECS deployment circuit breaker: tasks failed to start."
ROLLED_BACK: Final = "Service deployment rolled back because the circuit breaker threshold was exceeded."
STOPPED: Final = "Service deployment stopped because the circuit breaker threshold was exceeded."


@pytest.fixture
def service(ecs: Any, clock: Clock) -> Any:
    """``web`` with two running tasks on revision 1; revision 2 carries the tag of failing rehearsals."""
    ecs.register_task_definition(**task_definition())
    ecs.register_task_definition(**task_definition("web", container(image="r:5000/fail-rollout/app:v2-fail-rollout")))
    create_service(ecs, taskDefinition="web:1", desiredCount=2)
    clock.tick()
    return ecs


def test_a_rollout_that_completes(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout_seconds = 10.0
    new = primary(update(service, taskDefinition="web:1", forceNewDeployment=True))
    seen = []
    for _ in range(11):
        answer = service_of(service)
        now = primary(answer)
        seen.append((now["runningCount"], now["pendingCount"], now["rolloutState"], len(answer["deployments"])))
        assert now["id"] == new["id"]
        clock.tick(1)
    assert seen[:2] == [(0, 0, "IN_PROGRESS", 2)] * 2
    assert seen[2:6] == [(0, 2, "IN_PROGRESS", 2)] * 4
    assert seen[6:10] == [(2, 0, "IN_PROGRESS", 2)] * 4
    assert seen[10] == (2, 0, "COMPLETED", 1)
    assert messages(service)[:2] == [
        "(service web) has reached a steady state.",
        f"(service web) (deployment {new['id']}) deployment completed.",
    ]


def test_it_does_not_matter_when_somebody_looks(service: Any, aws: Sandbox, clock: Clock) -> None:
    update(service, forceNewDeployment=True)
    clock.tick(100)
    late = service_of(service)
    assert primary(late)["rolloutState"] == "COMPLETED"
    assert primary(late)["updatedAt"].timestamp() == clock.now() - 99
    assert late["events"][0]["createdAt"].timestamp() == clock.now() - 99


def test_the_old_deployment_drains_beside_the_new_one(service: Any, clock: Clock) -> None:
    old = primary(service_of(service))
    update(service, forceNewDeployment=True)
    first, second = service_of(service)["deployments"]
    assert (first["status"], second["status"]) == ("PRIMARY", "ACTIVE")
    assert (second["id"], second["runningCount"], second["rolloutState"]) == (old["id"], 2, "COMPLETED")
    clock.tick(0.9)
    answer = service_of(service)
    assert [d["runningCount"] for d in answer["deployments"]] == [2, 0]
    assert answer["runningCount"] == 2


def test_the_stable_waiter(service: Any, client: Any, aws: Sandbox, clock: Clock) -> None:
    update(service, forceNewDeployment=True)
    clock.tick()
    service.get_waiter("services_stable").wait(
        cluster="prod", services=["web"], WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )


def test_circuit_breaker_with_rollback(service: Any, clock: Clock) -> None:
    old = primary(service_of(service))
    new = primary(update(service, taskDefinition="web:2", deploymentConfiguration=BREAKER))
    failed = []
    for _ in range(3):
        clock.tick(0.34)
        failed.append(max(d["failedTasks"] for d in service_of(service)["deployments"]))
    assert failed == [1, 2, 3]
    answer = service_of(service)
    back = primary(answer)
    assert answer["taskDefinition"] == back["taskDefinition"] == f"{ARN}task-definition/web:1"
    assert back["id"] not in (old["id"], new["id"])
    assert back["rolloutState"] == "IN_PROGRESS"
    assert back["rolloutStateReason"] == f"ECS deployment circuit breaker: rolling back to deploymentId {back['id']}."
    states = {d["id"]: (d["status"], d["rolloutState"]) for d in answer["deployments"]}
    assert states[new["id"]] == ("ACTIVE", "FAILED")
    assert detail(service)["status"] == "ROLLBACK_IN_PROGRESS"
    clock.tick()
    answer = service_of(service)
    assert [(d["id"], d["rolloutState"]) for d in answer["deployments"]] == [(back["id"], "COMPLETED")]
    assert answer["runningCount"] == 2
    last = detail(service)
    assert last["status"] == "ROLLBACK_SUCCESSFUL"
    assert last["statusReason"] == last["rollback"]["reason"] == ROLLED_BACK
    assert last["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert f"(service web) rolling back to deployment {back['id']}." in messages(service)
    assert len(history(service)) == 2


def test_circuit_breaker_without_rollback(service: Any, clock: Clock) -> None:
    new = primary(update(service, taskDefinition="web:2", deploymentConfiguration=NO_ROLLBACK))
    clock.tick(100)
    answer = service_of(service)
    now = primary(answer)
    assert (now["id"], now["rolloutState"]) == (new["id"], "FAILED")
    assert (now["rolloutStateReason"], now["failedTasks"], now["runningCount"]) == (FAILED_TO_START, 3, 0)
    assert answer["taskDefinition"] == f"{ARN}task-definition/web:2"
    assert answer["runningCount"] == 2  # of the deployment before, which goes on
    assert (detail(service)["status"], detail(service)["statusReason"]) == ("STOPPED", STOPPED)


def test_no_circuit_breaker(service: Any, clock: Clock) -> None:
    new = primary(update(service, taskDefinition="web:2"))
    failed = []
    for seconds in (1, 10, 1000, 100_000):
        clock.tick(seconds)
        now = primary(service_of(service))
        failed.append(now["failedTasks"])
        assert (now["id"], now["rolloutState"]) == (new["id"], "IN_PROGRESS")
    assert failed == sorted(set(failed))
    assert "(service web) is unable to consistently start tasks successfully." in messages(service)
    assert detail(service)["status"] == "IN_PROGRESS"
    assert len(service_of(service)["events"]) == 100


def test_only_the_tag_of_an_image_orders_a_failure(service: Any, clock: Clock) -> None:
    service.register_task_definition(**task_definition("web", container(image="fail-rollout:5000/fail-rollout:v1")))
    update(service, taskDefinition="web:3", deploymentConfiguration=BREAKER)
    clock.tick()
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_nothing_fails_where_nothing_runs(service: Any, clock: Clock) -> None:
    update(service, desiredCount=0)
    update(service, taskDefinition="web:2")
    clock.tick()
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ("COMPLETED", ("SUCCESSFUL", "COMPLETED")),
        ("FAILED", ("STOPPED", "FAILED")),
        ("ROLLED_BACK", ("ROLLBACK_SUCCESSFUL", "COMPLETED")),
        ("NEVER", ("IN_PROGRESS", "IN_PROGRESS")),
    ],
)
def test_ordered_ends(service: Any, aws: Sandbox, clock: Clock, ends: str, expected: tuple[str, str]) -> None:
    """Whatever the circuit breaker says, and whatever the tag of the image."""
    aws.rollout(ends=ends, seconds=3)
    revision = "web:2" if ends == "COMPLETED" else "web:1"
    update(service, taskDefinition=revision, forceNewDeployment=True)
    clock.tick(2.9)
    assert primary(service_of(service))["rolloutState"] == "IN_PROGRESS"
    clock.tick(1.2)
    assert (history(service)[0]["status"], primary(service_of(service))["rolloutState"]) == expected


def test_the_newest_fitting_rule_wins(service: Any, aws: Sandbox, clock: Clock) -> None:
    create_service(service, serviceName="api", taskDefinition="web:1")
    clock.tick()
    aws.rollout("FAILED", service="w*", reason="because")
    aws.rollout("COMPLETED", service="w?b", image="other:*")
    aws.rollout("FAILED", service="none")
    for name in ("web", "api"):
        update(service, service=name, forceNewDeployment=True)
    clock.tick()
    assert primary(service_of(service))["rolloutState"] == "FAILED"
    assert primary(service_of(service))["rolloutStateReason"] == "because"
    assert primary(service_of(service, "api"))["rolloutState"] == "COMPLETED"
    aws.rollout("COMPLETED", image="app:*")
    update(service, forceNewDeployment=True)
    clock.tick()
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_a_rule_is_for_what_begins_after_it(service: Any, aws: Sandbox, clock: Clock) -> None:
    update(service, forceNewDeployment=True)
    aws.rollout("FAILED")
    clock.tick()
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_superseding(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout("ROLLED_BACK", seconds=5)
    first = primary(update(service, forceNewDeployment=True))
    clock.tick(2)
    aws.rollout("COMPLETED", seconds=1)
    second = primary(update(service, forceNewDeployment=True))
    states = [(d["id"], d["status"]) for d in service_of(service)["deployments"]]
    assert states[:2] == [(second["id"], "PRIMARY"), (first["id"], "ACTIVE")]
    clock.tick(100)
    answer = service_of(service)
    assert [(d["id"], d["rolloutState"]) for d in answer["deployments"]] == [(second["id"], "COMPLETED")]
    assert answer["runningCount"] == 2
    assert [d["status"] for d in history(service)] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_the_first_deployment_cannot_be_rolled_back(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    aws.rollout("ROLLED_BACK")
    create_service(ecs)
    clock.tick(5)
    answer = service_of(ecs)
    assert (primary(answer)["rolloutState"], len(answer["deployments"])) == ("FAILED", 1)
    assert detail(ecs)["status"] == "ROLLBACK_FAILED"


def test_a_rollback_brings_back_all_that_was_deployed(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition(**FARGATE))
    create_service(ecs, launchType="FARGATE", networkConfiguration=NETWORK)
    clock.tick()
    before = service_of(ecs)
    aws.rollout("ROLLED_BACK")
    other = {"awsvpcConfiguration": {"subnets": ["subnet-9"]}}
    mesh = {"enabled": True, "namespace": "n"}
    changes = {"networkConfiguration": other, "platformVersion": "1.3.0", "serviceConnectConfiguration": mesh}
    assert primary(update(ecs, **changes, propagateTags="SERVICE"))["serviceConnectConfiguration"] == mesh
    clock.tick(2)
    after = service_of(ecs)
    assert "serviceConnectConfiguration" not in primary(after)
    assert after["networkConfiguration"] == before["networkConfiguration"]
    assert after["platformVersion"] == "LATEST"
    assert after["propagateTags"] == "SERVICE"  # not part of what a deployment carries


def test_a_rollback_to_an_inactive_revision(service: Any, aws: Sandbox, clock: Clock) -> None:
    update(service, taskDefinition="web:2", deploymentConfiguration=BREAKER)
    service.deregister_task_definition(taskDefinition="web:1")
    clock.tick(3)
    answer = service_of(service)
    assert answer["taskDefinition"] == f"{ARN}task-definition/web:1"
    assert (primary(answer)["rolloutState"], answer["runningCount"]) == ("COMPLETED", 2)


def test_stopping_a_service_deployment(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rollout("NEVER")
    answer = update(service, taskDefinition="web:2")
    arn = answer["currentServiceDeployment"]
    clock.tick()
    assert service.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    assert detail(service)["status"] == "ROLLBACK_IN_PROGRESS"
    assert primary(service_of(service))["id"] != primary(answer)["id"]
    clock.tick()
    assert detail(service)["status"] == "ROLLBACK_SUCCESSFUL"
    assert service_of(service)["taskDefinition"] == f"{ARN}task-definition/web:1"
    with pytest.raises(ClientError) as caught:
        service.stop_service_deployment(serviceDeploymentArn=arn)
    assert error_of(caught.value)[0] == "ConflictException"
    with pytest.raises(ClientError) as caught:
        service.stop_service_deployment(serviceDeploymentArn=arn + "x")
    assert error_of(caught.value)[0] == "ServiceDeploymentNotFoundException"


def test_history(service: Any, clock: Clock) -> None:
    clock.tick(100)
    update(service, forceNewDeployment=True)
    newest, oldest = history(service)
    assert newest["serviceDeploymentArn"].startswith(f"{ARN}service-deployment/prod/web/")
    assert (newest["status"], oldest["status"]) == ("PENDING", "SUCCESSFUL")
    assert history(service, status=["SUCCESSFUL"]) == [oldest]
    assert history(service, createdAt={"after": oldest["createdAt"]}) == [newest]
    assert history(service, createdAt={"before": newest["createdAt"]}) == [oldest]
    first = service.list_service_deployments(cluster="prod", service="web", maxResults=1)
    rest = service.list_service_deployments(cluster="prod", service="web", nextToken=first["nextToken"])
    assert first["serviceDeployments"] + rest["serviceDeployments"] == [newest, oldest]
    clock.tick(0.5)
    assert history(service)[0]["status"] == "IN_PROGRESS"


def test_service_revisions(service: Any, clock: Clock) -> None:
    update(service, taskDefinition="web:2")
    last = detail(service)
    arns = [last["targetServiceRevision"]["arn"], *(r["arn"] for r in last["sourceServiceRevisions"])]
    answer = service.describe_service_revisions(serviceRevisionArns=[*arns, "x"])
    assert [r["taskDefinition"][-5:] for r in answer["serviceRevisions"]] == ["web:2", "web:1"]
    (image,) = answer["serviceRevisions"][1]["containerImages"]
    assert (image["containerName"], image["image"]) == ("app", "app:1")
    assert image["imageDigest"].startswith("sha256:")
    assert answer["failures"] == [{"arn": "x", "reason": "MISSING"}]
    for call, member in (
        (service.describe_service_deployments, "serviceDeploymentArns"),
        (service.describe_service_revisions, "serviceRevisionArns"),
    ):
        with pytest.raises(ClientError) as caught:
            call(**{member: ["x"] * 21})
        assert error_of(caught.value)[0] == "InvalidParameterException"


def test_tasks_of_a_service(service: Any, aws: Sandbox, clock: Clock) -> None:
    arns = service.list_tasks(cluster="prod", serviceName="web")["taskArns"]
    tasks = service.describe_tasks(cluster="prod", tasks=arns)["tasks"]
    id_ = primary(service_of(service))["id"]
    assert [(t["group"], t["startedBy"], t["lastStatus"]) for t in tasks] == [("service:web", id_, "RUNNING")] * 2
    new = primary(update(service, forceNewDeployment=True))
    clock.tick()
    stopped = service.list_tasks(cluster="prod", serviceName="web", desiredStatus="STOPPED")["taskArns"]
    assert sorted(stopped) == sorted(arns)
    (task, _) = service.describe_tasks(cluster="prod", tasks=arns)["tasks"]
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    assert task["stoppedReason"] == f"Scaling activity initiated by (deployment {new['id']})"


def test_failed_tasks_of_a_service(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(exit_codes={"app": 137}, reason="OutOfMemoryError: killed", image="*fail-rollout*")
    new = primary(update(service, taskDefinition="web:2", deploymentConfiguration=BREAKER))
    clock.tick(1)
    arns = service.list_tasks(cluster="prod", startedBy=new["id"], desiredStatus="STOPPED")["taskArns"]
    tasks = service.describe_tasks(cluster="prod", tasks=arns)["tasks"]
    assert len(tasks) == 3
    for task in tasks:
        assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "EssentialContainerExited")
        (only,) = task["containers"]
        assert (only["exitCode"], only["reason"]) == (137, "OutOfMemoryError: killed")


def test_the_threshold_grows_with_the_service(service: Any, clock: Clock) -> None:
    update(service, desiredCount=10)
    clock.tick()
    update(service, taskDefinition="web:2", deploymentConfiguration=NO_ROLLBACK)
    clock.tick()
    assert primary(service_of(service))["failedTasks"] == 5
