"""A deployment that was cut off goes on where it was: forward, or back if it was putting things back."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Plan
from ecsplan.journal import Began, Closed, Deployment, Done, Entry, Failed, Opened, Outcome
from tests.unit.builders import AT, ORIGIN, plan, register, reusing, run, targets, task_definition_arn, update, whole
from tests.unit.fakes import refusal
from tests.unit.rig import Rig, exits, rolls_out

NEW, OLD = task_definition_arn("web", 42), task_definition_arn("web", 41)
WHOLE = plan(*whole())


def account(task_seconds: float = 0.0) -> Rig:
    """web:42 is registered, its one-off task was started, and the service is on web:41."""
    made = Rig()
    made.aws.seed(WHOLE)
    made.aws.add_revision("web", 42)
    made.tasks[1] = exits(0, after=task_seconds)
    made.aws.ecs.call("RunTask", {"cluster": "prod", "taskDefinition": NEW})
    return made


def moved(rig: Rig) -> Rig:
    """The service was updated to web:42, too."""
    rig.aws.update("web", taskDefinition=NEW)
    return rig


OUTPUTS: dict[int, dict[str, str]] = {  # the account's ids are the same each time
    1: {"arn": NEW},
    2: {"tasks": account().aws.tasks[0]},
    3: {"deployment": moved(account()).aws.primary("web")},
    4: {},
    5: {"arn": task_definition_arn("web", 30)},
}


@pytest.fixture
def rig() -> Rig:
    return account()


def left(made: Plan, *entries: Any) -> Deployment:
    return Deployment(opened=Opened(number=7, at=AT, origin=ORIGIN, plan=made), entries=entries)


def began(*steps: int, undo: bool = False) -> list[Entry]:
    return [Began(at=AT, step=step, undo=undo) for step in steps]


def done(*steps: int, undo: bool = False) -> list[Entry]:
    """Begun and done."""
    pairs = [
        (Began(at=AT, step=step, undo=undo), Done(at=AT, step=step, outputs=OUTPUTS[step], undo=undo)) for step in steps
    ]
    return [entry for pair in pairs for entry in pair]


# --- forward ---


def test_nothing_begun_is_the_whole_deployment(rig: Rig) -> None:
    assert rig.resume(left(WHOLE)).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.sent) == 5


def test_what_was_done_is_not_done_again(rig: Rig) -> None:
    result = rig.resume(left(WHOLE, *done(1, 2)))
    assert (result.outcome, result.number) == (Outcome.SUCCEEDED, 7)
    assert rig.aws.operations == ["update_service", "put_targets", "deregister_task_definition"]


def test_references_are_filled_from_the_journal(rig: Rig) -> None:
    rig.resume(left(WHOLE, *done(1, 2)))
    assert rig.aws.calls("update_service")[0]["taskDefinition"] == NEW


def test_the_token_is_the_one_from_before(rig: Rig) -> None:
    """So that a task that did start is not started a second time."""
    rig.resume(left(WHOLE, *done(1), *began(2)))
    first = Rig()
    first.apply(WHOLE, number=7)
    assert rig.aws.calls("run_task")[0]["clientToken"] == first.aws.calls("run_task")[0]["clientToken"]


def test_a_registration_without_an_end_is_looked_for(rig: Rig) -> None:
    assert rig.resume(left(WHOLE, *began(1))).outcome is Outcome.SUCCEEDED
    assert rig.aws.calls("register_task_definition") == []
    assert rig.log.entries[0] == Done(at=AT, step=1, outputs={"arn": NEW})
    assert rig.aws.calls("update_service")[0]["taskDefinition"] == NEW


def test_a_registration_that_never_arrived_is_sent() -> None:
    rig = Rig()
    assert rig.resume(left(WHOLE, *began(1))).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("register_task_definition")) == 1


def test_a_registration_whose_end_was_unclear_is_looked_for_too(rig: Rig) -> None:
    """Its answer was lost, and stopping was asked for: it may have been carried out."""
    unclear = Failed(at=AT, step=1, error="lost", unclear=True)
    rig.resume(left(WHOLE, *began(1), unclear, Closed(at=AT, outcome=Outcome.STOPPED)))
    assert rig.aws.calls("register_task_definition") == []


def test_what_was_refused_is_sent_again(rig: Rig) -> None:
    refused = Failed(at=AT, step=3, error="no permission")
    stop = Closed(at=AT, outcome=Outcome.STOPPED)
    assert rig.resume(left(WHOLE, *done(1, 2), *began(3), refused, stop)).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("update_service")) == 1


def test_a_rollout_that_is_under_way_is_waited_for(rig: Rig) -> None:
    rig.rollouts["web", 1] = rolls_out(after=0.5)
    moved(rig)
    late = Closed(at=AT, outcome=Outcome.UNFINISHED)
    assert rig.resume(left(plan(register(), update(), targets()), *done(1), began(2)[0],
                           Done(at=AT, step=2, outputs=OUTPUTS[3]), late)).outcome is Outcome.SUCCEEDED  # fmt: skip
    assert rig.aws.operations == ["put_targets"]
    assert rig.clock.slept == [0.5]


def test_a_task_that_is_still_running_is_waited_for() -> None:
    rig = account(task_seconds=0.5)
    rig.resume(left(WHOLE, *done(1, 2)))
    looks = [call.operation for calls in rig.aws.asked for call in calls]
    assert looks.count("describe_tasks") == 2
    assert rig.aws.calls("run_task") == []


def test_a_task_that_ended_before_a_later_step_is_not_polled(rig: Rig) -> None:
    """ECS forgets stopped tasks after an hour, and the journal knows that this one had succeeded."""
    rig.aws.answers["describe_tasks"] = {"tasks": []}
    result = rig.resume(left(WHOLE, *done(1, 2), *began(3)))
    assert result.outcome is Outcome.SUCCEEDED


def test_a_resumed_deployment_can_be_interrupted_again(rig: Rig) -> None:
    rig.stop.set()
    assert rig.resume(left(WHOLE, *done(1, 2))).outcome is Outcome.INTERRUPTED
    assert rig.aws.sent == []


@pytest.mark.parametrize(("policy", "outcome"), [("rollback", Outcome.PUT_BACK), ("stop", Outcome.STOPPED)])
def test_a_failure_after_resuming_undoes_earlier_steps_too(rig: Rig, policy: str, outcome: Outcome) -> None:
    rig.aws.fail("put_targets", refusal(message="no"))
    assert rig.resume(left(WHOLE, *done(1, 2)), on_failure=policy).outcome is outcome
    undone = ["update_service", "deregister_task_definition"] if policy == "rollback" else []
    assert rig.aws.operations == ["update_service", "put_targets", *undone]
    if undone:
        assert rig.aws.calls("deregister_task_definition") == [{"taskDefinition": NEW}]


def test_only_the_rest_of_the_clean_up_is_done(rig: Rig) -> None:
    moved(rig).resume(left(plan(register(), targets()), *done(1), *began(2)))
    assert rig.aws.operations == ["put_targets"]


# --- back ---


def test_one_that_was_putting_things_back_goes_on_with_that(rig: Rig) -> None:
    failed = Failed(at=AT, step=4, error="no")
    going = left(WHOLE, *done(1, 2, 3), *began(4), failed, *began(3, undo=True))
    result = moved(rig).resume(going)
    assert result.outcome is Outcome.PUT_BACK
    assert rig.aws.operations == ["update_service", "deregister_task_definition"]
    assert rig.aws.calls("update_service")[0]["taskDefinition"] == OLD


def test_what_was_put_back_is_not_put_back_again(rig: Rig) -> None:
    failed = Failed(at=AT, step=4, error="no")
    back = Done(at=AT, step=3, outputs={"deployment": "ecs-svc/web-0"}, undo=True)
    going = left(WHOLE, *done(1, 2, 3), *began(4), failed, *began(3, undo=True), back)
    assert rig.resume(going).outcome is Outcome.PUT_BACK
    assert rig.aws.operations == ["deregister_task_definition"]


def test_an_undo_that_failed_is_tried_again(rig: Rig) -> None:
    failed, undo_failed = Failed(at=AT, step=4, error="no"), Failed(at=AT, step=3, error="no", undo=True)
    stop = Closed(at=AT, outcome=Outcome.STOPPED)
    going = left(WHOLE, *done(1, 2, 3), *began(4), failed, *began(3, undo=True), undo_failed, stop)
    assert moved(rig).resume(going).outcome is Outcome.PUT_BACK
    assert rig.aws.operations == ["update_service", "deregister_task_definition"]


def test_what_may_have_been_carried_out_is_put_back_too(rig: Rig) -> None:
    unclear = Failed(at=AT, step=4, error="lost", unclear=True)
    going = left(WHOLE, *done(1, 2, 3), *began(4), unclear, *began(4, undo=True))
    assert moved(rig).resume(going).outcome is Outcome.PUT_BACK
    assert rig.aws.operations == ["put_targets", "update_service", "deregister_task_definition"]


# --- what it goes by ---


@pytest.mark.parametrize(
    ("entries", "back"),
    [
        ([], False),
        (done(1, 2), False),
        ([*done(1, 2), Failed(at=AT, step=2, error="late"), *done(2, undo=True)], False),  # a late task was stopped
        ([*done(1), *began(1, undo=True)], True),
        ([*done(1), *done(1, undo=True)], True),
    ],
)
def test_a_deployment_knows_whether_it_was_going_back(entries: list[Any], back: bool) -> None:
    assert left(WHOLE, *entries).rolling_back is back


def test_asking_that_fails_sends_nothing_twice(rig: Rig) -> None:
    rig.aws.fail("list_task_definitions", AwsError("no way there", code="NoConnection"), for_all=True)
    result = rig.resume(left(WHOLE, *began(1)), on_failure="stop")
    assert result.outcome is Outcome.STOPPED
    assert result.reason == "could not determine whether task_definition.web was carried out: no way there"
    assert rig.aws.sent == []


def test_a_task_is_run_once_however_often_it_is_resumed(rig: Rig) -> None:
    made = reusing(run())
    rig.resume(left(made, *began(1)))
    rig.resume(left(made, *began(1)))
    first, second = rig.aws.calls("run_task")
    assert first == second
