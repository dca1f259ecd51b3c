"""Whether the rollout of what is live has ended well, as one look at the service shows it, and what a plan says of it.

A service is as declared when its fields are, and its PRIMARY deployment is settled. What an answer leaves out counts as
settled: nothing is made of a member that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ecsplan.core.clock import epoch, iso
from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Address, Doc
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Delta, Live, Resource, Unsettled
from ecsplan.kinds.service import service_deployment as deployments
from ecsplan.kinds.service.observe import needs_service_deployment
from ecsplan.kinds.service.read import counts, primary_of
from ecsplan.kinds.service.read import read as read_services

DEPLOY_AGAIN = "its rollout failed: deploy again"

# Texts of service events, and of rolloutStateReason ("Service event messages" in the ECS developer guide).
FAILED = "deployment failed"
COMPLETED = "deployment completed"
STEADY = "has reached a steady state"
GOES_BACK = "rolling back"


def read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """The live services, with how the rollout stands of those whose revision is declared. One request more for twenty
    services that are rolling out in a way that the service alone does not show (blue/green, hooks, a bake time)."""
    lives = read_services(reader, resources)
    declared = {resource.address for resource in resources if "taskDefinition" in resource.doc}
    described = {live.address: live.facts["described"] for live in lives if _is_judged(live, declared)}
    rollouts = _rollouts(reader, list(described.values()))
    return tuple(
        msgspec.structs.replace(live, unsettled=unsettled(service, rollouts.get(_current(service), {})))
        if (service := described.get(live.address))
        else live
        for live in lives
    )


def _is_judged(live: Live, declared: set[Address]) -> bool:
    """Only deployments of ECS's own controller show how they stand."""
    controlled = live.facts.get("controller") == "ECS" and live.facts.get("status") == "ACTIVE"
    return live.address in declared and controlled


def _rollouts(reader: Reader, described: Sequence[Doc]) -> dict[str, Doc]:
    """Their service deployments by ARN, of those that need it; none where the role may not read them."""
    moving = [one for one in described if needs_service_deployment(one) and _status(one) is not None]
    arns = sorted({arn for service in moving if (arn := _current(service))})
    batches = [arns[i : i + deployments.BATCH] for i in range(0, len(arns), deployments.BATCH)]
    answers = reader.fetch([deployments.describe_rollouts(batch) for batch in batches]) if batches else ()
    found = [one for answer in answers for one in (answer.data or {}).get("serviceDeployments") or ()]
    return {str(one.get("serviceDeploymentArn")): one for one in found}


def _current(service: Doc) -> str:
    return str(service.get("currentServiceDeployment") or "")


def unsettled(service: Doc, rollout: Doc) -> Unsettled | None:
    """How the PRIMARY deployment stands, None where it is settled. `rollout` is its service deployment, {} where that
    was not asked for or is not shown."""
    status, shown = str(rollout.get("status") or ""), _status(service)
    if not primary_of(service) or status in deployments.WELL or (shown is None and not status):
        return None
    if pause := deployments.paused(rollout):
        note = f"is paused at {pause.stage or 'a lifecycle hook'}"
        return Unsettled(status=Status.PAUSED, note=note, more=deployments.waiting_note(pause))
    if status in deployments.GIVEN_UP or (not status and shown is Status.FAILED):
        return Unsettled(status=Status.FAILED, note=DEPLOY_AGAIN, more=_why_failed(service, rollout))
    return Unsettled(status=Status.UNDER_WAY, note=f"is still rolling out{_how_far(service, rollout)}")


def _how_far(service: Doc, rollout: Doc) -> str:
    """`` (1/2 running, BAKE_TIME)``, as far as it is shown."""
    primary, stage = primary_of(service), str(rollout.get("lifecycleStage") or "")
    known = "runningCount" in primary and "desiredCount" in primary
    parts = [*([counts(primary)] if known else []), *([stage] if stage else [])]
    return f" ({', '.join(parts)})" if parts else ""


def _status(service: Doc) -> Status | None:
    """How the PRIMARY deployment stands by the service alone: UNDER_WAY, FAILED, or None where it is settled.

    Services behind a Classic Load Balancer show no rollout state, nor do strategies that shift traffic. There a
    deployment that has ended once stays settled: fewer tasks than desired are then a matter of scaling.
    """
    primary = primary_of(service)
    state = primary.get("rolloutState")
    if not primary or state == "COMPLETED":
        return None
    if state is not None:
        return Status.FAILED if state == "FAILED" else Status.UNDER_WAY
    running, desired = primary.get("runningCount"), primary.get("desiredCount")
    too_few = running is not None and desired is not None and running < desired
    others = any(one.get("status") not in ("PRIMARY", "INACTIVE") for one in service.get("deployments", ()))
    if (not others and not too_few) or _mentioning(service, primary, COMPLETED):
        return None
    if _mentioning(service, primary, FAILED):
        return Status.FAILED
    return None if not others and _was_steady(service, primary) else Status.UNDER_WAY


def _was_steady(service: Doc, primary: Doc) -> bool:
    """Has the service been steady since this deployment began?"""
    began = epoch(primary.get("createdAt"))
    times = [epoch(event.get("createdAt")) for event in _events(service, STEADY)]
    return began is not None and any(at is not None and at >= began for at in times)


def _events(service: Doc, text: str) -> Iterator[Doc]:
    """The events with that text, newest first."""
    return (event for event in service.get("events") or () if text in str(event.get("message", "")))


def _mentioning(service: Doc, deployment: Mapping[str, object], text: str) -> Doc:
    """The newest event with that text about a deployment; {} if there is none."""
    name = str(deployment.get("id") or "")
    found = (one for one in _events(service, text) if name and deployments.mentions(str(one["message"]), name))
    return dict(next(found, {}))


# --- what a plan says of it ---


def remarks(delta: Delta) -> tuple[str, ...]:
    """Why the rollout has failed that is to be made again; what a pause waits for; that ECS has taken the wanted
    revision back before."""
    service, found = delta.live.facts.get("described") or {}, delta.live.unsettled
    wanted = delta.declared.get("taskDefinition")
    if not isinstance(wanted, str):  # a revision that is still to be made has never been rolled out
        return ()
    if short_arn(wanted) != short_arn(service.get("taskDefinition", "")):
        said = _rolled_back(service, short_arn(wanted))
    else:
        said = found.more if found is not None else ""
    return (f"{delta.change.address}: {said}",) if said else ()


def _why_failed(service: Doc, rollout: Doc) -> str:
    """ECS's reason for the failure of the PRIMARY deployment, and how many tasks run."""
    primary = primary_of(service)
    event = _reason_in(_mentioning(service, primary, FAILED))
    reasons = (primary.get("rolloutStateReason"), rollout.get("statusReason"), event, "ECS gave no reason")
    return f"{str(next(filter(None, reasons))).rstrip('.')}; {counts(primary)}"


def _reason_in(event: Doc) -> str:
    return str(event.get("message") or "").partition(f"{FAILED}: ")[2].rstrip(".")


def _rolled_back(service: Doc, wanted: str) -> str:
    """That ECS has rolled back the wanted revision, when and why; "" if it has not, or that is not shown. ECS names the
    deployment that it went back to. The one that it gave up is shown until its tasks have stopped."""
    primary = primary_of(service)
    back = _mentioning(service, primary, GOES_BACK)
    reason = str(primary.get("rolloutStateReason") or "")
    if not back and not (GOES_BACK in reason and deployments.mentions(reason, str(primary.get("id") or "-"))):
        return ""
    others = [one for one in service.get("deployments", ()) if one.get("status") != "PRIMARY"]
    given_up: Doc = next((one for one in others if one.get("rolloutState") == "FAILED"), {})
    revision = short_arn(given_up.get("taskDefinition", ""))
    if revision and revision != wanted:
        return ""
    event = _mentioning(service, given_up, FAILED) or next(_events(service, FAILED), {})
    at = iso(back.get("createdAt") or primary.get("createdAt"))
    why = _reason_in(event) or str(given_up.get("rolloutStateReason") or "").rstrip(".")
    return "".join((
        f"ECS rolled {revision or 'the newest rollout'} back",
        f" at {at}" if at else "",
        f": {why}" if why else "",
    ))  # fmt: skip
