"""What RegisterTaskDefinition refuses, in AWS's words where public threads quote them, in plain ones elsewhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from . import defaults, errors
from .state import Doc

SIZE_LIMIT: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ECR: Final = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")
_VOLUME_KINDS: Final = (
    "dockerVolumeConfiguration", "efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)  # fmt: skip
#: CPU units: the memory sizes in MiB that Fargate offers with them. Source: BC, RegisterTaskDefinition cpu and memory.
FARGATE: Final[Mapping[int, frozenset[int]]] = MappingProxyType({
    256: frozenset((512, 1024, 2048)),
    512: frozenset(range(1024, 4096 + 1, 1024)),
    1024: frozenset(range(2048, 8192 + 1, 1024)),
    2048: frozenset(range(4096, 16384 + 1, 1024)),
    4096: frozenset(range(8192, 30720 + 1, 1024)),
    8192: frozenset(range(16384, 61440 + 1, 4096)),
    16384: frozenset(range(32768, 122880 + 1, 8192)),
})  # fmt: skip


def task_definition(params: Doc) -> None:
    """Raise the ClientException that AWS answers to a task definition that it does not accept."""
    if not _NAME.fullmatch(params["family"]):
        raise errors.client("Invalid family: it must be 1 to 255 letters, numbers, hyphens and underscores.")
    if len(json.dumps(params, separators=(",", ":"))) > SIZE_LIMIT:
        raise errors.client("Actual length of task definition exceeds the maximum length of 65536 bytes.")
    containers = params["containerDefinitions"]
    if not containers:
        raise errors.client("Container list cannot be empty.")
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                raise errors.client(f"Container.{member} should not be null or empty.")
    _names(containers)
    if not any(c.get("essential", True) for c in containers):
        raise errors.client("Invalid 'essential' setting: at least one container must be marked as essential.")
    _volumes(params)
    for container in containers:
        _container(container, params)
    _host_ports(containers)
    _sizes(params)
    if "FARGATE" in params.get("requiresCompatibilities", []):
        _fargate(params)


def _names(containers: list[Doc]) -> None:
    for name, count in Counter(c["name"] for c in containers).items():
        if not _NAME.fullmatch(name):
            raise errors.client("Container.name contains invalid characters.")
        if count > 1:
            raise errors.client(f"Duplicate container name: '{name}'.")


def _volumes(params: Doc) -> None:
    for volume in params.get("volumes", []):
        kinds = [kind for kind in _VOLUME_KINDS if kind in volume] + (["host"] if volume.get("host") else [])
        if len(kinds) > 1:
            raise errors.client(f"Volume '{volume.get('name')}' must have one type only, not {' and '.join(kinds)}.")
    _unique((v.get("name") for v in params.get("volumes", [])), "Duplicate volume name: '{}'.")


def _container(container: Doc, params: Doc) -> None:
    _memory(container, params)
    _secrets(container, params)
    _ports(container, params.get("networkMode", "bridge"))
    _references(container, params)
    logging = container.get("logConfiguration", {})
    if logging.get("logDriver") == "awslogs" and not {"awslogs-group", "awslogs-region"} <= set(
        logging.get("options", {})
    ):
        raise errors.client("Log driver awslogs requires options: awslogs-region, awslogs-group")
    _unique((u.get("name") for u in container.get("ulimits", [])), "Duplicate ulimit name: '{}'.")


def _memory(container: Doc, params: Doc) -> None:
    name, hard, soft = container["name"], container.get("memory"), container.get("memoryReservation")
    prefix = f"Invalid setting for container '{name}'."
    if not hard and not soft and not params.get("memory"):
        raise errors.client(f"{prefix} At least one of 'memory' or 'memoryReservation' must be specified.")
    if hard and soft and soft > hard:
        raise errors.client(f"{prefix} The 'memoryReservation' must not be greater than the 'memory'.")
    if hard and hard < 6:
        raise errors.client(f"{prefix} The 'memory' must be at least 6.")


def _secrets(container: Doc, params: Doc) -> None:
    secrets = container.get("secrets", [])
    if secrets and not params.get("executionRoleArn"):
        text = "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        raise errors.client(text)
    secret_names = [secret["name"] for secret in secrets]
    if len(set(secret_names)) < len(secret_names):
        raise errors.client("Duplicate secret names found")
    for name in secret_names:
        if name in {entry.get("name") for entry in container.get("environment", [])}:
            raise errors.client(
                "The secret name must be unique and not shared with any new or existing environment variables set on "
                f"the container, such as '{name}'."
            )


def _ports(container: Doc, mode: str) -> None:
    ports = container.get("portMappings", [])
    if ports and mode == "none":
        raise errors.client("Port mappings are not supported when networkMode=none.")
    for port in ports:
        if mode in ("awsvpc", "host") and port.get("hostPort") not in (None, 0, port.get("containerPort")):
            text = "the host ports and container ports in port mappings must match."
            raise errors.client(f"When networkMode={mode}, {text}")
        if "containerPortRange" in port and port.get("hostPort"):
            raise errors.client("hostPort must not be specified when containerPortRange is.")
    numbers = (p.get("containerPort", p.get("containerPortRange")) for p in ports)
    _unique(numbers, f"Container port {{}} is used in more than one port mapping for container {container['name']}")


def _host_ports(containers: list[Doc]) -> None:
    mappings = (p for c in containers for p in c.get("portMappings", []) if p.get("hostPort"))
    used = ((p.get("protocol", "tcp").upper(), p["hostPort"]) for p in mappings)
    for (protocol, port), count in Counter(used).items():
        if count > 1:
            raise errors.client(f"{protocol} host port '{port}' is mapped multiple times in task.")


def _references(container: Doc, params: Doc) -> None:
    """What a container names must be there: volumes, other containers."""
    others = {c["name"]: c for c in params["containerDefinitions"] if c["name"] != container["name"]}
    volumes = {v.get("name") for v in params.get("volumes", [])}
    for mount in container.get("mountPoints", []):
        if mount.get("sourceVolume") and mount["sourceVolume"] not in volumes:
            raise errors.client(f"Unknown volume '{mount['sourceVolume']}'.")
    for source in container.get("volumesFrom", []):
        if source.get("sourceContainer") not in others:
            raise errors.client(f"Unknown container '{source.get('sourceContainer')}' in volumesFrom.")
    if container.get("links") and params.get("networkMode") == "awsvpc":
        raise errors.client("Links are not supported when networkMode=awsvpc.")
    for link in container.get("links", []):
        if link.partition(":")[0] not in others:
            raise errors.client(f"Unknown container '{link.partition(':')[0]}' in links.")
    for dependency in container.get("dependsOn", []):
        _dependency(dependency, others)


def _dependency(dependency: Doc, others: Doc) -> None:
    other = others.get(dependency["containerName"])
    if other is None:
        raise errors.client(f"Unknown container '{dependency['containerName']}' in dependsOn.")
    if dependency["condition"] in ("SUCCESS", "COMPLETE") and other.get("essential", True):
        raise errors.client(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
        )
    if dependency["condition"] == "HEALTHY" and not other.get("healthCheck"):
        raise errors.client("A dependency container with HEALTHY condition must have a health check.")


def _sizes(params: Doc) -> None:
    containers = params["containerDefinitions"]
    for name in ("cpu", "memory"):
        if not params.get(name):
            continue
        total = sum(c.get(name, 0) for c in containers)
        if total > int(defaults.units(params[name], name)):
            raise errors.client(
                f"The sum of all container '{name}' values cannot be greater than the value of the task '{name}'."
            )


def _fargate(params: Doc) -> None:
    if params.get("networkMode") != "awsvpc":
        raise errors.client("Fargate only supports network mode ‘awsvpc’.")
    for name in ("cpu", "memory"):
        if not params.get(name):
            raise errors.client(f"Fargate requires that '{name}' be defined at the task level.")
    cpu, memory = (int(defaults.units(params[name], name)) for name in ("cpu", "memory"))
    if memory not in FARGATE.get(cpu, ()):
        raise errors.client("No Fargate configuration exists for given values.")
    if params.get("placementConstraints"):
        raise errors.client("Placement constraints are not supported with FARGATE.")
    if params.get("executionRoleArn"):
        return
    role = "Fargate requires task definition to have execution role ARN to support"
    for container in params["containerDefinitions"]:
        if container.get("logConfiguration", {}).get("logDriver") == "awslogs":
            raise errors.client(f"{role} log driver awslogs.")
        if _ECR.match(container["image"]):
            raise errors.client(f"{role} ECR images.")


def _unique(values: Iterable[object], text: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise errors.client(text.format(value))


def tags(sent: list[Doc] | None) -> list[Doc]:
    """Tags as sent with a request that makes something; None is none, an empty list is refused."""
    if sent is None:
        return []
    if not sent:
        raise errors.client("Tags can not be empty.")
    keys = [tag.get("key") for tag in sent]
    if len(set(keys)) < len(keys):
        raise errors.invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(sent) > 50:
        raise errors.invalid("The number of tags must not exceed 50.")
    if any(not key or str(key).lower().startswith("aws:") for key in keys):
        raise errors.invalid("Tag keys must not be empty and must not begin with aws:.")
    return [{"key": tag["key"], "value": tag.get("value", "")} for tag in sent]
