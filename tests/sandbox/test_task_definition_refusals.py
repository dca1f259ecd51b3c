"""What RegisterTaskDefinition refuses, with AWS's texts where the table or public threads have them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.helpers import FARGATE, Doc, container, error_of, task_definition

BIG: Final = [{"name": f"V{n}", "value": "x" * 1000} for n in range(66)]
AWSLOGS: Final = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "eu-west-1"}}
SECRET: Final = {"name": "S", "valueFrom": "arn"}

#: name · request · text of the ClientException, whole or its beginning
ROWS: Final[list[tuple[str, Doc, str]]] = [
    ("no tags", task_definition(tags=[]), "Tags can not be empty."),
    ("no containers", {"family": "web", "containerDefinitions": []}, "Container list cannot be empty."),
    ("no image", task_definition("web", {"name": "app", "memory": 1}), "Container.image should not be null or empty."),
    ("no name", task_definition("web", {"image": "app", "memory": 1}), "Container.name should not be null or empty."),
    ("family", task_definition("web/1"), "Invalid family"),
    ("two of a name", task_definition("web", container(), container()), "Duplicate container name"),
    ("nothing essential", task_definition("web", container(essential=False)), "Invalid 'essential' setting"),
    (
        "no memory",
        task_definition("web", {"name": "x", "image": "i"}),
        "Invalid setting for container 'x'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    (
        "reservation above memory",
        task_definition("web", container(memoryReservation=65)),
        "Invalid setting for container",
    ),
    (
        "duplicate secrets",
        task_definition("web", container(secrets=[SECRET, SECRET]), executionRoleArn="r"),
        "Duplicate secret names found",
    ),
    (
        "secret and variable",
        task_definition(
            "web", container(secrets=[SECRET], environment=[{"name": "S", "value": ""}]), executionRoleArn="r"
        ),
        "The secret name must be unique and not shared with",
    ),
    (
        "secret without a role",
        task_definition("web", container(secrets=[SECRET])),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    ("64 KB", task_definition("web", container(environment=BIG)), "Actual length of task definition exceeds"),
    (
        "one port, two protocols",
        task_definition("web", container(portMappings=[{"containerPort": 53, "protocol": p} for p in ("tcp", "udp")])),
        "Container port 53 is used in more than one port mapping for container app",
    ),
    (
        "one host port, two containers",
        task_definition(
            "web", *(container(n, portMappings=[{"containerPort": 80, "hostPort": 3000}]) for n in ("a", "b"))
        ),
        "TCP host port '3000' is mapped multiple times in task.",
    ),
    (
        "other host port in awsvpc",
        task_definition("web", container(portMappings=[{"containerPort": 80, "hostPort": 8080}]), networkMode="awsvpc"),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        "ports without a network",
        task_definition("web", container(portMappings=[{"containerPort": 80}]), networkMode="none"),
        "Port mappings are not supported when networkMode=none.",
    ),
    (
        "range with a host port",
        task_definition("web", container(portMappings=[{"containerPortRange": "80-90", "hostPort": 80}])),
        "hostPort must not be specified",
    ),
    (
        "unknown volume",
        task_definition("web", container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])),
        "Unknown volume 'v'.",
    ),
    (
        "volumesFrom nothing",
        task_definition("web", container(volumesFrom=[{"sourceContainer": "b"}])),
        "Unknown container 'b' in volumesFrom.",
    ),
    (
        "dependsOn nothing",
        task_definition("web", container(dependsOn=[{"containerName": "b", "condition": "START"}])),
        "Unknown container 'b' in dependsOn.",
    ),
    (
        "dependsOn the success of an essential container",
        task_definition("web", container(dependsOn=[{"containerName": "b", "condition": "SUCCESS"}]), container("b")),
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
    ),
    ("links to nothing", task_definition("web", container(links=["b:c"])), "Unknown container 'b' in links."),
    (
        "links in awsvpc",
        task_definition("web", container(links=["b"]), container("b"), networkMode="awsvpc"),
        "Links are not supported when networkMode=awsvpc.",
    ),
    (
        "two kinds of volume",
        task_definition(
            volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "f"}, "dockerVolumeConfiguration": {}}]
        ),
        "Volume 'v' must have one type only",
    ),
    (
        "awslogs without options",
        task_definition("web", container(logConfiguration={"logDriver": "awslogs"})),
        "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ),
    ("cpu", task_definition(cpu="1 horse"), "Invalid 'cpu' setting for task."),
    ("memory in vCPU", task_definition(memory="1 vcpu"), "Invalid 'memory' setting for task."),
    (
        "containers above the task's cpu",
        task_definition("web", container(cpu=200), container("b", cpu=57), cpu="256"),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
    (
        "Fargate in bridge mode",
        task_definition(**FARGATE | {"networkMode": "bridge"}),
        "Fargate only supports network mode ‘awsvpc’.",
    ),
    (
        "Fargate without cpu",
        task_definition(**{k: v for k, v in FARGATE.items() if k != "cpu"}),
        "Fargate requires that 'cpu' be defined at the task level.",
    ),
    (
        "Fargate size",
        task_definition(**FARGATE | {"memory": "4096"}),
        "No Fargate configuration exists for given values.",
    ),
    (
        "Fargate size in units",
        task_definition(**FARGATE | {"cpu": "3 vCPU", "memory": "8 GB"}),
        "No Fargate configuration exists for given values.",
    ),
    (
        "Fargate with awslogs and no role",
        task_definition("web", container(logConfiguration=AWSLOGS), **FARGATE),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    (
        "Fargate with ECR and no role",
        task_definition("web", container(image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1"), **FARGATE),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    ("unknown network mode", task_definition(networkMode="vpc"), "Invalid value 'vpc' for networkMode."),
]


@pytest.mark.parametrize(("sent", "text"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refused(ecs: Any, sent: Doc, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        ecs.register_task_definition(**sent)
    code, message = error_of(caught.value)
    assert code == "ClientException"
    assert message.startswith(text)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [("256", "512"), ("512", "4096"), ("1024", "2048"), ("2 vCPU", "16 GB"), ("8192", "61440"), ("16384", "122880")],
)
def test_fargate_sizes_that_exist(ecs: Any, cpu: str, memory: str) -> None:
    ecs.register_task_definition(**task_definition(**FARGATE | {"cpu": cpu, "memory": memory}))


def test_task_memory_is_enough(ecs: Any) -> None:
    ecs.register_task_definition(**task_definition("web", {"name": "x", "image": "i"}, memory="512"))
