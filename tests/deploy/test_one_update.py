"""One UpdateService per service and deployment, however much differs; and what AWS replaces whole is sent whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.specs import definition, spec, task
from tests.support.toml import Doc
from tests.support.world import World

FARGATE: Doc = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
BREAKER: Doc = {"enable": True, "rollback": True}
HOOK: Doc = {"hookTargetArn": "arn:f", "roleArn": "arn:r", "lifecycleStages": ["PRE_SCALE_UP"]}
BY_HAND: Doc = {
    "maximumPercent": 150,
    "minimumHealthyPercent": 50,
    "deploymentCircuitBreaker": BREAKER,
    "alarms": {"alarmNames": ["b", "a"], "enable": True, "rollback": True},
    "lifecycleHooks": [HOOK],
}


def shop(*services: Doc, **more: Any) -> Doc:
    return spec(task("web", services=(), update_services=list(services), **more))


def by_hand(world: World, **members: Any) -> None:
    world.ecs("UpdateService", cluster="prod", service="web", **members)


def configuration(world: World) -> Doc:
    found: Doc = world.service("web")["deploymentConfiguration"]
    return found


def test_however_much_differs_there_is_one_update_per_service(world: World) -> None:
    everything: Doc = {
        "desiredCount": 3,
        "deploymentConfiguration": {"deploymentCircuitBreaker": BREAKER},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-9"]}},
        "healthCheckGracePeriodSeconds": 30,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": True,
        "enableECSManagedTags": True,
        "availabilityZoneRebalancing": "DISABLED",
        "platformVersion": "1.4.0",
        "placementStrategy": [],
        "placementConstraints": [],
        "forceNewDeployment": True,
    }
    world.write(
        shop({"service": "web"} | everything, {"service": "admin"}, task_definition=definition("web", **FARGATE))
    )
    world.forget()
    world.deploy("v1")
    assert sorted(params["service"] for params in world.params("UpdateService")) == ["admin", "web"]
    assert world.sent() == ["RegisterTaskDefinition", "UpdateService", "UpdateService"]
    (sent,) = [params for params in world.params("UpdateService") if params["service"] == "web"]
    assert not {"placementStrategy", "placementConstraints"} & sent.keys(), "Fargate refuses even an empty one"
    assert "No changes." in world.ok("plan", "v1").out


@pytest.mark.parametrize(
    ("declared", "differs"),
    [
        ({"maximumPercent": 200}, {"maximumPercent": 200}),
        ({"bakeTimeInMinutes": 1}, {"bakeTimeInMinutes": 1}),
        ({"deploymentCircuitBreaker": BREAKER | {"rollback": False}},
         {"deploymentCircuitBreaker": BREAKER | {"rollback": False}}),
        ({"alarms": BY_HAND["alarms"] | {"rollback": False}}, {"alarms": BY_HAND["alarms"] | {"rollback": False}}),
    ],
    ids=["percent", "bake", "breaker.rollback", "alarms"],
)  # fmt: skip
def test_the_rest_of_a_deployment_configuration_is_sent_along(world: World, declared: Doc, differs: Doc) -> None:
    world.write(shop({"service": "web", "deploymentConfiguration": declared}))
    by_hand(world, deploymentConfiguration=BY_HAND)
    before = configuration(world)
    world.forget()
    world.deploy("v1")
    (sent,) = world.params("UpdateService")
    assert sent["deploymentConfiguration"].keys() >= BY_HAND.keys()
    assert sent["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is True
    expected = before | differs
    expected["deploymentCircuitBreaker"] = before["deploymentCircuitBreaker"] | expected["deploymentCircuitBreaker"]
    assert configuration(world) == expected
    assert "No changes." in world.ok("plan", "v1").out


def test_what_is_not_declared_is_neither_sent_nor_changed(world: World) -> None:
    world.write(shop({"service": "web"}))
    by_hand(world, deploymentConfiguration=BY_HAND, propagateTags="SERVICE", desiredCount=7)
    before = world.lasting(["web"])
    world.forget()
    world.deploy("v1")
    (sent,) = world.params("UpdateService")
    assert sent.keys() == {"cluster", "service", "taskDefinition"}
    assert world.lasting(["web"]) == before


def test_a_target_is_sent_whole(world: World) -> None:
    world.write(spec(task("web", services=(), rules=(("nightly", ("report",)),))))
    (target,) = world.targets("nightly").values()
    more: Doc = {
        "RetryPolicy": {"MaximumRetryAttempts": 1},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"},
        "Input": '{"b": 1,  "a": 2}',
    }
    parameters = target["EcsParameters"] | {"TaskCount": 2, "Group": "g"}
    world.client("events").put_targets(Rule="nightly", Targets=[target | more | {"EcsParameters": parameters}])
    before = world.kept("nightly")
    world.forget()
    world.deploy("v1")
    ((sent,),) = [params["Targets"] for params in world.params("PutTargets")]
    assert sent.keys() >= before["report"].keys()
    assert world.kept("nightly") == before
    assert world.pointing("nightly") == {"report": "web:1"}


@pytest.mark.parametrize(
    "declared",
    [{"deploymentCircuitBreaker": {"enable": True}}, {"alarms": {"alarmNames": ["a"], "enable": True}}],
    ids=lambda it: next(iter(it)),
)
def test_a_block_that_is_declared_in_part_is_deployed(world: World, declared: Doc) -> None:
    """boto3 would refuse the call without the members that are left out."""
    world.write(shop({"service": "web", "deploymentConfiguration": declared}))
    world.deploy("v1")
    (name,) = declared
    assert configuration(world)[name] | declared[name] == configuration(world)[name]
    assert configuration(world)[name]["rollback"] is False
    assert "No changes" in world.ok("plan", "v1").out


def test_what_nobody_has_is_missed_while_planning(world: World) -> None:
    public = {"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}}
    world.write(shop({"service": "web", "networkConfiguration": public}))
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "service.prod/web: networkConfiguration.awsvpcConfiguration.subnets is required" in ran.err
    assert not world.sent()


def test_what_a_list_lacks_is_found_offline(world: World) -> None:
    world.write(shop({"service": "web", "capacityProviderStrategy": [{"weight": 1}]}), seed=False)
    ran = world.run("validate")
    assert ran.code == 3
    assert "update_services[0].capacityProviderStrategy[0].capacityProvider: required, but missing" in ran.err
