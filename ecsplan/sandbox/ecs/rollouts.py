"""What ECS does after UpdateService: deployments that roll out, fail, are rolled back or superseded.

The rules decide when a rollout begins how it ends. What follows are events on the region's agenda. ``seconds`` is the
time until the end, without bake times and hooks:

- COMPLETED: it goes through the stages of its strategy (``stages``);
- FAILED and ROLLED_BACK: tasks fail one after the other, up to the circuit breaker's threshold, the last at the end;
  a rollback then takes another ``rollout_seconds``;
- NEVER: a task fails after a third of it, the next ones at growing intervals, as ECS throttles them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from . import outcomes, service_tasks, stages, task_definitions
from .outcomes import AlarmRule, RolloutRule
from .service_inputs import REMEMBERED, threshold
from .stages import Step
from .state import (
    AlarmRings,
    AtHooks,
    Deployment,
    Doc,
    Event,
    Failure,
    HookAnswers,
    HookExpires,
    Region,
    Rollout,
    Series,
    Service,
    ServiceRevision,
    StageEnds,
    StopTakesEffect,
    TaskFails,
)

FAILED_TO_START: Final = "tasks failed to start."
GOING_ON: Final = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
BREAKER: Final = "the circuit breaker threshold was exceeded."
STOPPED_BY_USER: Final = "Service deployment was stopped by the user."


def begin(region: Region, service: Service, at: float) -> Deployment:
    """Start a new PRIMARY deployment of the service with its present settings. It supersedes the others."""
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
    _divide_traffic(service, rollout)
    service.rollouts.append(rollout)
    images = task_definitions.find(region, service.task_definition).images
    rule = region.outcomes.rollout(service.name, images)
    deployment = _deployment(region, service, rollout, target, at)
    deployment.ends = _ends(rule, service)
    deployment.seconds = _seconds(region, service, deployment, rule)
    deployment.failure_reason, deployment.failures, deployment.unplaced = rule.reason, rule.failures, rule.unplaced
    deployment.alarms = region.outcomes.alarms(service.name, images)
    stages.plan_alarms(region, service, deployment, at)
    _enter(region, service, deployment, 0, at, at)
    return deployment


def _ends(rule: RolloutRule, service: Service) -> str:
    """How the rollout ends. With a rehearsal tag the circuit breaker decides; without tasks nothing fails."""
    if rule.ends is not None:
        return rule.ends
    breaker = service.doc["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if not service.desired:
        return outcomes.COMPLETED
    if not breaker["enable"]:
        return outcomes.NEVER
    return outcomes.ROLLED_BACK if breaker["rollback"] else outcomes.FAILED


def _seconds(region: Region, service: Service, deployment: Deployment, rule: RolloutRule) -> float:
    """How long it takes: 0 without tasks, unless a rule has a time."""
    if rule.seconds is not None:
        return rule.seconds
    nothing = not service.desired and deployment.ends == outcomes.COMPLETED
    return 0.0 if nothing else region.outcomes.rollout_seconds


def _divide_traffic(service: Service, rollout: Rollout) -> None:
    """Give all traffic to the stable revision, if the strategy shifts traffic."""
    if rollout.configuration["strategy"] != "ROLLING":
        rollout.production = {source.arn: 0.0 for source in rollout.sources} | {rollout.target.arn: 0.0}
        rollout.test = dict(rollout.production)
        if service.stable is not None:
            rollout.production[service.stable.arn] = 100.0


def settled(region: Region, service: Service, at: float) -> None:
    """As ``begin``, but completed at once: for services that exist before the first request."""
    deployment = begin(region, service, at)
    deployment.rollout.start(at)
    service_tasks.launch(region, service, deployment, at, 0.0)
    _complete(region, service, deployment, at)


def scale(region: Region, service: Service, at: float) -> None:
    """Adjust the number of running tasks to the desired count, once the deployment has started its tasks."""
    deployment = service.primary
    if deployment is None:
        return
    deployment.desired, deployment.updated_at = service.desired, at
    if not deployment.launched:
        return
    alive = deployment.alive(at)
    if len(alive) < service.desired:
        service_tasks.launch(region, service, deployment, at, region.outcomes.rollout_seconds)
    elif len(alive) > service.desired:
        service_tasks.stop(region, service, alive[service.desired :], deployment, at)


def fail(region: Region, service: Service, deployment: Deployment, failure: Failure, at: float) -> None:
    """The deployment fails. It is rolled back if ``failure.back``, else it stays as it is."""
    if not deployment.rolling:
        return
    deployment.state, deployment.updated_at = "FAILED", at
    deployment.state_reason = deployment.failure_reason or failure.state_reason
    rollout = deployment.rollout
    rollout.reason, rollout.updated_at = deployment.failure_reason or failure.reason, at
    if failure.event:
        service_tasks.add_event(region, service, f"(deployment {deployment.id}) deployment failed: {failure.event}", at)
    if not failure.back:
        rollout.status = "STOPPED"
        rollout.stopped_at = rollout.finished_at = at
    elif service.stable is None:
        rollout.status, rollout.finished_at = "ROLLBACK_FAILED", at
    else:
        _roll_back(region, service, deployment, service.stable, at)


def _roll_back(region: Region, service: Service, deployment: Deployment, stable: ServiceRevision, at: float) -> None:
    """Roll back to the last completed revision, with a new PRIMARY of the same service deployment.

    The old tasks of a blue/green deployment still run. They get all traffic back at once. Those of a rolling
    deployment are replaced.
    """
    rollout = deployment.rollout
    rollout.status = "ROLLBACK_IN_PROGRESS"
    rollout.rollback = {"reason": rollout.reason, "startedAt": at, "serviceRevisionArn": stable.arn}
    service.task_definition = stable.task_definition
    service.doc = {k: v for k, v in service.doc.items() if k not in REMEMBERED} | stable.settings
    deployment.status = "ACTIVE"
    back = _deployment(region, service, rollout, stable, at)
    back.seconds = region.outcomes.rollout_seconds if service.desired else 0.0
    cause = "circuit breaker" if rollout.breaker == "TRIGGERED" else "failed"
    back.state_reason = f"ECS deployment {cause}: rolling back to deploymentId {back.id}."
    service_tasks.add_event(region, service, f"rolling back to deployment {back.id}.", at)
    if rollout.production:
        rollout.production = dict.fromkeys(rollout.production, 0.0) | {stable.arn: 100.0}
        rollout.test = dict.fromkeys(rollout.test, 0.0)
        for old in service.deployments[1:]:
            if old.revision.arn == stable.arn:
                back.tasks, old.tasks = back.tasks + old.tasks, []
                old.desired = 0
    _enter(region, service, back, 0, at, at)


def stop_by_user(region: Region, service: Service, deployment: Deployment, at: float, *, back: bool) -> None:
    """StopServiceDeployment: it takes effect after ``stop_seconds``."""
    deployment.rollout.status = "ROLLBACK_REQUESTED" if back else "STOP_REQUESTED"
    deployment.rollout.updated_at = at
    if region.outcomes.stop_seconds:
        event = StopTakesEffect(target=service.target(deployment), back=back)
        region.agenda.at(at + region.outcomes.stop_seconds, event)
    else:
        _stop(region, service, deployment, at, back=back)


def _stop(region: Region, service: Service, deployment: Deployment, at: float, *, back: bool) -> None:
    failure = Failure(state_reason=STOPPED_BY_USER, event="", reason=STOPPED_BY_USER, back=back)
    fail(region, service, deployment, failure, at)


def supersede(service: Service, at: float) -> None:
    """Stop all rollouts of the service. Their events on the agenda have no effect any more."""
    for deployment in service.deployments:
        deployment.status = "ACTIVE"
        if deployment.rollout.status in GOING_ON:
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


def happen(region: Region, event: Event, at: float) -> None:
    """Carry out an event. It has no effect if the deployment is no longer rolling out."""
    found = region.target(event)
    if found is None or not found[1].rolling:
        return
    service, deployment = found
    match event:
        case StageEnds(index=index, began=began):
            deployment.at_hooks = AtHooks(index, began, since=at)
            _ask_hooks(region, service, deployment, at)
        case TaskFails(text=text, series=series):
            service_tasks.failed(region, service, deployment, text, at)
            _after_failure(region, service, deployment, series, at)
        case AlarmRings(name=name):
            ring(region, service, deployment, name, at)
        case HookAnswers(hook=hook, answer=answer):
            if detail := stages.waiting_hook(deployment.rollout, hook, "IN_PROGRESS"):
                _leave_hook(region, service, deployment, stages.hook_answered(deployment.rollout, detail, answer), at)
        case HookExpires(hook=hook):
            if detail := stages.waiting_hook(deployment.rollout, hook, "IN_PROGRESS", "AWAITING_ACTION"):
                _leave_hook(region, service, deployment, stages.hook_expired(deployment.rollout, detail), at)
        case StopTakesEffect(back=back):
            _stop(region, service, deployment, at, back=back)


def _enter(region: Region, service: Service, deployment: Deployment, index: int, began: float, at: float) -> None:
    """Enter a step of its stages. After the last one the deployment completes."""
    if not deployment.rolling:
        return
    steps = stages.steps(deployment)
    if index == len(steps):
        _complete(region, service, deployment, at)
        return
    step = steps[index]
    deployment.rollout.stage, deployment.rollout.updated_at = step.stage, at
    _act(region, service, deployment, step, at)
    for rule in deployment.alarms:
        if rule.stage == step.stage:
            ring(region, service, deployment, rule.name, at)
    if not step.last:
        due = began + step.share * deployment.seconds + step.minutes * region.outcomes.minute_seconds
        event = StageEnds(target=service.target(deployment), index=index, began=began)
        region.agenda.at(max(due, at), event)


def _act(region: Region, service: Service, deployment: Deployment, step: Step, at: float) -> None:
    """Carry out the action of a step that is entered."""
    match step.enter:
        case "launch":
            _launch(region, service, deployment, at)
        case "fail tasks":
            _fail_tasks(region, service, deployment, at)
        case "recover":
            service_tasks.recovered(deployment)
        case "drain":
            service_tasks.drain(region, service, deployment, at)
        case "shift test traffic":
            deployment.rollout.test[deployment.rollout.target.arn] = step.percent
        case "shift traffic":
            stages.shift(deployment, step.percent)


def _ask_hooks(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Ask the hooks of the stage one after the other, then enter the next step."""
    place = deployment.at_hooks
    if place is None or not deployment.rolling:
        return
    rollout = deployment.rollout
    left = stages.hooks_at(rollout, rollout.stage)[place.asked :]
    if not left:
        deployment.at_hooks = None
        rollout.start(at)
        _enter(region, service, deployment, place.index + 1, place.began + (at - place.since), at)
        return
    place.asked += 1
    answer = stages.ask_hook(region, service, deployment, left[0], rollout.stage, at)
    if answer is not None:
        happen(region, answer, at)


def _leave_hook(region: Region, service: Service, deployment: Deployment, failure: Failure | None, at: float) -> None:
    if failure is None:
        _ask_hooks(region, service, deployment, at)
    else:
        fail(region, service, deployment, failure, at)


def continue_(region: Region, service: Service, rollout: Rollout, hook_id: str, action: str, at: float) -> None:
    """ContinueServiceDeployment; raises InvalidParameterException unless that hook is waiting."""
    failure = stages.continue_hook(rollout, hook_id, action)
    deployment = service.primary
    if deployment is not None:
        _leave_hook(region, service, deployment, failure, at)


def ring(region: Region, service: Service, deployment: Deployment, name: str, at: float) -> None:
    """An alarm goes off: the deployment fails if it watches the alarm and is rolling out."""
    failure = stages.ring_alarm(deployment, name)
    if failure is not None:
        fail(region, service, deployment, failure, at)


def ring_now(region: Region, rule: AlarmRule) -> None:
    """An alarm goes off now, for the rollouts in progress that fit the rule."""
    for service in region.services.values():
        deployment = service.primary
        if deployment is not None and stages.alarm_fits(region, service, deployment, rule):
            ring(region, service, deployment, rule.name, region.now)


def _launch(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Start the tasks. Those ordered to fail before them take the first half of the time until the others run."""
    deployment.rollout.start(at)
    seconds = deployment.seconds * (1 - stages.LAUNCH_AT)
    if deployment.failures:
        series = Series(since=at, seconds=seconds / 4, times=deployment.failures)
        service_tasks.fail(region, service, deployment, series, at)
    else:
        service_tasks.launch(region, service, deployment, at, seconds)


def _fail_tasks(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Let tasks fail up to the circuit breaker's threshold, or for ever."""
    if deployment.ends == outcomes.NEVER:
        series = Series(since=at, seconds=max(deployment.seconds / 3, 0.1), times=None)
    else:
        times = threshold(deployment.rollout.configuration, service.desired)
        series = Series(since=at, seconds=deployment.seconds, times=times)
    service_tasks.fail(region, service, deployment, series, at)


def _after_failure(region: Region, service: Service, deployment: Deployment, series: Series, at: float) -> None:
    """Start the next task that fails, or what follows the last one."""
    if series.times is None:
        service_tasks.later(region, service, deployment, series, at)
    elif series.number < series.times:
        service_tasks.fail(region, service, deployment, replace(series, number=series.number + 1), at)
    elif deployment.ends == outcomes.COMPLETED:
        seconds = deployment.seconds * (1 - stages.LAUNCH_AT)
        service_tasks.launch(region, service, deployment, at, seconds - 2 * (at - series.since))
    else:
        _trip(region, service, deployment, at)


def _trip(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """The circuit breaker ends the rollout."""
    deployment.rollout.breaker = "TRIGGERED"
    back = deployment.ends == outcomes.ROLLED_BACK
    failure = Failure(
        state_reason=f"ECS deployment circuit breaker: {FAILED_TO_START}",
        event=FAILED_TO_START,
        reason=f"Service deployment {'rolled back' if back else 'stopped'} because {BREAKER}",
        back=back,
    )
    fail(region, service, deployment, failure, at)


def _complete(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    rollout = deployment.rollout
    service_tasks.drain(region, service, deployment, at)
    service.deployments[:] = [deployment]
    service.stable = deployment.revision
    deployment.state, deployment.updated_at, deployment.failed_tasks = "COMPLETED", at, 0
    deployment.state_reason = f"ECS deployment {deployment.id} completed."
    rollout.status = "ROLLBACK_SUCCESSFUL" if rollout.rollback else "SUCCESSFUL"
    rollout.breaker = "TRIGGERED" if rollout.breaker == "TRIGGERED" else "MONITORING_COMPLETE"
    rollout.finished_at = rollout.updated_at = at
    rollout.stage = "CLEAN_UP"
    service_tasks.add_event(region, service, f"(deployment {deployment.id}) deployment completed.", at)
    service_tasks.add_event(region, service, "has reached a steady state.", at)
