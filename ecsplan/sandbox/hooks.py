"""Lifecycle hooks: what a deployment does at a stage before it goes on.

A PAUSE hook waits for ContinueServiceDeployment or its timeout. A hook that invokes a Lambda function succeeds at once,
unless it was ordered to take its time or to fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import errors
from .state import Deployment, Doc, Failure, Region, Rollout, Service

#: Stages at which AWS accepts hooks that invoke Lambda functions only. Source: BC, DeploymentLifecycleHook.
NO_PAUSE: Final = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
Next = Callable[[float], None]


def through(region: Region, service: Service, deployment: Deployment, stage: str, at: float, go: Next) -> None:
    """Have ``go(when)`` happen when every hook of ``stage`` let the deployment through; at once where there is none."""
    hooks = deployment.rollout.configuration.get("lifecycleHooks", [])
    waits = [hook for hook in hooks if stage in hook.get("lifecycleStages", [])]
    if deployment.rollout.rollback is not None:
        waits = []  # nobody has to allow a way back
    _wait(region, service, deployment, stage, waits, at, go)


def _wait(
    region: Region, service: Service, deployment: Deployment, stage: str, waits: list[Doc], at: float, go: Next
) -> None:
    if not deployment.rolling:
        return
    if not waits:
        go(at)
        return
    hook, rest = waits[0], waits[1:]
    rollout, timeout = deployment.rollout, hook["timeoutConfiguration"]
    expires = at + region.outcomes.minute_seconds * timeout["timeoutInMinutes"]
    detail: Doc = {
        "hookId": region.ids.uuid(),
        "targetType": hook["targetType"],
        "expiresAt": expires,
        "timeoutAction": timeout["action"],
    }
    rollout.go_on(at)
    rollout.updated_at = at
    rollout.hooks.append(detail)

    def resume(when: float) -> None:
        _wait(region, service, deployment, stage, rest, when, go)

    region.agenda.at(expires, lambda when: _expire(deployment, detail, stage, resume, when))
    if hook["targetType"] == "PAUSE":
        detail["status"] = "AWAITING_ACTION"
        rollout.resume = resume
    else:
        detail |= {"status": "IN_PROGRESS", "targetArn": hook.get("hookTargetArn", "")}
        _invoke(region, service, deployment, detail, stage, resume, at)


def _invoke(
    region: Region, service: Service, deployment: Deployment, detail: Doc, stage: str, resume: Next, at: float
) -> None:
    """The function's answer, as it was ordered."""
    rule = region.outcomes.hook(service.name, detail["targetArn"], stage)

    def answer(when: float) -> None:
        if detail["status"] != "IN_PROGRESS" or not deployment.rolling:
            return
        detail["status"] = rule.answer
        if rule.answer == "SUCCEEDED":
            resume(when)
            return
        target = f"Lifecycle hook target {detail['targetArn']} returned FAILED status."
        _give_up(
            deployment.rollout,
            f"Service deployment rolled back because {stage} lifecycle hook(s) failed. {target}",
            when,
        )

    if rule.seconds:
        region.agenda.at(at + rule.seconds, answer)
    else:
        answer(at)


def _expire(deployment: Deployment, detail: Doc, stage: str, resume: Next, at: float) -> None:
    if detail["status"] not in ("AWAITING_ACTION", "IN_PROGRESS") or not deployment.rolling:
        return
    detail["status"] = "TIMED_OUT"
    if detail["timeoutAction"] == "CONTINUE":
        deployment.rollout.resume = None
        resume(at)
    else:
        _give_up(deployment.rollout, f"Service deployment rolled back because {stage} lifecycle hook(s) timed out.", at)


def act(rollout: Rollout, hook_id: str, action: str, at: float) -> None:
    """What ContinueServiceDeployment does; raises InvalidParameterException unless that hook is waiting."""
    detail = next((d for d in rollout.hooks if d["hookId"] == hook_id), None)
    if detail is None or detail["status"] != "AWAITING_ACTION" or rollout.status != "IN_PROGRESS":
        raise errors.invalid("The lifecycle hook is not waiting for an action.")
    if action != "CONTINUE":
        detail["status"] = "FAILED"
        _give_up(rollout, f"Service deployment rolled back at {rollout.stage} by ContinueServiceDeployment.", at)
        return
    detail["status"] = "SUCCEEDED"
    resume, rollout.resume = rollout.resume, None
    if resume is not None:
        resume(at)


def _give_up(rollout: Rollout, reason: str, at: float) -> None:
    """A hook that fails rolls back, whatever the circuit breaker says."""
    if rollout.fail is not None:
        rollout.fail(Failure(state_reason=reason, event=reason, reason=reason, back=True), at)


def check(configuration: Doc) -> None:
    """Raise what AWS refuses: PAUSE hooks at the stages in which the traffic shifts."""
    for hook in configuration.get("lifecycleHooks", []):
        for stage in hook.get("lifecycleStages", []) if hook["targetType"] == "PAUSE" else ():
            if stage in NO_PAUSE:
                raise errors.invalid(f"PAUSE hooks cannot be configured at the {stage} lifecycle stage.")
