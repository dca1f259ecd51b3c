"""Somebody asks to stop: the running call ends and is journaled, and nothing new is begun."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecsplan.core import events
from ecsplan.core.model import Call
from ecsplan.journal import Began, Closed, Done, Failed, Outcome
from tests.unit.builders import AT, plan, register, retire, run, targets, update, whole
from tests.unit.fakes import refusal, throttled
from tests.unit.rig import FOR_EVER, STAYS, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def stop_at_call(rig: Rig, operation: str, *, at: int = 1) -> None:
    left = at

    def on_call(call: Call) -> None:
        nonlocal left
        if call.operation == operation:
            left -= 1
            if left == 0:
                rig.stop.set()

    rig.aws.on_call = on_call


def stop_at_look(rig: Rig, operation: str, *, at: int = 1) -> None:
    left = at

    def on_ask(calls: Sequence[Call]) -> None:
        nonlocal left
        if any(call.operation == operation for call in calls):
            left -= 1
            if left == 0:
                rig.stop.set()

    rig.aws.on_ask = on_ask


def test_before_the_first_step_nothing_is_sent(rig: Rig) -> None:
    rig.stop.set()
    result = rig.apply(plan(*whole()))
    assert result.outcome is Outcome.INTERRUPTED
    assert rig.log.entries == [Closed(at=AT, outcome=Outcome.INTERRUPTED, reason=result.reason)]
    assert rig.aws.sent == []


@pytest.mark.parametrize("policy", ["rollback", "stop"])
@pytest.mark.parametrize(
    ("operation", "sent"),
    [
        ("register_task_definition", 1),
        ("run_task", 2),
        ("update_service", 3),
        ("put_targets", 4),
    ],
)
def test_the_running_call_is_journaled_and_nothing_new_begins(rig: Rig, operation: str, sent: int, policy: str) -> None:
    stop_at_call(rig, operation)
    result = rig.apply(plan(*whole()), on_failure=policy)
    assert result.outcome is Outcome.INTERRUPTED
    assert len(rig.aws.sent) == sent
    assert [entry.step for entry in rig.log.of(Began)] == list(range(1, sent + 1))
    assert [entry.step for entry in rig.log.of(Done)] == list(range(1, sent + 1))
    assert rig.log.of(Failed) == []


def test_within_a_phase_running_calls_end_and_no_other_begins(rig: Rig) -> None:
    stop_at_call(rig, "run_task")
    assert rig.apply(plan(register(), run("a"), run("b"))).outcome is Outcome.INTERRUPTED
    assert len(rig.aws.calls("run_task")) == 1


def test_the_second_step_of_an_address_does_not_begin(rig: Rig) -> None:
    stop_at_call(rig, "put_targets")
    rig.apply(plan(register(), targets("nightly", ids=["a"]), targets("nightly", ids=["b"])))
    assert len(rig.aws.calls("put_targets")) == 1


@pytest.mark.parametrize("operation", ["describe_tasks", "describe_services"])
def test_waiting_ends(rig: Rig, operation: str) -> None:
    rig.tasks[1] = STAYS
    rig.rollouts["web", 1] = FOR_EVER
    if operation == "describe_services":
        rig.tasks.clear()
    stop_at_look(rig, operation, at=3)
    result = rig.apply(plan(*whole()))
    assert result.outcome is Outcome.INTERRUPTED
    looks = [call.operation for calls in rig.aws.asked for call in calls]
    assert looks.count(operation) == 3
    assert rig.aws.operations[-1] == ("run_task" if operation == "describe_tasks" else "update_service")


def test_during_the_pause_of_a_repetition_it_is_not_sent_again(rig: Rig) -> None:
    rig.aws.fail("update_service", throttled(), times=3)
    rig.clock.on_sleep = rig.stop.set
    result = rig.apply(plan(register(), update()))
    assert result.outcome is Outcome.INTERRUPTED
    assert len(rig.aws.calls("update_service")) == 1


def test_a_failure_at_the_same_time_is_reported_without_undos(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal(message="no permission"))
    stop_at_call(rig, "update_service")
    result = rig.apply(plan(register(), update()))
    assert result.outcome is Outcome.INTERRUPTED
    assert "no permission" in result.reason
    assert rig.aws.operations == ["register_task_definition", "update_service"]


def test_a_failure_beside_a_step_that_did_not_begin_is_told(rig: Rig) -> None:
    """More services than fit at once: the first refusal and the request to stop come together."""
    rig.aws.fail("update_service", refusal(message="no permission"), times=20)
    stop_at_call(rig, "update_service")
    result = rig.apply(plan(register(), *(update(f"s{n}") for n in range(20))))
    assert result.outcome is Outcome.INTERRUPTED
    assert "no permission" in result.reason
    assert len(rig.aws.calls("update_service")) <= 8


def test_while_undoing_the_rest_is_left(rig: Rig) -> None:
    rig.aws.fail("put_targets", refusal(message="the targets were refused"))
    stop_at_call(rig, "update_service", at=2)
    result = rig.apply(plan(register(), update(), targets()))
    assert result.outcome is Outcome.INTERRUPTED
    assert result.reason == "the targets were refused; interrupted while putting things back"
    assert rig.aws.calls("deregister_task_definition") == []
    assert [(entry.step, entry.undo) for entry in rig.log.of(Done)][-1] == (2, True)


def test_while_waiting_for_the_way_back_the_rest_is_left(rig: Rig) -> None:
    rig.aws.fail("put_targets", refusal(message="the targets were refused"))
    rig.rollouts["web", 2] = FOR_EVER
    stop_at_look(rig, "describe_services", at=3)
    result = rig.apply(plan(register(), update(), targets()))
    assert result.outcome is Outcome.INTERRUPTED
    assert rig.aws.calls("deregister_task_definition") == []


def test_after_the_last_call_there_is_nothing_to_interrupt(rig: Rig) -> None:
    stop_at_call(rig, "deregister_task_definition")
    assert rig.apply(plan(retire())).outcome is Outcome.SUCCEEDED
    assert [entry.step for entry in rig.log.of(Done)] == [1]


def test_while_cleaning_up_the_rest_is_left(rig: Rig) -> None:
    stop_at_call(rig, "deregister_task_definition")
    assert rig.apply(plan(retire(number=30), retire(number=31))).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("deregister_task_definition")) == 1
    (warning,) = rig.happened(events.Warned)
    assert warning.message == "the clean-up was interrupted; the next deployment continues it"
