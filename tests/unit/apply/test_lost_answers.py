"""Answers that were lost, refusals that mean "later", and answers that only did a part."""

from __future__ import annotations

import pytest

from ecsplan.core import events
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Doc
from ecsplan.journal import Done, Failed, Outcome
from tests.unit.builders import plan, register, retire, reusing, run, targets, task_definition_arn, update
from tests.unit.fakes import lost, refusal, throttled
from tests.unit.rig import Rig

NEW = task_definition_arn("web", 42)


@pytest.fixture
def rig() -> Rig:
    return Rig()


# --- a lost answer ---


def test_a_registration_whose_answer_was_lost_is_found(rig: Rig) -> None:
    rig.aws.fail("register_task_definition", lost(), lost=True)
    assert rig.apply(plan(register(), update())).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("register_task_definition")) == 1
    assert rig.log.of(Done)[0].outputs == {"arn": NEW}
    assert rig.aws.calls("update_service")[0]["taskDefinition"] == NEW


def test_a_registration_that_never_arrived_is_sent_again(rig: Rig) -> None:
    rig.aws.fail("register_task_definition", lost())
    assert rig.apply(plan(register(), update())).outcome is Outcome.SUCCEEDED
    assert rig.trace[:6] == [
        "began 1",
        "register_task_definition",
        "list_task_definitions",
        "register_task_definition",
        "done 1",
        "began 2",
    ]


def test_an_equal_revision_older_than_the_plan_is_not_ours(rig: Rig) -> None:
    rig.aws.add_revision("web", 41, containerDefinitions=register().call.params["containerDefinitions"])
    rig.aws.fail("register_task_definition", lost())
    rig.apply(plan(register(), update()))
    assert len(rig.aws.calls("register_task_definition")) == 2
    assert rig.aws.calls("update_service")[0]["taskDefinition"] == task_definition_arn("web", 42)


def test_another_revision_newer_than_the_plan_is_not_ours(rig: Rig) -> None:
    rig.aws.add_revision("web", 42, cpu="256")
    rig.aws.fail("register_task_definition", lost())
    rig.apply(plan(register()))
    assert rig.log.of(Done)[0].outputs == {"arn": task_definition_arn("web", 43)}


def test_a_deregistration_that_was_carried_out_is_not_sent_again(rig: Rig) -> None:
    rig.aws.fail("deregister_task_definition", lost(), lost=True)
    assert rig.apply(plan(retire(number=30))).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("deregister_task_definition")) == 1


def test_a_task_is_sent_again_with_the_same_token(rig: Rig) -> None:
    """RunTask's token makes the repetition harmless, so nobody has to be asked."""
    rig.aws.fail("run_task", lost(), lost=True)
    assert rig.apply(reusing(run())).outcome is Outcome.SUCCEEDED
    first, second = rig.aws.calls("run_task")
    assert first == second
    assert first["clientToken"]


def test_an_undo_whose_answer_was_lost_is_looked_for_too(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal(message="no"))
    rig.aws.fail("deregister_task_definition", lost(), lost=True)
    result = rig.apply(plan(register(), update()))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "no")
    assert len(rig.aws.calls("deregister_task_definition")) == 1


def test_a_third_lost_answer_is_journaled_as_unclear(rig: Rig) -> None:
    rig.aws.fail("update_service", lost("nobody answers"), times=9)
    result = rig.apply(plan(register(), update()), on_failure="stop")
    assert (result.outcome, result.reason) == (Outcome.STOPPED, "nobody answers")
    assert len(rig.aws.calls("update_service")) == 3
    (failed,) = rig.log.of(Failed)
    assert (failed.step, failed.unclear) == (2, True)


def test_what_may_have_been_carried_out_is_undone(rig: Rig) -> None:
    rig.aws.fail("update_service", lost(), times=3)
    assert rig.apply(plan(register(), update())).outcome is Outcome.PUT_BACK
    assert rig.aws.calls("update_service")[-1]["taskDefinition"] == task_definition_arn("web", 41)


def test_a_refusal_after_a_lost_answer_does_not_make_it_clear(rig: Rig) -> None:
    """The first call may have been carried out, so the second one's refusal is no reason not to undo it."""
    rig.aws.fail("put_targets", lost())
    rig.aws.fail("put_targets", refusal(message="no permission any more"), at=2)
    assert rig.apply(plan(register(), targets())).outcome is Outcome.PUT_BACK
    (target,) = rig.aws.targets("nightly")
    assert target["EcsParameters"]["TaskDefinitionArn"] == task_definition_arn("web", 41)
    assert [(entry.step, entry.unclear) for entry in rig.log.of(Failed)] == [(2, True)]


def test_an_update_whose_answer_was_lost_is_found(rig: Rig) -> None:
    rig.aws.fail("update_service", lost(), lost=True)
    assert rig.apply(plan(register(), update())).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("update_service")) == 1
    assert rig.log.of(Done)[-1].outputs == {"deployment": rig.aws.primary("web")}


def test_every_repetition_is_told(rig: Rig) -> None:
    rig.aws.fail("update_service", throttled(), times=2)
    rig.apply(plan(register(), update()))
    assert [event.message for event in rig.happened(events.Warned)] == [
        "service.prod/web: trying again: Rate exceeded"
    ] * 2


def test_it_is_looked_for_after_the_pause(rig: Rig) -> None:
    pauses: list[int] = []
    rig.aws.on_ask = lambda _calls: pauses.append(len(rig.clock.slept))
    rig.aws.fail("register_task_definition", lost(), lost=True)
    rig.apply(plan(register()))
    assert pauses[0] == 1


@pytest.mark.parametrize("for_all", [False, True])
def test_what_cannot_be_determined_is_journaled_as_unclear(rig: Rig, for_all: bool) -> None:
    """Asking after a lost answer can be refused, or fail like the call itself: it stays unclear."""
    rig.aws.fail("register_task_definition", lost(), lost=True)
    rig.aws.fail("list_task_definitions", AwsError("no way there", code="NoConnection"), for_all=for_all, times=9)
    result = rig.apply(plan(register(), update()), on_failure="stop")
    assert result.outcome is Outcome.STOPPED
    assert [(entry.step, entry.unclear) for entry in rig.log.of(Failed)] == [(1, True)]
    assert len(rig.aws.calls("register_task_definition")) == 1


# --- later ---


def test_a_throttled_call_is_repeated_after_growing_pauses(rig: Rig) -> None:
    rig.aws.fail("update_service", throttled(), times=5)
    assert rig.apply(plan(register(), update())).outcome is Outcome.SUCCEEDED
    assert rig.clock.slept == [1, 2, 4, 8, 16]
    assert rig.trace.count("began 2") == 1


def test_pauses_are_bounded_and_have_jitter(rig: Rig) -> None:
    rig.clock.chance = 0.0
    rig.aws.fail("update_service", throttled(), times=7)
    rig.apply(plan(register(), update()))
    assert rig.clock.slept == [0.5, 1, 2, 4, 8, 10, 10]


def test_patience_ends(rig: Rig) -> None:
    rig.aws.fail("update_service", throttled(), times=8)
    result = rig.apply(plan(register(), update()))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "Rate exceeded")
    assert len(rig.aws.calls("update_service")) == 8


def test_a_plain_refusal_is_not_repeated(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal())
    rig.apply(plan(register(), update()))
    assert len(rig.aws.calls("update_service")) == 1
    assert rig.clock.slept == []


def test_a_throttled_task_keeps_its_token(rig: Rig) -> None:
    rig.aws.fail("run_task", throttled())
    rig.apply(reusing(run()))
    first, second = rig.aws.calls("run_task")
    assert first == second


# --- a part ---


def partly(rig: Rig, *failed: str) -> None:
    """EventBridge takes all entries but these, and those the next time."""
    answers = [
        {"FailedEntryCount": 1, "FailedEntries": [{"TargetId": one, "ErrorCode": "X", "ErrorMessage": "later"}]}
        for one in failed
    ]

    def answer(_call: object) -> None:
        rig.aws.answers["put_targets"] = answers.pop(0) if answers else {}

    rig.aws.on_call = answer


def ids(params: Doc) -> list[str]:
    return [target["Id"] for target in params["Targets"]]


def test_only_the_entries_that_failed_are_sent_again(rig: Rig) -> None:
    partly(rig, "b")
    assert rig.apply(reusing(targets(ids=["a", "b", "c"]))).outcome is Outcome.SUCCEEDED
    assert [ids(params) for params in rig.aws.calls("put_targets")] == [["a", "b", "c"], ["b"]]
    assert rig.clock.slept == [1]
    assert [entry.step for entry in rig.log.of(Done)] == [1]


def test_entries_that_never_succeed_are_a_failure(rig: Rig) -> None:
    partly(rig, *["b"] * 8)
    result = rig.apply(reusing(targets(ids=["a", "b"])))
    assert result.outcome is Outcome.PUT_BACK
    assert result.reason == "event_targets.nightly: EventBridge did not take 1 of the targets: b: X: later"
    assert [ids(params) for params in rig.aws.calls("put_targets")] == [["a", "b"], *[["b"]] * 7, ["a", "b"]]


def test_what_was_done_in_part_is_undone_after_a_refusal(rig: Rig) -> None:
    partly(rig, "b")
    rig.aws.fail("put_targets", refusal(message="no permission any more"), at=2)
    result = rig.apply(reusing(targets(ids=["a", "b"])))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "no permission any more")
    assert [ids(params) for params in rig.aws.calls("put_targets")] == [["a", "b"], ["b"], ["a", "b"]]


def test_an_answer_that_cannot_be_repeated_fails_at_once(rig: Rig) -> None:
    rig.aws.answers["register_task_definition"] = {"taskDefinition": {}}
    result = rig.apply(plan(register()))
    assert "was answered without the revision's ARN" in result.reason
    assert len(rig.aws.calls("register_task_definition")) == 1


def test_a_registration_without_an_arn_is_not_undone(rig: Rig) -> None:
    rig.aws.answers["register_task_definition"] = {"taskDefinition": {}}
    assert rig.apply(plan(register())).outcome is Outcome.PUT_BACK
    assert rig.aws.calls("deregister_task_definition") == []
