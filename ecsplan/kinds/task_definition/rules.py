"""What ECS makes of a task definition between RegisterTaskDefinition and DescribeTaskDefinition, a row each.

Sources: the ECS API reference and botocore's service model; answers recorded from real accounts; the test fixtures
of the public Terraform AWS provider; the example outputs that the AWS CLI ships.
"""

from __future__ import annotations

from typing import Any

from ecsplan.core.model import Doc
from ecsplan.core.normalize import Canon, Default, Derive, Drop, Keyed, Rule, Secret, Unordered
from ecsplan.kinds.task_definition.sizes import cpu_units, mebibytes

C = "containerDefinitions.*"
V = "volumes.*.dockerVolumeConfiguration"


def role_name(value: Any) -> Any:
    """A role's ARN, or its name behind a path, as its name, which is unique in an account."""
    return str(value).rpartition("/")[2]


def host_port(doc: Doc, mapping: Doc) -> Any:
    """The hostPort that ECS answers: the container's own port unless the network mode is bridge."""
    if "containerPortRange" in mapping or "containerPort" not in mapping or mapping.get("hostPort"):
        return None
    return mapping["containerPort"] if doc.get("networkMode") in ("awsvpc", "host") else 0


def ranges_without_host_port(mappings: Any) -> Any:
    return [
        {k: v for k, v in mapping.items() if k != "hostPort" or v or not mapping.get("containerPortRange")}
        for mapping in mappings
    ]


def fargate_platform(doc: Doc, parent: Doc) -> Any:
    """On Fargate, no runtime platform means Linux on x86; so does a missing half of it."""
    if "FARGATE" in doc.get("requiresCompatibilities", ()):
        return {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX", **(parent.get("runtimePlatform") or {})}
    return None


def with_value(variables: Any) -> Any:
    return [v for v in variables if v.get("name") is not None and v.get("value") is not None]


def own_tags(tags: Any) -> Any:
    return [tag for tag in tags if not str(tag.get("key", "")).startswith("aws:")]


def without_defaults(options: Any) -> Any:
    return [option for option in options if option != "defaults"]


def blank(value: Any) -> bool:
    return bool(value == "")


def blank_variables(found: Doc, wanted: Doc, sent: Doc) -> tuple[Doc, tuple[str, ...]]:
    """The live document with the variables that are declared as "", that were sent as "" when it was registered, and
    that it lacks: whether ECS keeps such a variable is not known."""
    registered = _blank_names(sent)
    declared = {container.get("name"): container for container in wanted.get("containerDefinitions") or ()}
    containers, doubts = [], []
    for container in found.get("containerDefinitions") or ():
        variables = container.get("environment") or []
        there = {variable.get("name") for variable in variables}
        blanks = [
            variable
            for variable in declared.get(container.get("name"), {}).get("environment") or ()
            if (container.get("name"), variable.get("name")) in registered
            and variable.get("name") not in there
            and variable.get("value") == ""
        ]
        containers.append({**container, "environment": [*variables, *blanks]} if blanks else container)
        if blanks:
            names = ", ".join(f"containers.{container['name']}.environment.{variable['name']}" for variable in blanks)
            doubts.append(
                f'the live revision was registered with {names} = "", and does not have it: ECS seems to drop a '
                "variable with an empty value, so that alone is no change"
            )
    return {**found, "containerDefinitions": containers}, tuple(doubts)


def _blank_names(doc: Doc) -> set[tuple[str, str]]:
    return {
        (container.get("name", ""), variable["name"])
        for container in doc.get("containerDefinitions") or ()
        for variable in container.get("environment") or ()
        if variable and variable.get("value") == ""
    }


def off_by_default(*fields: str) -> tuple[Rule, ...]:
    return tuple(Default(path=f"{C}.{f}", value=False, reason="absent is off; false is echoed if sent") for f in fields)


RULES: tuple[Rule, ...] = (
    # the task
    Canon(path="cpu", to=cpu_units, reason='"1 vCPU" is answered as CPU units, numbers as text'),
    Canon(path="memory", to=mebibytes, reason='"1 GB" is answered as MiB, numbers as text'),
    Default(path="networkMode", value="bridge", reason="omitted is not answered and means bridge on Linux"),
    Unordered(path="requiresCompatibilities", reason="answered sorted"),
    Canon(path="taskRoleArn", to=role_name, reason="a role's short name or its ARN"),
    Canon(path="executionRoleArn", to=role_name, reason="a role's short name or its ARN"),
    Derive(path="runtimePlatform", of=fargate_platform, reason="Fargate without one runs Linux on X86_64"),
    Default(path="enableFaultInjection", value=False, reason="absent is off"),
    Unordered(path="placementConstraints", reason="all of them hold, in any order"),
    Default(path="proxyConfiguration.type", value="APPMESH", reason="the only type"),
    Keyed(path="proxyConfiguration.properties", by=("name",), value="value", reason="settings by name"),
    Keyed(path="inferenceAccelerators", by=("deviceName",), reason="devices by name"),
    Canon(path="tags", to=own_tags, reason="aws: tags are AWS's own and cannot be sent"),
    Keyed(path="tags", by=("key",), value="value", reason="tags by key"),
    # volumes
    Keyed(path="volumes", by=("name",), reason="volumes by name; host {} is filled in, and is nothing"),
    Default(path="volumes.*.configuredAtLaunch", value=False, reason="absent is off"),
    Default(path="volumes.*.efsVolumeConfiguration.rootDirectory", value="/", reason='"/" is the same as omitting it'),
    Default(path="volumes.*.efsVolumeConfiguration.transitEncryption", value="DISABLED", reason="the default"),
    Drop(
        path="volumes.*.efsVolumeConfiguration.transitEncryptionPort",
        when=lambda port: port == 0,
        reason="0 is no port, as absent",
    ),
    Drop(
        path="volumes.*.efsVolumeConfiguration.authorizationConfig.iam",
        when=lambda iam: iam == "DISABLED",
        reason="the default, and alone it is the same as no authorizationConfig",
    ),
    Default(
        path="volumes.*.s3filesVolumeConfiguration.rootDirectory", value="/", reason='"/" is the same as omitting it'
    ),
    Drop(path=f"{V}.autoprovision", when=lambda given: given is False, reason="absent is off"),
    Drop(path=f"{V}.scope", when=lambda scope: scope == "task", reason="computed where omitted"),
    Drop(path=f"{V}.driver", when=lambda driver: driver == "local", reason="Docker's default"),
    Secret(path=f"{V}.driverOpts", reason="volume drivers take passwords"),
    # containers
    Keyed(path="containerDefinitions", by=("name",), label="containers", reason="answered in another order"),
    Default(path=f"{C}.cpu", value=0, reason="always answered"),
    Default(path=f"{C}.essential", value=True, reason="the default"),
    Canon(path=f"{C}.environment", to=with_value, reason="an entry without name or value is dropped"),
    Keyed(path=f"{C}.environment", by=("name",), value="value", reason="answered in hash order"),
    Secret(path=f"{C}.environment", reason="variables hold passwords"),
    Keyed(path=f"{C}.secrets", by=("name",), value="valueFrom", reason="order not guaranteed"),
    Canon(path=f"{C}.portMappings", to=ranges_without_host_port, reason="a range has no host port, and 0 is none"),
    Derive(path=f"{C}.portMappings.*.hostPort", of=host_port, reason="depends on the network mode"),
    Default(path=f"{C}.portMappings.*.protocol", value="tcp", reason="the default"),
    Keyed(
        path=f"{C}.portMappings",
        by=("containerPort", "containerPortRange", "protocol"),
        reason="answered in another order",
    ),
    Default(path=f"{C}.mountPoints.*.readOnly", value=False, reason="absent is off"),
    Keyed(path=f"{C}.mountPoints", by=("containerPath",), reason="one mount per path"),
    Default(path=f"{C}.volumesFrom.*.readOnly", value=False, reason="absent is off"),
    Keyed(path=f"{C}.volumesFrom", by=("sourceContainer",), reason="answered in another order"),
    Keyed(path=f"{C}.systemControls", by=("namespace",), value="value", reason="settings by namespace"),
    Unordered(path=f"{C}.links", reason="answered sorted"),
    Keyed(path=f"{C}.dependsOn", by=("containerName",), value="condition", reason="all of them hold, in any order"),
    Unordered(path=f"{C}.extraHosts", reason="entries of a hosts file"),
    Unordered(path=f"{C}.dockerSecurityOptions", reason="a set of options"),
    Keyed(path=f"{C}.ulimits", by=("name",), reason="limits by name"),
    Default(path=f"{C}.healthCheck.interval", value=30, reason="filled in, seconds"),
    Default(path=f"{C}.healthCheck.timeout", value=5, reason="filled in, seconds"),
    Default(path=f"{C}.healthCheck.retries", value=3, reason="filled in"),
    Default(path=f"{C}.healthCheck.startPeriod", value=0, reason="absent is off"),
    Drop(
        path=f"{C}.linuxParameters.initProcessEnabled",
        when=lambda given: given is False,
        reason="false is the same as absent, and alone as no linuxParameters",
    ),
    Unordered(path=f"{C}.linuxParameters.capabilities.add", reason="a set; [] is filled in"),
    Unordered(path=f"{C}.linuxParameters.capabilities.drop", reason="a set; [] is filled in"),
    Default(
        path=f"{C}.linuxParameters.devices.*.permissions",
        value=["mknod", "read", "write"],
        reason="all three at runtime where omitted",
    ),
    Unordered(path=f"{C}.linuxParameters.devices.*.permissions", reason="a set"),
    Keyed(path=f"{C}.linuxParameters.devices", by=("hostPath", "containerPath"), reason="devices by path"),
    Canon(path=f"{C}.linuxParameters.tmpfs.*.mountOptions", to=without_defaults, reason='"defaults" says nothing'),
    Unordered(path=f"{C}.linuxParameters.tmpfs.*.mountOptions", reason="a set"),
    Keyed(path=f"{C}.linuxParameters.tmpfs", by=("containerPath",), reason="one mount per path"),
    Keyed(path=f"{C}.logConfiguration.secretOptions", by=("name",), value="valueFrom", reason="options by name"),
    Secret(path=f"{C}.logConfiguration.options", reason="log drivers take tokens"),
    Secret(path=f"{C}.firelensConfiguration.options", reason="log routers take tokens"),
    Secret(path=f"{C}.dockerLabels", reason="labels are read by agents that take tokens"),
    Default(path=f"{C}.restartPolicy.restartAttemptPeriod", value=300, reason="the default, seconds"),
    Unordered(path=f"{C}.restartPolicy.ignoredExitCodes", reason="a set"),
    Default(path=f"{C}.versionConsistency", value="enabled", reason="the default"),
    Drop(path=f"{C}.user", when=blank, reason='"" is the same as absent'),
    Drop(path=f"{C}.hostname", when=blank, reason='"" is the same as absent'),
    Drop(path=f"{C}.workingDirectory", when=blank, reason='"" is the same as absent'),
    *off_by_default("privileged", "readonlyRootFilesystem", "interactive", "pseudoTerminal", "disableNetworking"),
    Unordered(path=f"{C}.resourceRequirements", reason="a set"),
    Unordered(path=f"{C}.credentialSpecs", reason="a set"),
)
