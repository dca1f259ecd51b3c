"""How the rollout of a live service stands: what one look at it shows, and what a plan says of it."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Action, Call, Doc, Irreversible, Settings
from ecsplan.kinds.contract import Delta, Live, Unsettled
from ecsplan.kinds.service.unsettled import unsettled
from ecsplan.plan.steps import cautions
from tests.unit.fakes_kinds import FakeAsk, call, compare, delta_of, kind, resource, revision

KIND = kind("service")
WEB, OLD, NEW = "service.prod/web", revision("web:41"), revision("web:42")
NAMES: Doc = {"cluster": "prod", "service": "web"}
BEGAN = 1000.0
CURRENT = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/web/abc"
GONE = object()
"""in place of a member that is not answered"""


def known(doc: Doc) -> Doc:
    return {name: value for name, value in doc.items() if value is not GONE}


def primary(**fields: Any) -> Doc:
    """On the new revision, one of two tasks running."""
    first = {
        "id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": NEW, "createdAt": BEGAN, "desiredCount": 2,
        "runningCount": 1, "pendingCount": 0, "failedTasks": 0, "rolloutState": "IN_PROGRESS",
    }  # fmt: skip
    return known(first | fields)


def draining(**fields: Any) -> Doc:
    return known({"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": OLD, "rolloutState": "COMPLETED"} | fields)


def service(*deployments: Doc, **fields: Any) -> Doc:
    first = {"serviceName": "web", "status": "ACTIVE", "taskDefinition": NEW, "desiredCount": 2}
    return known(first | {"deployments": list(deployments or [primary()]), "events": []} | fields)


def event(text: str, at: object = BEGAN + 60) -> Doc:
    return known({"message": f"(service web) {text}", "createdAt": at})


FAILED = event("(deployment ecs-svc/2) deployment failed: tasks failed to start.")
COMPLETED = event("(deployment ecs-svc/2) deployment completed.")
STEADY = event("has reached a steady state.")


def silent(**fields: Any) -> Doc:
    """As AWS answers behind a Classic Load Balancer: without a rollout state."""
    return primary(rolloutState=GONE, **fields)


@pytest.mark.parametrize(
    ("found", "stands"),
    [
        # AWS says so.
        (service(primary(rolloutState="COMPLETED")), None),
        (service(primary(rolloutState="COMPLETED", runningCount=0)), None),
        (service(primary(rolloutState="COMPLETED"), draining()), None),
        (service(primary()), Status.UNDER_WAY),
        (service(primary(runningCount=2)), Status.UNDER_WAY),
        (service(primary(desiredCount=0, runningCount=0)), Status.UNDER_WAY),
        (service(primary(rolloutState="FAILED")), Status.FAILED),
        (service(primary(rolloutState="FAILED", runningCount=2)), Status.FAILED),
        (service(primary(rolloutState="SOMETHING_NEW")), Status.UNDER_WAY),
        # AWS does not say so: by the tasks, and by whether others still run.
        (service(silent(runningCount=2)), None),
        (service(silent(runningCount=3)), None),
        (service(silent(runningCount=0, desiredCount=0)), None),
        (service(silent()), Status.UNDER_WAY),
        (service(silent(runningCount=2), draining()), Status.UNDER_WAY),
        (service(silent(runningCount=2), draining(status="INACTIVE")), None),
        # Scaling after the end of a rollout.
        (service(silent(), events=[STEADY]), None),
        (service(silent(), events=[COMPLETED]), None),
        (service(silent(), draining(), events=[COMPLETED]), None),
        (service(silent(), draining(), events=[STEADY]), Status.UNDER_WAY),
        (service(silent(), events=[event("has reached a steady state.", BEGAN - 1)]), Status.UNDER_WAY),
        (service(silent(), events=[event("has reached a steady state.", GONE)]), Status.UNDER_WAY),
        (service(silent(createdAt=GONE), events=[STEADY]), Status.UNDER_WAY),
        # A failure that only an event tells.
        (service(silent(), events=[FAILED]), Status.FAILED),
        (service(silent(), draining(), events=[FAILED]), Status.FAILED),
        (service(silent(runningCount=2), events=[FAILED]), None),
        (service(silent(id="ecs-svc/22"), events=[FAILED]), Status.UNDER_WAY),
        # Nothing is made of what is missing.
        (service(silent(runningCount=GONE)), None),
        (service(silent(desiredCount=GONE)), None),
        (service(silent(runningCount=GONE), draining()), Status.UNDER_WAY),
        (service(silent(id=GONE), events=[FAILED]), Status.UNDER_WAY),
        (service(draining()), None),
        (service(silent(runningCount=2), events=GONE), None),
        (service(deployments=GONE), None),
    ],
)  # fmt: skip
def test_how_it_stands_by_the_service_alone(found: Doc, stands: Status | None) -> None:
    seen = unsettled(found, {})
    assert (seen and seen.status) == stands


@pytest.mark.parametrize(
    ("rollout", "stands"),
    [
        ({}, Status.UNDER_WAY),
        ({"status": "PENDING"}, Status.UNDER_WAY),
        ({"status": "IN_PROGRESS"}, Status.UNDER_WAY),
        ({"status": "ROLLBACK_IN_PROGRESS"}, Status.UNDER_WAY),
        ({"status": "SOMETHING_NEW"}, Status.UNDER_WAY),
        ({"status": "SUCCESSFUL"}, None),
        ({"status": "ROLLBACK_SUCCESSFUL"}, None),
        ({"status": "STOPPED"}, Status.FAILED),
        ({"status": "ROLLBACK_FAILED"}, Status.FAILED),
        ({"status": "IN_PROGRESS", "lifecycleHookDetails": [{"status": "SUCCEEDED"}]}, Status.UNDER_WAY),
        ({"status": "IN_PROGRESS", "lifecycleHookDetails": [{"status": "AWAITING_ACTION"}]}, Status.PAUSED),
    ],
)
def test_a_service_deployment_knows_more(rollout: Doc, stands: Status | None) -> None:
    seen = unsettled(service(silent(), draining()), rollout)
    assert (seen and seen.status) == stands


@pytest.mark.parametrize(
    ("found", "rollout", "note"),
    [
        (service(primary()), {}, "is still rolling out (1/2 running)"),
        (service(primary(pendingCount=1)), {}, "is still rolling out (1/2 running, 1 pending)"),
        (service(primary(failedTasks=3)), {}, "is still rolling out (1/2 running, 3 failed)"),
        (service(primary(runningCount=GONE)), {}, "is still rolling out"),
        (service(primary()), {"status": "IN_PROGRESS", "lifecycleStage": "BAKE_TIME"},
         "is still rolling out (1/2 running, BAKE_TIME)"),
        (service(primary(rolloutState="FAILED")), {}, "its rollout failed: deploy again"),
    ],
)  # fmt: skip
def test_how_it_is_said(found: Doc, rollout: Doc, note: str) -> None:
    seen = unsettled(found, rollout)
    assert seen is not None
    assert seen.note == note


@pytest.mark.parametrize(
    ("found", "rollout", "more"),
    [
        (service(primary(rolloutState="FAILED", rolloutStateReason="circuit breaker: it crashed.")), {},
         "circuit breaker: it crashed; 1/2 running"),
        (service(silent(), events=[FAILED]), {}, "tasks failed to start; 1/2 running"),
        (service(silent(), draining()), {"status": "STOPPED", "statusReason": "Stopped by ada."},
         "Stopped by ada; 1/2 running"),
        (service(primary(rolloutState="FAILED")), {}, "ECS gave no reason; 1/2 running"),
    ],
)  # fmt: skip
def test_why_it_has_failed(found: Doc, rollout: Doc, more: str) -> None:
    seen = unsettled(found, rollout)
    assert seen is not None
    assert seen.more == more


def test_where_it_is_paused_and_until_when() -> None:
    hook = {"hookId": "h-1", "status": "AWAITING_ACTION", "expiresAt": 0.0, "timeoutAction": "ROLLBACK"}
    rollout = {"status": "IN_PROGRESS", "lifecycleStage": "BAKE_TIME", "lifecycleHookDetails": [hook]}
    assert unsettled(service(silent(), draining()), rollout) == Unsettled(
        status=Status.PAUSED,
        note="is paused at BAKE_TIME",
        more="hook h-1 waits until 1970-01-01T00:00:00Z, then ROLLBACK",
    )
    assert "paused at a lifecycle hook" in str(
        unsettled(service(silent(), draining()), {**rollout, "lifecycleStage": ""})
    )


# --- reading ---

BLUE_GREEN: Doc = {"strategy": "BLUE_GREEN"}


def read(found: Doc, rollout: Doc | str = "", declared: Doc | None = None) -> tuple[Live, FakeAsk]:
    """`rollout` is the answer for the service deployment, or the code that it is refused with."""
    reader = FakeAsk().on(call("describe_services", cluster="prod", services=["web"]), {"services": [found]})
    asked = call("describe_service_deployments", serviceDeploymentArns=[CURRENT])
    if isinstance(rollout, str) and rollout:
        reader.refuse(asked, rollout)
    elif isinstance(rollout, dict):
        reader.on(asked, {"serviceDeployments": [{"serviceDeploymentArn": CURRENT, **rollout}]})
    doc = NAMES | ({"taskDefinition": NEW} if declared is None else declared)
    (live,) = compare(KIND).read(reader, [resource(WEB, doc)])
    return live, reader


@pytest.mark.parametrize(
    "found",
    [
        service(primary(), currentServiceDeployment=CURRENT),
        service(
            primary(rolloutState="COMPLETED"), deploymentConfiguration=BLUE_GREEN, currentServiceDeployment=CURRENT
        ),
        service(silent(runningCount=2), deploymentConfiguration=BLUE_GREEN, currentServiceDeployment=CURRENT),
        service(silent(), draining(), deploymentConfiguration=BLUE_GREEN),
    ],
    ids=["a rolling one", "rolled out", "settled", "not shown"],
)
def test_service_deployments_are_not_asked_for(found: Doc) -> None:
    _, reader = read(found)
    assert [one.operation for one in reader.calls] == ["describe_services"]


@pytest.mark.parametrize(
    ("rollout", "stands"),
    [({"status": "IN_PROGRESS"}, Status.UNDER_WAY), ({"status": "STOPPED"}, Status.FAILED),
     ({"status": "SUCCESSFUL"}, None), ("AccessDeniedException", Status.UNDER_WAY)],
)  # fmt: skip
def test_one_more_request_where_the_service_does_not_show_it(rollout: Doc | str, stands: Status | None) -> None:
    found = service(
        silent(), draining(), deploymentConfiguration=BLUE_GREEN, currentServiceDeployment=CURRENT,
    )  # fmt: skip
    live, reader = read(found, rollout)
    assert (live.unsettled and live.unsettled.status) == stands
    assert [one.operation for one in reader.calls] == ["describe_services", "describe_service_deployments"]


@pytest.mark.parametrize(
    ("fields", "declared"),
    [
        ({}, {}),
        ({}, {"desiredCount": 2}),
        ({"status": "DRAINING"}, None),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, None),
        ({"deploymentController": {"type": "EXTERNAL"}, "deployments": [], "taskSets": [{}]}, None),
    ],
    ids=["only read", "no revision declared", "being deleted", "CodeDeploy", "external"],
)
def test_whose_rollout_is_no_concern(fields: Doc, declared: Doc | None) -> None:
    live, _ = read(service(primary(), **fields), declared=declared)
    assert live.unsettled is None


# --- what is done about it, and what is said ---


def planned(found: Doc, rollout: Doc | str = "", *, wanted: str = NEW, **more: Any) -> Delta:
    live, _ = read(found, rollout)
    return delta_of(resource(WEB, NAMES | {"taskDefinition": wanted}, **more), live)


def test_what_is_under_way_is_waited_for() -> None:
    delta = planned(service(primary(), draining()))
    (draft,) = KIND.change.steps(delta)
    assert (delta.change.action, draft.action) == (Action.WAIT, Action.WAIT)
    assert draft.call == call("describe_services", cluster="prod", services=["web"])
    assert isinstance(draft.undo, Irreversible)
    assert draft.expect == {"awaits": "ecs-svc/2", "revision": NEW, "previous": OLD}
    assert list(cautions([delta])) == []


def test_the_settings_of_the_entry_hold_for_a_wait_too() -> None:
    delta = planned(service(primary()), settings=Settings(wait=False, timeout=7))
    (draft,) = KIND.change.steps(delta)
    assert (draft.settings.wait, draft.settings.timeout, draft.expect["previous"]) == (False, 7, "")


def test_which_revision_it_moves_from_is_not_known_where_two_others_run() -> None:
    others = [draining(), draining(id="ecs-svc/0", taskDefinition=revision("web:40"))]
    (draft,) = KIND.change.steps(planned(service(primary(), *others)))
    assert draft.expect["previous"] == ""


def test_what_has_failed_is_deployed_again() -> None:
    delta = planned(service(primary(rolloutState="FAILED", rolloutStateReason="it crashed")))
    (draft,) = KIND.change.steps(delta)
    assert (draft.action, draft.changes, draft.note) == (Action.UPDATE, (), "its rollout failed: deploy again")
    assert draft.call.params == NAMES | {"taskDefinition": NEW, "forceNewDeployment": True}
    assert isinstance(draft.undo, Irreversible)
    assert list(cautions([delta])) == [f"{WEB}: it crashed; 1/2 running"]


def test_what_has_failed_and_differs_is_forced_too() -> None:
    live, _ = read(service(primary(rolloutState="FAILED")))
    delta = delta_of(resource(WEB, NAMES | {"taskDefinition": NEW, "desiredCount": 3}), live)
    (draft,) = KIND.change.steps(delta)
    assert (draft.call.params["forceNewDeployment"], draft.note) == (True, "its rollout failed: deploy again")
    assert isinstance(draft.undo, Call)
    assert draft.undo.params == NAMES | {"desiredCount": 2}


@pytest.mark.parametrize("state", ["IN_PROGRESS", "FAILED"])
def test_another_revision_begins_a_rollout_of_its_own(state: str) -> None:
    delta = planned(service(primary(rolloutState=state)), wanted=OLD)
    (draft,) = KIND.change.steps(delta)
    assert (draft.action, draft.note, draft.call.params) == (Action.UPDATE, "", NAMES | {"taskDefinition": OLD})
    rolling = [f"{WEB} is still rolling out an earlier deployment"] if state == "IN_PROGRESS" else []
    assert list(cautions([delta])) == rolling


@pytest.mark.parametrize("state", ["IN_PROGRESS", "FAILED"])
def test_a_redeployment_does_not_wait(state: str) -> None:
    delta = planned(service(primary(rolloutState=state)), settings=Settings(force=True, redeploy=True))
    (draft,) = KIND.change.steps(delta)
    assert (draft.action, draft.note, draft.call.params["forceNewDeployment"]) == (Action.UPDATE, "redeploy", True)


def test_what_a_rollback_wants_is_waited_for_and_made_again_too() -> None:
    for state, action in (("IN_PROGRESS", Action.WAIT), ("FAILED", Action.UPDATE)):
        (draft,) = KIND.change.steps(planned(service(primary(rolloutState=state)), optional=True))
        assert draft.action is action


def test_a_pause_is_said_with_what_it_waits_for() -> None:
    hook = {"hookId": "h-1", "status": "AWAITING_ACTION", "timeoutAction": "CONTINUE"}
    found = service(
        silent(), draining(), deploymentConfiguration=BLUE_GREEN, currentServiceDeployment=CURRENT,
    )  # fmt: skip
    delta = planned(found, {"status": "IN_PROGRESS", "lifecycleStage": "BAKE_TIME", "lifecycleHookDetails": [hook]})
    assert (delta.change.action, delta.change.note) == (Action.WAIT, "is paused at BAKE_TIME")
    assert list(cautions([delta])) == [f"{WEB}: hook h-1 waits, then CONTINUE"]


# --- what ECS has taken back ---

BACK = event("rolling back to deployment ecs-svc/3.", BEGAN + 70)
GOES_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/3."
GAVE_UP = {"rolloutState": "FAILED", "rolloutStateReason": "ECS deployment circuit breaker: it crashed."}


def taken_back(*others: Doc, events: tuple[Doc, ...] = (BACK, FAILED), **fields: Any) -> Doc:
    """ECS has gone back from web:42 to web:41."""
    now = primary(id="ecs-svc/3", taskDefinition=OLD, rolloutState="COMPLETED", createdAt=BEGAN + 71, **fields)
    return service(now, *others, taskDefinition=OLD, events=list(events))


def given_up(wanted: str = NEW, **fields: Any) -> Doc:
    return primary(status="ACTIVE", taskDefinition=wanted, **GAVE_UP, **fields)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (taken_back(), "ECS rolled the newest rollout back at 1970-01-01T00:17:50Z: tasks failed to start"),
        (taken_back(given_up()), "ECS rolled web:42 back at 1970-01-01T00:17:50Z: tasks failed to start"),
        (taken_back(given_up(), events=(BACK,)),
         "ECS rolled web:42 back at 1970-01-01T00:17:50Z: ECS deployment circuit breaker: it crashed"),
        (taken_back(given_up(), events=(), rolloutStateReason=GOES_BACK),
         "ECS rolled web:42 back at 1970-01-01T00:17:51Z: ECS deployment circuit breaker: it crashed"),
        (taken_back(events=(BACK,)), "ECS rolled the newest rollout back at 1970-01-01T00:17:50Z"),
        (taken_back(events=(event("rolling back to deployment ecs-svc/3.", GONE),)),
         "ECS rolled the newest rollout back at 1970-01-01T00:17:51Z"),
        (taken_back(given_up(revision("web:40"))), ""),
        (taken_back(events=(FAILED,)), ""),
        (taken_back(events=(event("rolling back to deployment ecs-svc/33."),)), ""),
        (taken_back(events=(), rolloutStateReason="rolling back to deploymentId ecs-svc/33."), ""),
        (taken_back(events=()), ""),
    ],
)  # fmt: skip
def test_that_ecs_has_taken_it_back_is_said_when_and_why(found: Doc, said: str) -> None:
    assert list(cautions([planned(found)])) == ([f"{WEB}: {said}"] if said else [])


def test_of_a_service_that_stays_as_it_is_nothing_is_said() -> None:
    assert list(cautions([planned(taken_back(given_up()), wanted=OLD)])) == []
