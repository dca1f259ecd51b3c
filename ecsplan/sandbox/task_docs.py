"""What a task is made of and how it is described, for one-off tasks and those of services alike."""

from __future__ import annotations

from typing import Any, Final

from .outcomes import TaskRule
from .service_defaults import platform_family
from .state import Cluster, Doc, Region, Revision, Task

#: When, of the time that a task has, it is pending and running.
PENDING_AT: Final = 0.1
RUNNING_AT: Final = 0.3
PLATFORM_VERSION: Final = "1.4.0"


def make(
    region: Region,
    cluster: Cluster,
    revision: Revision,
    doc: Doc,
    *,
    overrides: Doc,
    seconds: float,
    began: float | None = None,
) -> Task:
    """A new task; it starts within ``seconds`` from ``began`` (by default now) and never ends by itself."""
    start = region.now if began is None else began
    arn = region.arn(f"task/{cluster.name}/{region.ids.hex()}")
    task = Task(
        arn=arn,
        cluster=cluster.name,
        revision=revision,
        doc=_static(arn, cluster, revision, doc, overrides),
        created_at=start,
        pending_at=start + PENDING_AT * seconds,
        running_at=start + RUNNING_AT * seconds,
        exits={c["name"]: {} for c in revision.doc["containerDefinitions"]},
    )
    region.tasks[arn] = task
    return task


def end(region: Region, task: Task, rule: TaskRule, when: float) -> None:
    """Have ``task`` stop at ``when`` as ``rule`` says, and its log lines written by then."""
    containers = task.revision.doc["containerDefinitions"]
    task.stopping_at = task.stopped_at = when
    if rule.started:
        task.stop = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
        for container in containers:
            essential = container["essential"] or container["name"] in rule.exit_codes
            exited: Doc = {"exitCode": rule.exit_of(container["name"]) if essential else 0}
            task.exits[container["name"]] = exited | ({"reason": rule.reason} if rule.reason else {})
    else:
        text = f"pull image manifest has been retried 1 time(s): failed to resolve ref {containers[0]['image']}"
        reason = rule.reason or f"CannotPullContainerError: {text}"
        task.stop = {"stopCode": "TaskFailedToStart", "stoppedReason": reason}
        task.running_at = None
        task.exits = {c["name"]: {"reason": reason} for c in containers}
    if rule.stopped_reason:
        task.stop["stoppedReason"] = rule.stopped_reason
    if rule.log_lines:
        region.agenda.at(when, lambda at: _write_logs(region, task, rule, at))


def _write_logs(region: Region, task: Task, rule: TaskRule, at: float) -> None:
    """To the streams that awslogs names: prefix/container/task id."""
    for container in task.revision.doc["containerDefinitions"]:
        logging = container.get("logConfiguration", {})
        named = not rule.exit_codes or container["name"] in rule.exit_codes
        if logging.get("logDriver") == "awslogs" and container["essential"] and named:
            prefix, number = logging["options"].get("awslogs-stream-prefix", "ecs"), task.arn.rsplit("/", 1)[-1]
            stream = f"{prefix}/{container['name']}/{number}"
            region.write_log(region.name, logging["options"], stream, at, rule.log_lines)


def commands(revision: Revision, overrides: Doc) -> list[str]:
    """Each container's command as one string, overridden where the task overrides it."""
    over = {o.get("name"): o["command"] for o in overrides.get("containerOverrides", []) if "command" in o}
    containers = revision.doc["containerDefinitions"]
    return [" ".join(over.get(c["name"], c.get("command", []))) for c in containers]


def _static(arn: str, cluster: Cluster, revision: Revision, doc: Doc, overrides: Doc) -> Doc:
    """The members that do not change while the task lives."""
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
    doc["containers"] = [_container(task, c, status) for c in _containers(task.revision)]
    if now >= task.pending_at:
        doc |= {"pullStartedAt": task.pending_at, "connectivity": "CONNECTED", "connectivityAt": task.pending_at}
    if task.running_at is not None and now >= task.running_at:
        doc |= {"pullStoppedAt": task.running_at, "startedAt": task.running_at}
    if task.stopping_at is not None and now >= task.stopping_at:
        doc |= task.stop | {"stoppingAt": task.stopping_at}
    if status == "STOPPED":
        doc |= {"stoppedAt": task.stopped_at, "executionStoppedAt": task.stopped_at}
    return doc


def _container(task: Task, definition: Doc, status: str) -> Doc:
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
        doc |= task.exits[definition["name"]]
    return doc
