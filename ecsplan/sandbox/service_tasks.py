"""The tasks of services: started, stopped, and failing again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from . import failures, outcomes, service_events, task_definitions, task_docs
from .agenda import Series, TaskFails
from .circuit_breaker import threshold
from .outcomes import TaskRule
from .state import Deployment, Doc, Region, Service, Task

_MOST_SECONDS_BETWEEN_FAILURES: Final = 900.0


def launch(region: Region, service: Service, deployment: Deployment, at: float, seconds: float) -> None:
    """Start what is missing of the desired count; it runs after half of ``seconds``."""
    deployment.launched = True
    missing = deployment.desired - len(deployment.alive(at))
    tasks = [_make(region, service, deployment, seconds, at + seconds / 2) for _ in range(missing)]
    service_events.started(region, service, tasks, at)
    service_events.registered(region, service, "registered", len(tasks), at)


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
        "stopCode": failures.BY_SCHEDULER,
        "stoppedReason": f"Scaling activity initiated by (deployment {by.id})",
    }
    for task in tasks:
        task_docs.halt(task, at, at, why, 0)
    service_events.stopped(region, service, tasks, at)
    service_events.registered(region, service, "deregistered", len(tasks), at)


def fail(region: Region, service: Service, deployment: Deployment, series: Series, at: float) -> None:
    """Start a task that fails; how, an order for tasks may say. Nothing happens if the rollout has ended."""
    if not deployment.rolling:
        return
    deployment.rollout.go_on(at)
    until = series.until(at)
    text = _place(region, service, deployment, at, until)
    region.agenda.at(until, TaskFails(target=service.target(deployment), text=text, series=series))


def failed(region: Region, service: Service, deployment: Deployment, text: str, at: float) -> None:
    """One of its tasks has failed."""
    deployment.failed_tasks += 1
    deployment.rollout.failures += 1
    deployment.updated_at = deployment.rollout.updated_at = at
    if text:
        service_events.add(region, service, text, at)


def later(region: Region, service: Service, deployment: Deployment, series: Series, at: float) -> None:
    """The next task of those that fail for ever: later and later, as ECS throttles them."""
    if deployment.failed_tasks % threshold(deployment.rollout.configuration, service.desired) == 0:
        service_events.add(region, service, "is unable to consistently start tasks successfully.", at)
    seconds = min(series.seconds * 2, _MOST_SECONDS_BETWEEN_FAILURES)
    fail(region, service, deployment, replace(series, seconds=seconds, number=series.number + 1), at)


def _place(region: Region, service: Service, deployment: Deployment, at: float, until: float) -> str:
    """Start the task that fails, unless it finds no place; what the service's events will say of its end."""
    if deployment.unplaced is not None:
        return f"was unable to place a task because {deployment.unplaced}"
    seconds = until - at
    task = _make(region, service, deployment, seconds, at + seconds * task_docs.RUNNING_AT)
    service_events.started(region, service, [task], at)
    revision = task.revision
    rule = region.outcomes.ordered_task(revision.family, revision.images, task_docs.commands(revision, {}))
    last = task_docs.end(task, rule if rule and rule.fails else _exits(rule), until, service.doc["loadBalancers"])
    return last.event


def _exits(rule: TaskRule | None) -> TaskRule:
    """Exit code 1, with the log lines of a rule that says nothing of failing."""
    if rule is None:
        return TaskRule(exit_code=1)
    return TaskRule(
        exit_code=1, log_lines=rule.log_lines, log_line_count=rule.log_line_count, log_delay=rule.log_delay
    )  # fmt: skip


def recovered(deployment: Deployment) -> None:
    """Its tasks are healthy: what failed before is forgotten, as far as the circuit breaker is set so."""
    deployment.failed_tasks = 0
    breaker = deployment.rollout.configuration["deploymentCircuitBreaker"]
    if breaker.get("resetOnHealthyTask", True) and deployment.ends == outcomes.COMPLETED:
        deployment.rollout.failures = 0
