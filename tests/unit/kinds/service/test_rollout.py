"""Rollouts: judged by our own deployment, never by the service looking stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from ecsplan.apply.wait import Observation
from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Action, Doc
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Poll, Progress, Tracked
from ecsplan.kinds.service.observe import Misses
from tests.unit.fakes_kinds import ECS, FakeAsk, call, kind, revision, step_of, track

KIND = kind("service")
OLD, NEW = revision("web:41"), revision("web:42")


def waiting(
    name: str = "web",
    cluster: str | None = "prod",
    ours: str = "ecs-svc/2",
    wanted: str | None = NEW,
    before: Mapping[str, str] = MappingProxyType({}),
) -> Tracked:
    where: Doc = {"cluster": cluster} if cluster else {}
    moved: Doc = {"taskDefinition": wanted} if wanted else {}
    sent = call("update_service", **where, service=name, **moved)
    expect = {"deployment": "ecs-svc/1", "previous": OLD}
    step = step_of(f"service.{cluster or 'default'}/{name}", sent, action=Action.UPDATE, expect=expect)
    return Tracked(kind=kind_of(step.address), step=step, call=sent, outputs={"deployment": ours}, before=before)


def deployment(number: int = 2, status: str = "PRIMARY", **fields: Any) -> Doc:
    revisions = {1: OLD, 2: NEW}
    return {
        "id": f"ecs-svc/{number}", "status": status, "taskDefinition": revisions.get(number, OLD),
        "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "failedTasks": 0, "rolloutState": "IN_PROGRESS",
    } | fields  # fmt: skip


def look(*deployments: Doc, of: Tracked | None = None, **fields: Any) -> Progress:
    service = {"serviceName": "web", "status": "ACTIVE", "deployments": list(deployments)} | fields
    seen = track(KIND).judge(of or waiting(), [{"services": [{"serviceName": "other"}]}, {"services": [service]}])
    return dataclasses.replace(seen, tally=None, state=None)


def draining(**fields: Any) -> Doc:
    return deployment(1, "ACTIVE") | fields


def without_counts(note: str) -> str:
    return note.partition(", ")[0] if " running" in note or "nothing runs" in note else ""


def under_way(note: str) -> Progress:
    return Progress(done=False, note=note, summary=without_counts(note))


def failed(note: str) -> Progress:
    return Progress(done=True, ok=False, note=note, stated=Status.FAILED)


def rolled_back(note: str) -> Progress:
    return Progress(done=True, ok=False, note=note, stated=Status.ROLLED_BACK)


def succeeded(note: str) -> Progress:
    return Progress(done=True, note=note, summary=without_counts(note), stated=Status.SUCCEEDED)


def taken(note: str) -> Progress:
    return Progress(done=True, ok=False, note=note, superseded=True, stated=Status.SUPERSEDED)


def test_ten_services_of_a_cluster_per_look() -> None:
    names = [f"s{i}" for i in range(11)]
    all_of_them = [
        dataclasses.replace(one, step=msgspec.structs.replace(one.step, index=index))
        for index, one in enumerate([*(waiting(name) for name in names), waiting("web", None)], 1)
    ]
    assert track(KIND).polls is not None
    looks = track(KIND).polls(all_of_them)
    assert looks == (
        Poll(call=call("describe_services", cluster="prod", services=names[:10]),
             steps=tuple(range(1, 11))),
        Poll(call=call("describe_services", cluster="prod", services=names[10:]), steps=(11,)),
        Poll(call=call("describe_services", services=["web"]), steps=(12,)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        ({"runningCount": 0}, "rolling out, 0/2 running"),
        ({"runningCount": 1, "pendingCount": 1}, "rolling out, 1/2 running, 1 pending"),
        ({"runningCount": 1, "failedTasks": 3}, "rolling out, 1/2 running, 3 failed"),
        ({}, "rolling out, 2/2 running"),
    ],
)
def test_under_way(counts: Doc, note: str) -> None:
    assert look(deployment(**counts), draining()) == under_way(note)


def test_completed() -> None:
    done = succeeded("rolled out, 2/2 running")
    assert look(deployment(rolloutState="COMPLETED")) == done
    assert look(deployment(rolloutState="COMPLETED"), draining()) == done


def test_failed_in_place() -> None:
    reason = "ECS deployment circuit breaker: tasks failed to start."
    broken = deployment(rolloutState="FAILED", rolloutStateReason=reason, runningCount=0, failedTasks=3)
    note = "the rollout failed: ECS deployment circuit breaker: tasks failed to start; 0/2 running, 3 failed"
    assert look(broken, draining()) == failed(note)
    assert look(deployment(rolloutState="FAILED")) == failed("the rollout failed: ECS gave no reason; 2/2 running")


def test_rolled_back_by_ecs_while_ours_can_still_be_seen() -> None:
    ours = deployment(2, "ACTIVE", rolloutState="FAILED", rolloutStateReason="the breaker.")
    assert look(deployment(3), ours) == rolled_back("ECS rolled the service back to web:41: the breaker")


def test_rolled_back_by_ecs_and_ours_is_gone() -> None:
    assert look(deployment(3)) == rolled_back("ECS rolled the service back to web:41: ECS gave no reason")
    texts = [
        "(service web) deployment ecs-svc/2 completed.",
        "(service web) deployment ecs-svc/2 deployment failed: x.",
    ]
    events = [{"message": text} for text in texts]
    assert look(deployment(3), events=events) == rolled_back(f"ECS rolled the service back to web:41: {texts[1][:-1]}")


def test_superseded_by_somebody_else() -> None:
    other = deployment(3, taskDefinition=revision("web:43"))
    said = taken("superseded: another deployment put the service on web:43 (ecs-svc/3)")
    assert look(other) == said
    assert look(other, deployment(2, "ACTIVE")) == said
    nameless = taken("superseded: another deployment put the service on an unknown revision")
    assert look(deployment(2, "ACTIVE")) == nameless


def test_a_deployment_of_our_id_on_another_revision_is_not_ours() -> None:
    assert look(deployment(2, taskDefinition=revision("web:43"), rolloutState="COMPLETED")).superseded


def test_an_answer_from_before_the_update_is_no_rollback() -> None:
    stale = under_way("waiting for ECS to show the update")
    assert look(deployment(1, rolloutState="COMPLETED")) == stale
    # The update was answered late too, so its deployment is not known by its id.
    unknown = waiting(ours="")
    assert look(deployment(1, rolloutState="COMPLETED"), of=unknown) == stale
    assert look(deployment(2, rolloutState="COMPLETED"), draining(), of=unknown).done


def test_what_is_gone_for_good_was_rolled_back_also_to_the_very_deployment_from_before() -> None:
    """Where neither events nor service deployments tell it. An answer that is merely old is followed by others."""
    one, notes = waiting(), []
    for shown in [1] * 9 + [2] + [1] * 11:
        service = {"serviceName": "web", "deployments": [deployment(shown)]}
        seen = track(KIND).judge(one, [{"services": [service]}])
        one = dataclasses.replace(one, outputs={**one.outputs, **seen.outputs}, state=seen.state)
        notes.append(seen.note)
        assert seen.done is (len(notes) == 21)
    assert (seen.status, notes[-1]) == (
        Status.ROLLED_BACK, "ECS rolled the service back to web:41: ECS gave no reason"
    )  # fmt: skip
    unknown = waiting(ours="")
    assert (
        track(KIND).judge(unknown, [{"services": [{"serviceName": "web", "deployments": [deployment(1)]}]}]).outputs
        == {}
    )


def test_what_was_there_before_may_be_this_deployments_own_doing() -> None:
    again = waiting(ours="ecs-svc/3", wanted=OLD, before={"deployment": "ecs-svc/2"})
    assert look(deployment(2), of=again) == under_way("waiting for ECS to show the update")
    assert look(deployment(3, rolloutState="COMPLETED"), of=again).ok


@pytest.mark.parametrize("status", ["INACTIVE", "DRAINING"])
def test_the_service_is_gone(status: str) -> None:
    """Also where it is being deleted, and nothing that was desired is missing."""
    ended = deployment(rolloutState="COMPLETED", desiredCount=0, runningCount=0)
    services = [{"serviceName": "web", "status": status, "deployments": [ended]}]
    gone = Progress(done=True, ok=False, note="the service is gone", superseded=True)
    assert track(KIND).judge(waiting(), [{"services": services}]) == gone


def test_a_service_that_is_not_shown_is_not_taken_for_gone() -> None:
    """ECS answers from several places; a service that was deleted is INACTIVE for long before it is forgotten."""
    assert track(KIND).judge(waiting(), [{"services": []}]) == under_way("waiting for ECS to show the service")


def test_a_service_is_found_by_its_arn_too() -> None:
    service = {"serviceArn": f"{ECS}service/prod/web", "deployments": [deployment(rolloutState="COMPLETED")]}
    assert track(KIND).judge(waiting(), [{"services": [service]}]).done


def test_without_a_rollout_state_it_is_done_when_settled() -> None:
    def classic(*more: Doc, **fields: Any) -> Progress:
        own = deployment(**fields)
        del own["rolloutState"]
        return look(own, *more)

    assert classic() == succeeded("rolled out, 2/2 running")
    assert classic(draining()) == under_way("rolling out, 2/2 running")
    assert classic(deployment(1, "INACTIVE")).done
    assert classic(runningCount=1) == under_way("rolling out, 1/2 running")


def test_an_update_that_started_no_deployment_is_done_when_the_count_is() -> None:
    same: Doc = {"rolloutState": "COMPLETED", "desiredCount": 5}
    scaled = waiting(ours="ecs-svc/1", wanted=None)
    assert look(deployment(1, **same), of=scaled) == under_way("rolling out, 2/5 running")
    done = succeeded("rolled out, 5/5 running")
    assert look(deployment(1, **same | {"runningCount": 5}), of=scaled) == done
    earlier = deployment(1, rolloutState="FAILED", desiredCount=0, runningCount=0)  # not by this update
    assert look(earlier, of=scaled) == succeeded("rolled out, and nothing runs: the desired count is 0")
    assert look(earlier | {"desiredCount": 2}, of=scaled).status is Status.FAILED


@pytest.mark.parametrize(
    ("deployments", "found"),
    [
        ([deployment(2)], "ecs-svc/2"),
        ([deployment(1)], ""),
        ([deployment(3)], ""),  # by somebody else, on another revision
        ([deployment(2, "ACTIVE")], ""),
        ([], ""),
    ],
)
def test_an_update_whose_answer_was_lost_is_known_by_its_deployment(deployments: list[Doc], found: str) -> None:
    lost = waiting()
    asked = call("describe_services", cluster="prod", services=["web"])
    reader = FakeAsk().on(asked, {"services": [{"serviceName": "web", "deployments": deployments}]})
    assert KIND.calls.recover(reader, lost.step, lost.call) == ({"deployment": found} if found else None)


@pytest.mark.parametrize(("grace", "known"), [(0, True), (None, True), (30, False)])
def test_ecs_going_back_by_itself_is_not_taken_for_an_update_that_sets_more(grace: int | None, known: bool) -> None:
    """It has the revision that was asked for and a deployment of its own, but puts no setting back."""
    lost = waiting()
    sent = msgspec.structs.replace(lost.call, params={**lost.call.params, "healthCheckGracePeriodSeconds": 0})
    shown = {"serviceName": "web", "deployments": [deployment(2)], "healthCheckGracePeriodSeconds": grace}
    reader = FakeAsk().on(call("describe_services", cluster="prod", services=["web"]), {"services": [shown]})
    assert KIND.calls.recover(reader, lost.step, sent) == ({"deployment": "ecs-svc/2"} if known else None)


def test_an_update_that_moved_no_revision_cannot_be_known_by_one() -> None:
    lost = waiting(wanted=None)
    reader = FakeAsk().on(
        call("describe_services", cluster="prod", services=["web"]),
        {"services": [{"serviceName": "web", "deployments": [deployment(2)]}]},
    )
    assert KIND.calls.recover(reader, lost.step, lost.call) is None


def test_ecs_goes_back_to_the_last_revision_that_was_rolled_out_to_the_end() -> None:
    """Not to the one from before, if that never got so far: it is a rollback all the same, and nobody else's doing."""
    reason = "ECS circuit breaker: tasks failed to start."
    failed = deployment(2, "ACTIVE", rolloutState="FAILED", rolloutStateReason=reason)
    older = {**deployment(3, rolloutState="IN_PROGRESS"), "taskDefinition": revision("web:40")}
    seen = look(older, failed)
    assert (seen.done, seen.ok, seen.superseded) == (True, False, False)
    assert seen.note == "ECS rolled the service back to web:40: ECS circuit breaker: tasks failed to start"


def test_a_deployment_that_failed_and_drained_away_is_told_by_the_events() -> None:
    """Also where the PRIMARY one has the id from before again, which else means that the update is not shown yet."""
    events = [{"message": "(service web) (deployment ecs-svc/2) deployment failed: tasks failed to start."}]
    seen = look(deployment(1, "PRIMARY", rolloutState="COMPLETED"), events=events)
    assert (seen.done, seen.ok, seen.superseded) == (True, False, False)
    assert "tasks failed to start" in seen.note


def test_a_rollback_is_seen_though_the_updates_answer_was_stale() -> None:
    seen = look(deployment(3, "PRIMARY", rolloutState="COMPLETED"), of=waiting(ours=""))
    assert (seen.done, seen.ok) == (True, False)
    assert seen.note.startswith("ECS rolled the service back to web:41")


def test_a_forced_deployment_on_the_same_revision_is_not_the_one_from_before() -> None:
    forced = call("update_service", cluster="prod", service="web", taskDefinition=OLD, forceNewDeployment=True)
    stale = {"service": {"deployments": [deployment(1, rolloutState="COMPLETED")]}}
    one = waiting(wanted=OLD)
    assert KIND.calls.accept(one.step, forced, stale) == {"deployment": ""}
    unknown = dataclasses.replace(waiting(wanted=OLD, ours=""), call=forced)
    assert not look(deployment(1, "PRIMARY", rolloutState="COMPLETED"), of=unknown).done
    new = {**deployment(2, rolloutState="COMPLETED"), "taskDefinition": OLD}
    assert look(new, of=unknown).ok


def test_counts_survive_a_poll_that_does_not_show_the_service() -> None:
    one = dataclasses.replace(waiting(), state=Misses(deployment=9, rollout=2, listing=3))
    progress = track(KIND).judge(one, [{"services": []}])
    assert Observation(one=one, progress=progress, documents=()).next.state == one.state
