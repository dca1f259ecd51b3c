"""Rollouts as their service deployments tell them, where those are known and answered."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from ecsplan.core.diagnosis import Pause, Status, Tally
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Poll, Progress, Tracked
from ecsplan.kinds.service.observe import Misses
from tests.unit.fakes_kinds import ECS, FakeAsk, call, kind, revert, revision, track
from tests.unit.kinds.service.test_rollout import NEW, OLD, deployment, waiting

KIND = kind("service")
BEGAN = 1_700_000_000.0
OURS, EARLIER, LATER = (f"{ECS}service-deployment/prod/web/{name}" for name in ("ours", "earlier", "later"))


def following(arn: str = OURS, **outputs: str) -> Tracked:
    one = waiting()
    return dataclasses.replace(one, outputs={**one.outputs, **({"rollout": arn} if arn else {}), **outputs})


def rollout(status: str = "IN_PROGRESS", **fields: Any) -> Doc:
    return {"serviceDeploymentArn": OURS, "status": status, "createdAt": BEGAN, "lifecycleStage": "BAKE_TIME"} | fields


def shifted(number: int = 2, **fields: Any) -> Doc:
    """A deployment of a strategy that shifts traffic: without a rollout state."""
    made = deployment(number, createdAt=BEGAN, **fields)
    del made["rolloutState"]
    return made


def look(*deployments: Doc, of: Tracked | None = None, told: Doc | None = None, **fields: Any) -> Progress:
    service = {
        "serviceName": "web",
        "status": "ACTIVE",
        "deployments": list(deployments) or [shifted(), {**shifted(1), "status": "ACTIVE"}],
        "deploymentConfiguration": {"strategy": "BLUE_GREEN"},
        "currentServiceDeployment": OURS,
    }
    answers: list[Doc] = [{"services": [service | fields]}]
    return track(KIND).judge(of or following(), [*answers, {"serviceDeployments": [told]}] if told else answers)


@pytest.mark.parametrize(
    ("told", "verdict", "note"),
    [
        (rollout("PENDING"), Status.UNDER_WAY, "rolling out, 2/2 running, BAKE_TIME"),
        (rollout("SUCCESSFUL"), Status.SUCCEEDED, "rolled out, 2/2 running"),
        (rollout("STOP_REQUESTED"), Status.UNDER_WAY, "STOP_REQUESTED, 2/2 running, BAKE_TIME"),
        (rollout("ON_HOLD"), Status.UNDER_WAY, "ON_HOLD, 2/2 running, BAKE_TIME"),  # nobody here knows what that is
        (rollout("STOPPED", statusReason="The breaker."), Status.FAILED,
         "the rollout failed: The breaker; 2/2 running"),
        (rollout("ROLLBACK_REQUESTED"), Status.ROLLED_BACK,
         "ECS rolled the service back to web:41: ECS gave no reason"),
        (rollout("ROLLBACK_IN_PROGRESS", rollback={"reason": "An alarm."}), Status.ROLLED_BACK,
         "ECS rolled the service back to web:41: An alarm"),
        (rollout("ROLLBACK_SUCCESSFUL", statusReason="A hook."), Status.ROLLED_BACK,
         "ECS rolled the service back to web:41: A hook"),
        (rollout("ROLLBACK_FAILED"), Status.FAILED,
         "the rollout failed, and ECS could not roll it back: ECS gave no reason; 2/2 running"),
    ],
)  # fmt: skip
def test_each_status(told: Doc, verdict: Status, note: str) -> None:
    seen = look(told=told)
    assert (seen.status, seen.note) == (verdict, note)
    assert seen.ok is (verdict in (Status.UNDER_WAY, Status.SUCCEEDED))
    assert seen.done is (verdict is not Status.UNDER_WAY)
    assert not seen.superseded


def test_what_a_look_tells_beside_the_judgement() -> None:
    target = {"requestedProductionTrafficWeight": 5.0}
    events = [
        {"createdAt": datetime.fromtimestamp(BEGAN + 9, UTC), "message": "(service web) has started 2 tasks: a b."},
        {"createdAt": BEGAN - 9, "message": "(service web) has reached a steady state."},
    ]
    told = rollout(targetServiceRevision=target, deploymentCircuitBreaker={"failureCount": 3, "threshold": 5})
    seen = look(told=told, events=events)
    assert seen.note == "rolling out, 2/2 running, BAKE_TIME, 5 % of traffic"
    assert (seen.stage, seen.traffic, seen.newest) == ("BAKE_TIME", 5.0, "has started 2 tasks: a b.")
    assert seen.tally == Tally(running=2, desired=2, failed=3)


@pytest.mark.parametrize("events", [[], [{"createdAt": BEGAN - 1, "message": "old"}], [{"message": "at no time"}]])
def test_an_event_from_before_is_not_the_newest_of_this_rollout(events: list[Doc]) -> None:
    assert look(told=rollout(), events=events).newest == ""


def test_a_hook_that_waits() -> None:
    hooks = [
        {"hookId": "h1", "status": "SUCCEEDED"},
        {"hookId": "h2", "status": "AWAITING_ACTION", "expiresAt": BEGAN, "timeoutAction": "ROLLBACK"},
    ]
    seen = look(told=rollout(lifecycleHookDetails=hooks))
    pause = Pause(deployment=OURS, hook="h2", stage="BAKE_TIME", expires="2023-11-14T22:13:20Z", action="ROLLBACK")
    assert (seen.status, seen.done, seen.pause) == (Status.PAUSED, False, pause)
    assert seen.note == "paused at BAKE_TIME: hook h2 waits until 2023-11-14T22:13:20Z, then ROLLBACK"
    assert revert(KIND).resolve_pause is not None
    for onwards, action in ((True, "CONTINUE"), (False, "ROLLBACK")):
        sent = call("continue_service_deployment", serviceDeploymentArn=OURS, hookId="h2", action=action)
        assert revert(KIND).resolve_pause(pause, onwards) == sent


def test_a_hook_of_which_aws_tells_little() -> None:
    told = rollout(lifecycleHookDetails=[{"hookId": "h", "status": "AWAITING_ACTION"}])
    del told["lifecycleStage"]
    assert look(told=told).note == "paused at an unknown stage: hook h waits"


# --- somebody else ---


@pytest.mark.parametrize("status", ["SUCCESSFUL", "STOPPED"])
def test_another_deployment_took_its_place(status: str) -> None:
    """Also on the revision from before: what went to its end, or was stopped, was not rolled back."""
    for by in (revision("web:43"), OLD):
        seen = look(shifted(3, taskDefinition=by), told=rollout(status), currentServiceDeployment=LATER)
        assert (seen.status, seen.superseded) == (Status.SUPERSEDED, True)
        assert seen.note.endswith(f"put the service on {by.rpartition('/')[2]} (ecs-svc/3)")


def test_superseded_before_its_own_service_deployment_says_so() -> None:
    other = shifted(3, taskDefinition=revision("web:43"))
    assert look(other, told=rollout(), currentServiceDeployment=LATER).status is Status.SUPERSEDED
    assert look(other, told=rollout()).status is Status.UNDER_WAY


def test_an_end_that_the_service_does_not_show_yet() -> None:
    assert look(shifted(1), told=rollout("SUCCESSFUL")).note == "waiting for ECS to show the update"


# --- which one is ours ---


def test_one_that_is_older_than_our_deployment_is_not_ours() -> None:
    """The answer to UpdateService may still have named the service deployment from before."""
    old = rollout("SUCCESSFUL", serviceDeploymentArn=EARLIER, createdAt=BEGAN - 60)
    seen = look(of=following(EARLIER), told=old)
    assert seen.status is Status.UNDER_WAY
    assert seen.outputs == {"rollout": OURS}


def test_the_one_from_before_is_not_learned() -> None:
    one = following("")
    step = one.step
    step.expect["rollout"] = EARLIER
    assert look(of=one, currentServiceDeployment=EARLIER).outputs == {}
    assert look(of=one, currentServiceDeployment=OURS).outputs == {"rollout": OURS}


def test_of_a_plain_rolling_service_nothing_more_is_asked() -> None:
    plain = look(deployment(2), of=following(""), deploymentConfiguration={"strategy": "ROLLING"})
    assert plain.outputs == {}
    (only,) = track(KIND).polls([following("")])
    assert only.call.operation == "describe_services"


@pytest.mark.parametrize("more", [{"lifecycleHooks": [{}]}, {"bakeTimeInMinutes": 5}, {"strategy": "CANARY"}])
def test_what_has_to_be_followed(more: Doc) -> None:
    assert look(of=following(""), deploymentConfiguration=more).outputs == {"rollout": OURS}


def test_a_service_that_does_not_name_its_current_one_has_them_listed() -> None:
    unknown: Doc = {"currentServiceDeployment": None}
    assert look(of=following(""), **unknown).state == Misses(listing=1)
    asked = dataclasses.replace(following(""), state=Misses(listing=1))
    assert track(KIND).polls is not None
    assert track(KIND).polls([asked])[1:] == (
        Poll(call=call("list_service_deployments", cluster="prod", service="web"), steps=(1,), optional=True),
    )
    listed = [
        {"serviceDeploymentArn": EARLIER, "status": "SUCCESSFUL", "createdAt": BEGAN - 60},
        {"serviceDeploymentArn": OURS, "status": "IN_PROGRESS", "createdAt": BEGAN},
    ]
    service = {"serviceName": "web", "deployments": [shifted()], "deploymentConfiguration": {"strategy": "LINEAR"}}

    def seen(*found: Doc) -> Progress:
        return track(KIND).judge(asked, [{"services": [service]}, {"serviceDeployments": list(found)}])

    assert seen(*listed).outputs == {"rollout": OURS}
    assert seen(listed[0]).outputs == {}  # it is not shown yet, and asked for again


def test_an_earlier_rollout_is_never_taken_for_ours() -> None:
    """Its end would be told as that of ours. Where the times do not tell, the services' deployments do."""
    ours = {"serviceDeploymentArn": OURS, "status": "IN_PROGRESS"}
    old = {"serviceDeploymentArn": LATER, "status": "SUCCESSFUL"}  # of what is alike, the last by name
    asked = dataclasses.replace(following(""), state=Misses(listing=1))

    def found(*listed: Doc, **fields: Any) -> str | None:
        service: Doc = {"serviceName": "web", "deployments": [shifted() | fields]}
        service["deploymentConfiguration"] = {"strategy": "BLUE_GREEN"}
        seen = track(KIND).judge(asked, [{"services": [service]}, {"serviceDeployments": list(listed)}])
        return seen.outputs.get("rollout")

    assert found(ours, old) == OURS  # one at most is under way
    assert found(old) is None
    same = {"createdAt": BEGAN}
    assert found(ours | same, old | same) == OURS
    ended = ours | {"status": "ROLLBACK_SUCCESSFUL"}
    assert found(ended | same, old | same) is None
    assert found(ended | same, old | {"createdAt": BEGAN - 0.5}) == OURS
    assert found(ended | same, old) is None
    assert found(ended | same, createdAt=None) is None
    assert found(old | {"createdAt": BEGAN - 0.5}) is None
    assert found(old | {"createdAt": BEGAN - 0.5, "finishedAt": BEGAN - 0.1}) is None
    assert found(ended | {"createdAt": BEGAN - 0.5, "finishedAt": BEGAN + 9}) == OURS


def test_a_look_at_it_that_is_throttled_is_no_success() -> None:
    """Also where the service looks settled: a bake time, or a hook, may be still to come."""
    one, states = following(), []
    for told in (rollout(), None, None, rollout(), None, None, None, None):
        seen = look(shifted(), of=one, told=told)
        one = dataclasses.replace(one, outputs={**one.outputs, **seen.outputs}, state=seen.state)
        states.append(seen.status is Status.SUCCEEDED)
    assert states == [False] * 7 + [True]  # nobody answers any more
    completed = deployment(2, createdAt=BEGAN, rolloutState="COMPLETED")
    missed = [dataclasses.replace(following(), state=Misses(rollout=n)) for n in (0, 2, 3)]
    assert [look(completed, of=one).done for one in missed] == [False, False, True]


def test_one_that_is_still_to_be_listed_may_not_have_ended() -> None:
    for listing, done in ((0, False), (3, False), (4, True)):
        one = dataclasses.replace(following(""), state=Misses(listing=listing))
        assert look(shifted(), of=one, currentServiceDeployment=None).done is done


def test_a_list_that_is_refused_is_given_up() -> None:
    asked, looks = following(""), 0
    while "list_service_deployments" in [one.call.operation for one in track(KIND).polls([asked])] or not looks:
        looks += 1
        seen = look(of=asked, currentServiceDeployment=None)
        asked = dataclasses.replace(asked, outputs={**asked.outputs, **seen.outputs}, state=seen.state)
    assert looks == 4


def test_twenty_of_those_that_are_followed_per_look() -> None:
    import msgspec

    many = [
        dataclasses.replace(
            following(f"{OURS}-{number:02}"), step=msgspec.structs.replace(following().step, index=number)
        )
        for number in range(1, 22)
    ]
    assert track(KIND).polls is not None
    looks = [one for one in track(KIND).polls(many) if one.call.operation == "describe_service_deployments"]
    assert [(len(one.call.params["serviceDeploymentArns"]), one.optional) for one in looks] == [(20, True), (1, True)]
    assert [index for one in looks for index in one.steps] == list(range(1, 22))


@pytest.mark.parametrize(
    ("fields", "outputs"),
    [
        ({}, {"deployment": "ecs-svc/2", "rollout": OURS}),
        ({"currentServiceDeployment": EARLIER}, {"deployment": "ecs-svc/2"}),
        ({"currentServiceDeployment": None}, {"deployment": "ecs-svc/2"}),
        ({"deploymentConfiguration": {"strategy": "ROLLING"}}, {"deployment": "ecs-svc/2"}),
        ({"deployments": [shifted(1)]}, {"deployment": ""}),
    ],
)
def test_what_an_update_is_known_by(fields: Doc, outputs: dict[str, str]) -> None:
    one = waiting()
    one.step.expect["rollout"] = EARLIER
    service = {
        "deployments": [shifted()],
        "deploymentConfiguration": {"strategy": "BLUE_GREEN"},
        "currentServiceDeployment": OURS,
    }
    assert KIND.calls.accept(one.step, one.call, {"service": service | fields}) == outputs


# --- without them ---


def test_the_services_own_deployments_tell_without_them() -> None:
    going = look(of=following(""), told=None)
    assert (going.status, going.note) == (Status.UNDER_WAY, "rolling out, 2/2 running")
    assert look(shifted(), of=dataclasses.replace(following(), state=Misses(rollout=3))).status is Status.SUCCEEDED
    said = [{"message": "(service web) (deployment ecs-svc/2) deployment failed: an alarm went off."}]
    failed = look(events=said)
    assert failed.note.startswith("the rollout failed: (service web) (deployment ecs-svc/2) deployment failed")
    back = [{"message": "(service web) rolling back to deployment ecs-svc/3."}, *said]
    assert look(shifted(3, taskDefinition=OLD), events=back).status is Status.ROLLED_BACK


def test_a_replaced_deployment_on_the_same_revision_was_not_rolled_back() -> None:
    """ECS gives up what it rolls back; one that is still in progress was replaced by somebody."""
    going = {**deployment(2), "status": "ACTIVE"}
    assert look(deployment(3), going).status is Status.SUPERSEDED
    said = [{"message": "(service web) rolling back to deployment ecs-svc/3."}]
    assert look(deployment(3), going, events=said).status is Status.ROLLED_BACK
    alike = [{"message": "(service web) rolling back to deployment ecs-svc/31."}]
    assert look(deployment(3), going, events=alike).status is Status.SUPERSEDED


def test_an_update_that_ecs_has_taken_back_was_carried_out() -> None:
    """Nobody saw its answer; that ECS gave it up tells that it was there."""
    lost = waiting()
    texts = ["rolling back to deployment ecs-svc/3.", "(deployment ecs-svc/2) deployment failed: x."]
    shown = {"serviceName": "web", "deployments": [deployment(3)], "events": [{"message": text} for text in texts]}
    reader = FakeAsk().on(call("describe_services", cluster="prod", services=["web"]), {"services": [shown]})
    assert KIND.calls.recover(reader, lost.step, lost.call) == {"deployment": "ecs-svc/2"}


# --- nothing to run, daemons ---


@pytest.mark.parametrize(
    ("desired", "scheduling", "note"),
    [
        (0, "REPLICA", "rolled out, and nothing runs: the desired count is 0"),
        (0, "DAEMON", "rolled out, and nothing runs: no instance is there for this daemon"),
        (2, "DAEMON", "rolled out, 2/2 running, one on each instance"),
    ],
)
def test_what_is_said_of_an_end(desired: int, scheduling: str, note: str) -> None:
    ended = deployment(2, rolloutState="COMPLETED", desiredCount=desired, runningCount=desired, taskDefinition=NEW)
    seen = look(ended, deploymentConfiguration={}, schedulingStrategy=scheduling)
    assert (seen.status, seen.note) == (Status.SUCCEEDED, note)
