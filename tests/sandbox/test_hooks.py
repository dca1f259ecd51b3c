"""Lifecycle hooks: deployments that wait for an operator, or for a function."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    ARN,
    EPOCH,
    Clock,
    Doc,
    create_service,
    detail,
    error_of,
    primary,
    service_of,
    task_definition,
    update,
)


def hook(*stages: str, **timeout: Any) -> Doc:
    configured: Doc = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    return configured | ({"timeoutConfiguration": timeout} if timeout else {})


@pytest.fixture
def service(ecs: Any, clock: Clock) -> Any:
    for _ in range(2):
        ecs.register_task_definition(**task_definition())
    create_service(ecs, taskDefinition="web:1")
    clock.tick()
    return ecs


def deploy(ecs: Any, *hooks: Doc) -> str:
    configuration = {"strategy": "BLUE_GREEN", "lifecycleHooks": list(hooks)}
    answer = update(ecs, taskDefinition="web:2", deploymentConfiguration=configuration)
    return str(answer["currentServiceDeployment"])


def go_on(ecs: Any, arn: str, **params: Any) -> None:
    waiting = [h for h in detail(ecs, arn)["lifecycleHookDetails"] if h["status"] == "AWAITING_ACTION"]
    ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=waiting[0]["hookId"], **params)


def test_waiting_and_going_on(service: Any, clock: Clock) -> None:
    arn = deploy(service, hook("PRE_SCALE_UP"), hook("POST_SCALE_UP"))
    clock.tick(100)
    waiting = detail(service, arn)
    assert (waiting["status"], waiting["lifecycleStage"]) == ("IN_PROGRESS", "PRE_SCALE_UP")
    (only,) = waiting["lifecycleHookDetails"]
    assert (only["targetType"], only["status"], only["timeoutAction"]) == ("PAUSE", "AWAITING_ACTION", "ROLLBACK")
    assert only["expiresAt"].timestamp() == pytest.approx(EPOCH + 1.2 + 24 * 3600)
    assert primary(service_of(service))["runningCount"] == 0
    go_on(service, arn)
    clock.tick(100)
    assert detail(service, arn)["lifecycleStage"] == "POST_SCALE_UP"
    assert [d["runningCount"] for d in service_of(service)["deployments"]] == [1, 1]
    go_on(service, arn, action="CONTINUE")
    clock.tick(1)
    after = detail(service, arn)
    assert (after["status"], after["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
    assert [h["status"] for h in after["lifecycleHookDetails"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(service_of(service)["deployments"]) == 1


def test_going_back(service: Any, clock: Clock) -> None:
    arn = deploy(service, hook("POST_SCALE_UP"))
    clock.tick(5)
    go_on(service, arn, action="ROLLBACK")
    assert detail(service, arn)["status"] == "ROLLBACK_IN_PROGRESS"
    clock.tick(1)
    assert detail(service, arn)["status"] == "ROLLBACK_SUCCESSFUL"
    assert service_of(service)["taskDefinition"] == f"{ARN}task-definition/web:1"


@pytest.mark.parametrize(("action", "status"), [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")])
def test_running_out_of_time(service: Any, clock: Clock, action: str, status: str) -> None:
    arn = deploy(service, hook("PRE_SCALE_UP", timeoutInMinutes=5, action=action))
    clock.tick(300)
    assert detail(service, arn)["status"] == "IN_PROGRESS"
    clock.tick(2)
    answer = detail(service, arn)
    assert (answer["status"], answer["lifecycleHookDetails"][0]["status"]) == (status, "TIMED_OUT")


def test_a_newer_deployment_takes_over(service: Any, clock: Clock) -> None:
    arn = deploy(service, hook("PRE_SCALE_UP"))
    clock.tick(5)
    update(service, taskDefinition="web:1", deploymentConfiguration={"lifecycleHooks": []})
    clock.tick(100_000)
    assert detail(service, arn)["status"] == "STOPPED"
    assert service_of(service)["taskDefinition"] == f"{ARN}task-definition/web:1"
    assert service_of(service)["runningCount"] == 1


def test_minutes_of_another_length(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.minute_seconds = 0.5
    arn = deploy(service, hook("PRE_SCALE_UP", timeoutInMinutes=4))
    clock.tick(2)
    assert detail(service, arn)["status"] == "IN_PROGRESS"
    clock.tick(0.3)
    assert detail(service, arn)["status"] == "ROLLBACK_IN_PROGRESS"
    reason = "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) timed out."
    assert detail(service, arn)["statusReason"] == reason


def test_before_every_step(service: Any, clock: Clock) -> None:
    paused = hook("PRE_PRODUCTION_TRAFFIC_SHIFT")
    configuration = {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0}, "lifecycleHooks": [paused]}
    arn = str(
        update(service, taskDefinition="web:2", deploymentConfiguration=configuration)["currentServiceDeployment"]
    )
    weights = []
    for pause in (5, 700):
        clock.tick(pause)
        answer = detail(service, arn)
        assert answer["lifecycleStage"] == "PRE_PRODUCTION_TRAFFIC_SHIFT"
        weights.append(answer["targetServiceRevision"]["requestedProductionTrafficWeight"])
        go_on(service, arn)
        clock.tick(50)
    assert weights == [0.0, 10.0]
    clock.tick(1000)
    assert detail(service, arn)["status"] == "SUCCESSFUL"


FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:check"


def function(*stages: str, **timeout: Any) -> Doc:
    configured: Doc = {"hookTargetArn": FUNCTION, "roleArn": "arn:aws:iam::123456789012:role/r"}
    return configured | {"lifecycleStages": list(stages)} | ({"timeoutConfiguration": timeout} if timeout else {})


def test_a_function_succeeds_at_once(service: Any, clock: Clock) -> None:
    arn = deploy(service, function("PRE_SCALE_UP", "TEST_TRAFFIC_SHIFT"))
    clock.tick()
    answer = detail(service, arn)
    assert answer["status"] == "SUCCESSFUL"
    assert [(h["targetType"], h["targetArn"], h["status"]) for h in answer["lifecycleHookDetails"]] == [
        ("AWS_LAMBDA", FUNCTION, "SUCCEEDED")
    ] * 2


def test_a_function_that_fails(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.hook("FAILED", seconds=5, target="*:check", stage="POST_SCALE_UP")
    arn = deploy(service, function("PRE_SCALE_UP", "POST_SCALE_UP"))
    clock.tick(5)
    answer = detail(service, arn)
    assert (answer["status"], answer["lifecycleStage"]) == ("IN_PROGRESS", "POST_SCALE_UP")
    assert [h["status"] for h in answer["lifecycleHookDetails"]] == ["SUCCEEDED", "IN_PROGRESS"]
    clock.tick(1)
    answer = detail(service, arn)
    assert (answer["status"], answer["lifecycleHookDetails"][1]["status"]) == ("ROLLBACK_IN_PROGRESS", "FAILED")
    reason = "Service deployment rolled back because POST_SCALE_UP lifecycle hook(s) failed."
    assert answer["statusReason"] == f"{reason} Lifecycle hook target {FUNCTION} returned FAILED status."
    assert f"deployment failed: {reason}" in service_of(service)["events"][1]["message"]
    clock.tick()
    assert detail(service, arn)["status"] == "ROLLBACK_SUCCESSFUL"


@pytest.mark.parametrize(("action", "status"), [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")])
def test_a_function_that_takes_too_long(service: Any, aws: Sandbox, clock: Clock, action: str, status: str) -> None:
    aws.hook("FAILED", seconds=300)
    arn = deploy(service, function("PRE_SCALE_UP", timeoutInMinutes=1, action=action))
    clock.tick(400)
    answer = detail(service, arn)
    assert (answer["status"], [h["status"] for h in answer["lifecycleHookDetails"]]) == (status, ["TIMED_OUT"])


def test_a_function_does_not_wait_for_somebody(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.hook(seconds=300)
    arn = deploy(service, function("PRE_SCALE_UP"))
    clock.tick()
    (waiting,) = detail(service, arn)["lifecycleHookDetails"]
    with pytest.raises(ClientError) as caught:
        service.continue_service_deployment(serviceDeploymentArn=arn, hookId=waiting["hookId"])
    assert error_of(caught.value)[0] == "InvalidParameterException"
    clock.tick(300)
    assert detail(service, arn)["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("stage", ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"])
def test_nobody_can_pause_the_traffic_while_it_shifts(service: Any, stage: str) -> None:
    with pytest.raises(ClientError) as caught:
        deploy(service, hook(stage))
    assert error_of(caught.value)[0] == "InvalidParameterException"
    assert stage in error_of(caught.value)[1]


def test_a_first_deployment_cannot_go_back(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    configuration = {"strategy": "BLUE_GREEN", "lifecycleHooks": [hook("POST_SCALE_UP")]}
    arn = create_service(ecs, deploymentConfiguration=configuration)["currentServiceDeployment"]
    clock.tick(5)
    go_on(ecs, arn, action="ROLLBACK")
    clock.tick(5)
    answer = detail(ecs, arn)
    assert (answer["status"], answer["lifecycleStage"]) == ("ROLLBACK_FAILED", "POST_SCALE_UP")


def test_only_what_waits_can_go_on(service: Any, clock: Clock) -> None:
    arn = deploy(service, hook("PRE_SCALE_UP"))
    clock.tick()
    go_on(service, arn)
    (done,) = detail(service, arn)["lifecycleHookDetails"]
    for hook_id in (done["hookId"], "x"):
        with pytest.raises(ClientError) as caught:
            service.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook_id)
        assert error_of(caught.value)[0] == "InvalidParameterException"
    with pytest.raises(ClientError) as caught:
        service.continue_service_deployment(serviceDeploymentArn=arn + "x", hookId="x")
    assert error_of(caught.value)[0] == "ServiceDeploymentNotFoundException"
