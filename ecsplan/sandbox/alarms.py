"""CloudWatch alarms: an alarm that goes off fails the deployments that watch it.

A deployment watches an alarm if the service's deploymentConfiguration enables alarms and names it.
"""

from __future__ import annotations

from . import task_definitions
from .agenda import AlarmRings
from .outcomes import AlarmRule
from .state import Deployment, Failure, Region, Service

REASON = "alarm detected."


def plan(region: Region, service: Service, deployment: Deployment, at: float) -> None:
    """Put the alarms on the agenda that were ordered for a time after the beginning."""
    for rule in deployment.alarms:
        if rule.seconds is not None:
            event = AlarmRings(target=service.target(deployment), name=rule.name)
            region.agenda.at(at + rule.seconds, event)


def fits(region: Region, service: Service, deployment: Deployment, rule: AlarmRule) -> bool:
    """Whether ``rule`` is for this service and the images of the deployment."""
    revision = task_definitions.known(region, deployment.revision.task_definition)
    return rule.fits(service.name, revision.images if revision else [])


def ring(deployment: Deployment, name: str) -> Failure | None:
    """The alarm goes off: how the deployment fails, None if it does not watch the alarm or is not rolling out."""
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
        state_reason=f"ECS deployment failed: {REASON}",
        event=REASON,
        reason=f"Service deployment {done} because an alarm was detected: {name}.",
        back=back,
    )
