"""What AWS would refuse half-way is found offline: each fault with path and sentence, and none in sound tables."""

from __future__ import annotations

import copy
import datetime
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.kinds.run_task.lint import MAX_OVERRIDES
from ecsplan.kinds.task_definition.lint import MAX_BYTES
from ecsplan.spec.load import load
from tests.support.paths import EXAMPLES
from tests.unit.lint_tables import CONTAINERS, DEFINITION, cautions, fargate, problems, said, task


def balanced(port: int, name: str = "c0", **container: Any) -> dict[str, Any]:
    balancer = {"targetGroupArn": "arn:tg", "containerName": name, "containerPort": port}
    return task(container, entry={"update_services": [{"service": "web", "loadBalancers": [balancer]}]})


def served(container: dict[str, Any], volumes: list[dict[str, Any]] | None = None, **service: Any) -> dict[str, Any]:
    return task(container, entry={"update_services": [{"service": "web", **service}]}, volumes=volumes or [])


def connected(name: str, *, enabled: bool = True) -> dict[str, Any]:
    mappings = [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]
    connect = {"enabled": enabled, "services": [{"portName": name}]}
    return served({"portMappings": mappings}, serviceConnectConfiguration=connect)


def registered(port: int, name: str = "c0") -> dict[str, Any]:
    registry = {"registryArn": "arn:r", "containerName": name, "containerPort": port}
    return served({"portMappings": [{"containerPort": 80}]}, serviceRegistries=[registry])


def launched(cpu: str | None, memory: str | None, **entry: Any) -> dict[str, Any]:
    run = {"run_tasks": [{"launchType": "FARGATE", **entry}]}
    return task(entry=run, **{k: v for k, v in (("cpu", cpu), ("memory", memory)) if v})


def override(name: str, **more: Any) -> dict[str, Any]:
    return task(entry={"run_tasks": [{"overrides": {"containerOverrides": [{"name": name, **more}]}}]})


FAULTS = {
    "a variable twice": (
        task({"environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
        f"{CONTAINERS}[0].environment[1].name",
        f'"A" is the name of {CONTAINERS}[0].environment[0] too; declare the variable once',
    ),
    "a secret twice": (
        task({"secrets": [{"name": "A", "valueFrom": "a"}, {"name": "A", "valueFrom": "b"}]}),
        f"{CONTAINERS}[0].secrets[1].name",
        f'"A" is the name of {CONTAINERS}[0].secrets[0] too; declare the secret once',
    ),
    "a name in both": (
        task({"environment": [{"name": "A", "value": "1"}], "secrets": [{"name": "A", "valueFrom": "b"}]}),
        f"{CONTAINERS}[0].secrets[0].name",
        '"A" is a variable in environment too; ECS refuses a name in both',
    ),
    "a mount of no volume": (
        task({"mountPoints": [{"sourceVolume": "dta", "containerPath": "/d"}]}, volumes=[{"name": "data"}]),
        f"{CONTAINERS}[0].mountPoints[0].sourceVolume",
        'there is no volume "dta"; there is data',
    ),
    "volumes from no container": (
        task({"volumesFrom": [{"sourceContainer": "x"}]}, {}),
        f"{CONTAINERS}[0].volumesFrom[0].sourceContainer",
        'there is no container "x"; there is c0, c1',
    ),
    "waiting for no container": (
        task({"dependsOn": [{"containerName": "x", "condition": "START"}]}),
        f"{CONTAINERS}[0].dependsOn[0].containerName",
        'there is no container "x"; there is c0',
    ),
    "waiting in a circle": (
        task({"dependsOn": [{"containerName": "c1"}]}, {"dependsOn": [{"containerName": "c0"}]}, {}),
        CONTAINERS,
        "dependsOn has a cycle, so that these never start: c0, c1",
    ),
    "waiting for itself": (
        task({"dependsOn": [{"containerName": "c0"}]}),
        CONTAINERS,
        "dependsOn has a cycle, so that these never start: c0",
    ),
    "nothing essential": (
        task({"essential": False}, {"essential": False}),
        CONTAINERS,
        "at least one container must be essential",
    ),
    "fargate without memory": (fargate(256, None), DEFINITION, "Fargate needs both cpu and memory of the task"),
    "fargate without cpu": (fargate(None, 512), DEFINITION, "Fargate needs both cpu and memory of the task"),
    "fargate, no such cpu": (
        fargate("3 vCPU", "8 GB"),
        DEFINITION,
        "Fargate has no cpu of 3072 units; it has 256, 512, 1024, 2048, 4096, 8192, 16384",
    ),
    "fargate, too much memory": (
        fargate(256, 4096),
        DEFINITION,
        "Fargate has no memory of 4096 MiB for 256 CPU units; it has 512, 1024, 2048",
    ),
    "fargate, between two sizes": (
        fargate("8 vCPU", "17 GB"),
        DEFINITION,
        "Fargate has no memory of 17408 MiB for 8192 CPU units; it has 16384 to 61440 in steps of 4096",
    ),
    "fargate, no number in digits": (
        fargate("²", "512"),
        DEFINITION,
        "Fargate has no size of cpu ² and memory 512",
    ),
    "fargate, no number": (fargate("lots", "1 GB"), DEFINITION, "Fargate has no size of cpu lots and memory 1024"),
    "a large definition": (
        task({"command": ["x" * MAX_BYTES]}),
        DEFINITION,
        "larger than 65536 bytes, which is the most that ECS takes",
    ),
    "an override of no container": (
        override("wbe"),
        "run_tasks[0].overrides.containerOverrides[0].name",
        'there is no container "wbe" in the task definition; there is c0',
    ),
    "long overrides": (
        override("c0", command=["x" * MAX_OVERRIDES]),
        "run_tasks[0].overrides",
        "longer than 8192 characters, which is the most that ECS takes",
    ),
    "balancing to no container": (
        balanced(80, name="x"),
        "update_services[0].loadBalancers[0].containerName",
        'there is no container "x" in the task definition; there is c0',
    ),
    "registered with no container": (
        registered(80, name="x"),
        "update_services[0].serviceRegistries[0].containerName",
        'there is no container "x" in the task definition; there is c0',
    ),
    "registered with no port": (
        registered(81),
        "update_services[0].serviceRegistries[0].containerPort",
        'container "c0" maps no port 81',
    ),
    "connecting to no port": (
        connected("web"),
        "update_services[0].serviceConnectConfiguration.services[0].portName",
        'no port mapping of the task definition is called "web"; there is http',
    ),
    "a service's volume that is none": (
        served({}, volumes=[{"name": "data"}], volumeConfigurations=[{"name": "dta"}]),
        "update_services[0].volumeConfigurations[0].name",
        'there is no volume "dta" in the task definition; there is data',
    ),
    "a one-off task's volume that is none": (
        task(entry={"run_tasks": [{"volumeConfigurations": [{"name": "dta"}]}]}),
        "run_tasks[0].volumeConfigurations[0].name",
        'there is no volume "dta" in the task definition',
    ),
    "run on fargate, too much memory": (
        launched("256", "4 GB"),
        "run_tasks[0].launchType",
        "Fargate has no memory of 4096 MiB for 256 CPU units; it has 512, 1024, 2048",
    ),
    "run on fargate, overridden": (
        launched("256", "512", overrides={"memory": "4096"}),
        "run_tasks[0].launchType",
        "Fargate has no memory of 4096 MiB for 256 CPU units; it has 512, 1024, 2048",
    ),
    "a large definition in another script": (
        task({"command": ["ü" * (MAX_BYTES // 2)]}),
        DEFINITION,
        "larger than 65536 bytes, which is the most that ECS takes",
    ),
    "balancing to no port": (
        balanced(81, portMappings=[{"containerPort": 80}, {"containerPortRange": "90-99"}]),
        "update_services[0].loadBalancers[0].containerPort",
        'container "c0" maps no port 81',
    ),
}


@pytest.mark.parametrize(("table", "path", "message"), FAULTS.values(), ids=FAULTS)
def test_what_aws_would_refuse_is_a_fault(table: dict[str, Any], path: str, message: str) -> None:
    assert said(table) == [(path, message)]


SOUND = {
    "nothing special": task(),
    "a range that is none": task({"portMappings": [{"containerPortRange": "²-³"}]}),
    "one essential of two": task({"essential": False}, {}),
    "names of their own": task(
        {"environment": [{"name": "A", "value": "1"}, {"name": "B"}], "secrets": [{"name": "C", "valueFrom": "x"}]},
        {"environment": [{"name": "A", "value": "2"}]},
    ),
    "names that are there": task(
        {"mountPoints": [{"sourceVolume": "data"}], "volumesFrom": [{"sourceContainer": "c1"}]},
        {"dependsOn": [{"containerName": "c2"}]},
        {"dependsOn": [{"containerName": "c0"}]},
        volumes=[{"name": "data"}],
    ),
    "the smallest size": fargate(256, 512),
    "sizes as people write them": fargate(".25 vCPU", "0.5 GB"),
    "a size in steps": fargate(8192, 20480),
    "the largest size": fargate("16 vCPU", "120GB"),
    "no fargate, any size": task({"memory": 16}, cpu="3072", memory="17"),
    "an override by name": override("c0"),
    "an override of all": task(entry={"run_tasks": [{"overrides": {"cpu": "256"}}]}),
    "balancing to a port": balanced(80, portMappings=[{"containerPort": 80}]),
    "registered with a port": registered(80),
    "connecting to a port": connected("http"),
    "connecting to nothing, switched off": connected("web", enabled=False),
    "a service's volume": served({}, volumes=[{"name": "data"}], volumeConfigurations=[{"name": "data"}]),
    "run on fargate": launched("256", "512"),
    "run on fargate, of no declared size": launched(None, None),
    "run on fargate, overridden": launched("256", "3 GB", overrides={"memory": "1 GB"}),
    "overrides in another script": override("c0", command=["ü" * (MAX_OVERRIDES - 100)]),
    "a definition in another script": task({"command": ["ü" * (MAX_BYTES // 2 - 200)]}),
    "balancing to a range": balanced(95, portMappings=[{"containerPortRange": "90-99"}]),
}


@pytest.mark.parametrize("table", SOUND.values(), ids=SOUND)
def test_what_aws_would_take_is_no_fault(table: dict[str, Any]) -> None:
    assert said(table) == []


@pytest.mark.parametrize(
    "table", [None, 1, [], {}, {DEFINITION: 5}, {DEFINITION: {"containerDefinitions": [3, {"name": [], "memory": 64}]}}]
)
def test_what_is_malformed_is_told_elsewhere(table: Any) -> None:
    assert said(table) == []


# A member of every name that lint asks for, so that each can be replaced.
EVERYTHING = task(
    {
        "memoryReservation": 32,
        "cpu": 10,
        "essential": True,
        "environment": [{"name": "A", "value": "1"}],
        "secrets": [{"name": "B", "valueFrom": "b"}],
        "portMappings": [
            {"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http"},
            {"containerPortRange": "90-99"},
        ],
        "mountPoints": [{"sourceVolume": "data"}],
        "volumesFrom": [{"sourceContainer": "c1"}],
        "links": ["c1:cache"],
        "dependsOn": [{"containerName": "c1", "condition": "HEALTHY"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "g", "awslogs-region": "r"},
            "secretOptions": [{"name": "a", "valueFrom": "b"}],
        },
        "repositoryCredentials": {"credentialsParameter": "x"},
        "linuxParameters": {"swappiness": 1, "maxSwap": 1},
    },
    {"healthCheck": {"command": ["CMD", "true"]}},
    cpu="1 vCPU",
    memory="2 GB",
    networkMode="awsvpc",
    requiresCompatibilities=["FARGATE"],
    placementConstraints=[{"type": "memberOf", "expression": "x"}],
    ephemeralStorage={"sizeInGiB": 30},
    tags=[{"key": "a", "value": "b"}],
    volumes=[{"name": "data", "host": {"sourcePath": "/d"}}],
    entry={
        "run_tasks": [
            {
                "launchType": "FARGATE",
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}],
                "placementStrategy": [{"type": "random"}],
                "propagateTags": "SERVICE",
                "startedBy": "x",
                "tags": [{"key": "a", "value": "b"}],
                "overrides": {"containerOverrides": [{"name": "c0"}], "ephemeralStorage": {"sizeInGiB": 30}},
            }
        ],
        "update_services": [
            {
                "service": "web",
                "loadBalancers": [{"containerName": "c0", "containerPort": 95}],
                "serviceRegistries": [{"containerName": "c0", "containerPort": 80}],
                "serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]},
                "volumeConfigurations": [{"name": "data"}],
            }
        ],
        "events__put_targets": [
            {
                "Rule": "r",
                "Targets": [
                    {
                        "Id": "a",
                        "Input": "{}",
                        "InputPath": "$",
                        "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60},
                        "EcsParameters": {"LaunchType": "EC2", "PropagateTags": "TASK_DEFINITION", "Group": "g"},
                    }
                ],
            }
        ],
    },
)
VALUES: list[Any] = [
    True, 0, -1, 2**80, 1.5, float("nan"), float("inf"), datetime.date(1979, 5, 27), "", "x", "²-³", "9" * 5000,
    "9" * 5000 + " GB", "1-" + "9" * 5000, "[" * 5000, [], [[]], [{}], [1], ["x"], {}, {"a": {}}, {"name": ["x"]},
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in the table with each key or index in it."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_value_anywhere_is_looked_at_without_an_error(rng: random.Random, times: int) -> None:
    table = copy.deepcopy(EVERYTHING)
    for _ in range(times):
        table_or_list, key = rng.choice(places(table))
        table_or_list[key] = copy.deepcopy(rng.choice(VALUES))
    for found in (*problems(table, ("tasks",)), *cautions(table, ("tasks",))):
        assert found.path[0] == "tasks"
        assert found.message


def test_each_value_at_each_place_is_looked_at_without_an_error() -> None:
    for number in range(len(places(EVERYTHING))):
        for value in VALUES:
            table = copy.deepcopy(EVERYTHING)
            holder, key = places(table)[number]
            holder[key] = copy.deepcopy(value)
            assert all(found.message for found in (*problems(table, ()), *cautions(table, ())))


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/ecsplan.toml")))
def test_the_examples_have_none(example: str) -> None:
    assert load(EXAMPLES / example / "ecsplan.toml").tasks
