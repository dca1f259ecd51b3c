"""The operations on tasks: running, stopping, listing, describing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import page

from . import definition_inputs, outcomes, rollouts, service_inputs, task_definitions, task_docs
from .state import Cluster, Doc, Region, Revision, Task

KEPT_SECONDS: Final = 3600.0
STOPPING_SECONDS: Final = 0.1
_NEVER_REPLAYED: Final = "Unable to reuse clientToken: the parameters differ from those that it was first used with."


def run(region: Region, params: Doc, unplaced: Doc | None = None, unplaced_count: int = 1) -> Doc:
    """Start ``count`` tasks. ``unplaced_count`` of them are not placed if there is ``unplaced``, an ordered failure."""
    cluster = region.cluster(params)
    token = (cluster.name, params.get("clientToken", ""))
    if token[1] and token in region.run_tokens:
        return _replay(region, params, *region.run_tokens[token])
    revision = task_definitions.usable(region, params["taskDefinition"], common.invalid)
    _check(region, params, cluster, revision)
    count = params.get("count", 1)
    refused = [{"arn": cluster.arn} | unplaced] * min(count, unplaced_count) if unplaced else []
    tasks = [_start(region, params, cluster, revision) for _ in range(count - len(refused))]
    if token[1] and tasks:  # without a task there is nothing to replay
        region.run_tokens[token] = (params, [task.arn for task in tasks])
    return {"tasks": [task_docs.describe(task, region.now) for task in tasks], "failures": refused}


def _replay(region: Region, params: Doc, first: Doc, arns: list[str]) -> Doc:
    if params != first:
        raise common.AwsError("ConflictException", _NEVER_REPLAYED)
    return {"tasks": [task_docs.describe(region.tasks[arn], region.now) for arn in arns], "failures": []}


def _check(region: Region, params: Doc, cluster: Cluster, revision: Revision) -> None:
    if not 1 <= params.get("count", 1) <= 10:
        raise common.invalid("Count must be between 1 and 10.")
    for member, limit in (("startedBy", 128), ("clientToken", 64)):
        if len(params.get(member, "")) > limit:
            raise common.invalid(f"{member} must be at most {limit} characters long.")
    overrides = params.get("overrides", {})
    if len(json.dumps(overrides)) > 8192:
        raise common.invalid("The overrides must be at most 8192 characters long.")
    containers = {c["name"] for c in revision.doc["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        if override.get("name") not in containers:
            name = override.get("name")
            raise common.invalid(f"Override for container named {name} is not a container in the TaskDefinition.")
    if params.get("propagateTags", "TASK_DEFINITION") != "TASK_DEFINITION":
        raise common.invalid("Tags can only be propagated to a task from its task definition.")
    service_inputs.check_capacity(params)
    service_inputs.check_network(revision, params.get("networkConfiguration"))
    launch_type = _launch_type(params, cluster)
    if launch_type is not None:
        service_inputs.check_launch_type(revision, launch_type)
    if launch_type == "EC2" and not region.outcomes.container_instances:
        raise common.invalid("No Container Instances were found in your cluster.")


def _launch_type(params: Doc, cluster: Cluster) -> str | None:
    if params.get("launchType"):
        return str(params["launchType"])
    return None if params.get("capacityProviderStrategy") or cluster.default_strategy else "EC2"


def _start(region: Region, params: Doc, cluster: Cluster, revision: Revision) -> Task:
    """A task with its whole future: the rules decide now how it ends."""
    strategy = params.get("capacityProviderStrategy") or cluster.default_strategy
    capacity = {"launchType": _launch_type(params, cluster) or "FARGATE"}
    if strategy and not params.get("launchType"):
        capacity["capacityProviderName"] = strategy[0]["capacityProvider"]
        capacity["launchType"] = "FARGATE" if strategy[0]["capacityProvider"].startswith("FARGATE") else "EC2"
    doc = {
        "group": params.get("group", f"family:{revision.family}"),
        "enableExecuteCommand": params.get("enableExecuteCommand", False),
        "platformVersion": params.get("platformVersion", "LATEST"),
    }
    doc |= capacity | ({"startedBy": params["startedBy"]} if "startedBy" in params else {})
    overrides = params.get("overrides", {})
    rule = region.outcomes.task(revision.family, revision.images, task_docs.commands(revision, overrides))
    seconds = region.outcomes.task_seconds if rule.seconds is None else rule.seconds
    task = task_docs.make(region, cluster, revision, doc, overrides=overrides, seconds=seconds)
    labels = definition_inputs.new_tags(params.get("tags"))
    task.tags = (revision.tags if params.get("propagateTags") else []) + labels
    if rule.stays:
        task_docs.stay(region, task, rule)
    else:
        task_docs.end(task, rule, region.now + seconds)
    return task


def stop(region: Region, params: Doc) -> Doc:
    """SIGTERM, then SIGKILL. If the task belongs to a service, the service starts another one."""
    task = _find(region, region.cluster(params), params["task"])
    if task is None:
        raise common.invalid("The referenced task was not found.")
    if task.wanted(region.now) == "RUNNING":
        why = {"stopCode": "UserInitiated", "stoppedReason": params.get("reason", "Task stopped by user")}
        task_docs.halt(task, region.now, region.now + STOPPING_SECONDS, why, outcomes.KILLED)
        service = region.services.get((task.cluster, task.service or ""))
        if service is not None:
            rollouts.scale(region, service, region.now)
    return {"task": task_docs.describe(task, region.now)}


def describe(region: Region, params: Doc) -> Doc:
    cluster = region.cluster(params)
    if len(params["tasks"]) > 100:
        raise common.invalid("Task identifiers can have at most 100 items.")
    if not params["tasks"]:
        raise common.invalid("Tasks cannot be empty.")
    tasks, missing = [], []
    for reference in params["tasks"]:
        task = _find(region, cluster, reference)
        if task is None:
            missing.append({"arn": region.arn(f"task/{cluster.name}/{common.short(reference)}"), "reason": "MISSING"})
            continue
        doc = task_docs.describe(task, region.now)
        tasks.append(doc | {"tags": task.tags} if "TAGS" in params.get("include", []) else doc)
    return {"tasks": tasks, "failures": missing}


def list_tasks(region: Region, params: Doc) -> Doc:
    cluster = region.cluster(params)
    wanted = params.get("desiredStatus", "RUNNING")
    if "startedBy" in params and ("family" in params or "serviceName" in params):
        raise common.invalid("startedBy must be the only filter that you use.")
    if "serviceName" in params and region.service(cluster, params["serviceName"]) is None:
        raise common.service_not_found()
    found = [
        task.arn
        for task in region.tasks.values()
        if task.cluster == cluster.name
        and task.wanted(region.now) == wanted
        and not _forgotten(task, region.now)
        and _filtered(task, params)
    ]
    arns, following = page(found, params.get("maxResults"), params.get("nextToken"), default=100, limit=100)
    return {"taskArns": arns} | ({"nextToken": following} if following else {})


def _filtered(task: Task, params: Doc) -> bool:
    service = params.get("serviceName")
    return (
        params.get("family") in (None, task.revision.family)
        and (service is None or task.service == common.short(service))
        and params.get("startedBy") in (None, task.doc.get("startedBy"))
        and params.get("launchType") in (None, task.doc.get("launchType"))
    )


def _find(region: Region, cluster: Cluster, reference: str) -> Task | None:
    arn = reference if reference.startswith("arn:") else region.arn(f"task/{cluster.name}/{reference}")
    task = region.tasks.get(arn)
    return None if task is None or task.cluster != cluster.name or _forgotten(task, region.now) else task


def _forgotten(task: Task, now: float) -> bool:
    """Is it no longer described? ECS shows stopped tasks for an hour."""
    return task.stopped_at is not None and task.stopped_at < now - KEPT_SECONDS


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "RunTask": run,
    "StopTask": stop,
    "DescribeTasks": describe,
    "ListTasks": list_tasks,
})  # fmt: skip
