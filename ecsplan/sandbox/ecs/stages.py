"""The stages of a rollout, and what can hold it up or fail it on the way: lifecycle hooks and CloudWatch alarms.

Of a deployment's seconds, ``LAUNCH_AT`` pass before its tasks start; they run at ``SCALED_AT``, and the old ones
stop at ``DRAIN_AT``. Bake times and the time at hooks come on top of that.

A PAUSE hook waits for ContinueServiceDeployment or its timeout. A hook that invokes a Lambda function succeeds at once,
unless an order says that it takes time or fails. A deployment watches an alarm if the service's deploymentConfiguration
enables alarms and names it. A function here that ends a hook or rings an alarm returns the deployment's failure, or
None if the deployment continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ecsplan.sandbox import common

from . import outcomes, task_definitions
from .outcomes import AlarmRule
from .state import AlarmRings, Deployment, Doc, Failure, HookAnswers, HookExpires, Region, Rollout, Service

LAUNCH_AT: Final = 0.2
SCALED_AT: Final = 0.6
DRAIN_AT: Final = 0.8
_ALARM: Final = "alarm detected."
Action = Literal["", "launch", "fail tasks", "recover", "drain", "shift test traffic", "shift traffic"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage, or a part of one. ``enter`` is carried out first. The step is over when ``share`` of the deployment's
    seconds and ``minutes`` of bake times have passed since the beginning; then its hooks are asked. A ``last`` step
    ends only by what ``enter`` has started. ``percent`` is the share of the traffic that it shifts.
    """

    stage: str
    share: float
    minutes: float = 0.0
    enter: Action = ""
    percent: float = 0.0
    last: bool = False


def steps(deployment: Deployment) -> list[Step]:
    """The steps of a deployment, always the same for the same deployment."""
    if deployment.rollout.rollback is not None:
        return [
            Step(stage="SCALE_UP", share=LAUNCH_AT),
            Step(stage="SCALE_UP", share=DRAIN_AT, enter="launch"),
            Step(stage="CLEAN_UP", share=1.0, enter="drain"),
        ]
    return list(_forward(deployment))


def _forward(deployment: Deployment) -> Iterator[Step]:
    rollout = deployment.rollout
    begin = LAUNCH_AT if deployment.ends == outcomes.COMPLETED else 0.0  # failing tasks start at once
    if len(rollout.sources) > 1:
        yield Step(stage="RECONCILE_SERVICE", share=begin / 2)
    yield Step(stage="PRE_SCALE_UP", share=begin)
    if deployment.ends != outcomes.COMPLETED:
        yield Step(stage="SCALE_UP", share=begin, enter="fail tasks", last=True)
        return
    yield Step(stage="SCALE_UP", share=SCALED_AT, enter="launch")
    bake = rollout.configuration.get("bakeTimeInMinutes", 0)
    if rollout.configuration["strategy"] == "ROLLING":
        yield Step(stage="POST_SCALE_UP", share=DRAIN_AT, enter="recover")
        yield Step(stage="CLEAN_UP", share=1.0, enter="drain")
        if bake:
            yield Step(stage="BAKE_TIME", share=1.0, minutes=bake)
        return
    yield Step(stage="POST_SCALE_UP", share=0.64, enter="recover")
    yield from _shifts(rollout.configuration)
    minutes = _shifting_minutes(rollout.configuration) + bake
    yield Step(stage="BAKE_TIME", share=DRAIN_AT, minutes=minutes)
    yield Step(stage="CLEAN_UP", share=1.0, minutes=minutes, enter="drain")


def _shifts(configuration: Doc) -> Iterator[Step]:
    """The steps that shift the traffic from the old service revision to the new one."""
    yield Step(stage="TEST_TRAFFIC_SHIFT", share=0.68, enter="shift test traffic", percent=100.0)
    yield Step(stage="POST_TEST_TRAFFIC_SHIFT", share=0.72)
    percents, pause = shares_of(configuration)
    for number, percent in enumerate(percents):
        before, after = 0.72 + 0.04 * number / len(percents), 0.72 + 0.04 * (number + 1) / len(percents)
        yield Step(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", share=before, minutes=pause * number)
        minutes = pause * min(number + 1, len(percents) - 1)
        yield Step(
            stage="PRODUCTION_TRAFFIC_SHIFT", share=after, minutes=minutes, enter="shift traffic", percent=percent
        )
    yield Step(stage="POST_PRODUCTION_TRAFFIC_SHIFT", share=DRAIN_AT, minutes=_shifting_minutes(configuration))


def shares_of(configuration: Doc) -> tuple[list[float], float]:
    """The shares of production traffic in percent, in order, and the minutes between them (BC)."""
    if configuration["strategy"] == "CANARY":
        canary = configuration.get("canaryConfiguration", {})
        first = float(canary.get("canaryPercent", 5.0))
        return [first, 100.0] if first < 100 else [100.0], canary.get("canaryBakeTimeInMinutes", 10)
    if configuration["strategy"] != "LINEAR":
        return [100.0], 0
    linear = configuration.get("linearConfiguration", {})
    step = float(linear.get("stepPercent", 10.0))
    count = max(1, -(-1000 // round(step * 10)))
    percents = [min(100.0, round(step * number, 1)) for number in range(1, count + 1)]
    return percents, linear.get("stepBakeTimeInMinutes", 6)


def _shifting_minutes(configuration: Doc) -> float:
    percents, pause = shares_of(configuration)
    return pause * (len(percents) - 1)


def shift(deployment: Deployment, percent: float) -> None:
    """Give ``percent`` of the production traffic to the new service revision, the rest to the one that has it now."""
    weights, target = deployment.rollout.production, deployment.rollout.target.arn
    weights[target] = percent
    for arn, weight in weights.items():
        if arn != target and weight:
            weights[arn] = round(100.0 - percent, 1)


# -- lifecycle hooks --------------------------------------------------------------------------------------------------


def hooks_at(rollout: Rollout, stage: str) -> list[Doc]:
    """The hooks of a stage, in order; a rollback has none."""
    if rollout.rollback is not None:
        return []
    hooks = rollout.configuration.get("lifecycleHooks", [])
    return [hook for hook in hooks if stage in hook.get("lifecycleStages", [])]


def ask_hook(
    region: Region, service: Service, deployment: Deployment, hook: Doc, stage: str, at: float
) -> HookAnswers | None:
    """Start a hook. Returns its answer if it is given at once, else None: its end is on the agenda."""
    rollout, timeout = deployment.rollout, hook["timeoutConfiguration"]
    expires = at + region.outcomes.minute_seconds * timeout["timeoutInMinutes"]
    target, number = service.target(deployment), region.ids.uuid()
    detail: Doc = {
        "hookId": number,
        "targetType": hook["targetType"],
        "expiresAt": expires,
        "timeoutAction": timeout["action"],
    }
    rollout.start(at)
    rollout.updated_at = at
    rollout.hooks.append(detail)
    region.agenda.at(expires, HookExpires(target=target, hook=number))
    if hook["targetType"] == "PAUSE":
        detail["status"] = "AWAITING_ACTION"
        return None
    detail |= {"status": "IN_PROGRESS", "targetArn": hook.get("hookTargetArn", "")}
    rule = region.outcomes.hook(service.name, detail["targetArn"], stage)
    answer = HookAnswers(target=target, hook=number, answer=rule.answer)
    if not rule.seconds:
        return answer
    region.agenda.at(at + rule.seconds, answer)
    return None


def waiting_hook(rollout: Rollout, hook_id: str, *statuses: str) -> Doc | None:
    """The detail of the hook if it has one of ``statuses``, else None."""
    found = (detail for detail in rollout.hooks if detail["hookId"] == hook_id)
    return next((detail for detail in found if detail["status"] in statuses), None)


def hook_answered(rollout: Rollout, detail: Doc, answer: str) -> Failure | None:
    """The Lambda function has answered."""
    detail["status"] = answer
    if answer == "SUCCEEDED":
        return None
    target = f"Lifecycle hook target {detail['targetArn']} returned FAILED status."
    return _failure(f"Service deployment rolled back because {rollout.stage} lifecycle hook(s) failed. {target}")


def hook_expired(rollout: Rollout, detail: Doc) -> Failure | None:
    """The time of the hook is over."""
    detail["status"] = "TIMED_OUT"
    if detail["timeoutAction"] == "CONTINUE":
        return None
    return _failure(f"Service deployment rolled back because {rollout.stage} lifecycle hook(s) timed out.")


def continue_hook(rollout: Rollout, hook_id: str, action: str) -> Failure | None:
    """ContinueServiceDeployment. Raises InvalidParameterException unless that hook is waiting."""
    detail = waiting_hook(rollout, hook_id, "AWAITING_ACTION")
    if detail is None or rollout.status != "IN_PROGRESS":
        raise common.invalid("The lifecycle hook is not waiting for an action.")
    if action == "CONTINUE":
        detail["status"] = "SUCCEEDED"
        return None
    detail["status"] = "FAILED"
    return _failure(f"Service deployment rolled back at {rollout.stage} by ContinueServiceDeployment.")


def _failure(reason: str) -> Failure:
    """A hook that fails rolls back, even without a circuit breaker."""
    return Failure(state_reason=reason, event=reason, reason=reason, back=True)


# -- CloudWatch alarms ------------------------------------------------------------------------------------------------


def plan_alarms(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Put the alarms with a time on the agenda."""
    for rule in deployment.alarms:
        if rule.seconds is not None:
            event = AlarmRings(target=service.target(deployment), name=rule.name)
            region.agenda.at(at + rule.seconds, event)


def alarm_fits(region: Region, service: Service, deployment: Deployment, rule: AlarmRule) -> bool:
    """Is ``rule`` for this service and the images of the deployment?"""
    revision = task_definitions.known(region, deployment.revision.task_definition)
    return rule.fits(service.name, revision.images if revision else [])


def ring_alarm(deployment: Deployment, name: str) -> Failure | None:
    """The alarm goes off. None if the deployment does not watch the alarm or is not rolling out."""
    rollout = deployment.rollout
    watched = rollout.configuration.get("alarms", {})
    if not watched.get("enable") or name not in watched["alarmNames"]:
        return None
    if not deployment.rolling or rollout.rollback is not None:
        return None
    rollout.alarmed.append(name)
    back = bool(watched["rollback"])
    done = "rolled back" if back else "stopped"
    return Failure(
        state_reason=f"ECS deployment failed: {_ALARM}",
        event=_ALARM,
        reason=f"Service deployment {done} because an alarm was detected: {name}.",
        back=back,
    )
