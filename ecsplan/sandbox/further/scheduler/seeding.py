"""The schedules that a spec's task names, before its first deployment.

A schedule has all that a deployment could lose: a description, a key, a date of its end, a dead-letter queue, an input.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ecsplan.sandbox import common
from ecsplan.sandbox.further import Seeding, ecs_parameters

from .operations import DEFAULT, Scheduler
from .refusals import is_cluster, is_universal

Doc = dict[str, Any]
_INPUT: Final = '{"seeded": "kept"}'
_END: Final = common.epoch("2100-01-01T00:00:00Z")


def declared_schedules(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(task.get("scheduler__update_schedules", ()))


def seed(
    scheduler: Scheduler, seeding: Seeding, task: Mapping[str, Any], placeholder: str
) -> Mapping[str, Iterable[str]]:
    """Create each schedule, and its group, unless it is there. Raises AwsError for what AWS refuses."""
    names = set()
    for declared in declared_schedules(task):
        group, name = declared.get("GroupName", DEFAULT), declared["Name"]
        if not scheduler.has(group, name):
            scheduler.add(_schedule(scheduler.region, seeding, declared, task["task_definition"], placeholder))
        names.add(f"{group}/{name}")
    return {"schedules": names}


def _schedule(
    region: str, seeding: Seeding, declared: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str
) -> Doc:
    """A whole schedule, overlaid with the declared members."""
    whole: Doc = {
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "Description": "Seeded: what a deployment does not declare is kept.",
        "KmsKeyArn": common.arn("kms", region, "key/seeded"),
        "EndDate": _END,
        "FlexibleTimeWindow": _window(declared.get("FlexibleTimeWindow", {})),
    }
    target = _target(region, seeding, declared.get("Target", {}), definition, placeholder)
    return _laid(whole, {name: _as_date(name, value) for name, value in declared.items()}) | {"Target": target}


def _window(declared: Mapping[str, Any]) -> Doc:
    flexible = declared.get("Mode", "FLEXIBLE" if "MaximumWindowInMinutes" in declared else "OFF") == "FLEXIBLE"
    return {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15} if flexible else {"Mode": "OFF"}


def _as_date(name: str, value: Any) -> Any:
    return common.epoch(value) if name in ("StartDate", "EndDate") and isinstance(value, str) else value


def _target(
    region: str, seeding: Seeding, declared: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str
) -> Doc:
    arn = declared.get("Arn")
    target: Doc = {
        "Arn": arn,
        "RoleArn": f"arn:{common.partition(region)}:iam::{common.ACCOUNT}:role/scheduler",
        "DeadLetterConfig": {"Arn": common.arn("sqs", region, "seeded")},
        "Input": _INPUT,
    }
    over = dict(declared)
    if arn is None or is_cluster(arn):
        target["Arn"] = seeding.cluster_arn(arn)
        target["EcsParameters"] = _parameters(over.pop("EcsParameters", {}), definition, placeholder)
    elif is_universal(arn) and arn.endswith(":ecs:runTask"):
        target["Input"] = _run_task(seeding, over.pop("Input", None), placeholder)
    return _laid(target, over)


def _parameters(declared: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str) -> Doc:
    """Those that run the placeholder, overlaid with the declared members, as far as these go together."""
    parameters = ecs_parameters(definition, placeholder)
    network = declared.get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
    if "CapacityProviderStrategy" in declared:
        parameters.pop("LaunchType", None)
    elif network.get("AssignPublicIp") == "ENABLED":
        parameters["LaunchType"] = "FARGATE"
    return _laid(parameters, declared) | {"TaskDefinitionArn": placeholder}


def _run_task(seeding: Seeding, declared: Any, placeholder: str) -> str:
    """The Input of a universal target: a RunTask request in PascalCase, with the declared members if they are known."""
    try:
        given = json.loads(declared) if isinstance(declared, str) else None
    except (ValueError, RecursionError):
        given = None
    request = dict(given) if isinstance(given, Mapping) else {}
    cluster = request.get("Cluster")
    return json.dumps({"Cluster": seeding.cluster_arn(cluster), **request, "TaskDefinition": placeholder})


def _laid(live: Mapping[str, Any], declared: Mapping[str, Any]) -> Doc:
    """``live``, overlaid with what is declared, member by member."""
    both = (name for name in declared if isinstance(declared[name], Mapping) and isinstance(live.get(name), Mapping))
    return {**live, **declared, **{name: _laid(live[name], declared[name]) for name in both}}
