"""UpdateService: its answer, its lost answer, and whether its rollout has failed (`judge`). The deployment that it
started decides; a service looks stable after a rollback too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import overlay
from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Call, Doc, Step
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Poll, Progress, Tracked
from ecsplan.kinds.service import service_deployment
from ecsplan.kinds.service.observe import (
    BACK,
    MAX_LISTINGS,
    MAX_STALE_POLLS,
    Misses,
    ServiceObservation,
    is_previous,
    is_reverting,
    needs_service_deployment,
    observe,
    on_revision,
    with_details,
)
from ecsplan.kinds.service.read import batches, by_name, counts, describe, expected, primary_of
from ecsplan.kinds.service.rules import RULES

ACTIONS = ("forceNewDeployment",)  # parameters that are not part of the service's state
SERVICE_DELETED = (
    "INACTIVE",
    "DRAINING",
)  # deleted, or about to be, while tasks still have to stop (DeleteService)


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """The id of the deployment that the update left PRIMARY, and the ARN of its service deployment if that is needed.
    The id is "" if the answer is older than the update (its PRIMARY is on another revision), or shows no PRIMARY: the
    next poll will. For a rollout that ECS was asked to roll back: its service deployment."""
    if call.operation != "update_service":
        return {"deployment": "", "rollout": str(call.params["serviceDeploymentArn"]), BACK: "asked for"}
    service: Doc = answer.get("service", {})
    primary, before = primary_of(service), expected(step).deployment
    if not primary.get("id"):
        if "taskDefinition" in call.params and _moves(step):
            return {"deployment": ""}  # known by its revision
        raise RefusedError(f"{step.address}: {call} was answered without a PRIMARY deployment")
    known = on_revision(primary, call) and not is_previous(primary, call, before)
    outputs = {"deployment": str(primary["id"]) if known else ""}
    rollout = service.get("currentServiceDeployment")
    if (
        known
        and primary["id"] != before
        and needs_service_deployment(service)
        and rollout not in (None, expected(step).rollout)
    ):
        outputs["rollout"] = str(rollout)
    return outputs


def _moves(step: Step) -> bool:
    """Does the step, and so its undo, move the service to another revision?"""
    wanted, previous = step.call.params.get("taskDefinition"), expected(step).previous
    return wanted is not None and short_arn(wanted) != short_arn(previous)


def recover(reader: Reader, step: Step, call: Call) -> dict[str, str] | None:
    """The deployment of an update whose answer was lost: PRIMARY, on the wanted revision, not the previous one, and
    with everything that the call sets. ECS's own rollback restores the revision only. When in doubt, resending the
    update is harmless. If ECS rolled back meanwhile, returns the deployment that failed."""
    if call.operation != "update_service":
        return accept(step, call, {}) if service_deployment.was_carried_out(reader, call) else None
    (answer,) = reader.fetch([describe(call.params.get("cluster"), [call.params["service"]])])
    service = by_name(answer.value()).get(short_arn(call.params["service"]), {})
    primary = primary_of(service)
    before = expected(step).deployment
    if "taskDefinition" not in call.params or not primary.get("id") or primary["id"] == before:
        return None
    if on_revision(primary, call):
        return accept(step, call, {"service": service}) if is_set(service, call) else None
    given_up = _given_up(service, str(primary["id"]))
    return {"deployment": given_up} if given_up not in ("", before) else None


def _given_up(service: Doc, primary: str) -> str:
    """The deployment that ECS gave up when it rolled back to the PRIMARY one, according to its events; "" if it did
    not."""
    texts = [str(event.get("message", "")) for event in service.get("events", ())]
    if not any("rolling back" in text and service_deployment.mentions(text, primary) for text in texts):
        return ""
    failed = (re.search(r"deployment (\S+)\) deployment failed", text) for text in texts)
    return next((match[1] for match in failed if match), "")


def is_set(service: Doc, call: Call) -> bool:
    """Does the service show what the call sets besides the revision?"""
    found = normal({**primary_of(service), **service}, RULES)
    sets = {k: v for k, v in call.params.items() if k not in ("cluster", "service", "taskDefinition", *ACTIONS)}
    return bool(normal(overlay(found, sets), RULES) == found)


def again(call: Call) -> Call:
    """Without forceNewDeployment, an update that changes nothing starts no rollout."""
    if call.operation != "update_service":
        return call
    return Call(service=call.service, operation=call.operation, params={**call.params, "forceNewDeployment": True})


def expect_again(tracked: Tracked, answers: Sequence[Doc]) -> dict[str, str]:
    """The deployment that is PRIMARY before the update is sent once more, and its service deployment."""
    services = {name: service for data in answers for name, service in by_name(data).items()}
    service = services.get(short_arn(tracked.call.params["service"]), {})
    found = {
        "deployment": primary_of(service).get("id"),
        "rollout": service.get("currentServiceDeployment") or tracked.outputs.get("rollout"),
    }
    return {name: str(value) for name, value in found.items() if value}


def polls(tracked: Sequence[Tracked]) -> tuple[Poll, ...]:
    """One DescribeServices per ten services; one DescribeServiceDeployments per twenty service deployments that are
    needed."""
    groups = batches([(one.call.params.get("cluster"), one) for one in tracked])
    services = tuple(
        Poll(
            call=describe(cluster, [one.call.params["service"] for one in group]),
            steps=tuple(one.step.index for one in group),
        )
        for cluster, group in groups
    )
    known = [(one.step.index, one.outputs["rollout"]) for one in tracked if one.outputs.get("rollout")]
    unknown = [one for one in tracked if not one.outputs.get("rollout")]
    missing = [one for one in unknown if isinstance(one.state, Misses) and 1 <= one.state.listing <= MAX_LISTINGS]
    return (*services, *service_deployment.rollout_polls(known), *map(service_deployment.listing_poll, missing))


def judge(tracked: Tracked, answers: Sequence[Doc]) -> Progress:
    """Judged by the id and revision of our own deployment."""
    observed = observe(tracked, answers)
    if observed is None:
        # A deleted service is shown as INACTIVE for long. If it is not shown at all, the next poll may show it.
        return Progress(done=False, note="waiting for ECS to show the service")
    if observed.service.get("status") in SERVICE_DELETED:
        return Progress(done=True, ok=False, note="the service is gone", superseded=True)
    if is_reverting(tracked.outputs):
        return with_details(observed, service_deployment.rolling_back(observed))
    return with_details(observed, service_deployment.judge_rollout(observed) or _by_deployments(observed))


def _by_deployments(observed: ServiceObservation) -> Progress:
    """By the service's own list of deployments."""
    primary = observed.primary
    if (
        primary.get("id") == observed.previous_id
        and not observed.deployment
        and not _event(observed, observed.deployment_id, "fail")
    ):
        if observed.missing_polls > MAX_STALE_POLLS:
            return service_deployment.rolled_back(observed, "")
        # ECS answers from several places; this one does not know of the update yet. A rollback has an id of its own.
        return Progress(done=False, note="waiting for ECS to show the update")
    if not observed.is_primary:
        return _another_is_primary(observed)
    state, sums = primary.get("rolloutState"), counts(primary)
    failed = _event(observed, observed.deployment_id, "deployment failed") if state is None else ""
    started = observed.deployment_id != observed.previous_id
    if (state == "FAILED" or failed) and (started or not observed.settled):
        return _failed(f"the rollout failed: {failed or service_deployment.reason(primary)}; {sums}")
    # Services behind a Classic Load Balancer have no rollout state, nor have strategies that shift traffic. After an
    # update that started no deployment, the state is an old one, while the count may still be moving.
    settled = observed.settled and state in (None, "COMPLETED", "FAILED")
    if (settled or (state == "COMPLETED" and started)) and not observed.expects_rollout:
        return service_deployment.rolled_out(observed)
    under_way = "rolling out" if state in (None, "IN_PROGRESS", "COMPLETED") else str(state)
    return Progress(done=False, note=f"{under_way}, {sums}", summary=under_way)


def _failed(note: str) -> Progress:
    return Progress(done=True, ok=False, note=note, stated=Status.FAILED)


def _another_is_primary(observed: ServiceObservation) -> Progress:
    """Another deployment is PRIMARY: ECS rolled back to the previous revision, or another deployment was made."""
    primary, deployment = observed.primary, observed.deployment
    # ECS rolls back to the last revision that was rolled out completely, which is not always the previous one.
    said = service_deployment.reason(primary)
    event = _event(observed, observed.deployment_id, "fail")
    went_back = (
        deployment.get("rolloutState") == "FAILED"
        or bool(event)
        or ("roll" in said and "back" in said)
        or bool(_event(observed, str(primary.get("id") or ""), "rolling back"))
    )
    previous = short_arn(expected(observed.tracked.step).previous)
    # A deployment that ECS gave up is FAILED if it has a state. One that is still IN_PROGRESS was replaced.
    looks_so = (
        short_arn(primary.get("taskDefinition", "")) == previous and deployment.get("rolloutState") != "IN_PROGRESS"
    )
    if went_back or looks_so:
        return service_deployment.rolled_back(observed, str(deployment.get("rolloutStateReason") or event))
    return service_deployment.superseded(observed)


def _event(observed: ServiceObservation, deployment: str, word: str) -> str:
    """The service's newest event with that word about a deployment, which may have drained away; "" if there is
    none."""
    return next(iter(_events(observed, deployment, word)), "")


def _events(observed: ServiceObservation, deployment: str, word: str) -> Iterator[str]:
    for event in observed.service.get("events", ()):
        text = str(event.get("message", ""))
        if deployment and word in text and service_deployment.mentions(text, deployment):
            yield text.rstrip(".")
