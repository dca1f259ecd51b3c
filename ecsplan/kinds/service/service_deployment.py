"""Service deployments: ECS's own record of a rollout, with its stage, its share of the traffic and its hooks.

They show what the service does not: how blue/green, linear and canary rollouts end, and which hook pauses one. A role
may lack the permission for them, and an older AWS the operations; then the service's deployments are used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecsplan.core.clock import iso
from ecsplan.core.diagnosis import Pause, Status
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Poll, Progress, Tracked
from ecsplan.kinds.service.observe import ServiceObservation, on_revision
from ecsplan.kinds.service.read import counts, expected, names

BATCH = 20  # ARNs per DescribeServiceDeployments (ECS API reference)
HOOK_WAITS = "AWAITING_ACTION"  # the status of a PAUSE hook that waits
ROLLING = ("PENDING", "IN_PROGRESS")
WELL = ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")  # what is PRIMARY then was rolled out to its end
GIVEN_UP = ("STOPPED", "ROLLBACK_FAILED")
GOING_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")


def rollout_polls(known: Sequence[tuple[int, str]]) -> tuple[Poll, ...]:
    """Twenty per request. Optional: without permission, the service's deployments are used."""
    groups = [known[i : i + BATCH] for i in range(0, len(known), BATCH)]
    return tuple(
        Poll(call=describe_rollouts([arn for _, arn in group]), steps=tuple(index for index, _ in group), optional=True)
        for group in groups
    )


def describe_rollouts(arns: Sequence[str]) -> Call:
    return Call(
        service="ecs", operation="describe_service_deployments", params={"serviceDeploymentArns": sorted(set(arns))}
    )


def listing_poll(one: Tracked) -> Poll:
    """For a service whose answer does not name its current service deployment."""
    return Poll(call=list_rollouts(one.call), steps=(one.step.index,), optional=True)


def list_rollouts(call: Call) -> Call:
    """The service deployments of the service that a call updates, newest first."""
    return Call(service="ecs", operation="list_service_deployments", params=names(call.params))


# --- judging by them ---


def judge_rollout(observed: ServiceObservation) -> Progress | None:
    """How our service deployment stands; None if it is not known, or does not decide it."""
    rollout, status = observed.rollout, str(observed.rollout.get("status") or "")
    said = reason({"rolloutStateReason": (rollout.get("rollback") or {}).get("reason") or rollout.get("statusReason")})
    if not status:
        return None
    if status == "SUCCESSFUL":
        return _ended(observed)
    if status in GOING_BACK:
        return rolled_back(observed, said)
    if status == "ROLLBACK_FAILED":
        return _failed(f"the rollout failed, and ECS could not roll it back: {said}; {counts(observed.primary)}")
    if status == "STOPPED":
        failed = _failed(f"the rollout failed: {said}; {counts(observed.primary)}")
        return superseded(observed) if _replaced(observed) else failed
    if _replaced(observed) and observed.service.get("currentServiceDeployment") not in (None, _arn(rollout)):
        return superseded(observed)
    if pause := paused(rollout):
        return Progress(done=False, note=pause_note(pause), pause=pause)
    how = "rolling out" if status in ROLLING else status
    return Progress(done=False, note=_under_way(observed, how), summary=how)


def _ended(observed: ServiceObservation) -> Progress | None:
    """It was rolled out completely. If another deployment is PRIMARY by now, it was made later, and is no rollback."""
    if observed.is_primary:
        return rolled_out(observed)
    return superseded(observed) if _replaced(observed) else None


def _replaced(observed: ServiceObservation) -> bool:
    """Is a deployment PRIMARY that is neither ours nor the previous one?"""
    return str(observed.primary.get("id") or "") not in ("", observed.previous_id, observed.deployment_id)


def _under_way(observed: ServiceObservation, how: str) -> str:
    """A status that is not known here is shown as ECS names it."""
    target = observed.rollout.get("targetServiceRevision") or {}
    traffic = target.get("requestedProductionTrafficWeight")
    parts = [how, counts(observed.deployment or observed.primary)]
    parts += [str(observed.rollout["lifecycleStage"])] if observed.rollout.get("lifecycleStage") else []
    parts += [f"{traffic:g} % of traffic"] if traffic is not None else []
    return ", ".join(parts)


def paused(rollout: Doc) -> Pause | None:
    """The hook that waits for a decision, if one does."""
    for hook in rollout.get("lifecycleHookDetails") or ():
        if hook.get("status") == HOOK_WAITS:
            return Pause(
                deployment=_arn(rollout),
                hook=str(hook.get("hookId") or ""),
                stage=str(rollout.get("lifecycleStage") or ""),
                expires=iso(hook.get("expiresAt")),
                action=str(hook.get("timeoutAction") or ""),
            )
    return None


def pause_note(pause: Pause) -> str:
    return f"paused at {pause.stage or 'an unknown stage'}: {waiting_note(pause)}"


def waiting_note(pause: Pause) -> str:
    until = f" until {pause.expires}" if pause.expires else ""
    then = f", then {pause.action}" if pause.action else ""
    return f"hook {pause.hook} waits{until}{then}"


def rolling_back(observed: ServiceObservation) -> Progress:
    """The progress of a rollback by ECS: it has succeeded when the service is as it was before."""
    primary, status = observed.primary, observed.rollout.get("status")
    said = reason({"rolloutStateReason": observed.rollout.get("statusReason") or primary.get("rolloutStateReason")})
    forward, state = primary.get("id") in ("", None, observed.previous_id), primary.get("rolloutState")
    if status == "ROLLBACK_FAILED" or (not forward and state == "FAILED"):
        return _failed(f"ECS could not roll it back: {said}; {counts(primary)}")
    if status == "SUCCESSFUL" or (forward and not status and state == "COMPLETED"):
        return _failed("it was rolled out to its end before it could be stopped")
    if status == "STOPPED":
        return _failed(f"it was stopped, and not rolled back: {said}") if forward else superseded(observed)
    shows_it = not forward or on_revision(primary, observed.tracked.call)
    ended = state == "COMPLETED" or (state is None and observed.settled)
    if (status == "ROLLBACK_SUCCESSFUL" and shows_it) or (not status and not forward and ended):
        how = f"rolled back to {short_arn(primary.get('taskDefinition', ''))}"
        return Progress(done=True, note=f"{how}, {counts(primary)}", summary=how, stated=Status.SUCCEEDED)
    return Progress(done=False, note=f"rolling back, {counts(primary)}", summary="rolling back")


def rolled_out(observed: ServiceObservation) -> Progress:
    """It has succeeded; the note says so if nothing runs."""
    primary, daemon = observed.primary, observed.service.get("schedulingStrategy") == "DAEMON"
    note = f"rolled out, {counts(primary)}"
    if primary.get("desiredCount", observed.service.get("desiredCount")) == 0:
        why = "no instance is there for this daemon" if daemon else "the desired count is 0"
        note = f"rolled out, and nothing runs: {why}"
    elif daemon:
        note += ", one on each instance"
    return Progress(done=True, note=note, summary="rolled out", stated=Status.SUCCEEDED)


def rolled_back(observed: ServiceObservation, why: str) -> Progress:
    """ECS rolled back by itself, or is about to."""
    went = observed.primary.get("id") != observed.deployment_id
    revision = observed.primary.get("taskDefinition") if went else expected(observed.tracked.step).previous
    on = short_arn(revision or "an unknown revision")
    said = reason({"rolloutStateReason": why})
    return Progress(done=True, ok=False, note=f"ECS rolled the service back to {on}: {said}", stated=Status.ROLLED_BACK)


def superseded(observed: ServiceObservation) -> Progress:
    primary = observed.primary
    on = short_arn(primary.get("taskDefinition") or "an unknown revision")
    by = f" ({primary['id']})" if primary.get("id") else ""
    note = f"superseded: another deployment put the service on {on}{by}"
    return Progress(done=True, ok=False, note=note, superseded=True, stated=Status.SUPERSEDED)


def reason(deployment: Doc) -> str:
    return str(deployment.get("rolloutStateReason") or "ECS gave no reason").rstrip(".")


def mentions(text: str, deployment: str) -> bool:
    """Does an event mention this deployment, and not one whose id begins with it?"""
    return re.search(rf"{re.escape(deployment)}(?!\d)", text) is not None


def _failed(note: str) -> Progress:
    return Progress(done=True, ok=False, note=note, stated=Status.FAILED)


def _arn(rollout: Doc) -> str:
    return str(rollout.get("serviceDeploymentArn") or "")


# --- calls that steer a rollout ---


def resolve_pause(pause: Pause, onwards: bool) -> Call:
    """The call that ends a pause: continue, or roll back."""
    params = {
        "serviceDeploymentArn": pause.deployment,
        "hookId": pause.hook,
        "action": "CONTINUE" if onwards else "ROLLBACK",
    }
    return Call(service="ecs", operation="continue_service_deployment", params=params)


def stopping(arn: str) -> Call:
    """The call that makes ECS roll back a rollout."""
    params = {"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}
    return Call(service="ecs", operation="stop_service_deployment", params=params)


def was_carried_out(reader: Reader, call: Call) -> bool:
    """Does the service deployment show what such a call asks for?"""
    (answer,) = reader.fetch([describe_rollouts([call.params["serviceDeploymentArn"]])])
    found = answer.value().get("serviceDeployments") or [{}]
    if call.params.get("action") != "CONTINUE":
        return found[0].get("status") in (*GOING_BACK, "ROLLBACK_FAILED")
    hooks = found[0].get("lifecycleHookDetails") or ()
    return not any(hook.get("hookId") == call.params["hookId"] and hook.get("status") == HOOK_WAITS for hook in hooks)
