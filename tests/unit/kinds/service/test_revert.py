"""Taking an update back that may still be under way: at the port, answer by answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ecsplan.core.diagnosis import Status
from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Call, Doc
from ecsplan.kinds.contract import Reverting, Tracked
from tests.unit.fakes_kinds import FakeAsk, call, kind, revert, revision, track
from tests.unit.kinds.service.test_rollout import NEW, OLD, deployment, waiting
from tests.unit.kinds.service.test_service_deployment import BEGAN, EARLIER, OURS, rollout, shifted

KIND = kind("service")
UNDO = call("update_service", cluster="prod", service="web", taskDefinition=OLD, desiredCount=2)
DESCRIBE = call("describe_services", cluster="prod", services=["web"])
STOP = call("stop_service_deployment", serviceDeploymentArn=OURS, stopType="ROLLBACK")


def asking(*deployments: Doc, told: Doc | None = None, **fields: Any) -> FakeAsk:
    service = {"serviceName": "web", "desiredCount": 2, "deployments": list(deployments)} | fields
    reader = FakeAsk().on(DESCRIBE, {"services": [service]})
    if told is not None:
        found = call("describe_service_deployments", serviceDeploymentArns=[OURS])
        reader.on(found, {"serviceDeployments": [told] if told else []})
    return reader


def way(reader: FakeAsk, one: Tracked | None = None, undo: Call = UNDO) -> Reverting:
    return revert(KIND).plan(reader, one or waiting(), undo)


CURRENT: Doc = {"currentServiceDeployment": OURS}


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS"])
def test_what_is_rolling_out_is_stopped(status: str) -> None:
    reader = asking(deployment(2, createdAt=BEGAN), told=rollout(status), **CURRENT)
    assert way(reader) == Reverting(call=STOP)
    assert KIND.calls.accept(waiting().step, STOP, {}) == {"deployment": "", "rollout": OURS, "back": "asked for"}


def test_what_waits_at_a_hook_is_sent_back() -> None:
    told = rollout(lifecycleHookDetails=[{"hookId": "h", "status": "AWAITING_ACTION"}])
    sent = call("continue_service_deployment", serviceDeploymentArn=OURS, hookId="h", action="ROLLBACK")
    assert way(asking(shifted(), told=told, **CURRENT)) == Reverting(call=sent)


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"])
def test_what_ecs_is_about_to_take_back_is_only_waited_for(status: str) -> None:
    found = way(asking(shifted(), told=rollout(status), **CURRENT), dataclasses.replace(waiting(), outputs={
        "deployment": "ecs-svc/2", "rollout": OURS}))  # fmt: skip
    assert found == Reverting(outputs={"deployment": "", "rollout": OURS, "back": "by itself"})
    assert revert(KIND).is_reverting(found.outputs)


@pytest.mark.parametrize(
    "reader",
    [
        asking(deployment(2, rolloutState="COMPLETED"), **CURRENT),
        asking(deployment(2, rolloutState="FAILED"), **CURRENT),
        asking(deployment(2, createdAt=BEGAN), told=rollout("SUCCESSFUL"), **CURRENT),
        asking(deployment(2), told=rollout("STOPPED"), **CURRENT),
        asking(deployment(2), told=rollout("ROLLBACK_FAILED"), **CURRENT),
        asking(deployment(2), told=rollout(sourceServiceRevisions=[]), **CURRENT),  # nothing to go back to
        asking(deployment(2, createdAt=BEGAN), told=rollout(createdAt=BEGAN - 60), **CURRENT),  # of an earlier one
        asking(deployment(2), told={}, **CURRENT),
        asking(),
        asking(deployment(1)),  # it is not shown yet
        FakeAsk().refuse(DESCRIBE, "AccessDeniedException"),
        asking(deployment(2), **CURRENT).refuse(
            call("describe_service_deployments", serviceDeploymentArns=[OURS]), "UnknownOperationException"
        ),
    ],
)
def test_else_it_is_put_back_by_the_undo(reader: FakeAsk) -> None:
    assert way(reader) == Reverting(call=UNDO)


def test_of_an_update_that_nobody_saw_nothing_is_stopped() -> None:
    assert way(asking(deployment(2)), waiting(ours="")) == Reverting(call=UNDO)


def test_the_service_deployment_from_before_is_not_stopped() -> None:
    one = waiting()
    one.step.expect["rollout"] = EARLIER
    assert way(asking(deployment(2), currentServiceDeployment=EARLIER), one) == Reverting(call=UNDO)


def test_without_a_current_one_they_are_listed() -> None:
    listed = [
        {"serviceDeploymentArn": EARLIER, "createdAt": BEGAN - 60},
        {"serviceDeploymentArn": OURS, "createdAt": BEGAN},
    ]
    reader = asking(deployment(2, createdAt=BEGAN), told=rollout())
    reader.on(call("list_service_deployments", cluster="prod", service="web"), {"serviceDeployments": listed})
    assert way(reader) == Reverting(call=STOP)


def test_where_ecs_has_gone_back_only_the_rest_is_put_back() -> None:
    mine = {**deployment(2), "status": "ACTIVE", "rolloutState": "FAILED"}
    assert way(asking(deployment(3), mine)) == Reverting(outputs={"deployment": "ecs-svc/3", "back": "by itself"})
    rest = call("update_service", cluster="prod", service="web", desiredCount=2)
    assert way(asking(deployment(3), mine, desiredCount=4)) == Reverting(call=rest)


def test_where_ecs_has_gone_back_further_the_undo_is_sent() -> None:
    mine = {**deployment(2), "status": "ACTIVE", "rolloutState": "FAILED"}
    assert way(asking(deployment(3, taskDefinition=revision("web:40")), mine)) == Reverting(call=UNDO)


def test_what_somebody_else_has_deployed_is_left_to_them() -> None:
    with pytest.raises(RefusedError, match=r"^service\.prod/web was changed by another deployment; left as it is$"):
        way(asking(deployment(3, taskDefinition=revision("web:43"))))


def test_a_rollback_takes_back_what_is_primary() -> None:
    """Its step's service deployment from before is the very one to stop."""
    assert revert(KIND).started_by({"deployment": "ecs-svc/2"}) is None
    assert revert(KIND).started_by({"deployment": "ecs-svc/2", "stops": "ecs-svc/2"}) == {"deployment": "ecs-svc/2"}
    one = waiting()
    one.step.expect.update(deployment="ecs-svc/2", rollout=OURS, stops="ecs-svc/2")
    assert way(asking(deployment(2), told=rollout(), **CURRENT), one) == Reverting(call=STOP)


# --- how it goes then ---


def back(*deployments: Doc, told: Doc | None = None, rollout: str = OURS) -> tuple[Status, bool, str]:
    outputs = {"deployment": "", "rollout": rollout, "back": "asked for"}
    one = dataclasses.replace(waiting(wanted=OLD), outputs=outputs, before={"deployment": "ecs-svc/2"})
    service = {"serviceName": "web", "deployments": list(deployments)}
    seen = track(KIND).judge(one, [{"services": [service]}, *([{"serviceDeployments": [told]}] if told else [])])
    assert seen.outputs == {}
    return seen.status, seen.superseded, seen.note


AGAIN = {"rolloutState": "COMPLETED"}


@pytest.mark.parametrize(
    ("seen", "verdict", "note"),
    [
        (back(deployment(2), told=rollout("ROLLBACK_REQUESTED")), Status.UNDER_WAY, "rolling back, 2/2 running"),
        (back(deployment(2)), Status.UNDER_WAY, "rolling back, 2/2 running"),
        (back(deployment(3), told=rollout("ROLLBACK_IN_PROGRESS")), Status.UNDER_WAY, "rolling back, 2/2 running"),
        (back(deployment(2), told=rollout("ROLLBACK_SUCCESSFUL")), Status.UNDER_WAY, "rolling back, 2/2 running"),
        (back(deployment(3), told=rollout("ROLLBACK_SUCCESSFUL")), Status.SUCCEEDED,
         "rolled back to web:41, 2/2 running"),
        (back(deployment(3, **AGAIN)), Status.SUCCEEDED, "rolled back to web:41, 2/2 running"),
        (back(shifted(3)), Status.SUCCEEDED, "rolled back to web:41, 2/2 running"),
        (back(deployment(3), told=rollout("ROLLBACK_FAILED", statusReason="No place.")), Status.FAILED,
         "ECS could not roll it back: No place; 2/2 running"),
        (back(deployment(2), told=rollout("SUCCESSFUL")), Status.FAILED,
         "it was rolled out to its end before it could be stopped"),
        (back(deployment(2, **AGAIN)), Status.FAILED, "it was rolled out to its end before it could be stopped"),
        (back(deployment(2), told=rollout("STOPPED", statusReason="By hand.")), Status.FAILED,
         "it was stopped, and not rolled back: By hand"),
    ],
)  # fmt: skip
def test_how_a_way_back_goes(seen: tuple[Status, bool, str], verdict: Status, note: str) -> None:
    assert seen == (verdict, False, note)


def test_a_way_back_that_somebody_else_replaced() -> None:
    seen = back(deployment(3, taskDefinition=NEW), told=rollout("STOPPED"))
    assert seen[:2] == (Status.SUPERSEDED, True)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (rollout("ROLLBACK_IN_PROGRESS"), True),
        (rollout("ROLLBACK_FAILED"), True),
        (rollout("IN_PROGRESS"), False),
        ({}, False),
    ],
)
def test_a_stop_whose_answer_was_lost(told: Doc, found: bool) -> None:
    asked = FakeAsk().on(
        call("describe_service_deployments", serviceDeploymentArns=[OURS]),
        {"serviceDeployments": [told] if told else []},
    )
    outputs = {"deployment": "", "rollout": OURS, "back": "asked for"}
    assert KIND.calls.recover(asked, waiting().step, STOP) == (outputs if found else None)


@pytest.mark.parametrize(("status", "found"), [("SUCCEEDED", True), ("AWAITING_ACTION", False)])
def test_an_answer_to_a_hook_that_was_lost(status: str, found: bool) -> None:
    told = rollout(lifecycleHookDetails=[{"hookId": "h", "status": status}])
    asked = FakeAsk().on(
        call("describe_service_deployments", serviceDeploymentArns=[OURS]), {"serviceDeployments": [told]}
    )
    sent = call("continue_service_deployment", serviceDeploymentArn=OURS, hookId="h", action="CONTINUE")
    assert (KIND.calls.recover(asked, waiting().step, sent) is not None) is found
