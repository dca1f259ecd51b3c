"""What RegisterTaskDefinition refuses, and what it makes of a request before DescribeTaskDefinition shows it.

Refusals use AWS's wording where public threads quote it, plain wording elsewhere. What is made of a request follows
section 1 of aws-semantics: defaults filled in, units converted, entries dropped, lists answered in another order. AWS's
order looks like that of a hash. Ours is one too, with salts that reproduce the recorded answers exactly.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ecsplan.sandbox import common

from .state import Doc

ENVIRONMENT_SALT: Final = 516
CONTAINER_SALT: Final = 51
VOLUMES_FROM_SALT: Final = 1
#: Members of a task definition that are not answered as they were sent. All others are, only if they were sent; so
#: members that AWS adds later work as well.
MADE: Final = (
    "family", "containerDefinitions", "volumes", "placementConstraints", "requiresCompatibilities", "cpu", "memory",
    "tags",
)  # fmt: skip
_UNIT: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(vcpu|gb)?\s*", re.IGNORECASE)
SIZE_LIMIT: Final = 64 * 1024
_FAMILY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
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


def check(params: Doc) -> None:
    """Raise the ClientException with which AWS refuses a task definition."""
    if not _FAMILY_NAME.fullmatch(params["family"]):
        raise common.client("Invalid family: it must be 1 to 255 letters, numbers, hyphens and underscores.")
    if len(json.dumps(params, separators=(",", ":"))) > SIZE_LIMIT:
        raise common.client("Actual length of task definition exceeds the maximum length of 65536 bytes.")
    containers = params["containerDefinitions"]
    if not containers:
        raise common.client("Container list cannot be empty.")
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                raise common.client(f"Container.{member} should not be null or empty.")
    _check_names(containers)
    if not any(c.get("essential", True) for c in containers):
        raise common.client("Invalid 'essential' setting: at least one container must be marked as essential.")
    _check_volumes(params)
    for container in containers:
        _check_container(container, params)
    _check_host_ports(containers)
    _check_sizes(params)
    if "FARGATE" in params.get("requiresCompatibilities", []):
        _check_fargate(params)


def _check_names(containers: list[Doc]) -> None:
    for name, count in Counter(c["name"] for c in containers).items():
        if not _FAMILY_NAME.fullmatch(name):
            raise common.client("Container.name contains invalid characters.")
        if count > 1:
            raise common.client(f"Duplicate container name: '{name}'.")


def _check_volumes(params: Doc) -> None:
    for volume in params.get("volumes", []):
        kinds = [kind for kind in _VOLUME_KINDS if kind in volume] + (["host"] if volume.get("host") else [])
        if len(kinds) > 1:
            raise common.client(f"Volume '{volume.get('name')}' must have one type only, not {' and '.join(kinds)}.")
    _unique((v.get("name") for v in params.get("volumes", [])), "Duplicate volume name: '{}'.")


def _check_container(container: Doc, params: Doc) -> None:
    _check_memory(container, params)
    _check_secrets(container, params)
    _check_ports(container, params.get("networkMode", "bridge"))
    _check_references(container, params)
    logging = container.get("logConfiguration", {})
    if logging.get("logDriver") == "awslogs" and not {"awslogs-group", "awslogs-region"} <= set(
        logging.get("options", {})
    ):
        raise common.client("Log driver awslogs requires options: awslogs-region, awslogs-group")
    _unique((u.get("name") for u in container.get("ulimits", [])), "Duplicate ulimit name: '{}'.")


def _check_memory(container: Doc, params: Doc) -> None:
    name, hard, soft = container["name"], container.get("memory"), container.get("memoryReservation")
    prefix = f"Invalid setting for container '{name}'."
    if not hard and not soft and not params.get("memory"):
        raise common.client(f"{prefix} At least one of 'memory' or 'memoryReservation' must be specified.")
    if hard and soft and soft > hard:
        raise common.client(f"{prefix} The 'memoryReservation' must not be greater than the 'memory'.")
    if hard and hard < 6:
        raise common.client(f"{prefix} The 'memory' must be at least 6.")


def _check_secrets(container: Doc, params: Doc) -> None:
    secrets = container.get("secrets", [])
    if secrets and not params.get("executionRoleArn"):
        text = "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        raise common.client(text)
    secret_names = [secret["name"] for secret in secrets]
    if len(set(secret_names)) < len(secret_names):
        raise common.client("Duplicate secret names found")
    for name in secret_names:
        if name in {entry.get("name") for entry in container.get("environment", [])}:
            raise common.client(
                "The secret name must be unique and not shared with any new or existing environment variables set on "
                f"the container, such as '{name}'."
            )


def _check_ports(container: Doc, mode: str) -> None:
    ports = container.get("portMappings", [])
    if ports and mode == "none":
        raise common.client("Port mappings are not supported when networkMode=none.")
    for port in ports:
        if mode in ("awsvpc", "host") and port.get("hostPort") not in (None, 0, port.get("containerPort")):
            text = "the host ports and container ports in port mappings must match."
            raise common.client(f"When networkMode={mode}, {text}")
        if "containerPortRange" in port and port.get("hostPort"):
            raise common.client("hostPort must not be specified when containerPortRange is.")
    numbers = (p.get("containerPort", p.get("containerPortRange")) for p in ports)
    _unique(numbers, f"Container port {{}} is used in more than one port mapping for container {container['name']}")


def _check_host_ports(containers: list[Doc]) -> None:
    mappings = (p for c in containers for p in c.get("portMappings", []) if p.get("hostPort"))
    used = ((p.get("protocol", "tcp").upper(), p["hostPort"]) for p in mappings)
    for (protocol, port), count in Counter(used).items():
        if count > 1:
            raise common.client(f"{protocol} host port '{port}' is mapped multiple times in task.")


def _check_references(container: Doc, params: Doc) -> None:
    """The volumes and containers that a container refers to must exist."""
    others = {c["name"]: c for c in params["containerDefinitions"] if c["name"] != container["name"]}
    volumes = {v.get("name") for v in params.get("volumes", [])}
    for mount in container.get("mountPoints", []):
        if mount.get("sourceVolume") and mount["sourceVolume"] not in volumes:
            raise common.client(f"Unknown volume '{mount['sourceVolume']}'.")
    for source in container.get("volumesFrom", []):
        if source.get("sourceContainer") not in others:
            raise common.client(f"Unknown container '{source.get('sourceContainer')}' in volumesFrom.")
    if container.get("links") and params.get("networkMode") == "awsvpc":
        raise common.client("Links are not supported when networkMode=awsvpc.")
    for link in container.get("links", []):
        if link.partition(":")[0] not in others:
            raise common.client(f"Unknown container '{link.partition(':')[0]}' in links.")
    for dependency in container.get("dependsOn", []):
        _check_dependency(dependency, others)


def _check_dependency(dependency: Doc, others: Doc) -> None:
    other = others.get(dependency["containerName"])
    if other is None:
        raise common.client(f"Unknown container '{dependency['containerName']}' in dependsOn.")
    if dependency["condition"] in ("SUCCESS", "COMPLETE") and other.get("essential", True):
        raise common.client(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
        )
    if dependency["condition"] == "HEALTHY" and not other.get("healthCheck"):
        raise common.client("A dependency container with HEALTHY condition must have a health check.")


def _check_sizes(params: Doc) -> None:
    containers = params["containerDefinitions"]
    for name in ("cpu", "memory"):
        if not params.get(name):
            continue
        total = sum(c.get(name, 0) for c in containers)
        if total > int(units(params[name], name)):
            raise common.client(
                f"The sum of all container '{name}' values cannot be greater than the value of the task '{name}'."
            )


def _check_fargate(params: Doc) -> None:
    if params.get("networkMode") != "awsvpc":
        raise common.client("Fargate only supports network mode ‘awsvpc’.")
    for name in ("cpu", "memory"):
        if not params.get(name):
            raise common.client(f"Fargate requires that '{name}' be defined at the task level.")
    cpu, memory = (int(units(params[name], name)) for name in ("cpu", "memory"))
    if memory not in FARGATE.get(cpu, ()):
        raise common.client("No Fargate configuration exists for given values.")
    if params.get("placementConstraints"):
        raise common.client("Placement constraints are not supported with FARGATE.")
    if params.get("executionRoleArn"):
        return
    role = "Fargate requires task definition to have execution role ARN to support"
    for container in params["containerDefinitions"]:
        if container.get("logConfiguration", {}).get("logDriver") == "awslogs":
            raise common.client(f"{role} log driver awslogs.")
        if _ECR.match(container["image"]):
            raise common.client(f"{role} ECR images.")


def _unique(values: Iterable[object], text: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise common.client(text.format(value))


def new_tags(sent: list[Doc] | None) -> list[Doc]:
    """The tags of a request that creates something. None means no tags; an empty list is refused."""
    if sent is None:
        return []
    if not sent:
        raise common.client("Tags can not be empty.")
    keys = [tag.get("key") for tag in sent]
    if len(set(keys)) < len(keys):
        raise common.invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(sent) > 50:
        raise common.invalid("The number of tags must not exceed 50.")
    if any(not key or str(key).lower().startswith("aws:") for key in keys):
        raise common.invalid("Tag keys must not be empty and must not begin with aws:.")
    return [{"key": tag["key"], "value": tag.get("value", "")} for tag in sent]


# -- what becomes of a request ----------------------------------------------------------------------------------------


def units(value: str, what: str) -> str:
    """CPU units or MiB as a string: "1 vCPU" is "1024", "0.5GB" is "512", "256" stays. Source: BC, ESP tests."""
    found = _UNIT.fullmatch(value)
    unit = (found.group(2) or "").lower() if found else ""
    if not found or unit not in ("", {"cpu": "vcpu", "memory": "gb"}[what]):
        raise common.client(f"Invalid '{what}' setting for task.")
    return str(int(float(found.group(1)) * 1024)) if unit else value.strip()


def described(params: Doc) -> Doc:
    """The request as it will be described, without what the registration adds (ARN, revision, status, dates)."""
    doc: Doc = {
        "family": params["family"],
        "containerDefinitions": common.hash_order(
            [_container(c, params.get("networkMode")) for c in params["containerDefinitions"]], CONTAINER_SALT, _name
        ),
        "volumes": [_volume(volume) for volume in params.get("volumes", [])],
        "placementConstraints": params.get("placementConstraints", []),
    }
    doc |= {name: value for name, value in params.items() if name not in MADE and value not in ([], {})}
    if params.get("requiresCompatibilities"):
        doc["requiresCompatibilities"] = sorted(params["requiresCompatibilities"])
    for name in ("cpu", "memory"):
        if params.get(name):
            doc[name] = units(params[name], name)
    doc["compatibilities"] = compatibilities(doc)
    doc["requiresAttributes"] = _attributes(doc)
    return doc


def compatibilities(doc: Doc) -> list[str]:
    """The launch types on which the task could run. AWS computes them; they are not requiresCompatibilities."""
    found = ["EC2"]
    if doc.get("networkMode", "bridge") != "awsvpc" and "FARGATE" not in doc.get("requiresCompatibilities", []):
        found.insert(0, "EXTERNAL")
    if doc.get("networkMode") == "awsvpc" and doc.get("cpu") and doc.get("memory"):
        found.append("FARGATE")
    return found


def _attributes(doc: Doc) -> list[Doc]:
    found = set()
    if doc.get("networkMode") == "awsvpc":
        found.add("ecs.capability.task-eni")
    if doc.get("executionRoleArn"):
        found.add("ecs.capability.execution-role-awslogs")
    if doc.get("taskRoleArn"):
        found.add("com.amazonaws.ecs.capability.task-iam-role")
    for container in doc["containerDefinitions"]:
        if "logConfiguration" in container:
            found.add(f"com.amazonaws.ecs.capability.logging-driver.{container['logConfiguration']['logDriver']}")
        if container.get("secrets"):
            found.add("ecs.capability.secrets.ssm.environment-variables")
    return [{"name": name} for name in sorted(found)]


def _name(item: Doc) -> object:
    return item["name"]


def _container(sent: Doc, network_mode: str | None) -> Doc:
    doc = {k: v for k, v in sent.items() if v not in ([], {}) or k in ("command", "entryPoint")}
    doc.setdefault("cpu", 0)
    doc.setdefault("essential", True)
    doc["environment"] = _environment(sent.get("environment", []))
    doc["portMappings"] = _ports(sent.get("portMappings", []), network_mode)
    doc["volumesFrom"] = common.hash_order(
        sent.get("volumesFrom", []), VOLUMES_FROM_SALT, lambda v: v.get("sourceContainer")
    )
    for name in ("mountPoints", "systemControls"):
        doc[name] = sent.get(name, [])
    if sent.get("links"):
        doc["links"] = sorted(sent["links"])
    if sent.get("secrets"):
        doc["secrets"] = common.hash_order(sent["secrets"], ENVIRONMENT_SALT, _name)
    if sent.get("healthCheck"):
        doc["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3} | sent["healthCheck"]
    if sent.get("linuxParameters"):
        doc["linuxParameters"] = _linux(sent["linuxParameters"])
    return doc


def _environment(sent: list[Doc]) -> list[Doc]:
    """Entries without a name or a value are dropped. Of two with the same name, the later one counts."""
    effective = {entry["name"]: entry for entry in sent if entry.get("name") and "value" in entry}
    return common.hash_order(list(effective.values()), ENVIRONMENT_SALT, _name)


def _ports(sent: list[Doc], network_mode: str | None) -> list[Doc]:
    """hostPort is 0 (any) in bridge mode, and the container's port in host and awsvpc mode."""
    ports = []
    for mapping in sent:
        port: Doc = {"protocol": "tcp"} | mapping
        if "containerPort" in port and "containerPortRange" not in port:
            own = network_mode in ("awsvpc", "host")
            port["hostPort"] = port.get("hostPort") or (port["containerPort"] if own else 0)
        ports.append(port)
    return common.hash_order(ports, CONTAINER_SALT, lambda p: p.get("containerPort", p.get("containerPortRange")))


def _linux(sent: Doc) -> Doc:
    capabilities = {"add": [], "drop": []} | sent.get("capabilities", {})
    return sent | {"capabilities": capabilities}


def _volume(sent: Doc) -> Doc:
    """A volume without a configuration is a bind mount. An EFS root is "/" unless there is an access point."""
    doc = {k: v for k, v in sent.items() if not _empty(v) or k == "host"}  # R1: an empty block counts as absent
    if not any(key.endswith("Configuration") for key in doc) and not doc.get("configuredAtLaunch"):
        doc.setdefault("host", {})
    for name in ("efsVolumeConfiguration", "s3filesVolumeConfiguration"):
        if name in doc and not _access_point(doc[name]):
            doc[name] = {"rootDirectory": "/"} | doc[name]
    if "dockerVolumeConfiguration" in doc:
        doc["dockerVolumeConfiguration"] = {"scope": "task"} | doc["dockerVolumeConfiguration"]
    return doc


def _empty(value: Any) -> bool:
    """Does it hold only empty blocks and lists?"""
    if isinstance(value, dict):
        return all(_empty(item) for item in value.values())
    return isinstance(value, list) and all(_empty(item) for item in value)


def _access_point(configuration: Doc) -> bool:
    nested = configuration.get("authorizationConfig", {})
    return bool(configuration.get("accessPointArn") or nested.get("accessPointId"))
