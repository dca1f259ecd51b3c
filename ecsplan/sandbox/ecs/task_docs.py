"""Making, ending and describing tasks, both one-off tasks and those of services."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from . import outcomes
from .outcomes import End, TaskRule
from .service_inputs import platform_family
from .state import Cluster, Doc, Region, Revision, Task

#: The shares of a task's time after which it is pending and running.
PENDING_AT: Final = 0.1
RUNNING_AT: Final = 0.3
#: The share of its time, at the end, in which a task that ends by itself is DEPROVISIONING.
DEPROVISIONING: Final = 0.05
PLATFORM_VERSION: Final = "1.4.0"
#: For tasks that fail the health checks of a load balancer although their service has none.
NO_TARGET_GROUP: Final = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sandbox/0000000000000000"


def make(
    region: Region,
    cluster: Cluster,
    revision: Revision,
    doc: Doc,
    *,
    overrides: Doc,
    seconds: float,
    running_at: float | None = None,
) -> Task:
    """A new task. It starts within ``seconds`` from now, or at ``running_at``, and does not end by itself."""
    arn = region.arn(f"task/{cluster.name}/{region.ids.hex()}")
    task = Task(
        arn=arn,
        cluster=cluster.name,
        revision=revision,
        doc=_static(arn, cluster, revision, doc, overrides),
        created_at=region.now,
        pending_at=region.now + PENDING_AT * seconds,
        running_at=region.now + RUNNING_AT * seconds if running_at is None else running_at,
        exits={c["name"]: {} for c in revision.doc["containerDefinitions"]},
    )
    region.tasks[arn] = task
    for container in _containers(revision):
        logging, name = container.get("logConfiguration", {}), container["name"]
        options = logging.get("options", {})
        if logging.get("logDriver") == "awslogs" and "awslogs-group" in options and task.running_at is not None:
            task.streams[name] = region.logs.open(region.name, options, name, task.id, task.running_at)
    return task


def stay(region: Region, task: Task, rule: TaskRule) -> None:
    """Let ``task`` stay in the status of ``rule.stays`` until it is stopped."""
    if rule.stays == "RUNNING":
        _write(task, rule, region.now + region.outcomes.task_seconds)
        return
    task.running_at = None
    if rule.stays == "PROVISIONING":
        task.pending_at = math.inf
    for stream in task.streams.values():
        stream.discard()


def end(task: Task, rule: TaskRule, when: float, balancers: Sequence[Doc] = ()) -> End:
    """Let ``task`` stop at ``when`` as ``rule`` orders, with its log lines written by then. Returns its end.

    ``balancers`` are the loadBalancers of its service.
    """
    last = _end(task, rule, balancers)
    exited = when - DEPROVISIONING * (when - task.created_at)
    task.stopping_at = task.deprovisioning_at = exited
    task.stopped_at, task.health = when, last.health
    task.stop = {"stopCode": last.stop_code, "stoppedReason": rule.stopped_reason or last.stopped_reason}
    if last.stop_code == outcomes.NOT_STARTED:
        task.running_at = None
        reason = rule.reason or last.container_reason
        task.exits = {name: {"reason": reason} if reason else {} for name in task.exits}
        if rule.reason and not rule.stopped_reason:
            task.stop["stoppedReason"] = rule.reason
        for stream in task.streams.values():
            stream.discard()
        return last
    failing = failing_container(task.revision, rule)
    for container in _containers(task.revision):
        name = container["name"]
        essential = container["essential"] or name in rule.exit_codes
        code, reason = rule.exit_of(name) if essential else 0, rule.reason
        if rule.failure and name == failing and not code:
            code = last.exit_code or 0
        if name == failing:
            reason = reason or last.container_reason
        task.exits[name] = {"exitCode": code} | ({"reason": reason} if reason else {})
    _write(task, rule, exited)
    return last


def _end(task: Task, rule: TaskRule, balancers: Sequence[Doc]) -> End:
    first = next((b for b in balancers if "targetGroupArn" in b), {})
    images = {c["name"]: c["image"] for c in _containers(task.revision)}
    kind = rule.failure or (None if rule.started else outcomes.IMAGE_PULL)
    if kind is None:
        return End(stop_code=outcomes.EXITED, stopped_reason="Essential container in task exited")
    return outcomes.failed_end(
        kind,
        task=task.id,
        image=images[failing_container(task.revision, rule)],
        port=first.get("containerPort", 80),
        target_group=first.get("targetGroupArn", NO_TARGET_GROUP),
    )


def failing_container(revision: Revision, rule: TaskRule) -> str:
    """The container that an ordered failure is about: the first in exit_codes, else the first essential one."""
    named = [name for name, code in rule.exit_codes.items() if code]
    essential = [c["name"] for c in _containers(revision) if c["essential"]]
    return str((named or essential)[0])


def _write(task: Task, rule: TaskRule, until: float) -> None:
    """Write the rule's lines to the streams of the essential containers, or of those in exit_codes."""
    for container in _containers(task.revision):
        name = container["name"]
        if name in task.streams and (name in rule.exit_codes or (container["essential"] and not rule.exit_codes)):
            task.streams[name].write(rule.lines, until, rule.log_delay)


def halt(task: Task, at: float, stopped_at: float, stop: Doc, exit_code: int) -> None:
    """Stop ``task`` at ``at``, before it ends by itself. Containers that had not started have no exit code."""
    task.stopping_at, task.deprovisioning_at, task.stopped_at = at, None, stopped_at
    task.stop, task.health = stop, "UNKNOWN"
    started = task.has_started(at)
    task.exits = {name: {"exitCode": exit_code} if started else {} for name in task.exits}
    if not started:
        task.running_at = None
    for stream in task.streams.values():
        stream.cut(at)


def commands(revision: Revision, overrides: Doc) -> list[str]:
    """Each container's command as one string, with the task's overrides."""
    over = {o.get("name"): o["command"] for o in overrides.get("containerOverrides", []) if "command" in o}
    containers = revision.doc["containerDefinitions"]
    return [" ".join(over.get(c["name"], c.get("command", []))) for c in containers]


def _static(arn: str, cluster: Cluster, revision: Revision, doc: Doc, overrides: Doc) -> Doc:
    """The members that never change."""
    given = {o["name"]: o for o in overrides.get("containerOverrides", [])}
    listed = [given.get(c["name"], {"name": c["name"]}) for c in revision.doc["containerDefinitions"]]
    answer: Doc = {
        "taskArn": arn,
        "clusterArn": cluster.arn,
        "taskDefinitionArn": revision.arn,
        "attachments": [],
        "attributes": [],
        "healthStatus": "UNKNOWN",
        "inferenceAccelerators": [],
        "overrides": overrides | {"containerOverrides": listed, "inferenceAcceleratorOverrides": []},
        "cpu": overrides.get("cpu") or _sized(revision, "cpu"),
        "memory": overrides.get("memory") or _sized(revision, "memory"),
        "tags": [],
        "version": 1,
    } | doc
    if answer.get("launchType") == "FARGATE":
        version = doc.get("platformVersion", "LATEST")
        answer["platformVersion"] = PLATFORM_VERSION if version == "LATEST" else version
        answer["platformFamily"] = platform_family(revision)
        answer["ephemeralStorage"] = (
            overrides.get("ephemeralStorage") or revision.doc.get("ephemeralStorage") or {"sizeInGiB": 20}
        )
    else:
        answer.pop("platformVersion", None)
        answer["containerInstanceArn"] = cluster.arn.replace(":cluster/", ":container-instance/") + f"/{'0' * 31}1"
    return answer


def _sized(revision: Revision, name: str) -> str:
    if revision.doc.get(name):
        return str(revision.doc[name])
    return str(sum(c.get(name) or c.get("memoryReservation", 0) * (name == "memory") for c in _containers(revision)))


def _containers(revision: Revision) -> list[Doc]:
    return list(revision.doc["containerDefinitions"])


def describe(task: Task, now: float) -> Doc:
    """The task as DescribeTasks answers it at ``now``."""
    status = task.status(now)
    doc = task.doc | {"lastStatus": status, "desiredStatus": task.wanted(now), "createdAt": task.created_at}
    doc["containers"] = [_container(task, c, now) for c in _containers(task.revision)]
    if now >= task.pending_at:
        doc |= {"pullStartedAt": task.pending_at, "connectivity": "CONNECTED", "connectivityAt": task.pending_at}
    if task.has_started(now):
        doc |= {"pullStoppedAt": task.running_at, "startedAt": task.running_at}
    if task.stopping_at is not None and now >= task.stopping_at:
        doc |= task.stop | {"stoppingAt": task.stopping_at}
    if task.has_exited(now):
        doc["executionStoppedAt"] = task.stopped_at if task.deprovisioning_at is None else task.deprovisioning_at
        doc["healthStatus"] = task.health
    if status == "STOPPED":
        doc["stoppedAt"] = task.stopped_at
    return doc


def _container(task: Task, definition: Doc, now: float) -> Doc:
    status = "STOPPED" if task.has_exited(now) else task.status(now)
    doc: dict[str, Any] = {
        "containerArn": task.arn.replace(":task/", ":container/") + f"/{definition['name']}",
        "taskArn": task.arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": {"PROVISIONING": "PENDING", "STOPPING": "RUNNING"}.get(status, status),
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition["cpu"]),
    }
    doc |= {name: str(definition[name]) for name in ("memory", "memoryReservation") if name in definition}
    if status == "STOPPED":
        doc["healthStatus"] = task.health
        doc |= task.exits[definition["name"]]
    return doc
