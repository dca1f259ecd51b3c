"""Documents of every kind as AWS might answer them, or as somebody might declare them: with gaps, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from ecsplan.core.documents import copied
from ecsplan.core.model import Doc
from ecsplan.core.normalize import Keyed, Unordered, places
from ecsplan.kinds.contract import Kind

modest = settings(deadline=None, max_examples=60)

Docs = st.SearchStrategy[Doc]

FLAG = st.booleans() | st.none()
COUNT = st.integers(0, 3) | st.none()
TEXT = st.sampled_from(["", "a", "b", "A", "1"])
NAME = st.sampled_from(["a", "b", "c", "DB_PASSWORD"])


def some(**fields: st.SearchStrategy[Any]) -> Docs:
    """Any of these fields, null and empty ones among them."""
    return st.fixed_dictionaries({}, optional=fields)


def whole(**fields: st.SearchStrategy[Any]) -> Docs:
    """All of these fields: those that AWS demands together."""
    return st.fixed_dictionaries(fields)


def named(key: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Doc]]:
    """Items told apart by `key`. Of one field, an item has it; of several, it may lack any."""
    always, maybe = ({}, fields) if len(fields) > 1 else (fields, {})
    one = st.fixed_dictionaries({key: NAME, **always}, optional=maybe)
    return st.lists(one, max_size=3, unique_by=lambda item: item[key])


def texts() -> st.SearchStrategy[list[str]]:
    return st.lists(NAME, max_size=3, unique=True)


def without_nulls(value: Any) -> Any:
    """As TOML has it."""
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def as_answered(value: Any) -> Any:
    """As AWS has it: empty lists, and neither nulls nor empty structures."""
    if isinstance(value, Mapping):
        items = {name: as_answered(item) for name, item in value.items()}
        return {name: item for name, item in items.items() if item is not None and item != {}}
    if isinstance(value, list):
        return [as_answered(item) for item in value]
    return value


PORTS = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 443, 9000])},
        optional={"hostPort": COUNT, "name": TEXT, "protocol": st.just("tcp")},
    ),
    max_size=3,
    unique_by=lambda port: port["containerPort"],
)

CONTAINER_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "image": TEXT,
    "cpu": COUNT,
    "essential": FLAG,
    "environment": named("name", value=TEXT),
    "secrets": named("name", valueFrom=TEXT),
    "portMappings": PORTS,
    "mountPoints": named("containerPath", sourceVolume=TEXT, readOnly=FLAG),
    "volumesFrom": named("sourceContainer", readOnly=FLAG),
    "systemControls": named("namespace", value=TEXT),
    "links": texts(),
    "dependsOn": named("containerName", condition=st.just("START")),
    "extraHosts": named("hostname", ipAddress=TEXT),
    "dnsServers": texts(),
    "ulimits": named("name", softLimit=COUNT, hardLimit=COUNT),
    "command": st.lists(TEXT, max_size=2),
    "healthCheck": some(command=st.lists(TEXT, max_size=2), interval=COUNT, startPeriod=COUNT),
    "linuxParameters": some(
        initProcessEnabled=FLAG,
        capabilities=some(add=texts(), drop=texts()),
        devices=named("hostPath", permissions=texts()),
        tmpfs=named("containerPath", size=COUNT, mountOptions=st.lists(st.sampled_from(["defaults", "ro", "noexec"]))),
    ),
    "logConfiguration": some(
        logDriver=TEXT, options=st.dictionaries(NAME, TEXT), secretOptions=named("name", valueFrom=TEXT)
    ),
    "restartPolicy": some(enabled=FLAG, ignoredExitCodes=st.lists(st.integers(0, 3), unique=True)),
    "user": TEXT,
    "dockerLabels": st.dictionaries(NAME, TEXT),
    "resourceRequirements": named("value", type=TEXT),
    "privileged": FLAG,
}
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAME}, optional=dict(CONTAINER_FIELDS)),
    min_size=1,
    max_size=3,
    unique_by=lambda container: container["name"],
)
EFS = some(fileSystemId=TEXT, rootDirectory=st.sampled_from(["/", "/x"]), transitEncryptionPort=COUNT,
           authorizationConfig=some(iam=st.sampled_from(["DISABLED", "ENABLED"]), accessPointId=TEXT))  # fmt: skip
TASK_DEFINITIONS: Docs = st.fixed_dictionaries(
    {"family": st.just("web"), "containerDefinitions": CONTAINERS},
    optional={
        "cpu": st.sampled_from(["256", 256, ".25 vCPU", "1 vcpu", None]),
        "memory": st.sampled_from(["512", 512, "0.5 GB", "1GB"]),
        "networkMode": st.sampled_from(["bridge", "host", "awsvpc", None]),
        "requiresCompatibilities": st.lists(st.sampled_from(["EC2", "FARGATE"]), unique=True),
        "taskRoleArn": st.sampled_from(["web", "arn:aws:iam::1:role/x/web"]),
        "runtimePlatform": some(cpuArchitecture=st.sampled_from(["X86_64", "ARM64"])),
        "volumes": named("name", host=some(sourcePath=TEXT), efsVolumeConfiguration=EFS,
                         dockerVolumeConfiguration=some(scope=TEXT, labels=st.dictionaries(NAME, TEXT))),
        "placementConstraints": named("expression", type=st.just("memberOf")),
        "proxyConfiguration": some(containerName=TEXT, properties=named("name", value=TEXT)),
        "tags": named("key", value=TEXT),
    },
)  # fmt: skip

# --- services ---

HOOKS = named(
    "hookTargetArn",
    lifecycleStages=texts(),
    timeoutConfiguration=some(action=st.just("ROLLBACK"), timeoutInMinutes=st.sampled_from([5, 1440])),
)
CONFIGURATION = some(
    strategy=st.sampled_from(["ROLLING", "BLUE_GREEN"]),
    bakeTimeInMinutes=COUNT,
    maximumPercent=st.sampled_from([100, 200]),
    minimumHealthyPercent=st.sampled_from([0, 50, 100]),
    deploymentCircuitBreaker=some(enable=st.booleans(), rollback=st.booleans(), resetOnHealthyTask=st.booleans()),
    alarms=whole(alarmNames=texts(), enable=st.booleans(), rollback=st.booleans()),
    linearConfiguration=whole(stepPercent=st.sampled_from([5.0, 10.0])),
    lifecycleHooks=HOOKS,
    earlySuccessCriteria=whole(enable=st.booleans(), healthyPercent=st.integers(1, 100)),
)
SUBNETS = st.lists(NAME, min_size=1, max_size=2, unique=True)
PUBLIC = st.sampled_from(["ENABLED", "DISABLED"])
SERVICE_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "healthCheckGracePeriodSeconds": st.integers(0, 3),
    "enableExecuteCommand": st.booleans(),
    "propagateTags": st.sampled_from(["NONE", "SERVICE"]),
    "capacityProviderStrategy": named("capacityProvider", weight=st.integers(0, 2), base=st.integers(0, 2)),
    "loadBalancers": named("targetGroupArn", containerPort=st.sampled_from([80, 81])),
    "serviceRegistries": named("registryArn", port=COUNT),
    "placementConstraints": named("expression", type=st.just("memberOf")),
    "placementStrategy": st.lists(some(type=st.just("spread"), field=st.sampled_from(["host", "cpu", ""])), max_size=2),
    "serviceConnectConfiguration": whole(
        enabled=st.booleans(),
        namespace=st.just("shop"),
        services=named("portName", discoveryName=TEXT, clientAliases=st.just([{"port": 80}])),
    ),
    "volumeConfigurations": named("name", managedEBSVolume=some(sizeInGiB=COUNT, iops=COUNT, encrypted=st.booleans())),
}
# What a service always has, and what AWS could not reset if it had not.
ALWAYS: Mapping[str, st.SearchStrategy[Any]] = {
    "taskDefinition": st.sampled_from(["web:41", "web:42"]),
    "desiredCount": st.integers(0, 3),
    "networkConfiguration": whole(
        awsvpcConfiguration=whole(subnets=SUBNETS, securityGroups=texts(), assignPublicIp=PUBLIC)
    ),
    "deploymentConfiguration": CONFIGURATION,
    "availabilityZoneRebalancing": st.sampled_from(["ENABLED", "DISABLED"]),
}
NAMES: Doc = {"cluster": "prod", "service": "web"}
SERVICES: Docs = st.fixed_dictionaries(dict(ALWAYS), optional=dict(SERVICE_FIELDS)).map(lambda doc: NAMES | doc)
ANSWERED_SERVICES: Docs = SERVICES.map(as_answered)
IN_PART: Docs = some(awsvpcConfiguration=some(subnets=SUBNETS, securityGroups=texts(), assignPublicIp=PUBLIC))
DECLARED_SERVICES: Docs = some(**{**ALWAYS, **SERVICE_FIELDS, "networkConfiguration": IN_PART}).map(
    lambda doc: NAMES | without_nulls(doc)
)

# --- targets ---

INPUT = st.sampled_from(["{}", '{"a": 1, "b": [1]}', '{"b":[1],"a":1}', '"5"', "null", "no json", '{"a": {}}'])
ECS_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "TaskCount": st.integers(1, 3),
    "LaunchType": st.sampled_from(["EC2", "FARGATE"]),
    "EnableExecuteCommand": st.booleans(),
    "PlatformVersion": st.sampled_from(["LATEST", "1.4.0"]),
    "NetworkConfiguration": whole(
        awsvpcConfiguration=st.fixed_dictionaries({"Subnets": SUBNETS}, optional={"AssignPublicIp": PUBLIC})
    ),
    "CapacityProviderStrategy": named("capacityProvider", weight=st.integers(0, 2)),
    "PlacementConstraints": named("expression", type=st.just("memberOf")),
    "Tags": named("Key", Value=TEXT),
}
# Demanded by EventBridge, and always declared.
ECS_PARAMETERS = st.fixed_dictionaries(
    {"TaskDefinitionArn": st.sampled_from(["web:41", "web:42"])}, optional=dict(ECS_FIELDS)
).map(lambda doc: {k: v for k, v in doc.items() if k != "LaunchType" or not doc.get("CapacityProviderStrategy")})
TARGET = named(
    "Id",
    Arn=st.just("arn:cluster"),
    RoleArn=TEXT,
    Input=INPUT,
    EcsParameters=ECS_PARAMETERS,
    RetryPolicy=whole(MaximumRetryAttempts=st.integers(0, 3)),
)
RULES: Docs = st.fixed_dictionaries({"Rule": st.just("nightly"), "Targets": TARGET})
ANSWERED_RULES: Docs = RULES.map(as_answered)
DECLARED_RULES: Docs = RULES.map(without_nulls)


def shuffled(doc: Doc, kind: Kind, seed: int) -> Doc:
    """A copy with every list in another order whose order says nothing."""
    rng = random.Random(seed)
    result: Doc = copied(doc)
    for rule in kind.document.rules:
        if isinstance(rule, Keyed | Unordered):
            for parent, field in places(result, rule.path):
                if isinstance(parent.get(field), list):
                    rng.shuffle(parent[field])
    return result


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """The path of each value of a view."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    else:
        yield path


def nulls(value: Any) -> bool:
    """Is there a null anywhere in it?"""
    if isinstance(value, Mapping):
        return any(nulls(item) for item in value.values())
    if isinstance(value, list):
        return any(nulls(item) for item in value)
    return value is None
