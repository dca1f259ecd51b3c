"""PAUSE hooks: deployments that wait for somebody."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import ARN, EPOCH, Clock, Doc, create_service, error_of, primary, service_of, task_definition, update


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


def detail(ecs: Any, arn: str) -> Doc:
    (answer,) = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    return dict(answer)


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


def test_lambda_hooks_are_not_run(service: Any, clock: Clock) -> None:
    arn = deploy(service, {"hookTargetArn": "l", "lifecycleStages": ["PRE_SCALE_UP"]})
    clock.tick()
    assert detail(service, arn)["status"] == "SUCCESSFUL"


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
