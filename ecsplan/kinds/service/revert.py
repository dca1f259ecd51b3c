"""Reverting an update while ECS may still be rolling it out, or is rolling it back by itself."""

from __future__ import annotations

from ecsplan.core.clock import epoch
from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import overlay
from ecsplan.core.errors import AwsError, SupersededError
from ecsplan.core.model import Call, Doc
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Delta, Reverting, Tracked
from ecsplan.kinds.service import service_deployment as deployments
from ecsplan.kinds.service.observe import BACK, CLOCK_SKEW, needs_service_deployment
from ecsplan.kinds.service.read import by_name, describe, expected, names, primary_of
from ecsplan.kinds.service.rollout import ACTIONS, judge
from ecsplan.kinds.service.rules import RULES


def stopped_by(delta: Delta) -> str:
    """The deployment that a rollback reverts while it is still rolling out. ECS itself rolls back to the previous
    revision; "" if the rollback goes to another one."""
    made = delta.resource.facts.get("made", {})
    wanted = delta.declared.get("taskDefinition", made.get("previous"))
    there = isinstance(wanted, str) and short_arn(wanted) == short_arn(made.get("previous", ""))
    if delta.live.rolling and there and made.get("deployment") == delta.live.facts.get("deployment"):
        return str(made["deployment"])
    return ""


def started_by(expect: Doc) -> dict[str, str] | None:
    """The outputs of the update that a rollback reverts while it may still be rolling out."""
    return {"deployment": str(expect["stops"])} if expect.get("stops") else None


def revert(reader: Reader, tracked: Tracked, undo: Call) -> Reverting:
    """If ECS is already rolling back (or has), send only what it does not restore, if anything. If the rollout is in
    progress, ask ECS to stop it. Otherwise, or if the state is unknown, send the undo."""
    try:
        (answer,) = reader.fetch([describe(undo.params.get("cluster"), [undo.params["service"]])])
        service = by_name(answer.value()).get(short_arn(undo.params["service"]), {})
        update, primary = tracked.outputs.get("deployment"), primary_of(service)
        if not update or not primary.get("id"):
            return Reverting(call=undo)
        return (_stopped if primary["id"] == update else revert_rest)(reader, tracked, service, undo)
    except AwsError:
        return Reverting(call=undo)


def _stopped(reader: Reader, tracked: Tracked, service: Doc, undo: Call) -> Reverting:
    """Our deployment is PRIMARY, and may still be rolling out."""
    primary = primary_of(service)
    if primary.get("rolloutState") in ("COMPLETED", "FAILED") and not needs_service_deployment(service):
        return Reverting(call=undo)
    rollout = _service_deployment(reader, tracked, service)
    arn, status = str(rollout.get("serviceDeploymentArn") or ""), rollout.get("status")
    if status in deployments.GOING_BACK:
        return Reverting(outputs={"deployment": "", "rollout": arn, BACK: "by itself"})
    first = "sourceServiceRevisions" in rollout and not rollout["sourceServiceRevisions"]
    if status not in deployments.ROLLING or first:
        return Reverting(call=undo)
    pause = deployments.paused(rollout)
    return Reverting(call=deployments.resolve_pause(pause, onwards=False) if pause else deployments.stopping(arn))


def _service_deployment(reader: Reader, tracked: Tracked, service: Doc) -> Doc:
    """The service deployment of the update that is PRIMARY; empty if AWS does not show it."""
    primary, step = primary_of(service), tracked.step
    deployment = tracked.outputs.get("deployment")
    before = expected(step).rollout if deployment != expected(step).deployment else None
    arn = tracked.outputs.get("rollout") or service.get("currentServiceDeployment")
    if not arn:
        (answer,) = reader.fetch([deployments.list_rollouts(tracked.call)])
        listed: list[Doc] = answer.value().get("serviceDeployments") or [{}]
        arn = max(listed, key=lambda one: epoch(one.get("createdAt")) or 0.0).get("serviceDeploymentArn")
    if not arn or arn == before:
        return {}
    (answer,) = reader.fetch([deployments.describe_rollouts([str(arn)])])
    found = answer.value().get("serviceDeployments") or [{}]
    made, began = epoch(found[0].get("createdAt")), epoch(primary.get("createdAt"))
    stale = made is not None and began is not None and made < began - CLOCK_SKEW
    return {} if stale else dict(found[0])


def revert_rest(reader: Reader, tracked: Tracked, service: Doc, undo: Call) -> Reverting:
    """Another deployment than the update's is PRIMARY: ECS's own rollback, or one that was made by others."""
    primary, arn = primary_of(service), tracked.outputs.get("rollout")
    details = [
        answer.value()
        for answer in reader.fetch([deployments.describe_rollouts([arn])] if arn else ())
        if not answer.error
    ]
    judged = judge(tracked, [{"services": [service]}, *details])
    wanted = undo.params.get("taskDefinition") or expected(tracked.step).previous
    elsewhere = short_arn(primary.get("taskDefinition", "")) != short_arn(wanted)
    if judged.superseded and elsewhere:
        raise SupersededError(f"{tracked.address} was changed by another deployment; left as it is")
    not_shown = primary["id"] == expected(tracked.step).deployment and judged.status is not Status.ROLLED_BACK
    if elsewhere or not_shown:
        return Reverting(call=undo)
    if differs := _differing(service, undo):
        return Reverting(call=Call(service="ecs", operation="update_service", params={**names(undo.params), **differs}))
    outputs = {"deployment": str(primary["id"]), BACK: "by itself"}
    return Reverting(outputs={**outputs, "rollout": arn} if arn else outputs)


def _differing(service: Doc, undo: Call) -> Doc:
    """The part of the undo, besides the revision, that the service does not have."""
    found = normal({**primary_of(service), **service}, RULES)
    sets = {k: v for k, v in undo.params.items() if k not in ("cluster", "service", "taskDefinition", *ACTIONS)}
    return {k: v for k, v in sets.items() if normal(overlay(found, {k: v}), RULES) != found}
