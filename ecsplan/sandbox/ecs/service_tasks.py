"""Starting, stopping and failing the tasks of services, and the service's events about that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from . import outcomes, task_definitions, task_docs
from .outcomes import TaskRule
from .service_inputs import threshold
from .state import Deployment, Doc, Region, Series, Service, Task, TaskFails

KEPT_EVENTS: Final = 100
_MOST_SECONDS_BETWEEN_FAILURES: Final = 900.0


def launch(region: Region, service: Service, deployment: Deployment, at: float, seconds: float) -> None:
    """Start the tasks that are missing. They run after half of ``seconds``."""
    deployment.launched = True
    missing = deployment.desired - len(deployment.alive(at))
    tasks = [_make(region, service, deployment, seconds, at + seconds / 2) for _ in range(missing)]
    _started(region, service, tasks, at)
    _registered(region, service, "registered", len(tasks), at)


def _make(region: Region, service: Service, deployment: Deployment, seconds: float, running_at: float) -> Task:
    revision = task_definitions.find(region, deployment.revision.task_definition)
    doc: Doc = {"group": f"service:{service.name}", "startedBy": deployment.id, "enableExecuteCommand": False}
    settings = deployment.revision.settings
    doc["launchType"] = settings.get("launchType", "FARGATE")
    if settings.get("capacityProviderStrategy"):
        doc["capacityProviderName"] = settings["capacityProviderStrategy"][0]["capacityProvider"]
    if "platformVersion" in settings:
        doc["platformVersion"] = settings["platformVersion"]
    cluster = region.clusters[service.cluster]
    task = task_docs.make(region, cluster, revision, doc, overrides={}, seconds=seconds, running_at=running_at)
    task.service = service.name
    deployment.tasks.append(task)
    return task


def drain(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Stop the tasks of all deployments but this one."""
    for old in service.deployments:
        if old is not deployment:
            old.desired = 0
            stop(region, service, old.alive(at), deployment, at)


def stop(region: Region, service: Service, tasks: list[Task], by: Deployment, at: float) -> None:
    why = {
        "stopCode": outcomes.BY_SCHEDULER,
        "stoppedReason": f"Scaling activity initiated by (deployment {by.id})",
    }
    for task in tasks:
        task_docs.halt(task, at, at, why, 0)
    _stopped(region, service, tasks, at)
    _registered(region, service, "deregistered", len(tasks), at)


def fail(region: Region, service: Service, deployment: Deployment, series: Series, at: float) -> None:
    """Start a task that fails, in the way that a rule for tasks orders. No effect if the rollout has ended."""
    if not deployment.rolling:
        return
    deployment.rollout.start(at)
    until = series.until(at)
    text = _place(region, service, deployment, at, until)
    region.agenda.at(until, TaskFails(target=service.target(deployment), text=text, series=series))


def failed(region: Region, service: Service, deployment: Deployment, text: str, at: float) -> None:
    """Count a failed task, and report it in an event."""
    deployment.failed_tasks += 1
    deployment.rollout.failures += 1
    deployment.updated_at = deployment.rollout.updated_at = at
    if text:
        add_event(region, service, text, at)


def later(region: Region, service: Service, deployment: Deployment, series: Series, at: float) -> None:
    """Start the next of endless failing tasks, at growing intervals, as ECS throttles them."""
    if deployment.failed_tasks % threshold(deployment.rollout.configuration, service.desired) == 0:
        add_event(region, service, "is unable to consistently start tasks successfully.", at)
    seconds = min(series.seconds * 2, _MOST_SECONDS_BETWEEN_FAILURES)
    fail(region, service, deployment, replace(series, seconds=seconds, number=series.number + 1), at)


def _place(region: Region, service: Service, deployment: Deployment, at: float, until: float) -> str:
    """Start a failing task, unless it is not placed. Returns the text of the event for its end, "" for none."""
    if deployment.unplaced is not None:
        return f"was unable to place a task because {deployment.unplaced}"
    seconds = until - at
    task = _make(region, service, deployment, seconds, at + seconds * task_docs.RUNNING_AT)
    _started(region, service, [task], at)
    revision = task.revision
    rule = region.outcomes.ordered_task(revision.family, revision.images, task_docs.commands(revision, {}))
    last = task_docs.end(task, rule if rule and rule.fails else _exits(rule), until, service.doc["loadBalancers"])
    return last.event


def _exits(rule: TaskRule | None) -> TaskRule:
    """Exit code 1, with the log lines of a rule that orders no failure."""
    if rule is None:
        return TaskRule(exit_code=1)
    return TaskRule(
        exit_code=1, log_lines=rule.log_lines, log_line_count=rule.log_line_count, log_delay=rule.log_delay
    )  # fmt: skip


def recovered(deployment: Deployment) -> None:
    """Its tasks are healthy: reset the failure counts, if the circuit breaker is configured so."""
    deployment.failed_tasks = 0
    breaker = deployment.rollout.configuration["deploymentCircuitBreaker"]
    if breaker.get("resetOnHealthyTask", True) and deployment.ends == outcomes.COMPLETED:
        deployment.rollout.failures = 0


# -- events, in ECS's words -------------------------------------------------------------------------------------------


def add_event(region: Region, service: Service, text: str, at: float) -> None:
    """Add ``(service NAME) TEXT``. Events are newest first, and ECS keeps the last hundred."""
    event = {"id": region.ids.uuid(), "createdAt": at, "message": f"(service {service.name}) {text}"}
    service.events.insert(0, event)
    del service.events[KEPT_EVENTS:]


def _started(region: Region, service: Service, tasks: Sequence[Task], at: float) -> None:
    if tasks:
        add_event(region, service, f"has started {len(tasks)} tasks: {_listed(tasks)}.", at)


def _stopped(region: Region, service: Service, tasks: Sequence[Task], at: float) -> None:
    if tasks:
        add_event(region, service, f"has stopped {len(tasks)} running tasks: {_listed(tasks)}.", at)


def _registered(region: Region, service: Service, verb: str, count: int, at: float) -> None:
    """An event for each of the service's target groups; ``verb`` is registered or deregistered."""
    for balancer in service.doc["loadBalancers"] if count else ():
        if "targetGroupArn" in balancer:
            add_event(region, service, f"{verb} {count} targets in (target-group {balancer['targetGroupArn']})", at)


def _listed(tasks: Sequence[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
