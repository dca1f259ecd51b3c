"""PAUSE hooks: stages of a deployment at which it waits for somebody to let it go on.

Hooks that invoke Lambda functions are kept with the service and not run. Stages before the tasks are started are held
there, all others are held when the new tasks run, before the old ones are stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import errors
from .state import Deployment, Doc, Region, Rollout

BEFORE_START: Final = ("RECONCILE_SERVICE", "PRE_SCALE_UP")
BEFORE_DRAIN: Final = (
    "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
)  # fmt: skip
Next = Callable[[float], None]


def through(region: Region, deployment: Deployment, stages: tuple[str, ...], at: float, go: Next) -> None:
    """Have ``go(when)`` happen when every PAUSE hook of ``stages`` was let through; at once where there is none."""
    hooks = deployment.rollout.configuration.get("lifecycleHooks", [])
    waits = [(stage, hook) for stage in stages for hook in hooks if _pauses(hook, stage)]
    if deployment.rollout.rollback is not None:
        waits = []  # nobody has to allow a way back
    _wait(region, deployment, waits, at, go)


def _pauses(hook: Doc, stage: str) -> bool:
    return hook["targetType"] == "PAUSE" and stage in hook.get("lifecycleStages", [])


def _wait(region: Region, deployment: Deployment, waits: list[tuple[str, Doc]], at: float, go: Next) -> None:
    if not deployment.rolling:
        return
    if not waits:
        go(at)
        return
    (stage, hook), rest = waits[0], waits[1:]
    rollout, timeout = deployment.rollout, hook["timeoutConfiguration"]
    expires = at + 60 * timeout["timeoutInMinutes"]
    detail = {
        "hookId": region.ids.uuid(),
        "targetType": "PAUSE",
        "status": "AWAITING_ACTION",
        "expiresAt": expires,
        "timeoutAction": timeout["action"],
    }
    rollout.stage, rollout.updated_at = stage, at
    rollout.hooks.append(detail)
    rollout.resume = lambda when: _wait(region, deployment, rest, when, go)
    region.agenda.at(expires, lambda when: _expire(deployment, detail, when))


def _expire(deployment: Deployment, detail: Doc, at: float) -> None:
    if detail["status"] != "AWAITING_ACTION" or not deployment.rolling:
        return
    detail["status"] = "TIMED_OUT"
    rollout = deployment.rollout
    if detail["timeoutAction"] == "CONTINUE":
        _go_on(rollout, at)
    elif rollout.roll_back is not None:
        rollout.roll_back("A lifecycle hook timed out.", at)


def act(rollout: Rollout, hook_id: str, action: str, at: float) -> None:
    """What ContinueServiceDeployment does; raises InvalidParameterException unless that hook is waiting."""
    detail = next((d for d in rollout.hooks if d["hookId"] == hook_id), None)
    if detail is None or detail["status"] != "AWAITING_ACTION":
        raise errors.invalid("The lifecycle hook is not waiting for an action.")
    detail["status"] = "SUCCEEDED" if action == "CONTINUE" else "FAILED"
    if action == "CONTINUE":
        _go_on(rollout, at)
    elif rollout.roll_back is not None:
        rollout.roll_back("The deployment was rolled back at a lifecycle hook.", at)


def _go_on(rollout: Rollout, at: float) -> None:
    resume, rollout.resume = rollout.resume, None
    if resume is not None:
        resume(at)
