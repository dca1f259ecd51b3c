"""What RegisterTaskDefinition makes of a request before DescribeTaskDefinition shows it.

Each function is a row or a few of aws-semantics section 1: defaults filled in, units converted, entries dropped, lists
answered in another order. AWS's order looks like that of a hash; ours is one too, with salts chosen so that the
recorded answers come out exactly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from . import errors
from .state import Doc

ENVIRONMENT_SALT: Final = 516
CONTAINER_SALT: Final = 51
VOLUMES_FROM_SALT: Final = 1
#: Members of a task definition that are not answered just as they were sent. All others are, also those that AWS adds
#: later, and only when they were sent.
MADE: Final = (
    "family", "containerDefinitions", "volumes", "placementConstraints", "requiresCompatibilities", "cpu", "memory",
    "tags",
)  # fmt: skip
_UNIT: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(vcpu|gb)?\s*", re.IGNORECASE)


def hash_order(items: Sequence[Any], salt: int, key: Callable[[Any], object]) -> list[Any]:
    """``items`` in an order that depends on their keys only, not on the order they came in."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{salt}:{key(item)}".encode()).digest())


def units(value: str, what: str) -> str:
    """CPU units or MiB as a string: "1 vCPU" is "1024", "0.5GB" is "512", "256" stays. Source: BC, ESP tests."""
    found = _UNIT.fullmatch(value)
    unit = (found.group(2) or "").lower() if found else ""
    if not found or unit not in ("", {"cpu": "vcpu", "memory": "gb"}[what]):
        raise errors.client(f"Invalid '{what}' setting for task.")
    return str(int(float(found.group(1)) * 1024)) if unit else value.strip()


def task_definition(params: Doc) -> Doc:
    """The request as it will be described; without what only the registration knows (ARN, revision, status, dates)."""
    doc: Doc = {
        "family": params["family"],
        "containerDefinitions": hash_order(
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
    """Where the task could run: computed by AWS, not the same as what it requires."""
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
    doc["volumesFrom"] = hash_order(sent.get("volumesFrom", []), VOLUMES_FROM_SALT, lambda v: v.get("sourceContainer"))
    for name in ("mountPoints", "systemControls"):
        doc[name] = sent.get(name, [])
    if sent.get("links"):
        doc["links"] = sorted(sent["links"])
    if sent.get("secrets"):
        doc["secrets"] = hash_order(sent["secrets"], ENVIRONMENT_SALT, _name)
    if sent.get("healthCheck"):
        doc["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3} | sent["healthCheck"]
    if sent.get("linuxParameters"):
        doc["linuxParameters"] = _linux(sent["linuxParameters"])
    return doc


def _environment(sent: list[Doc]) -> list[Doc]:
    """Entries without a name or without a value are dropped; of two with one name the later is what takes effect."""
    effective = {entry["name"]: entry for entry in sent if entry.get("name") and "value" in entry}
    return hash_order(list(effective.values()), ENVIRONMENT_SALT, _name)


def _ports(sent: list[Doc], network_mode: str | None) -> list[Doc]:
    """hostPort: 0 (any) in bridge mode, the container's own port where the host's network or an own one is used."""
    ports = []
    for mapping in sent:
        port: Doc = {"protocol": "tcp"} | mapping
        if "containerPort" in port and "containerPortRange" not in port:
            own = network_mode in ("awsvpc", "host")
            port["hostPort"] = port.get("hostPort") or (port["containerPort"] if own else 0)
        ports.append(port)
    return hash_order(ports, CONTAINER_SALT, lambda p: p.get("containerPort", p.get("containerPortRange")))


def _linux(sent: Doc) -> Doc:
    capabilities = {"add": [], "drop": []} | sent.get("capabilities", {})
    return sent | {"capabilities": capabilities}


def _volume(sent: Doc) -> Doc:
    """A volume of no particular kind is a bind mount; an EFS root is "/" unless an access point decides it."""
    doc = {k: v for k, v in sent.items() if not _empty(v) or k == "host"}  # R1: an empty block is none
    if not any(key.endswith("Configuration") for key in doc) and not doc.get("configuredAtLaunch"):
        doc.setdefault("host", {})
    for name in ("efsVolumeConfiguration", "s3filesVolumeConfiguration"):
        if name in doc and not _access_point(doc[name]):
            doc[name] = {"rootDirectory": "/"} | doc[name]
    if "dockerVolumeConfiguration" in doc:
        doc["dockerVolumeConfiguration"] = {"scope": "task"} | doc["dockerVolumeConfiguration"]
    return doc


def _empty(value: Any) -> bool:
    """Nothing but empty blocks and lists."""
    if isinstance(value, dict):
        return all(_empty(item) for item in value.values())
    return isinstance(value, list) and all(_empty(item) for item in value)


def _access_point(configuration: Doc) -> bool:
    nested = configuration.get("authorizationConfig", {})
    return bool(configuration.get("accessPointArn") or nested.get("accessPointId"))
