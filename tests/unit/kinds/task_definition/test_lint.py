"""What RegisterTaskDefinition refuses is found offline: each fault with path and sentence, and its sound neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lint_tables import CONTAINERS, DEFINITION, fargate, said, task, warned

Table = dict[str, Any]
NO_ROLE: Table = {"executionRoleArn": ""}
GROUP, REGION = {"awslogs-group": "g"}, {"awslogs-region": "eu-west-1"}
ECR = {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:{image_tag}"}
SECRETS = {"secrets": [{"name": "A", "valueFrom": "a"}]}
CREDENTIALS = {"repositoryCredentials": {"credentialsParameter": "registry"}}


def awslogs(**more: Any) -> Table:
    return {"logConfiguration": {"logDriver": "awslogs", **more}}


def ports(*mappings: Table) -> Table:
    return {"portMappings": list(mappings)}


def port(container: int, host: int | None = None, protocol: str | None = None) -> Table:
    named = {"containerPort": container, "hostPort": host, "protocol": protocol}
    return {key: value for key, value in named.items() if value is not None}


def waits(condition: str, **other: Any) -> Table:
    return task({"dependsOn": [{"containerName": "c1", "condition": condition}]}, other)


def mapped(again: str) -> str:
    return f"{again} is mapped by {CONTAINERS}[0].portMappings[0] too"


FAULTS = {
    "a name with a dot": (
        task({"name": "a.b"}),
        f"{CONTAINERS}[0].name",
        "must be 1 to 255 letters, digits, '-' and '_', not \"a.b\"",
    ),
    "a long name": (
        task({"name": "a" * 256}),
        f"{CONTAINERS}[0].name",
        f"must be 1 to 255 letters, digits, '-' and '_', not \"{'a' * 256}\"",
    ),
    "no memory anywhere": (
        task({"memory": 0}),
        f"{CONTAINERS}[0].memory",
        "required, unless memoryReservation or the task's memory is declared",
    ),
    "more reserved than there is": (
        task({"memoryReservation": 65}),
        f"{CONTAINERS}[0].memoryReservation",
        "must not be more than memory, which is 64",
    ),
    "more than the task's memory": (
        task({"memory": 1025}, memory="1 GB"),
        f"{CONTAINERS}[0].memory",
        "must not be more than the task's memory, which is 1024 MiB",
    ),
    "awslogs without a group": (
        task(awslogs(options=REGION)),
        f"{CONTAINERS}[0].logConfiguration.options.awslogs-group",
        "required by awslogs, but missing",
    ),
    "awslogs without a region": (
        task(awslogs(options=GROUP)),
        f"{CONTAINERS}[0].logConfiguration.options.awslogs-region",
        "required by awslogs, but missing",
    ),
    "secrets without a role": (
        task(SECRETS, **NO_ROLE),
        f"{CONTAINERS}[0].secrets",
        "the task definition has no executionRoleArn, which secrets cannot do without",
    ),
    "credentials without a role": (
        task(CREDENTIALS, **NO_ROLE),
        f"{CONTAINERS}[0].repositoryCredentials",
        "the task definition has no executionRoleArn, which repositoryCredentials cannot do without",
    ),
    "awslogs on fargate without a role": (
        fargate(256, 512, awslogs(options=GROUP | REGION), **NO_ROLE),
        f"{CONTAINERS}[0].logConfiguration",
        "the task definition has no executionRoleArn, which awslogs on Fargate cannot do without",
    ),
    "an ecr image on fargate without a role": (
        fargate(256, 512, ECR, **NO_ROLE),
        f"{CONTAINERS}[0].image",
        "the task definition has no executionRoleArn, which an ECR image on Fargate cannot do without",
    ),
    "waiting for an essential container to end": (
        waits("SUCCESS"),
        f"{CONTAINERS}[0].dependsOn[0].condition",
        'SUCCESS waits for a container to end, and "c1" is essential, so that the task ends with it; '
        "give it essential = false, or wait for START or HEALTHY",
    ),
    "waiting for an essential container to complete": (
        waits("COMPLETE", essential=True),
        f"{CONTAINERS}[0].dependsOn[0].condition",
        'COMPLETE waits for a container to end, and "c1" is essential, so that the task ends with it; '
        "give it essential = false, or wait for START or HEALTHY",
    ),
    "waiting for health that is not checked": (
        waits("HEALTHY"),
        f"{CONTAINERS}[0].dependsOn[0].condition",
        'container "c1" declares no healthCheck to become HEALTHY by',
    ),
    "links under awsvpc": (
        task({"links": ["c1"]}, {}, networkMode="awsvpc"),
        f"{CONTAINERS}[0].links[0]",
        "awsvpc has no links; containers of a task reach each other on localhost",
    ),
    "a link to nothing": (
        task({"links": ["cache:c"]}),
        f"{CONTAINERS}[0].links[0]",
        'there is no container "cache"',
    ),
    "ports without a network": (
        task(ports(port(80)), networkMode="none"),
        f"{CONTAINERS}[0].portMappings",
        'networkMode = "none" has no ports',
    ),
    "another host port under awsvpc": (
        task(ports(port(80, 8080)), networkMode="awsvpc"),
        f"{CONTAINERS}[0].portMappings[0].hostPort",
        "must be containerPort, 80, or be left out, under networkMode awsvpc",
    ),
    "another host port under host": (
        task(ports(port(80, 8080)), networkMode="host"),
        f"{CONTAINERS}[0].portMappings[0].hostPort",
        "must be containerPort, 80, or be left out, under networkMode host",
    ),
    "a host port of a range": (
        task(ports({"containerPortRange": "80-90", "hostPort": 80})),
        f"{CONTAINERS}[0].portMappings[0].hostPort",
        "leave it out beside containerPortRange, for which ECS finds the ports",
    ),
    "a range under host": (
        task(ports({"containerPortRange": "80-90"}), networkMode="host"),
        f"{CONTAINERS}[0].portMappings[0].containerPortRange",
        "needs networkMode bridge or awsvpc",
    ),
    "a container's port twice": (
        task(ports(port(80, 8080), port(80, 8081, "tcp"))),
        f"{CONTAINERS}[0].portMappings[1].containerPort",
        mapped("80"),
    ),
    "a range twice": (
        task(ports({"containerPortRange": "80-90"}, {"containerPortRange": "80-90"})),
        f"{CONTAINERS}[0].portMappings[1].containerPortRange",
        mapped("80-90"),
    ),
    "a host port twice": (
        task(ports(port(80, 8080), port(81, 8080))),
        f"{CONTAINERS}[0].portMappings[1].hostPort",
        mapped("8080"),
    ),
    "a host port of two containers": (
        task(ports(port(80, 8080)), ports(port(80, 8080))),
        f"{CONTAINERS}[1].portMappings[0].hostPort",
        mapped("8080"),
    ),
    "a volume twice": (
        task(volumes=[{"name": "a"}, {"name": "b"}, {"name": "a"}]),
        f"{DEFINITION}.volumes[2].name",
        f'"a" is the name of {DEFINITION}.volumes[0] too',
    ),
    "a volume of two types": (
        task(volumes=[{"name": "a", "host": {"sourcePath": "/a"}, "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
        f"{DEFINITION}.volumes[0]",
        "a volume has one type, and this one has efsVolumeConfiguration and host",
    ),
    "more cpu than the task": (
        task({"cpu": 128}, {"cpu": 129}, cpu=".25 vCPU"),
        f"{DEFINITION}.cpu",
        "the cpu of all containers is 257 together, more than the task's cpu of 256",
    ),
    "more reserved than the task": (
        task({"memory": 100, "memoryReservation": 65}, {"memory": 100, "memoryReservation": 64}, memory=128),
        f"{DEFINITION}.memory",
        "the memoryReservation of all containers is 129 together, more than the task's memory of 128",
    ),
    "fargate on a bridge": (
        fargate(256, 512, networkMode="bridge"),
        f"{DEFINITION}.networkMode",
        'Fargate needs networkMode = "awsvpc"',
    ),
    "fargate with constraints": (
        fargate(256, 512, placementConstraints=[{"type": "memberOf", "expression": "x"}]),
        f"{DEFINITION}.placementConstraints",
        "Fargate has no instances to choose from; leave them out",
    ),
    "little storage": (
        task(ephemeralStorage={"sizeInGiB": 20}),
        f"{DEFINITION}.ephemeralStorage.sizeInGiB",
        "must be from 21 to 200 GiB, not 20; Fargate gives 20 where none is declared",
    ),
    "much storage": (
        task(ephemeralStorage={"sizeInGiB": 201}),
        f"{DEFINITION}.ephemeralStorage.sizeInGiB",
        "must be from 21 to 200 GiB, not 201; Fargate gives 20 where none is declared",
    ),
}


@pytest.mark.parametrize(("table", "path", "message"), FAULTS.values(), ids=FAULTS)
def test_what_registration_would_refuse_is_a_fault(table: Table, path: str, message: str) -> None:
    assert said(table) == [(path, message)]


def test_without_a_network_mode_fargate_has_the_wrong_one() -> None:
    table = fargate(256, 512)
    del table[DEFINITION]["networkMode"]
    assert said(table) == [(f"{DEFINITION}.networkMode", 'Fargate needs networkMode = "awsvpc"')]


SOUND = {
    "any letter": task({"name": "a-B_9"}),
    "a name of 255": task({"name": "a" * 255}),
    "reserved memory alone": task({"memory": 0, "memoryReservation": 64}),
    "the task's memory alone": task({"memory": 0}, memory="512"),
    "as much reserved as there is": task({"memoryReservation": 64}),
    "all of the task's memory": task({"memory": 1024}, memory="1 GB"),
    "another log driver": task({"logConfiguration": {"logDriver": "json-file"}}),
    "awslogs with both": task(awslogs(options=GROUP | REGION)),
    "secrets with a role": task(SECRETS),
    "credentials with a role": task(CREDENTIALS),
    "awslogs on ec2 without a role": task(awslogs(options=GROUP | REGION), **NO_ROLE),
    "an ecr image on ec2 without a role": task(ECR, **NO_ROLE),
    "awslogs on fargate": fargate(256, 512, awslogs(options=GROUP | REGION)),
    "an ecr image on fargate": fargate(256, 512, ECR),
    "a public image on fargate without a role": fargate(256, 512, {"image": "nginx:1"}, **NO_ROLE),
    "waiting for a container to end": waits("SUCCESS", essential=False),
    "waiting for an essential container to start": waits("START"),
    "waiting for health": waits("HEALTHY", healthCheck={"command": ["CMD", "true"]}),
    "a link": task({"links": ["c1:cache", "c1"]}, {}),
    "no ports without a network": task(networkMode="none"),
    "ports under awsvpc": task(ports(port(80), port(81, 81), port(82, 0)), networkMode="awsvpc"),
    "ports under host": task(ports(port(80), port(81, 81)), networkMode="host"),
    "another host port on the bridge": task(ports(port(80, 8080))),
    "a range": task(ports({"containerPortRange": "80-90"}), networkMode="awsvpc"),
    "a host port under two protocols": task(ports(port(80, 53, "udp"), port(81, 53, "tcp"))),
    "found host ports": task(ports(port(80, 0), port(81, 0)), ports(port(80))),
    "two volumes": task(volumes=[{"name": "a", "host": {}, "efsVolumeConfiguration": {"f": 1}}, {"name": "b"}]),
    "all of the task's cpu": task({"cpu": 128}, {"cpu": 128}, cpu=".25 vCPU"),
    "all of the task's memory reserved": task({"memoryReservation": 64}, {"memoryReservation": 64}, memory=128),
    "constraints on ec2": task(placementConstraints=[{"type": "memberOf", "expression": "x"}]),
    "the least storage": task(ephemeralStorage={"sizeInGiB": 21}),
    "the most storage": task(ephemeralStorage={"sizeInGiB": 200}),
}


@pytest.mark.parametrize("table", SOUND.values(), ids=SOUND)
def test_what_registration_would_take_is_no_fault(table: Table) -> None:
    assert said(table) == []


# --- what AWS takes ---

LINUX = f"{CONTAINERS}[0].linuxParameters.swappiness"
OPTIONS: Table = awslogs(options=GROUP | REGION, secretOptions=[{"name": "a", "valueFrom": "b"}])

CAUTIONS = {
    "swappiness alone": (
        task({"linuxParameters": {"swappiness": 0}}),
        [(LINUX, "ECS ignores it without maxSwap")],
    ),
    "swappiness with swap": (task({"linuxParameters": {"swappiness": 0, "maxSwap": 0}}), []),
    "little memory": (
        task({"memory": 5}),
        [(f"{CONTAINERS}[0].memory", "Docker starts no container with less than 6 MiB of memory")],
    ),
    "enough memory": (task({"memory": 6}), []),
    "log secrets without a role": (
        task(OPTIONS, **NO_ROLE),
        [
            (
                f"{CONTAINERS}[0].logConfiguration.secretOptions",
                "ECS reads these secrets with the task definition's executionRoleArn, and there is none",
            )
        ],
    ),
    "log secrets with a role": (task(OPTIONS), []),
    "more memory than the task": (
        task({}, {}, memory=127),
        [
            (
                f"{DEFINITION}.memory",
                "the memory of all containers is 128 MiB together, more than the task's 127; "
                "ECS may refuse that, and the task cannot give it to all of them",
            )
        ],
    ),
    "the memory of the task": (task({}, {}, memory=128), []),
    "a port under two protocols": (
        task(ports(port(53), port(53, protocol="udp"))),
        [
            (
                f"{CONTAINERS}[0].portMappings[1].containerPort",
                "53 is mapped under two protocols; ECS refuses it as the port of a service's load balancer",
            )
        ],
    ),
    "two ports under two protocols": (task(ports(port(53), port(54, protocol="udp"))), []),
}


@pytest.mark.parametrize(("table", "expected"), CAUTIONS.values(), ids=CAUTIONS)
def test_what_registration_would_take_and_a_person_would_want_to_know(
    table: Table, expected: list[tuple[str, str]]
) -> None:
    assert warned(table) == expected
