"""What AWS demands of the fields of a request beyond what their shapes say, for `shaped`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import strategies as st

from ecsplan.aws.api import walk
from ecsplan.core.documents import copied
from ecsplan.core.model import Doc
from ecsplan.kinds.schedule.target import OF_OTHERS
from tests.laws.shaped import Docs, Parts, Strategies, Values, request
from tests.unit.fakes_kinds import CLUSTER, kind, revision

C = "containerDefinitions[]"
ROLES = st.sampled_from(["web", "arn:aws:iam::123456789012:role/web", "arn:aws:iam::123456789012:role/x/other"])
NAMES = st.sampled_from(["a", "b", "c", "d_1"])
# "" is a value of these, or the same as none at all.
BLANK = st.sampled_from(["", "a", "0", "/x"])

TASK_DEFINITION_FIELDS: Mapping[str, Values] = {
    "family": st.just("web"),
    "taskRoleArn": ROLES,
    "executionRoleArn": ROLES,
    "cpu": st.sampled_from(["256", "512", "1024", "1 vCPU", ".5 vcpu", "0.25 vCPU"]),
    "memory": st.sampled_from(["512", "1024", "2048", "0.5GB", "1 GB", "2 gb"]),
    "tags[].key": NAMES,
    "volumes[].name": NAMES,
    "volumes[].efsVolumeConfiguration.rootDirectory": st.sampled_from(["/", "/data"]),
    "volumes[].s3filesVolumeConfiguration.rootDirectory": st.sampled_from(["/", "/data"]),
    f"{C}.name": NAMES,
    f"{C}.image": st.sampled_from(["web:1", "registry:5000/web:1", "web@sha256:00"]),
    # Never more together than the least that a task can have.
    f"{C}.cpu": st.integers(0, 64),
    f"{C}.memory": st.integers(6, 64),
    f"{C}.memoryReservation": st.integers(1, 6),
    f"{C}.portMappings[].containerPort": st.sampled_from([80, 443, 8080, 9000]),
    f"{C}.portMappings[].containerPortRange": st.sampled_from(["7000-7010", "7100-7110"]),
    f"{C}.environment[].value": BLANK,
    f"{C}.secrets[].name": st.sampled_from(["SECRET_A", "SECRET_B"]),  # no name of a variable
    f"{C}.user": BLANK,
    f"{C}.hostname": BLANK,
    f"{C}.workingDirectory": BLANK,
    f"{C}.dockerLabels{{}}": BLANK,
    f"{C}.logConfiguration.options{{}}": BLANK,
    f"{C}.linuxParameters.tmpfs[].mountOptions[]": st.sampled_from(["defaults", "ro", "noexec"]),
}


def volume_parts(names: Sequence[str]) -> Parts:
    """A volume is of one kind; one that is none of them is a bind mount."""
    kinds = [name for name in names if name == "host" or name.endswith("VolumeConfiguration")]
    return tuple(frozenset([name]) for name in kinds)


def port_parts(_: Sequence[str]) -> Parts:
    return frozenset({"containerPort", "hostPort"}), frozenset({"containerPortRange"})


def sound_task_definition(doc: Doc) -> Doc:
    doc = copied(doc)
    containers: list[Doc] = doc["containerDefinitions"]
    referring = ("links", "volumesFrom", "dependsOn")
    if len(containers) == 1 and any(containers[0].get(name) for name in referring):
        containers.append({"name": "helper", "image": "helper:1", "memory": 64})
    if not any(container.get("essential", True) for container in containers):
        containers[-1]["essential"] = True
    if any(container.get("secrets") for container in containers):
        doc.setdefault("executionRoleArn", "web")
    _sized(doc)
    _networked(doc)
    for container in containers:
        if not doc.get("memory") and not container.get("memoryReservation"):
            container.setdefault("memory", 64)
        _referring(container, containers)
        _mounted(container, doc)
        log = container.get("logConfiguration", {})
        if log.get("logDriver") == "awslogs":
            log["options"] = {"awslogs-group": "web", "awslogs-region": "eu-west-1"} | log.get("options", {})
    return doc


def _sized(doc: Doc) -> None:
    """Fargate demands sizes that go together and an own network, and has neither placement nor links."""
    if "FARGATE" not in doc.get("requiresCompatibilities", ()):
        return
    if doc.get("placementConstraints") or any(container.get("links") for container in doc["containerDefinitions"]):
        doc["requiresCompatibilities"] = [it for it in doc["requiresCompatibilities"] if it != "FARGATE"] or ["EC2"]
        return
    doc |= {"networkMode": "awsvpc", "executionRoleArn": doc.get("executionRoleArn", "web"), "cpu": "256"}
    doc["memory"] = {"0.5GB": "0.5GB", "1 GB": "1 GB", "2 gb": "2 gb"}.get(doc.get("memory", ""), "512")


def _networked(doc: Doc) -> None:
    """Ports go with neither no network nor with each other, links only with a bridge."""
    containers = doc["containerDefinitions"]
    if any(container.get("links") for container in containers):
        doc["networkMode"] = "bridge"
    if doc.get("networkMode") == "none" and any(container.get("portMappings") for container in containers):
        doc["networkMode"] = "bridge"
    own = doc.get("networkMode") in ("awsvpc", "host")
    taken: set[int] = set()
    for container in containers:
        seen: set[object] = set()
        for number, port in enumerate(container.get("portMappings", ())):
            if "containerPortRange" in port:
                port["containerPortRange"] = f"{7000 + 100 * number}-{7010 + 100 * number}"
                continue
            while port["containerPort"] in seen:
                port["containerPort"] += 1
            seen.add(port["containerPort"])
            if port.get("hostPort") and own:
                port["hostPort"] = port["containerPort"]
            if port.get("hostPort") in taken:
                port["hostPort"] = 0
            taken |= {port["hostPort"]} if port.get("hostPort") else set()


def _referring(container: Doc, containers: Sequence[Doc]) -> None:
    """A container refers to others that are there, to each once, and waits for what can come."""
    others = [other for other in containers if other is not container]
    for name, item in (("volumesFrom", "sourceContainer"), ("dependsOn", "containerName")):
        if name in container:
            container[name] = container[name][: len(others)]
            for entry, other in zip(container[name], others, strict=False):
                entry[item] = other["name"]
    for entry, other in zip(container.get("dependsOn", ()), others, strict=False):
        if entry["condition"] != "HEALTHY":
            if other.get("essential", True):
                entry["condition"] = "START"
        elif not other.get("healthCheck"):
            entry["condition"] = "START"
    if "links" in container:
        container["links"] = [
            f"{other['name']}:{link}" for link, other in zip(container["links"], others, strict=False)
        ]


def _mounted(container: Doc, doc: Doc) -> None:
    for mount in container.get("mountPoints", ()):
        if "sourceVolume" in mount:
            volumes = doc["volumes"] = doc.get("volumes") or [{"name": "data"}]
            mount["sourceVolume"] = volumes[0]["name"]


TASK_DEFINITIONS = Strategies(
    shape=request("ecs", "RegisterTaskDefinition"),
    rules=kind("task_definition").document.rules,
    fields=TASK_DEFINITION_FIELDS,
    always=frozenset({f"{C}.name", f"{C}.image", "tags[].value"}),
    least={"containerDefinitions": 1, "tags": 1, f"{C}.healthCheck.command": 1},
    exclusive={"volumes[]": volume_parts, f"{C}.portMappings[]": port_parts},
    sound=sound_task_definition,
)

# --- services ---

D = "deploymentConfiguration"
TARGET_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/"
SERVICE_FIELDS: Mapping[str, Values] = {
    "cluster": st.just("prod"),
    "service": st.just("web"),
    "taskDefinition": st.sampled_from([revision("web:1"), revision("web:2")]),
    "deploymentController.type": st.just("ECS"),  # what others deploy, ecsplan refuses
    "desiredCount": st.integers(0, 2),
    "platformVersion": st.sampled_from(["LATEST", "1.4.0", "1.3.0"]),
    "placementStrategy[].field": st.sampled_from(["host", "instanceId", "memory", "cpu", "attribute:ecs.zone"]),
    # The other of the two target groups sorts later: which of them is the first says nothing.
    "loadBalancers[].targetGroupArn": NAMES.map(lambda name: f"{TARGET_GROUP}{name}"),
    "loadBalancers[].advancedConfiguration.alternateTargetGroupArn": NAMES.map(lambda n: f"{TARGET_GROUP}z-{n}"),
    "loadBalancers[].containerName": st.just("app"),
    "loadBalancers[].containerPort": st.sampled_from([80, 8080]),
    "serviceRegistries[].containerName": st.just("app"),
    "serviceRegistries[].containerPort": st.sampled_from([80, 8080]),
    "serviceConnectConfiguration.services[].portName": st.sampled_from(["http", "admin"]),
    # Of one form: a name and an ARN cannot be compared, which is a warning of its own.
    "serviceConnectConfiguration.namespace": st.sampled_from(["shop", "wiki"]),
}


def balancer_parts(_: Sequence[str]) -> Parts:
    """Only target groups come in pairs."""
    return frozenset({"targetGroupArn", "advancedConfiguration"}), frozenset({"loadBalancerName"})


def sound_service(doc: Doc) -> Doc:
    """Nothing can be paused in the stages in which the traffic shifts."""
    doc = copied(doc)
    for hook in doc.get(D, {}).get("lifecycleHooks", ()):
        if hook.get("targetType") == "PAUSE" and "lifecycleStages" in hook:
            kept = [
                stage for stage in hook["lifecycleStages"] if not stage.endswith("TRAFFIC_SHIFT") or "POST" in stage
            ]
            hook["lifecycleStages"] = kept or ["POST_SCALE_UP"]
    return doc


SERVICES = Strategies(
    shape=request("ecs", "UpdateService"),
    rules=kind("service").document.rules,
    fields=SERVICE_FIELDS,
    always=frozenset(
        {"cluster", "taskDefinition", "networkConfiguration.awsvpcConfiguration", f"{D}.lifecycleHooks[].hookTargetArn"}
    ),
    # Without a strategy a service is on a launch type again, which decides what else it may have.
    least={"networkConfiguration.awsvpcConfiguration.subnets": 1, "capacityProviderStrategy": 1},
    exclusive={"loadBalancers[]": balancer_parts},
    sound=sound_service,
)

# --- targets ---

T = "Targets[]"
E = f"{T}.EcsParameters"
TARGET_FIELDS: Mapping[str, Values] = {
    "Rule": st.just("nightly"),
    "EventBusName": st.just("default"),
    f"{T}.Arn": st.just(CLUSTER),
    f"{T}.RoleArn": st.sampled_from(["arn:aws:iam::123456789012:role/events", "arn:aws:iam::123456789012:role/other"]),
    f"{T}.Input": st.sampled_from(["{}", '{"a": 1, "b": [1, 2]}', '{"b":[1,2],"a":1}', '{"b": [2, 1]}', '"5"', "5"]),
    f"{E}.TaskDefinitionArn": st.sampled_from([revision("web:1"), revision("web:2")]),
    f"{E}.PlatformVersion": st.sampled_from(["LATEST", "1.4.0", "1.3.0"]),
    f"{T}.RedshiftDataParameters.SecretManagerArn": st.sampled_from(
        [f"arn:aws:secretsmanager:eu-west-1:1:secret:{name}" for name in "ab"]
    ),
}
INPUTS = ("Input", "InputPath", "InputTransformer")


def target_parts(names: Sequence[str]) -> Parts:
    """A target runs an ECS task or does something else, and is given its input in one way."""
    others = {name for name in names if name.endswith("Parameters") and name != "EcsParameters"}
    return *(frozenset({"EcsParameters", name}) for name in INPUTS), frozenset(others)


def sound_targets(doc: Doc) -> Doc:
    doc = copied(doc)
    numbers = {"job": count(), "queue": count()}  # of few names, because a rule has five targets at most
    for target in doc["Targets"]:
        target["Id"] = (name := "job" if "EcsParameters" in target else "queue") + f"-{next(numbers[name])}"
        parameters: dict[str, Any] | None = target.get("EcsParameters")
        if parameters is None:
            target["Arn"] = "arn:aws:sqs:eu-west-1:123456789012:queue"
        elif "Input" in target:
            parameters.pop("LaunchType", None)
        else:
            parameters.pop("CapacityProviderStrategy", None)
    return doc


TARGETS = Strategies(
    shape=request("events", "PutTargets"),
    rules=kind("event_targets").document.rules,
    fields=TARGET_FIELDS,
    always=frozenset({f"{T}.RoleArn"}),
    least={f"{E}.NetworkConfiguration.awsvpcConfiguration.Subnets": 1},
    exclusive={T: target_parts},
    sound=sound_targets,
)

# --- schedules ---

S = "Target.EcsParameters"
ZONES = ["2099-01-01T00:00:00+00:00", "2099-01-01T01:00:00+01:00", "2099-02-01T00:00:00Z"]
SCHEDULE_FIELDS: Mapping[str, Values] = {
    "Name": st.just("nightly"),
    "GroupName": st.just("default"),
    "ScheduleExpression": st.sampled_from(["rate(5 minutes)", "cron(0 3 * * ? *)", "at(2099-01-01T00:00:00)"]),
    "ScheduleExpressionTimezone": st.sampled_from(["UTC", "Europe/Berlin"]),
    "StartDate": st.sampled_from(ZONES),
    "EndDate": st.sampled_from(["2100-01-01T00:00:00+00:00", "2100-01-01T01:00:00Z"]),
    "KmsKeyArn": st.sampled_from([f"arn:aws:kms:eu-west-1:123456789012:key/{name}" for name in "ab"]),
    "FlexibleTimeWindow.Mode": st.just("FLEXIBLE"),
    "Target.Arn": st.just(CLUSTER),
    "Target.RoleArn": st.sampled_from([f"arn:aws:iam::123456789012:role/{name}" for name in ("scheduler", "other")]),
    "Target.DeadLetterConfig.Arn": st.sampled_from([f"arn:aws:sqs:eu-west-1:123456789012:{name}" for name in "ab"]),
    "Target.Input": TARGET_FIELDS[f"{T}.Input"],
    f"{S}.TaskDefinitionArn": TARGET_FIELDS[f"{E}.TaskDefinitionArn"],
    f"{S}.PlatformVersion": TARGET_FIELDS[f"{E}.PlatformVersion"],
    f"{S}.NetworkConfiguration.awsvpcConfiguration.AssignPublicIp": st.just("DISABLED"),  # on EC2 nothing else
    f"{S}.Tags": st.lists(
        st.fixed_dictionaries({"key": st.sampled_from(["a", "b", "c"]), "value": st.sampled_from(["1", "2"])}),
        min_size=1, max_size=3, unique_by=lambda tag: tag["key"],
    ),
}  # fmt: skip


def schedule_parts(_names: Sequence[str]) -> Parts:
    return frozenset({"LaunchType"}), frozenset({"CapacityProviderStrategy"})


SCHEDULES = Strategies(
    shape=request("scheduler", "UpdateSchedule"),
    rules=kind("schedule").document.rules,
    fields=SCHEDULE_FIELDS,
    always=frozenset({"FlexibleTimeWindow.MaximumWindowInMinutes", S}),
    least={f"{S}.NetworkConfiguration.awsvpcConfiguration.Subnets": 1},
    exclusive={S: schedule_parts},
    # A target that runs an ECS task has none of these, and ecsplan makes no target of another sort.
    refused=frozenset({"ClientToken", *(f"Target.{name}" for name in OF_OTHERS)}),
)

# The other way to write a target: the request of RunTask in its Input. In documents its revision stands beside it.
UNIVERSAL_SCHEDULES = replace(
    SCHEDULES,
    fields={
        **SCHEDULE_FIELDS,
        "Target.Arn": st.just("arn:aws:scheduler:::aws-sdk:ecs:runTask"),
        "Target.Input": st.sampled_from(
            ["{}", '{"Cluster": "prod", "Count": 2}', '{"Count":2,"Cluster":"prod"}', ' {"Group":\n"a" } ']
        ),
    },
    always=frozenset({*SCHEDULES.always, "Target.Input", f"{S}.TaskDefinitionArn"}),
    refused=SCHEDULES.refused
    | {field.pattern for field in walk("scheduler", "update_schedule") if field.pattern.startswith(f"{S}.")}
    - {f"{S}.TaskDefinitionArn"},
)

REQUESTS: Mapping[str, Strategies] = {
    "task_definition": TASK_DEFINITIONS,
    "service": SERVICES,
    "event_targets": TARGETS,
    "schedule": SCHEDULES,
}


def documents(name: str, whole: bool) -> Docs:
    """What may be declared for a kind: with every field, or with some."""
    return REQUESTS[name].whole if whole else REQUESTS[name].some
