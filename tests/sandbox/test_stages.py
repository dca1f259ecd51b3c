"""The stages that each strategy goes through, and where the traffic goes meanwhile."""

from __future__ import annotations

from typing import Any, Final

import pytest

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    BREAKER,
    Clock,
    Doc,
    container,
    create_service,
    detail,
    primary,
    service_of,
    task_definition,
    update,
)

#: A minute of bake time takes ten seconds here, everything else one second in all.
MINUTE: Final = 10.0
AROUND: Final = ["PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP"]
SHIFTED: Final = ["TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"]
ENDING: Final = ["POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]
PRODUCTION: Final = ["PRODUCTION_TRAFFIC_SHIFT"]


@pytest.fixture
def service(ecs: Any, aws: Sandbox, clock: Clock) -> Any:
    """``web`` with two tasks on revision 1; revision 2 is there, revision 3 carries the tag of failing rehearsals."""
    aws.minute_seconds = MINUTE
    for _ in range(2):
        ecs.register_task_definition(**task_definition())
    ecs.register_task_definition(**task_definition("web", container(image="app:v3-fail-rollout")))
    create_service(ecs, taskDefinition="web:1", desiredCount=2)
    clock.tick()
    return ecs


def deploy(ecs: Any, strategy: str, revision: str = "web:2", **configuration: Any) -> str:
    answer = update(ecs, taskDefinition=revision, deploymentConfiguration={"strategy": strategy} | configuration)
    return str(answer["currentServiceDeployment"])


def weights(deployment: Doc) -> tuple[float, float, float]:
    """The shares of production traffic of the old and of the new revision, and of the new one's test traffic."""
    target, (source, *_) = deployment["targetServiceRevision"], deployment["sourceServiceRevisions"]
    production = "requestedProductionTrafficWeight"
    return source[production], target[production], target["requestedTestTrafficWeight"]


def watch(aws: Sandbox, clock: Clock, arn: str, seconds: float = 200.0) -> list[tuple[str, tuple[float, float, float]]]:
    """Stages with their weights as they follow each other; looked at more often in the first second, past HTTP."""
    seen: list[tuple[str, tuple[float, float, float]]] = []
    began, ecs = clock.now(), aws.ecs()
    while clock.now() < began + seconds:
        answer = ecs.call("DescribeServiceDeployments", {"serviceDeploymentArns": [arn]})["serviceDeployments"][0]
        if not seen or seen[-1] != (answer["lifecycleStage"], weights(answer)):
            seen.append((answer["lifecycleStage"], weights(answer)))
        if answer["status"] == "SUCCESSFUL":
            break
        clock.tick(0.015 if clock.now() < began + 1 else 0.1)
    return seen


def stages(seen: list[tuple[str, Any]]) -> list[str]:
    """Stages in order, each once where it follows itself."""
    found: list[str] = []
    for stage, _ in seen:
        if found[-1:] != [stage]:
            found.append(stage)
    return found


def test_blue_green(service: Any, aws: Sandbox, clock: Clock) -> None:
    arn = deploy(service, "BLUE_GREEN", bakeTimeInMinutes=5)
    began = clock.now()
    seen = watch(aws, clock, arn)
    assert stages(seen) == [*AROUND, *SHIFTED, *PRODUCTION, *ENDING]
    assert clock.now() - began == pytest.approx(5 * MINUTE + 1, abs=0.11)
    by_stage = dict(seen)
    assert by_stage["POST_SCALE_UP"] == (100.0, 0.0, 0.0)
    assert by_stage["TEST_TRAFFIC_SHIFT"] == (100.0, 0.0, 100.0)
    assert by_stage["PRODUCTION_TRAFFIC_SHIFT"] == by_stage["BAKE_TIME"] == (0.0, 100.0, 100.0)
    assert detail(service, arn)["status"] == "SUCCESSFUL"
    assert len(service_of(service)["deployments"]) == 1


def test_both_revisions_run_while_it_bakes(service: Any, clock: Clock) -> None:
    arn = deploy(service, "BLUE_GREEN", bakeTimeInMinutes=5)
    clock.tick(0.99 + 5 * MINUTE - 0.3)
    answer = detail(service, arn)
    assert (answer["lifecycleStage"], answer["status"]) == ("BAKE_TIME", "IN_PROGRESS")
    assert answer["targetServiceRevision"]["runningTaskCount"] == 2
    assert answer["sourceServiceRevisions"][0]["runningTaskCount"] == 2
    shown = service_of(service)
    assert [d["runningCount"] for d in shown["deployments"]] == [2, 2]
    assert all("rolloutState" not in d for d in shown["deployments"])
    assert [r["runningTaskCount"] for r in shown["currentServiceRevisions"]] == [2, 2]
    clock.tick(0.2)
    answer = detail(service, arn)
    assert answer["lifecycleStage"] == "CLEAN_UP"
    assert answer["sourceServiceRevisions"][0]["runningTaskCount"] == 0


def test_linear(service: Any, aws: Sandbox, clock: Clock) -> None:
    steps = {"stepPercent": 30.0, "stepBakeTimeInMinutes": 2}
    arn = deploy(service, "LINEAR", linearConfiguration=steps, bakeTimeInMinutes=1)
    began = clock.now()
    seen = watch(aws, clock, arn)
    shares = dict.fromkeys(w[:2] for _, w in seen)
    assert list(shares) == [(100.0, 0.0), (70.0, 30.0), (40.0, 60.0), (10.0, 90.0), (0.0, 100.0)]
    assert clock.now() - began == pytest.approx((3 * 2 + 1) * MINUTE + 1, abs=0.11)  # none after the last step


def test_linear_by_default(service: Any, aws: Sandbox, clock: Clock) -> None:
    arn = deploy(service, "LINEAR")
    seen = dict.fromkeys(w[1] for _, w in watch(aws, clock, arn, 600))
    assert list(seen) == [float(percent) for percent in range(0, 101, 10)]


def test_canary(service: Any, aws: Sandbox, clock: Clock) -> None:
    canary = {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 3}
    arn = deploy(service, "CANARY", canaryConfiguration=canary, bakeTimeInMinutes=1)
    began = clock.now()
    clock.tick(MINUTE)
    assert weights(detail(service, arn)) == (87.5, 12.5, 100.0)
    seen = watch(aws, clock, arn)
    assert [seen[0][0], *dict.fromkeys(w[1] for _, w in seen)] == ["PRODUCTION_TRAFFIC_SHIFT", 12.5, 100.0]
    assert clock.now() - began == pytest.approx(4 * MINUTE + 1, abs=0.11)


def test_a_canary_of_everything(service: Any, clock: Clock) -> None:
    canary = {"canaryPercent": 100.0, "canaryBakeTimeInMinutes": 3}
    arn = deploy(service, "CANARY", canaryConfiguration=canary)
    clock.tick()
    assert detail(service, arn)["status"] == "SUCCESSFUL"


def test_rolling(service: Any, clock: Clock) -> None:
    arn = deploy(service, "ROLLING", bakeTimeInMinutes=1)
    assert "requestedProductionTrafficWeight" not in detail(service, arn)["targetServiceRevision"]
    seen = []
    for _ in range(60):
        seen.append((detail(service, arn)["lifecycleStage"], None))
        clock.tick(0.19)
    assert stages(seen) == ["PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "CLEAN_UP", "BAKE_TIME", "CLEAN_UP"]
    assert primary(service_of(service))["rolloutState"] == "COMPLETED"


def test_reconciling_only_where_two_revisions_are_active(service: Any, clock: Clock) -> None:
    first = deploy(service, "BLUE_GREEN")
    clock.tick(0.7)
    second = deploy(service, "BLUE_GREEN", "web:1")
    assert detail(service, second)["lifecycleStage"] == "RECONCILE_SERVICE"
    assert weights(detail(service, second))[1] == 0.0
    assert detail(service, first)["status"] == "STOPPED"
    clock.tick(1)
    assert detail(service, second)["status"] == "SUCCESSFUL"


def test_failing_tasks_get_no_traffic(service: Any, clock: Clock) -> None:
    old = service.list_tasks(cluster="prod", serviceName="web")["taskArns"]
    arn = deploy(service, "BLUE_GREEN", "web:3", bakeTimeInMinutes=9, **BREAKER)
    clock.tick(0.5)
    answer = detail(service, arn)
    assert (answer["lifecycleStage"], answer["status"], weights(answer)[:2]) == ("SCALE_UP", "IN_PROGRESS", (100.0, 0))
    clock.tick(0.6)
    answer = detail(service, arn)
    assert (answer["status"], weights(answer)) == ("ROLLBACK_IN_PROGRESS", (100.0, 0.0, 0.0))
    assert answer["rollback"]["serviceRevisionArn"] == answer["sourceServiceRevisions"][0]["arn"]
    clock.tick(1)
    assert detail(service, arn)["status"] == "ROLLBACK_SUCCESSFUL"
    assert sorted(service.list_tasks(cluster="prod", serviceName="web")["taskArns"]) == sorted(old)


def test_a_first_deployment_has_no_source(ecs: Any, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    arn = create_service(ecs, deploymentConfiguration={"strategy": "BLUE_GREEN"})["currentServiceDeployment"]
    assert detail(ecs, arn)["sourceServiceRevisions"] == []
    clock.tick()
    answer = detail(ecs, arn)
    assert (answer["status"], answer["targetServiceRevision"]["requestedProductionTrafficWeight"]) == (
        "SUCCESSFUL",
        100,
    )


@pytest.mark.parametrize("strategy", ["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"])
def test_how_often_somebody_looks_makes_no_difference(service: Any, clock: Clock, strategy: str) -> None:
    first = deploy(service, strategy)
    watch_every = [0.1] * 30 + [10.0] * 70
    for pause in watch_every:
        clock.tick(pause)
        detail(service, first)
    clock.tick(1000 - sum(watch_every))
    second = deploy(service, strategy, "web:1")
    clock.tick(1000)
    one, other = detail(service, first), detail(service, second)
    assert one["status"] == other["status"] == "SUCCESSFUL"
    lasted = [(d["finishedAt"] - d["createdAt"]).total_seconds() for d in (one, other)]
    assert lasted[0] == pytest.approx(lasted[1], abs=0.001)


def test_no_tasks_no_time(service: Any, clock: Clock) -> None:
    update(service, desiredCount=0)
    answer = update(service, taskDefinition="web:2")
    now = service_of(service)
    assert primary(now)["id"] == primary(answer)["id"]
    assert (primary(now)["rolloutState"], now["runningCount"], now["desiredCount"]) == ("COMPLETED", 0, 0)
    assert detail(service, now["currentServiceDeployment"])["status"] == "SUCCESSFUL"


def test_a_daemon(service: Any, aws: Sandbox, clock: Clock) -> None:
    aws.container_instances = 3
    params = {"cluster": "prod", "serviceName": "agent", "taskDefinition": "web:1", "schedulingStrategy": "DAEMON"}
    service.create_service(**params)
    clock.tick()
    update(service, service="agent", taskDefinition="web:2")
    clock.tick()
    now = service_of(service, "agent")
    assert (now["desiredCount"], now["runningCount"], primary(now)["rolloutState"]) == (3, 3, "COMPLETED")
