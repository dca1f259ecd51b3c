"""CloudWatch alarms that a deployment watches: one that goes off makes it fail.

An alarm does so only where the service's deploymentConfiguration has it among its alarms, and these are enabled.
"""

from __future__ import annotations

from functools import partial

from . import task_definitions
from .outcomes import AlarmRule
from .state import Deployment, Failure, Region

REASON = "alarm detected."


def plan(region: Region, deployment: Deployment, at: float) -> None:
    """Have the alarms go off that were ordered for so long after the beginning."""
    for rule in deployment.alarms:
        if rule.seconds is not None:
            region.agenda.at(at + rule.seconds, partial(ring, deployment, rule.name))


def at_stage(deployment: Deployment, stage: str, at: float) -> None:
    """Those ordered for the stage that has been entered."""
    for rule in deployment.alarms:
        if rule.stage == stage:
            ring(deployment, rule.name, at)


def ring_now(region: Region, rule: AlarmRule) -> None:
    """The alarm goes off for the rollouts that are under way and fit the rule."""
    for service in region.services.values():
        deployment = service.primary
        if deployment is None:
            continue
        revision = task_definitions.known(region, deployment.revision.task_definition)
        if rule.fits(service.name, revision.images if revision else []):
            ring(deployment, rule.name, region.now)


def ring(deployment: Deployment, name: str, at: float) -> None:
    """The alarm goes off: nothing follows unless the deployment is going on and watches it."""
    rollout = deployment.rollout
    watched = rollout.configuration.get("alarms", {})
    if not watched.get("enable") or name not in watched["alarmNames"]:
        return
    if not deployment.rolling or rollout.rollback is not None or rollout.fail is None:
        return
    rollout.alarmed.append(name)
    back = bool(watched["rollback"])
    done = "rolled back" if back else "stopped"
    failure = Failure(
        state_reason=f"ECS deployment failed: {REASON}",
        event=REASON,
        reason=f"Service deployment {done} because an alarm was detected: {name}.",
        back=back,
    )
    rollout.fail(failure, at)
