"""What ECS does after UpdateService: deployments that roll out, fail, are rolled back or superseded.

How a rollout ends is decided when it begins, by the rules given to the sandbox; from then on it is a list of entries in
the region's agenda. Of ``seconds``, the time until it is decided:

- COMPLETED: tasks are started after a fifth, running after three fifths, the old ones stopped after four fifths;
- FAILED and ROLLED_BACK: as many tasks fail one after the other as the circuit breaker tolerates, the last at the end;
  a rollback then takes ``rollout_seconds`` itself;
- NEVER: a task fails after each third of it, then more and more rarely, as ECS throttles them.
"""

from __future__ import annotations

from typing import Final

from . import hooks, outcomes, task_definitions, task_docs
from .outcomes import RolloutRule, TaskRule
from .service_defaults import REMEMBERED
from .state import Deployment, Doc, Region, Rollout, Service, ServiceRevision, Task

LAUNCH_AT: Final = 0.2
DRAIN_AT: Final = 0.8
FAILED_TO_START: Final = "tasks failed to start."
_MOST_SECONDS_BETWEEN_FAILURES: Final = 900.0


def begin(region: Region, service: Service, at: float) -> Deployment:
    """A new PRIMARY deployment of the service as it is now set; whatever was PRIMARY is draining from here on."""
    before = [deployment.revision for deployment in service.deployments]
    supersede(service, at)
    target = _revision(region, service, at)
    path = f"{service.cluster}/{service.name}"
    rollout = Rollout(
        arn=region.arn(f"service-deployment/{path}/{region.ids.hex()[:22]}"),
        status="PENDING",
        created_at=at,
        updated_at=at,
        target=target,
        sources=before,
        configuration=service.doc["deploymentConfiguration"],
    )
    service.rollouts.append(rollout)
    images = task_definitions.find(region, service.task_definition).images
    rule = region.outcomes.rollout(service.name, images)
    deployment = _deployment(region, service, rollout, target, at)
    deployment.ends = _ends(rule, service)
    deployment.seconds = region.outcomes.rollout_seconds if rule.seconds is None else rule.seconds
    deployment.failure_reason = rule.reason
    _plan(region, service, deployment, at)
    return deployment


def _ends(rule: RolloutRule, service: Service) -> str:
    """What a rehearsal tag comes to depends on the circuit breaker; without tasks nothing can fail."""
    if rule.ends is not None:
        return rule.ends
    breaker = service.doc["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if not service.desired:
        return outcomes.COMPLETED
    if not breaker["enable"]:
        return outcomes.NEVER
    return outcomes.ROLLED_BACK if breaker["rollback"] else outcomes.FAILED


def settled(region: Region, service: Service, at: float) -> None:
    """As ``begin``, but already over and running: for services that were there before."""
    deployment = begin(region, service, at)
    deployment.ends = "SETTLED"  # so that what was planned does not happen
    _launch(region, service, deployment, at, 0.0)
    _complete(region, service, deployment, at)


def scale(region: Region, service: Service, at: float) -> None:
    """Bring the number of running tasks of a completed deployment to what is desired."""
    deployment = service.primary
    if deployment is None:
        return
    deployment.desired, deployment.updated_at = service.desired, at
    if not deployment.launched:
        return
    alive = deployment.alive(at)
    if len(alive) < service.desired:
        _launch(region, service, deployment, at, region.outcomes.rollout_seconds)
    elif len(alive) > service.desired:
        _stop(region, service, alive[service.desired :], deployment, at)


def roll_back(region: Region, service: Service, deployment: Deployment, reason: str, at: float) -> bool:
    """Go back to the last completed revision, if there is one: a new PRIMARY of the same service deployment."""
    rollout = deployment.rollout
    if service.stable is None:
        rollout.status, rollout.reason, rollout.finished_at = "ROLLBACK_FAILED", reason, at
        return False
    rollout.status, rollout.reason, rollout.updated_at = "ROLLBACK_IN_PROGRESS", reason, at
    rollout.rollback = {"reason": reason, "startedAt": at, "serviceRevisionArn": service.stable.arn}
    service.task_definition = service.stable.task_definition
    service.doc = {k: v for k, v in service.doc.items() if k not in REMEMBERED} | service.stable.settings
    deployment.status = "ACTIVE"
    back = _deployment(region, service, rollout, service.stable, at)
    back.seconds = region.outcomes.rollout_seconds
    back.state_reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
    _event(region, service, f"rolling back to deployment {back.id}.", at)
    _plan(region, service, back, at)
    return True


def supersede(service: Service, at: float) -> None:
    """Whatever is rolling out will not end: what is on the agenda for it comes to nothing."""
    for deployment in service.deployments:
        deployment.status = "ACTIVE"
        if deployment.rollout.status in ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
            deployment.rollout.status = "STOPPED"
            deployment.rollout.reason = "Service deployment was superseded by a newer one."
            deployment.rollout.stopped_at = deployment.rollout.finished_at = deployment.rollout.updated_at = at


def _revision(region: Region, service: Service, at: float) -> ServiceRevision:
    arn = region.arn(f"service-revision/{service.cluster}/{service.name}/{region.ids.digits()}")
    settings: Doc = {name: service.doc[name] for name in REMEMBERED if name in service.doc}
    return ServiceRevision(arn, service.task_definition, settings, at)


def _deployment(region: Region, service: Service, rollout: Rollout, target: ServiceRevision, at: float) -> Deployment:
    deployment = Deployment(
        id=f"ecs-svc/{region.ids.digits()}",
        revision=target,
        rollout=rollout,
        desired=service.desired,
        created_at=at,
        updated_at=at,
        ends=outcomes.COMPLETED,
        seconds=0.0,
    )
    deployment.state_reason = f"ECS deployment {deployment.id} in progress."
    service.deployments.insert(0, deployment)
    return deployment


def _plan(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    seconds = deployment.seconds
    if deployment.ends == outcomes.COMPLETED:
        deployment.rollout.roll_back = lambda reason, when: roll_back(region, service, deployment, reason, when)
        region.agenda.at(at + LAUNCH_AT * seconds, lambda when: _before_start(region, service, deployment, at, when))
    elif deployment.ends == outcomes.NEVER:
        _fail_on(region, service, deployment, at, max(seconds / 3, 0.1))
    else:
        tolerated = threshold(service)
        for number in range(1, tolerated + 1):
            when = at + seconds * number / tolerated
            region.agenda.at(when, lambda when: _fail_task(region, service, deployment, when, seconds / tolerated))
        region.agenda.at(at + seconds, lambda when: _trip(region, service, deployment, when))


def threshold(service: Service) -> int:
    """Failures that the circuit breaker tolerates: half of the desired count, 3 at least and 200 at most (docs)."""
    return min(200, max(3, -(-service.desired // 2)))


def _before_start(region: Region, service: Service, deployment: Deployment, began: float, at: float) -> None:
    """The three steps of a rollout that completes; where a hook holds one, what follows is that much later."""
    if not deployment.rolling or deployment.ends != outcomes.COMPLETED:
        return
    if deployment.rollout.status == "PENDING":
        deployment.rollout.status = "IN_PROGRESS"

    def start(when: float) -> None:
        shifted, seconds = began + (when - at), deployment.seconds
        deployment.rollout.stage = "SCALE_UP"
        _launch(region, service, deployment, when, seconds * (1 - LAUNCH_AT))
        due = shifted + DRAIN_AT * seconds
        region.agenda.at(due, lambda late: _before_drain(region, service, deployment, shifted, late))

    hooks.through(region, deployment, hooks.BEFORE_START, at, start)


def _before_drain(region: Region, service: Service, deployment: Deployment, began: float, at: float) -> None:
    def drain(when: float) -> None:
        shifted = began + (when - at)
        deployment.rollout.stage = "CLEAN_UP"
        _drain(region, service, deployment, when)
        due = shifted + deployment.seconds
        region.agenda.at(due, lambda late: _finish(region, service, deployment, late))

    hooks.through(region, deployment, hooks.BEFORE_DRAIN, at, drain)


def _launch(region: Region, service: Service, deployment: Deployment, at: float, seconds: float) -> None:
    deployment.launched = True
    missing = deployment.desired - len(deployment.alive(at))
    tasks = [_task(region, service, deployment, at, seconds) for _ in range(missing)]
    if tasks:
        names = " ".join(f"(task {task.arn.rsplit('/')[-1]})" for task in tasks)
        _event(region, service, f"has started {len(tasks)} tasks: {names}.", at)


def _task(region: Region, service: Service, deployment: Deployment, at: float, seconds: float) -> Task:
    revision = task_definitions.find(region, deployment.revision.task_definition)
    doc: Doc = {"group": f"service:{service.name}", "startedBy": deployment.id, "enableExecuteCommand": False}
    settings = deployment.revision.settings
    doc["launchType"] = settings.get("launchType", "FARGATE")
    if settings.get("capacityProviderStrategy"):
        doc["capacityProviderName"] = settings["capacityProviderStrategy"][0]["capacityProvider"]
    if "platformVersion" in settings:
        doc["platformVersion"] = settings["platformVersion"]
    cluster = region.clusters[service.cluster]
    task = task_docs.make(region, cluster, revision, doc, overrides={}, seconds=seconds, began=at)
    task.running_at = at + seconds / 2
    task.service = service.name
    deployment.tasks.append(task)
    return task


def _drain(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    for old in service.deployments[1:]:
        old.desired = 0
        _stop(region, service, old.alive(at), deployment, at)


def _stop(region: Region, service: Service, tasks: list[Task], by: Deployment, at: float) -> None:
    for task in tasks:
        task.stopping_at = task.stopped_at = at
        task.stop = {
            "stopCode": "ServiceSchedulerInitiated",
            "stoppedReason": f"Scaling activity initiated by (deployment {by.id})",
        }
        task.exits = {name: {"exitCode": 0} for name in task.exits}
    if tasks:
        names = " ".join(f"(task {task.arn.rsplit('/')[-1]})" for task in tasks)
        _event(region, service, f"has stopped {len(tasks)} running tasks: {names}.", at)


def _finish(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    if deployment.rolling:
        _complete(region, service, deployment, at)


def _complete(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    rollout = deployment.rollout
    for old in service.deployments[1:]:
        _stop(region, service, old.alive(at), deployment, at)
    service.deployments[:] = [deployment]
    service.stable = deployment.revision
    deployment.state, deployment.updated_at, deployment.failed_tasks = "COMPLETED", at, 0
    deployment.state_reason = f"ECS deployment {deployment.id} completed."
    rollout.status = "ROLLBACK_SUCCESSFUL" if rollout.rollback else "SUCCESSFUL"
    rollout.breaker = "TRIGGERED" if rollout.breaker == "TRIGGERED" else "MONITORING_COMPLETE"
    rollout.finished_at = rollout.updated_at = at
    rollout.stage = "CLEAN_UP"
    _event(region, service, f"(deployment {deployment.id}) deployment completed.", at)
    _event(region, service, "has reached a steady state.", at)


def _fail_on(region: Region, service: Service, deployment: Deployment, at: float, pause: float) -> None:
    """A task that fails after ``pause`` seconds, and then another one, later and later."""

    def fail(when: float) -> None:
        if deployment.rolling:
            _fail_task(region, service, deployment, when, pause)
            if deployment.failed_tasks % threshold(service) == 0:
                _event(region, service, "is unable to consistently start tasks successfully.", when)
            _fail_on(region, service, deployment, when, min(pause * 2, _MOST_SECONDS_BETWEEN_FAILURES))

    region.agenda.at(at + pause, fail)


def _fail_task(region: Region, service: Service, deployment: Deployment, at: float, lived: float) -> None:
    """A task of the deployment that began ``lived`` seconds ago has failed; how, a fitting rule for tasks may say."""
    if not deployment.rolling or deployment.ends == outcomes.COMPLETED:
        return
    if deployment.rollout.status == "PENDING":
        deployment.rollout.status = "IN_PROGRESS"
    task = _task(region, service, deployment, at - lived, lived)
    revision = task.revision
    rule = region.outcomes.ordered_task(revision.family, revision.images, task_docs.commands(revision, {}))
    task_docs.end(region, task, rule if rule and rule.fails else TaskRule(exit_code=1), at)
    name = task.arn.rsplit("/")[-1]
    _event(region, service, f"has started 1 tasks: (task {name}).", at - lived)
    deployment.failed_tasks += 1
    deployment.rollout.failures = deployment.failed_tasks
    deployment.updated_at = deployment.rollout.updated_at = at


def _trip(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """The circuit breaker's decision: the deployment has failed, and is rolled back or left as it is."""
    if not deployment.rolling:
        return
    reason = deployment.failure_reason or f"ECS deployment circuit breaker: {FAILED_TO_START}"
    deployment.state, deployment.state_reason, deployment.updated_at = "FAILED", reason, at
    deployment.rollout.breaker = "TRIGGERED"
    _event(region, service, f"(deployment {deployment.id}) deployment failed: {FAILED_TO_START}", at)
    if deployment.ends == outcomes.ROLLED_BACK:
        roll_back(region, service, deployment, reason, at)
        return
    rollout = deployment.rollout
    rollout.status, rollout.reason = "STOPPED", reason
    rollout.stopped_at = rollout.finished_at = rollout.updated_at = at


def _event(region: Region, service: Service, text: str, at: float) -> None:
    """Newest first; ECS keeps the last hundred."""
    event = {"id": region.ids.uuid(), "createdAt": at, "message": f"(service {service.name}) {text}"}
    service.events.insert(0, event)
    del service.events[100:]
