"""CloudWatch alarms that make deployments fail."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    Clock,
    create_service,
    detail,
    messages,
    primary,
    service_of,
    task_definition,
    update,
)


@pytest.fixture
def service(ecs: Any, aws: Sandbox, clock: Clock) -> Any:
    aws.minute_seconds = 10.0
    for _ in range(2):
        ecs.register_task_definition(**task_definition())
    create_service(ecs, taskDefinition="web:1")
    clock.tick()
    return ecs


def deploy(ecs: Any, strategy: str = "ROLLING", *, rollback: bool = True, enable: bool = True) -> str:
    watched = {"alarmNames": ["errors", "latency"], "rollback": rollback, "enable": enable}
    configuration = {"strategy": strategy, "bakeTimeInMinutes": 2, "alarms": watched}
    answer = update(ecs, taskDefinition="web:2", deploymentConfiguration=configuration)
    return str(answer["currentServiceDeployment"])


def test_rolling_back(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("errors", seconds=5)
    arn = deploy(service)
    failed = primary(service_of(service))["id"]
    clock.tick(4.9)
    assert detail(service, arn)["alarms"] == {
        "status": "MONITORING", "alarmNames": ["errors", "latency"], "triggeredAlarmNames": [],
    }  # fmt: skip
    clock.tick(0.1)
    answer = detail(service, arn)
    assert (answer["status"], answer["alarms"]["status"]) == ("ROLLBACK_IN_PROGRESS", "TRIGGERED")
    assert answer["alarms"]["triggeredAlarmNames"] == ["errors"]
    assert answer["statusReason"] == answer["rollback"]["reason"]
    assert answer["statusReason"] == "Service deployment rolled back because an alarm was detected: errors."
    states = {d["id"]: d for d in service_of(service)["deployments"]}
    assert states[failed]["rolloutStateReason"] == "ECS deployment failed: alarm detected."
    back = primary(service_of(service))["id"]
    assert messages(service)[:2] == [
        f"(service web) rolling back to deployment {back}.",
        f"(service web) (deployment {failed}) deployment failed: alarm detected.",
    ]
    clock.tick()
    assert detail(service, arn)["status"] == "ROLLBACK_SUCCESSFUL"
    assert service_of(service)["taskDefinition"].endswith("web:1")


def test_without_rollback(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("latency", seconds=0.5)
    arn = deploy(service, rollback=False)
    clock.tick(100)
    answer = detail(service, arn)
    assert (answer["status"], answer["alarms"]["triggeredAlarmNames"]) == ("STOPPED", ["latency"])
    assert primary(service_of(service))["rolloutState"] == "FAILED"
    assert service_of(service)["taskDefinition"].endswith("web:2")


def test_at_a_stage(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("errors", stage="BAKE_TIME")
    arn = deploy(service, "BLUE_GREEN")
    clock.tick(0.75)
    assert detail(service, arn)["status"] == "IN_PROGRESS"
    clock.tick(0.1)
    answer = detail(service, arn)
    assert (answer["status"], answer["alarms"]["triggeredAlarmNames"]) == ("ROLLBACK_IN_PROGRESS", ["errors"])
    assert answer["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 100.0


def test_right_now(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("errors")  # nothing is going on yet
    arn = deploy(service)
    clock.tick(3)
    aws.alarm("errors", service="api")
    aws.alarm("errors", image="other:*")
    assert detail(service, arn)["status"] == "IN_PROGRESS"
    aws.alarm("errors", service="w*", image="app:*")
    assert detail(service, arn)["status"] == "ROLLBACK_IN_PROGRESS"
    aws.alarm("latency")  # the way back does not fail
    clock.tick()
    answer = detail(service, arn)
    assert (answer["status"], answer["alarms"]["triggeredAlarmNames"]) == ("ROLLBACK_SUCCESSFUL", ["errors"])


def test_what_is_not_watched_does_no_harm(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("disk", seconds=1)
    arn = deploy(service)
    clock.tick(30)
    assert detail(service, arn)["alarms"]["status"] == "MONITORING_COMPLETE"
    aws.alarm("errors", seconds=1)
    deploy(service, enable=False)
    arn = update(service, forceNewDeployment=True)["currentServiceDeployment"]
    clock.tick(30)
    assert detail(service, arn)["alarms"]["status"] == "DISABLED"
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_after_the_end_it_is_too_late(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.alarm("errors", seconds=21.5)
    arn = deploy(service)
    clock.tick(21)
    assert detail(service, arn)["status"] == "SUCCESSFUL"
    clock.tick(1)
    assert detail(service, arn)["status"] == "SUCCESSFUL"
