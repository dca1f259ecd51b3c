"""Lifecycle hooks: what a deployment waits for at the end of a stage.

A PAUSE hook waits for ContinueServiceDeployment or its timeout. A hook that invokes a Lambda function succeeds at once,
unless an order says that it takes time or fails. A function here that ends a hook returns the deployment's failure, or
None if the deployment continues.
"""

from __future__ import annotations

from typing import Final

from . import errors
from .agenda import HookAnswers, HookExpires
from .state import Deployment, Doc, Failure, Region, Rollout, Service

#: Stages at which AWS accepts hooks that invoke Lambda functions only. Source: BC, DeploymentLifecycleHook.
NO_PAUSE: Final = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")


def at_stage(rollout: Rollout, stage: str) -> list[Doc]:
    """The hooks of a stage, in order; a rollback has none."""
    if rollout.rollback is not None:
        return []
    hooks = rollout.configuration.get("lifecycleHooks", [])
    return [hook for hook in hooks if stage in hook.get("lifecycleStages", [])]


def ask(
    region: Region, service: Service, deployment: Deployment, hook: Doc, stage: str, at: float
) -> HookAnswers | None:
    """Start a hook: its answer if it is given at once, else None, and its end is on the agenda."""
    rollout, timeout = deployment.rollout, hook["timeoutConfiguration"]
    expires = at + region.outcomes.minute_seconds * timeout["timeoutInMinutes"]
    target, number = service.target(deployment), region.ids.uuid()
    detail: Doc = {
        "hookId": number,
        "targetType": hook["targetType"],
        "expiresAt": expires,
        "timeoutAction": timeout["action"],
    }
    rollout.go_on(at)
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


def waiting(rollout: Rollout, hook_id: str, *statuses: str) -> Doc | None:
    """The detail of the hook, if it has one of ``statuses``."""
    found = (detail for detail in rollout.hooks if detail["hookId"] == hook_id)
    return next((detail for detail in found if detail["status"] in statuses), None)


def answered(rollout: Rollout, detail: Doc, answer: str) -> Failure | None:
    """The Lambda function has answered."""
    detail["status"] = answer
    if answer == "SUCCEEDED":
        return None
    target = f"Lifecycle hook target {detail['targetArn']} returned FAILED status."
    return _failure(f"Service deployment rolled back because {rollout.stage} lifecycle hook(s) failed. {target}")


def expired(rollout: Rollout, detail: Doc) -> Failure | None:
    """The time of the hook is over."""
    detail["status"] = "TIMED_OUT"
    if detail["timeoutAction"] == "CONTINUE":
        return None
    return _failure(f"Service deployment rolled back because {rollout.stage} lifecycle hook(s) timed out.")


def act(rollout: Rollout, hook_id: str, action: str) -> Failure | None:
    """ContinueServiceDeployment; raises InvalidParameterException unless that hook is waiting."""
    detail = waiting(rollout, hook_id, "AWAITING_ACTION")
    if detail is None or rollout.status != "IN_PROGRESS":
        raise errors.invalid("The lifecycle hook is not waiting for an action.")
    if action == "CONTINUE":
        detail["status"] = "SUCCEEDED"
        return None
    detail["status"] = "FAILED"
    return _failure(f"Service deployment rolled back at {rollout.stage} by ContinueServiceDeployment.")


def _failure(reason: str) -> Failure:
    """A hook that fails rolls back, even without a circuit breaker."""
    return Failure(state_reason=reason, event=reason, reason=reason, back=True)


def check(configuration: Doc) -> None:
    """Raise what AWS refuses: PAUSE hooks at the stages in which the traffic shifts."""
    for hook in configuration.get("lifecycleHooks", []):
        for stage in hook.get("lifecycleStages", []) if hook["targetType"] == "PAUSE" else ():
            if stage in NO_PAUSE:
                raise errors.invalid(f"PAUSE hooks cannot be configured at the {stage} lifecycle stage.")
