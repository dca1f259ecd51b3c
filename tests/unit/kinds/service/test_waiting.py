"""Waiting for a rollout that was begun before: that of the PRIMARY deployment, or of the next one on its revision."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Action, Doc, Irreversible
from ecsplan.kinds.contract import Progress, Tracked
from tests.unit.fakes_kinds import call, kind, revision, step_of, track

KIND = kind("service")
OLD, NEW = revision("web:41"), revision("web:42")
HOOKS: Doc = {"strategy": "BLUE_GREEN"}


def waiting(awaits: str = "ecs-svc/2") -> Tracked:
    step = step_of(
        "service.prod/web",
        call("describe_services", cluster="prod", services=["web"]),
        action=Action.WAIT,
        expect={"awaits": awaits, "revision": NEW, "previous": OLD},
    )
    step = msgspec.structs.replace(step, undo=Irreversible(reason="nothing was sent"))
    awaited = track(KIND).awaited
    assert awaited is not None
    found = awaited(step)
    return Tracked(kind=KIND, step=step, call=found.call, outputs=found.outputs)


def deployed_again() -> Tracked:
    """An update that was forced, because the rollout before had failed."""
    sent = call("update_service", cluster="prod", service="web", taskDefinition=NEW, forceNewDeployment=True)
    step = step_of("service.prod/web", sent, action=Action.UPDATE, expect={"deployment": "ecs-svc/1", "previous": NEW})
    step = msgspec.structs.replace(step, undo=Irreversible(reason="it had failed before"))
    return Tracked(kind=KIND, step=step, call=sent, outputs={"deployment": "ecs-svc/2"})


def deployment(number: int, wanted: str, status: str = "PRIMARY", **fields: Any) -> Doc:
    return {
        "id": f"ecs-svc/{number}", "status": status, "taskDefinition": wanted, "desiredCount": 2, "runningCount": 2,
        "rolloutState": "IN_PROGRESS",
    } | fields  # fmt: skip


def look(*deployments: Doc, of: Tracked | None = None, rollout: Doc | None = None, **fields: Any) -> Progress:
    service = {"serviceName": "web", "status": "ACTIVE", "deployments": list(deployments)} | fields
    answers: list[Doc] = [{"services": [service]}]
    answers += [{"serviceDeployments": [rollout]}] if rollout else []
    return track(KIND).judge(of or waiting(), answers)


def event(text: str) -> Doc:
    return {"message": f"(service web) {text}"}


FAILED = event("(deployment ecs-svc/2) deployment failed: it crashed.")
GONE_BACK: dict[str, Any] = {"events": [event("rolling back to deployment ecs-svc/3."), FAILED]}
GAVE_UP = deployment(2, NEW, "ACTIVE", rolloutState="FAILED", rolloutStateReason="it crashed")


def test_what_is_waited_for_is_the_update_that_began_it() -> None:
    one = waiting()
    assert one.call == call("update_service", cluster="prod", service="web", taskDefinition=NEW)
    assert one.outputs == {"deployment": "ecs-svc/2"}
    (poll,) = track(KIND).polls([one])
    assert poll.call == call("describe_services", cluster="prod", services=["web"])


@pytest.mark.parametrize("awaits", ["ecs-svc/2", ""])
@pytest.mark.parametrize(
    ("primary", "status", "note"),
    [
        (deployment(2, NEW, runningCount=1), Status.UNDER_WAY, "rolling out, 1/2 running"),
        (deployment(2, NEW, rolloutState="COMPLETED"), Status.SUCCEEDED, "rolled out, 2/2 running"),
        (deployment(2, NEW, rolloutState="FAILED", rolloutStateReason="it crashed."), Status.FAILED,
         "the rollout failed: it crashed; 2/2 running"),
        (deployment(2, NEW, rolloutState=None), Status.SUCCEEDED, "rolled out, 2/2 running"),
        (deployment(2, NEW, rolloutState=None, runningCount=0), Status.UNDER_WAY, "rolling out, 0/2 running"),
    ],
)  # fmt: skip
def test_it_is_judged_like_an_update_of_ones_own(primary: Doc, status: Status, note: str, awaits: str) -> None:
    seen = look(primary, of=waiting(awaits))
    assert (seen.status, seen.note) == (status, note)
    assert {**waiting(awaits).outputs, **seen.outputs} == {"deployment": "ecs-svc/2"}


def test_another_deployment_of_the_same_revision_is_waited_for_instead() -> None:
    seen = look(deployment(3, NEW, runningCount=1), deployment(2, NEW, "ACTIVE"))
    assert (seen.status, seen.note, seen.outputs) == (
        Status.UNDER_WAY, "rolling out, 1/2 running", {"deployment": "ecs-svc/3"},
    )  # fmt: skip
    theirs = dataclasses.replace(waiting(), outputs=seen.outputs)
    assert look(deployment(3, NEW, rolloutState="COMPLETED"), of=theirs).status is Status.SUCCEEDED


def test_one_of_another_revision_has_taken_its_place() -> None:
    seen = look(deployment(3, revision("web:43")), deployment(2, NEW, "ACTIVE"))
    assert (seen.status, seen.superseded) == (Status.SUPERSEDED, True)


def test_a_service_that_is_gone() -> None:
    assert look(status="INACTIVE").superseded


@pytest.mark.parametrize("one", [waiting(), deployed_again()], ids=["waiting", "deployed again"])
def test_what_ecs_takes_back_ends_when_it_is_back(one: Tracked) -> None:
    """There is no undo that would wait for it."""
    going = look(deployment(3, OLD, runningCount=1), GAVE_UP, of=one, **GONE_BACK)
    assert (going.done, going.note, going.status) == (False, "rolling back, 1/2 running", Status.UNDER_WAY)
    back = look(deployment(3, OLD, rolloutState="COMPLETED"), of=one, **GONE_BACK)
    assert (back.done, back.ok, back.status) == (True, False, Status.ROLLED_BACK)
    event = "(service web) (deployment ecs-svc/2) deployment failed: it crashed"
    assert back.note == f"ECS rolled the service back to web:41: {event}"
    lost = look(deployment(3, OLD, rolloutState="FAILED"), GAVE_UP, of=one, **GONE_BACK)
    assert (lost.done, lost.ok, lost.status) == (True, False, Status.FAILED)
    assert "ECS could not roll it back" in lost.note


def test_before_ecs_shows_where_it_goes_back_to() -> None:
    known = dataclasses.replace(waiting(), outputs={"deployment": "ecs-svc/2", "rollout": "arn:r"})
    rollout = {"serviceDeploymentArn": "arn:r", "status": "ROLLBACK_REQUESTED"}
    seen = look(deployment(2, NEW), of=known, rollout=rollout, deploymentConfiguration=HOOKS)
    assert (seen.done, seen.note) == (False, "rolling back, 2/2 running")
    back = {"serviceDeploymentArn": "arn:r", "status": "ROLLBACK_SUCCESSFUL"}
    seen = look(deployment(3, OLD), of=known, rollout=back, deploymentConfiguration=HOOKS)
    assert (seen.done, seen.status) == (True, Status.ROLLED_BACK)
