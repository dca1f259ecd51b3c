"""Section 2 of the table, row by row: what CreateService is sent, what DescribeServices answers."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.helpers import (
    ARN,
    EPOCH,
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
)

ABSENT: Final = object()
CIRCUIT: Final = {
    "enable": False,
    "rollback": False,
    "resetOnHealthyTask": True,
    "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
}
ROLLING: Final = {
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "deploymentCircuitBreaker": CIRCUIT,
}
PORTS: Final = [{"containerPort": p} for p in (80, 8080)]
BALANCERS: Final = [{"targetGroupArn": "t", "containerName": "app", "containerPort": p} for p in (8080, 80)]
FILLED_NETWORK: Final = {"awsvpcConfiguration": NETWORK["awsvpcConfiguration"] | {"assignPublicIp": "DISABLED"}}
ON_FARGATE: Final[Doc] = {"launchType": "FARGATE", "networkConfiguration": NETWORK}
HOOK: Final[Doc] = {"hookTargetArn": "l", "lifecycleStages": ["PRE_SCALE_UP"]}
CONSTRAINTS: Final = [{"type": "memberOf", "expression": "b"}, {"type": "distinctInstance"}]
ZONES: Final = {"type": "spread", "field": "attribute:ecs.availability-zone"}


def configured(**members: Any) -> Doc:
    return {"deploymentConfiguration": ROLLING | members}


#: row · sent with CreateService · what the service then has. The task definition is bridge, or Fargate's if it must be.
ROWS: Final[list[tuple[str, Doc, Doc]]] = [
    (
        "filled in",
        {},
        {
            "serviceArn": f"{ARN}service/prod/web",
            "clusterArn": f"{ARN}cluster/prod",
            "status": "ACTIVE",
            "taskDefinition": f"{ARN}task-definition/web:1",
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "launchType": "EC2",
            "capacityProviderStrategy": ABSENT,
            "platformVersion": ABSENT,
            "networkConfiguration": ABSENT,
            "healthCheckGracePeriodSeconds": 0,
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "propagateTags": "NONE",
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "availabilityZoneRebalancing": "ENABLED",
            "deploymentConfiguration": ROLLING,
            "roleArn": ABSENT,
            "tags": ABSENT,
        },
    ),
    ("family as a reference", {"taskDefinition": "web"}, {"taskDefinition": f"{ARN}task-definition/web:1"}),
    ("revision as a reference", {"taskDefinition": "web:1"}, {"taskDefinition": f"{ARN}task-definition/web:1"}),
    (
        "DAEMON",
        {"schedulingStrategy": "DAEMON", "desiredCount": None},
        configured(maximumPercent=100, minimumHealthyPercent=0)
        | {"desiredCount": 2, "availabilityZoneRebalancing": "DISABLED"},
    ),
    (
        "a strategy instead of a launch type",
        {"capacityProviderStrategy": [{"capacityProvider": "z", "weight": 1}, {"capacityProvider": "a"}]},
        {
            "launchType": ABSENT,
            "capacityProviderStrategy": [
                {"capacityProvider": "z", "weight": 1, "base": 0},
                {"capacityProvider": "a", "weight": 0, "base": 0},
            ],
        },
    ),
    ("Fargate", ON_FARGATE, {"platformVersion": "LATEST", "launchType": "FARGATE", "platformFamily": "Linux"}),
    ("Fargate 1.4.0", ON_FARGATE | {"platformVersion": "1.4.0"}, {"platformVersion": "1.4.0"}),
    ("network", ON_FARGATE, {"networkConfiguration": FILLED_NETWORK}),
    (
        "network without groups",
        ON_FARGATE | {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["z", "a"]}}},
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": ["z", "a"], "securityGroups": [], "assignPublicIp": "DISABLED"}
            }
        },
    ),
    (
        "max and min",
        {"deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 50}},
        configured(minimumHealthyPercent=50),
    ),
    (
        "blue/green",
        {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}},
        configured(strategy="BLUE_GREEN", bakeTimeInMinutes=5),
    ),
    (
        "circuit breaker",
        {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
        configured(deploymentCircuitBreaker=CIRCUIT | {"enable": True, "rollback": True}),
    ),
    (
        "linear",
        {"deploymentConfiguration": {"strategy": "LINEAR", "linearConfiguration": {}}},
        configured(strategy="LINEAR", linearConfiguration={"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
    ),
    (
        "canary",
        {"deploymentConfiguration": {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 20.0}}},
        configured(strategy="CANARY", canaryConfiguration={"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 10}),
    ),
    (
        "hooks",
        {"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "l", "lifecycleStages": ["PRE_SCALE_UP"]}]}},
        configured(
            lifecycleHooks=[
                {
                    "targetType": "AWS_LAMBDA",
                    "hookTargetArn": "l",
                    "lifecycleStages": ["PRE_SCALE_UP"],
                    "timeoutConfiguration": {"action": "ROLLBACK", "timeoutInMinutes": 1440},
                }
            ]
        ),
    ),
    (
        "hooks in part",
        {"deploymentConfiguration": {"lifecycleHooks": [HOOK | {"timeoutConfiguration": {"timeoutInMinutes": 5}}]}},
        configured(
            lifecycleHooks=[
                HOOK
                | {
                    "targetType": "AWS_LAMBDA",
                    "timeoutConfiguration": {"action": "ROLLBACK", "timeoutInMinutes": 5},
                }
            ]
        ),
    ),
    (
        "linear in part",
        {"deploymentConfiguration": {"linearConfiguration": {"stepPercent": 20.0}}},
        configured(linearConfiguration={"stepPercent": 20.0, "stepBakeTimeInMinutes": 6}),
    ),
    (
        "canary, nothing",
        {"deploymentConfiguration": {"canaryConfiguration": {}}},
        configured(canaryConfiguration={"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
    ),
    (
        "registries as sent",
        {"serviceRegistries": [{"registryArn": "r", "port": 80}]},
        {"serviceRegistries": [{"registryArn": "r", "port": 80}]},
    ),
    ("constraints in order", {"placementConstraints": CONSTRAINTS}, {"placementConstraints": CONSTRAINTS}),
    ("no field for random", {"placementStrategy": [{"type": "random"}]}, {"placementStrategy": [{"type": "random"}]}),
    ("propagateTags", {"propagateTags": "TASK_DEFINITION"}, {"propagateTags": "TASK_DEFINITION"}),
    (
        "early success",
        {"deploymentConfiguration": {"earlySuccessCriteria": {"enable": False}}},
        configured(
            earlySuccessCriteria={"enable": False, "healthyPercent": 100, "sourceServiceRevisionCleanup": "BLOCKING"}
        ),
    ),
    (
        "alarms",
        {"deploymentConfiguration": {"alarms": {"alarmNames": [], "enable": False, "rollback": False}}},
        configured(alarms={"alarmNames": [], "enable": False, "rollback": False}),
    ),
    ("load balancers in order", {"loadBalancers": BALANCERS}, {"loadBalancers": BALANCERS}),
    (
        "role of load balancers",
        {"loadBalancers": BALANCERS},
        {"roleArn": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"},
    ),
    (
        "placement in order",
        {"placementStrategy": [{"type": "spread", "field": "host"}, ZONES, {"type": "random"}]},
        {
            "placementStrategy": [{"type": "spread", "field": "instanceId"}, ZONES, {"type": "random"}],
            "availabilityZoneRebalancing": "DISABLED",
        },
    ),
    ("zones first", {"placementStrategy": [ZONES]}, {"availabilityZoneRebalancing": "ENABLED"}),
    (
        "a constraint on zones",
        {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.availability-zone == a"}]},
        {"availabilityZoneRebalancing": "DISABLED"},
    ),
    (
        "no room to rebalance",
        {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}},
        {"availabilityZoneRebalancing": "DISABLED"},
    ),
    ("rebalancing as sent", {"availabilityZoneRebalancing": "DISABLED"}, {"availabilityZoneRebalancing": "DISABLED"}),
    ("grace period", {"healthCheckGracePeriodSeconds": 30}, {"healthCheckGracePeriodSeconds": 30}),
    ("client token is not shown", {"clientToken": "t"}, {"clientToken": ABSENT}),
]


@pytest.fixture
def registered(ecs: Any) -> Any:
    ecs.register_task_definition(**task_definition("web", container(portMappings=PORTS)))
    ecs.register_task_definition(**task_definition("fargate", **FARGATE))
    return ecs


def created(ecs: Any, sent: Doc) -> Doc:
    family = {"taskDefinition": "fargate"} if sent.get("launchType") == "FARGATE" else {}
    params = {"cluster": "prod", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1} | family | sent
    ecs.create_service(**{k: v for k, v in params.items() if v is not None})
    return service_of(ecs)


@pytest.mark.parametrize(("sent", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_row(registered: Any, sent: Doc, expected: Doc) -> None:
    service = created(registered, sent)
    for key, value in expected.items():
        assert service.get(key, ABSENT) == value, key


def test_the_clusters_strategy_is_copied_into_the_service(registered: Any) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    registered.create_cluster(clusterName="spot", defaultCapacityProviderStrategy=strategy)
    create_service(registered, cluster="spot", taskDefinition="fargate", networkConfiguration=NETWORK)
    service = service_of(registered, cluster="spot")
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    assert "launchType" not in service


#: members that live on the PRIMARY deployment · sent · there
DEPLOYMENT_ROWS: Final[list[tuple[str, Any, Any]]] = [
    ("serviceConnectConfiguration", {"enabled": True, "namespace": "n"}, {"enabled": True, "namespace": "n"}),
    (
        "volumeConfigurations",
        [{"name": "v", "managedEBSVolume": {"roleArn": "arn", "sizeInGiB": 10}}],
        [{"name": "v", "managedEBSVolume": {"roleArn": "arn", "sizeInGiB": 10, "filesystemType": "xfs"}}],
    ),
    (
        "vpcLatticeConfigurations",
        [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}],
        [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}],
    ),
]


@pytest.mark.parametrize(("member", "sent", "expected"), DEPLOYMENT_ROWS, ids=[row[0] for row in DEPLOYMENT_ROWS])
def test_members_of_the_deployment(registered: Any, member: str, sent: Any, expected: Any) -> None:
    service = created(registered, {member: sent})
    assert member not in service
    assert primary(service)[member] == expected


def test_the_deployment_carries_what_it_deploys(registered: Any, clock: Clock) -> None:
    deployment = primary(created(registered, ON_FARGATE))
    assert deployment["id"].startswith("ecs-svc/")
    assert deployment["id"].removeprefix("ecs-svc/").isdigit()
    assert deployment["taskDefinition"] == f"{ARN}task-definition/fargate:1"
    assert deployment["networkConfiguration"] == FILLED_NETWORK
    assert (deployment["launchType"], deployment["platformVersion"]) == ("FARGATE", "1.4.0")
    assert deployment["createdAt"].timestamp() == EPOCH


def test_no_rollout_state_behind_a_classic_load_balancer(registered: Any) -> None:
    balancer = {"loadBalancerName": "old", "containerName": "app", "containerPort": 80}
    deployment = primary(created(registered, {"loadBalancers": [balancer]}))
    assert "rolloutState" not in deployment
    assert service_of(registered)["availabilityZoneRebalancing"] == "DISABLED"


def test_tags_only_when_asked_for(registered: Any) -> None:
    created(registered, {"tags": [{"key": "a", "value": "b"}]})
    answer = registered.describe_services(cluster="prod", services=["web"], include=["TAGS"])
    assert answer["services"][0]["tags"] == [{"key": "a", "value": "b"}]


#: what CreateService refuses: row · sent · code · text
REFUSALS: Final[list[tuple[str, Doc, str, str]]] = [
    ("no network", ON_FARGATE | {"networkConfiguration": None}, "InvalidParameterException",
     "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    ("a network in bridge mode", {"networkConfiguration": NETWORK}, "InvalidParameterException",
     "Network Configuration is not valid for the given networkMode of this task definition."),
    ("both capacities", {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]},
     "InvalidParameterException",
     "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."),
    ("Fargate for a bridge", {"launchType": "FARGATE", "taskDefinition": "web"}, "InvalidParameterException",
     "Task definition does not support launch_type FARGATE."),
    ("placement on Fargate", ON_FARGATE | {"placementStrategy": []}, "InvalidParameterException",
     "Placement strategies are not supported with FARGATE launch type."),
    ("container of a load balancer", {"loadBalancers": [BALANCERS[0] | {"containerName": "x"}]},
     "InvalidParameterException", "The container x does not exist in the task definition."),
    ("port of a load balancer", {"loadBalancers": [BALANCERS[0] | {"containerPort": 81}]},
     "InvalidParameterException", "The container app did not have a container port 81 defined."),
    ("unknown revision", {"taskDefinition": "web:9"}, "ClientException", "Unable to describe task definition."),
    ("unknown cluster", {"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
    ("no count", {"desiredCount": None}, "InvalidParameterException",
     "desiredCount should not be null when the scheduling strategy is REPLICA."),
    ("no task definition", {"taskDefinition": None}, "InvalidParameterException", "TaskDefinition can not be blank."),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "code", "text"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refused(registered: Any, sent: Doc, code: str, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        created(registered, sent)
    assert error_of(caught.value) == (code, text)
    assert registered.list_services(cluster="prod")["serviceArns"] == []


def test_inactive_revisions_are_refused(registered: Any) -> None:
    registered.deregister_task_definition(taskDefinition="web:1")
    with pytest.raises(ClientError) as caught:
        create_service(registered, taskDefinition="web:1")
    assert error_of(caught.value) == ("ClientException", "TaskDefinition is inactive")


def test_creating_twice(registered: Any) -> None:
    first = create_service(registered, clientToken="t")
    assert create_service(registered, clientToken="t")["serviceArn"] == first["serviceArn"]
    with pytest.raises(ClientError) as caught:
        create_service(registered)
    assert error_of(caught.value) == ("InvalidParameterException", "Creation of service was not idempotent.")


def test_describing(registered: Any) -> None:
    create_service(registered)
    answer = registered.describe_services(
        cluster=f"{ARN}cluster/prod", services=["none", f"{ARN}service/prod/web", "web"]
    )
    assert [s["serviceName"] for s in answer["services"]] == ["web", "web"]
    assert answer["failures"] == [{"arn": f"{ARN}service/prod/none", "reason": "MISSING"}]
    with pytest.raises(ClientError) as caught:
        registered.describe_services(cluster="prod", services=["web"] * 11)
    text = "service names can have at most 10 items."
    assert error_of(caught.value) == ("InvalidParameterException", text)


def test_listing(registered: Any) -> None:
    for number in range(12):
        create_service(registered, serviceName=f"s{number:02}")
    first = registered.list_services(cluster="prod")
    assert first["serviceArns"] == [f"{ARN}service/prod/s{n:02}" for n in range(10)]
    rest = registered.list_services(cluster="prod", nextToken=first["nextToken"])
    assert rest["serviceArns"] == [f"{ARN}service/prod/s{n:02}" for n in (10, 11)]
    assert len(registered.list_services(cluster="prod", maxResults=100)["serviceArns"]) == 12
    assert registered.list_services(cluster="prod", launchType="FARGATE")["serviceArns"] == []


def test_deleting(registered: Any, clock: Clock) -> None:
    create_service(registered)
    with pytest.raises(ClientError) as caught:
        registered.delete_service(cluster="prod", service="web")
    text = "The service cannot be stopped while it is scaled above 0."
    assert error_of(caught.value) == ("InvalidParameterException", text)
    registered.delete_service(cluster="prod", service="web", force=True)
    assert service_of(registered)["status"] == "INACTIVE"
    assert registered.list_services(cluster="prod")["serviceArns"] == []
    with pytest.raises(ClientError) as caught:
        registered.update_service(cluster="prod", service="web", desiredCount=1)
    assert error_of(caught.value)[0] == "ServiceNotActiveException"
    create_service(registered)
    assert service_of(registered)["status"] == "ACTIVE"
