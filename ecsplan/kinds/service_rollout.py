"""What becomes of an UpdateService: judged by the deployment that it started, never by the service looking stable."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.errors import RefusedError
from ecsplan.kinds.base import Ask, Look, Progress, Waiting, overlay, short_arn
from ecsplan.kinds.service_answers import batches, by_name, describe, primary_of
from ecsplan.kinds.service_rules import RULES
from ecsplan.model import Call, Doc, Step
from ecsplan.normalize import normal

ACTIONS = ("forceNewDeployment",)  # parameters that are no state of the service


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """The id of the deployment that the update left PRIMARY. "" where the answer is older than the update: it shows a
    PRIMARY on another revision than was asked for."""
    primary = primary_of(answer.get("service", {}))
    if not primary.get("id"):
        raise RefusedError(f"{step.address}: {call} was answered without a PRIMARY deployment")
    known = _on_revision(primary, call) and not _is_before(primary, call, step.expect.get("deployment"))
    return {"deployment": str(primary["id"]) if known else ""}


def _is_before(primary: Doc, call: Call, before: object) -> bool:
    """Is it the deployment from before an update that starts a new one whatever else it says?"""
    return bool(call.params.get("forceNewDeployment")) and primary.get("id") == before


def _on_revision(deployment: Doc, call: Call) -> bool:
    """Is it of the revision that the call asked for? An update that moves no revision asks for none."""
    wanted = call.params.get("taskDefinition")
    return wanted is None or short_arn(deployment.get("taskDefinition", "")) == short_arn(wanted)


def reconcile(ask: Ask, step: Step, call: Call) -> dict[str, str] | None:
    """The deployment of an update whose answer was lost: PRIMARY, on the wanted revision, not the one from before, and
    with all that the call sets. ECS's own rollback has the revision of one that puts things back, and nothing else of
    it; an update that is sent once more where this is in doubt does no harm."""
    (answer,) = ask.many([describe(call.params.get("cluster"), [call.params["service"]])])
    service = by_name(answer.value()).get(short_arn(call.params["service"]), {})
    primary = primary_of(service)
    before = step.expect.get("deployment")
    if "taskDefinition" not in call.params or not primary.get("id") or primary["id"] == before:
        return None
    return {"deployment": str(primary["id"])} if _on_revision(primary, call) and _is_set(service, call) else None


def _is_set(service: Doc, call: Call) -> bool:
    """Does the service show what the call sets beside the revision?"""
    found = normal({**primary_of(service), **service}, RULES)
    sets = {k: v for k, v in call.params.items() if k not in ("cluster", "service", "taskDefinition", *ACTIONS)}
    return bool(normal(overlay(found, sets), RULES) == found)


def watch(waiting: Sequence[Waiting]) -> tuple[Look, ...]:
    """One DescribeServices per ten services, however many are rolling out."""
    groups = batches([(one.call.params.get("cluster"), one) for one in waiting])
    return tuple(
        Look(
            call=describe(cluster, [one.call.params["service"] for one in group]),
            steps=tuple(one.step.index for one in group),
        )
        for cluster, group in groups
    )


def progress(waiting: Waiting, answers: Sequence[Doc]) -> Progress:
    """Judged by our own deployment's id and revision, never by the service looking stable: it does after a rollback."""
    services = {name: service for data in answers for name, service in by_name(data).items()}
    service = services.get(short_arn(waiting.call.params["service"]))
    if service is None:
        # A deleted service is shown as INACTIVE for long; of one that is not shown at all the next look will tell.
        return Progress(done=False, note="waiting for ECS to show the service")
    if service.get("status") == "INACTIVE":
        return Progress(done=True, ok=False, note="the service is gone", taken=True)
    primary, before = primary_of(service), waiting.before.get("deployment") or waiting.step.expect.get("deployment")
    unknown = not _on_revision(primary, waiting.call) or _is_before(primary, waiting.call, before)
    ours = waiting.outputs["deployment"] or ("" if unknown else str(primary.get("id")))
    shown = {deployment.get("id") for deployment in service.get("deployments", ())}
    if primary.get("id") == before and ours not in shown and not _event(ours, service):
        # ECS answers from several places: this one has not heard of the update yet. A rollback has an id of its own.
        return Progress(done=False, note="waiting for ECS to show the update")
    if primary.get("id") != ours or not _on_revision(primary, waiting.call):
        return _taken_over(waiting, service, ours)
    state, counts = primary.get("rolloutState"), _counts(primary)
    if state == "FAILED":
        return Progress(done=True, ok=False, note=f"the rollout failed: {_reason(primary)}; {counts}")
    others = [d for d in service.get("deployments", ()) if d.get("status") not in ("PRIMARY", "INACTIVE")]
    settled = primary.get("runningCount", 0) == primary.get("desiredCount", 0) and not others
    # Service deployments behind a Classic Load Balancer have no rollout state; an update that started no deployment is
    # COMPLETED from the beginning, while the count may still be moving.
    if (state == "COMPLETED" and (ours != before or settled)) or (state is None and settled):
        return Progress(done=True, note=f"rolled out, {counts}")
    return Progress(done=False, note=f"rolling out, {counts}")


def _taken_over(waiting: Waiting, service: Doc, ours: str) -> Progress:
    """Another deployment is PRIMARY: ECS went back to the previous revision, or somebody else deployed."""
    primary = primary_of(service)
    mine: Doc = next((d for d in service.get("deployments", ()) if d.get("id") == ours), {})
    on = short_arn(primary.get("taskDefinition", "an unknown revision"))
    # ECS goes back to the last revision that was rolled out to the end, which is not always the one from before.
    failed = mine.get("rolloutState") == "FAILED" or bool(_event(ours, service))
    going_back = "roll" in _reason(primary) and "back" in _reason(primary)
    if on == short_arn(waiting.step.expect.get("previous", "")) or failed or going_back:
        reason = _reason(mine or _event(ours, service))
        return Progress(done=True, ok=False, note=f"ECS rolled the service back to {on}: {reason}")
    return Progress(done=True, ok=False, note=f"superseded: another deployment put the service on {on}", taken=True)


def _event(ours: str, service: Doc) -> Doc:
    """What the service's newest event about our deployment says, once the deployment itself has drained away."""
    texts = [str(event.get("message", "")) for event in service.get("events", ())]
    about = [text for text in texts if ours and ours in text and "fail" in text]
    return {"rolloutStateReason": about[0]} if about else {}


def _reason(deployment: Doc) -> str:
    return str(deployment.get("rolloutStateReason") or "ECS gave no reason").rstrip(".")


def _counts(deployment: Doc) -> str:
    parts = [f"{deployment.get('runningCount', 0)}/{deployment.get('desiredCount', 0)} running"]
    if pending := deployment.get("pendingCount"):
        parts.append(f"{pending} pending")
    if failed := deployment.get("failedTasks"):
        parts.append(f"{failed} failed")
    return ", ".join(parts)
