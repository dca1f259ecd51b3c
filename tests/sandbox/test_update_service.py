"""Section 3 of the table: how UpdateService merges, what it starts, what it refuses."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.helpers import (  # fmt: skip
    ARN,
    BREAKER,
    FARGATE,
    NETWORK,
    Clock,
    Doc,
    container,
    create_service,
    error_of,
    primary,
    service_of,
    task_definition,
    update,
)

BALANCER: Final = {"targetGroupArn": "t", "containerName": "app", "containerPort": 80}
OTHER_NETWORK: Final = {"awsvpcConfiguration": {"subnets": ["subnet-9"], "securityGroups": ["sg-1"]}}


@pytest.fixture
def service(ecs: Any, clock: Clock) -> Any:
    """``web`` on Fargate, settled, with two revisions to choose from."""
    for _ in range(2):
        sent = task_definition("web", container(portMappings=[{"containerPort": 80}]), **FARGATE)
        ecs.register_task_definition(**sent)
    create_service(
        ecs,
        taskDefinition="web:1",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        loadBalancers=[BALANCER],
        deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 75} | BREAKER,
        healthCheckGracePeriodSeconds=30,
        propagateTags="SERVICE",
        enableExecuteCommand=True,
        enableECSManagedTags=True,
    )
    clock.tick()
    return ecs


#: member · changed to · does it start a deployment
CHANGES: Final[list[tuple[str, Any, bool]]] = [
    ("taskDefinition", "web:2", True),
    ("forceNewDeployment", True, True),
    ("networkConfiguration", OTHER_NETWORK, True),
    ("platformVersion", "1.4.0", True),
    ("loadBalancers", [], True),
    ("serviceRegistries", [{"registryArn": "r"}], True),
    ("serviceConnectConfiguration", {"enabled": True, "namespace": "n"}, True),
    ("volumeConfigurations", [{"name": "v", "managedEBSVolume": {"roleArn": "r"}}], True),
    ("vpcLatticeConfigurations", [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}], True),
    ("desiredCount", 3, False),
    ("capacityProviderStrategy", [{"capacityProvider": "FARGATE_SPOT", "weight": 1}], False),
    ("deploymentConfiguration", {"maximumPercent": 110}, False),
    ("availabilityZoneRebalancing", "DISABLED", False),
    ("healthCheckGracePeriodSeconds", 5, False),
    ("enableExecuteCommand", False, False),
    ("enableECSManagedTags", False, False),
    ("propagateTags", "NONE", False),
]


@pytest.mark.parametrize(("member", "value", "starts"), CHANGES, ids=[row[0] for row in CHANGES])
def test_what_starts_a_deployment(service: Any, member: str, value: Any, starts: bool) -> None:
    before = service_of(service)
    answer = update(service, **{member: value})
    assert (primary(answer)["id"] != primary(before)["id"]) == starts
    assert len(answer["deployments"]) == (2 if starts else 1)
    if starts:
        assert primary(answer)["rolloutState"] == "IN_PROGRESS"
        assert answer["currentServiceDeployment"] != before["currentServiceDeployment"]


#: members sent as they already are
SAME: Final[list[Doc]] = [
    {"taskDefinition": "web:1"},
    {"taskDefinition": f"{ARN}task-definition/web:1"},
    {"taskDefinition": "web:1", "forceNewDeployment": False},
    {"networkConfiguration": NETWORK},
    {"loadBalancers": [BALANCER]},
    {"platformVersion": "LATEST"},
    {"desiredCount": 1},
    {},
]


@pytest.mark.parametrize("sent", SAME, ids=str)
def test_what_is_already_so_starts_nothing(service: Any, sent: Doc) -> None:
    before = service_of(service)
    assert update(service, **sent) == before
    assert service_of(service) == before


def test_an_absent_member_stays_as_it_is(service: Any) -> None:
    before = service_of(service)
    after = update(service, taskDefinition="web:2")
    changing = ("taskDefinition", "deployments", "currentServiceDeployment", "currentServiceRevisions", "runningCount")
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert after["taskDefinition"] == f"{ARN}task-definition/web:2"


#: member · value that clears it · what the service then has
RESETS: Final[list[tuple[str, Any, Any]]] = [
    ("healthCheckGracePeriodSeconds", 0, 0),
    ("propagateTags", "NONE", "NONE"),
    ("enableECSManagedTags", False, False),
    ("enableExecuteCommand", False, False),
    ("loadBalancers", [], []),
    ("serviceRegistries", [], []),
    ("platformVersion", "LATEST", "LATEST"),
]


@pytest.mark.parametrize(("member", "value", "expected"), RESETS, ids=[row[0] for row in RESETS])
def test_resetting(service: Any, member: str, value: Any, expected: Any) -> None:
    assert update(service, **{member: value})[member] == expected
    assert service_of(service)[member] == expected


#: member of a service on EC2 or of its deployment · how it was created · value that clears it · what is then there
EC2_RESETS: Final[list[tuple[str, Any, Any, Any]]] = [
    ("placementConstraints", [{"type": "distinctInstance"}], [], []),
    ("placementStrategy", [{"type": "random"}], [], []),
    ("serviceConnectConfiguration", {"enabled": True, "namespace": "n"}, {"enabled": False}, {"enabled": False}),
    ("volumeConfigurations", [{"name": "v", "managedEBSVolume": {"roleArn": "r"}}], [], []),
    ("vpcLatticeConfigurations", [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}], [], []),
]


@pytest.mark.parametrize(("member", "first", "value", "expected"), EC2_RESETS, ids=[row[0] for row in EC2_RESETS])
def test_resetting_on_ec2(ecs: Any, member: str, first: Any, value: Any, expected: Any) -> None:
    ecs.register_task_definition(**task_definition("web"))
    create_service(ecs, **{member: first})

    def now() -> Any:
        service = service_of(ecs)
        return service.get(member, primary(service).get(member))

    assert now()
    update(ecs, desiredCount=2)
    assert now(), "what is left out stays"
    update(ecs, **{member: value})
    assert now() == expected


@pytest.mark.parametrize("member", ["placementConstraints", "placementStrategy"])
def test_placement_starts_no_deployment(ecs: Any, member: str) -> None:
    ecs.register_task_definition(**task_definition("web"))
    before = primary(create_service(ecs))
    value = [{"type": "distinctInstance"}] if member == "placementConstraints" else [{"type": "random"}]
    assert primary(update(ecs, **{member: value}))["id"] == before["id"]


def test_rebalancing_is_kept_where_it_is_left_out(service: Any) -> None:
    assert update(service, availabilityZoneRebalancing="DISABLED")["availabilityZoneRebalancing"] == "DISABLED"
    assert update(service, desiredCount=2)["availabilityZoneRebalancing"] == "DISABLED"


def test_a_strategy_replaces_the_launch_type_and_goes_again(service: Any) -> None:
    answer = update(service, capacityProviderStrategy=[{"capacityProvider": "FARGATE"}])
    assert answer["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 0, "base": 0}]
    assert "launchType" not in answer
    answer = update(service, capacityProviderStrategy=[])
    assert answer["launchType"] == "FARGATE"
    assert "capacityProviderStrategy" not in answer


KEPT: Final = {"maximumPercent": 150, "minimumHealthyPercent": 75, "strategy": "ROLLING", "bakeTimeInMinutes": 0}
THRESHOLD: Final = {"thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}, "resetOnHealthyTask": True}
ON: Final = {"enable": True, "rollback": True} | THRESHOLD

#: deploymentConfiguration sent · what it is then, over what the service was created with
CONFIGURATIONS: Final[list[tuple[str, Doc, Doc]]] = [
    ("empty", {}, KEPT | {"deploymentCircuitBreaker": ON}),
    ("sub-fields merge", {"maximumPercent": 120}, KEPT | {"maximumPercent": 120, "deploymentCircuitBreaker": ON}),
    (
        "members of the circuit breaker",
        {"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
        KEPT | {"deploymentCircuitBreaker": {"enable": True, "rollback": False} | THRESHOLD},
    ),
    (
        "alarms",
        {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}},
        KEPT | {"deploymentCircuitBreaker": ON, "alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}},
    ),
]


@pytest.mark.parametrize(("sent", "expected"), [r[1:] for r in CONFIGURATIONS], ids=[r[0] for r in CONFIGURATIONS])
def test_deployment_configuration_merges(service: Any, sent: Doc, expected: Doc) -> None:
    assert update(service, deploymentConfiguration=sent)["deploymentConfiguration"] == expected


def test_rollback_omitted_is_false(service: Any, aws: Any) -> None:
    """boto3 would not send it without ``rollback``, other clients do."""
    sent = {
        "cluster": "prod",
        "service": "web",
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True}},
    }
    answer = aws.ecs().call("UpdateService", sent)["service"]["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert answer == {"enable": True, "rollback": False} | THRESHOLD


def test_some_blocks_are_reset_where_they_are_partial(service: Any) -> None:
    update(service, deploymentConfiguration={"linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}})
    answer = update(service, deploymentConfiguration={"linearConfiguration": {"stepPercent": 20.0}})
    linear = answer["deploymentConfiguration"]["linearConfiguration"]
    assert linear == {"stepPercent": 20.0, "stepBakeTimeInMinutes": 6}


def test_what_a_hook_is_told_is_any_json(service: Any) -> None:
    details = {"a": [1, {"b": True}], "c": "d"}
    hook = {"hookTargetArn": "a", "lifecycleStages": ["PRE_SCALE_UP"], "hookDetails": details}
    (answer,) = update(service, deploymentConfiguration={"lifecycleHooks": [hook]})["deploymentConfiguration"][
        "lifecycleHooks"
    ]
    assert answer["hookDetails"] == details


def test_hooks_are_replaced(service: Any) -> None:
    for arn in ("a", "b"):
        hook = {"hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP"]}
        answer = update(service, deploymentConfiguration={"lifecycleHooks": [hook]})
    assert [h["hookTargetArn"] for h in answer["deploymentConfiguration"]["lifecycleHooks"]] == ["b"]


def test_a_family_means_its_newest_active_revision(service: Any) -> None:
    service.deregister_task_definition(taskDefinition="web:2")
    assert update(service, taskDefinition="web")["taskDefinition"] == f"{ARN}task-definition/web:1"


#: what UpdateService refuses: row · sent · code · text
REFUSALS: Final[list[tuple[str, Doc, str, str]]] = [
    ("inactive", {"taskDefinition": "web:3"}, "ClientException", "TaskDefinition is inactive"),
    ("unknown revision", {"taskDefinition": "web:9"}, "ClientException", "Unable to describe task definition."),
    ("unknown service", {"service": "none"}, "ServiceNotFoundException", "Service not found."),
    ("unknown cluster", {"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
    ("container of the load balancer", {"taskDefinition": "other"}, "InvalidParameterException",
     "The container app does not exist in the task definition."),
    ("port of the load balancer", {"taskDefinition": "portless"}, "InvalidParameterException",
     "The container app did not have a container port 80 defined."),
    ("no network any more", {"networkConfiguration": {}}, "InvalidParameterException",
     "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    ("placement on Fargate", {"placementConstraints": []}, "InvalidParameterException",
     "Placement constraints are not supported with FARGATE launch type."),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "code", "text"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refused(service: Any, sent: Doc, code: str, text: str) -> None:
    service.register_task_definition(**task_definition("web"))
    service.deregister_task_definition(taskDefinition="web:3")
    service.register_task_definition(**task_definition("other", container("x"), **FARGATE))
    service.register_task_definition(**task_definition("portless", **FARGATE))
    before = service_of(service)
    with pytest.raises(ClientError) as caught:
        update(service, **sent)
    assert error_of(caught.value) == (code, text)
    assert service_of(service) == before


def test_a_service_goes_on_with_an_inactive_revision(service: Any) -> None:
    service.deregister_task_definition(taskDefinition="web:1")
    assert update(service, desiredCount=2)["desiredCount"] == 2
    with pytest.raises(ClientError) as caught:
        update(service, forceNewDeployment=True)
    assert error_of(caught.value) == ("ClientException", "TaskDefinition is inactive")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"taskDefinition": "web:2"}, "Unable to update task definition"),
        ({"taskDefinition": "web:1"}, "Unable to update task definition"),
        ({"forceNewDeployment": True}, "Cannot force a new deployment"),
        ({"networkConfiguration": OTHER_NETWORK}, "Unable to update networkConfiguration"),
    ],
)
def test_code_deploy_deploys_itself(service: Any, sent: Doc, text: str) -> None:
    create_service(
        service,
        serviceName="blue",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        deploymentController={"type": "CODE_DEPLOY"},
    )
    assert update(service, service="blue", desiredCount=5)["desiredCount"] == 5
    with pytest.raises(ClientError) as caught:
        update(service, service="blue", **sent)
    code, message = error_of(caught.value)
    assert code == "InvalidParameterException"
    where = "on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."
    assert message == f"{text} {where}"


def test_scaling(service: Any, clock: Clock) -> None:
    update(service, desiredCount=3)
    clock.tick()
    assert service_of(service)["runningCount"] == 3
    update(service, desiredCount=1)
    answer = service_of(service)
    assert (answer["runningCount"], primary(answer)["desiredCount"]) == (1, 1)
    assert primary(answer)["rolloutState"] == "COMPLETED"
