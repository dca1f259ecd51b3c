"""What a deployment's entries mean: its outcome, the states of its steps, and which were left part-way."""

from __future__ import annotations

import msgspec
import pytest

from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.model import Address, Plan
from ecsplan.journal import Began, Closed, Deployment, Done, Failed, Opened, Outcome, unfinished, waiting
from tests.unit.builders import AT, ORIGIN, deployment, kept, plan, register, run, task_definition_arn, update, wait


def made_of(*entries: Began | Done | Failed | Closed, made: Plan | None = None) -> Deployment:
    opened = Opened(number=1, at=AT, origin=ORIGIN, plan=made or plan(register(), run(), update()))
    return Deployment(opened=opened, entries=entries)


def began(step: int, *, undo: bool = False) -> Began:
    return Began(at=AT, step=step, undo=undo)


def done(step: int, *, undo: bool = False, **outputs: str) -> Done:
    return Done(at=AT, step=step, outputs=outputs, undo=undo)


def failed(step: int, *, undo: bool = False, unclear: bool = False) -> Failed:
    return Failed(at=AT, step=step, error="no", undo=undo, unclear=unclear)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_last_word_is_the_outcome(outcome: Outcome) -> None:
    one = made_of(began(1), Closed(at=AT, outcome=outcome, reason="because"))
    assert (one.outcome, one.reason) == (outcome, "because")


def test_without_a_last_word_it_was_cut_off() -> None:
    assert made_of(began(1)).outcome is Outcome.UNFINISHED
    assert made_of(began(1)).reason == "the process was killed"


def test_a_resumed_deployment_counts_by_its_newest_word() -> None:
    stopped, succeeded = Closed(at=AT, outcome=Outcome.STOPPED, reason="x"), Closed(at=AT, outcome=Outcome.SUCCEEDED)
    one = made_of(began(1), stopped, done(1), succeeded)
    assert (one.outcome, one.reason) == (Outcome.SUCCEEDED, "")


def test_which_outcomes_are_an_end() -> None:
    assert {outcome for outcome in Outcome if outcome.ended} == {
        Outcome.SUCCEEDED, Outcome.PUT_BACK, Outcome.FAILED, Outcome.SUPERSEDED, Outcome.ABANDONED,
    }  # fmt: skip
    assert {outcome for outcome in Outcome if outcome.left_nothing} == {Outcome.PUT_BACK, Outcome.FAILED}


@pytest.mark.parametrize(
    ("entries", "states"),
    [
        ((), ["planned", "planned", "planned"]),
        ((began(1),), ["begun", "planned", "planned"]),
        ((began(1), done(1), began(2)), ["done", "begun", "planned"]),
        ((began(1), done(1), began(2), failed(2)), ["done", "failed", "planned"]),
        ((began(1), done(1), began(1, undo=True)), ["done", "planned", "planned"]),
        ((began(1), done(1), began(1, undo=True), done(1, undo=True)), ["undone", "planned", "planned"]),
        ((began(1), done(1), began(1, undo=True), failed(1, undo=True)), ["undo failed", "planned", "planned"]),
        ((began(3), done(3), failed(3)), ["planned", "planned", "failed"]),
    ],
)
def test_states_show_how_far_each_step_came(entries: tuple[Began | Done | Failed, ...], states: list[str]) -> None:
    assert list(made_of(*entries, Closed(at=AT, outcome=Outcome.STOPPED)).states().values()) == states


def test_outputs_are_those_of_the_steps_and_not_of_their_undos() -> None:
    one = made_of(done(1, arn="web:42"), done(2, tasks="t"), done(1, undo=True, arn="gone"), failed(3))
    assert one.outputs() == {1: {"arn": "web:42"}, 2: {"tasks": "t"}}


def test_what_was_begun_was_touched_whatever_came_of_it() -> None:
    one = made_of(began(1), done(1), began(2), failed(2), began(1, undo=True))
    assert one.begun() == {1, 2}
    assert made_of(began(3, undo=True)).begun() == frozenset()


@pytest.mark.parametrize(
    ("entries", "unresolved"),
    [
        ((), set()),
        ((began(1),), {1}),
        ((began(1), done(1), began(2)), {2}),
        ((began(1), failed(1)), set()),
        ((began(1), failed(1, unclear=True)), {1}),
        ((began(1), failed(1, unclear=True), began(1), done(1)), set()),
        ((began(1), began(1, undo=True)), {1}),
        ((began(1), began(1, undo=True), failed(1, undo=True)), {1}),
        ((began(1), began(1, undo=True), done(1, undo=True)), set()),
        ((Began(at=AT, step=1, aside="continue"),), set()),
    ],
)
def test_what_has_no_certain_end_is_unresolved(
    entries: tuple[Began | Done | Failed, ...], unresolved: set[int]
) -> None:
    states = made_of(*entries).step_states()
    assert {index for index, state in states.items() if state.open} == unresolved


def test_it_is_rolling_back_once_a_call_to_undo_was_begun() -> None:
    assert not made_of(began(1), done(1), failed(3)).rolling_back
    assert made_of(began(1), done(1), failed(3), began(1, undo=True)).rolling_back
    assert not made_of(began(2), done(2), began(2, undo=True)).rolling_back  # a task is stopped, not undone


def test_the_newest_diagnoses_count() -> None:
    first, second = ({Address("service.prod/web"): Diagnosis(reason=reason)} for reason in ("first", "second"))
    stopped = [Closed(at=AT, outcome=Outcome.STOPPED, diagnoses=found) for found in (first, second, {})]
    assert made_of(*stopped).diagnoses == second
    assert made_of(began(1)).diagnoses == {}


def test_who_began_it_and_when_to_the_second() -> None:
    one = made_of()
    assert (one.started, one.user) == ("2023-11-14 22:13:20Z", "ada@ci-7")


def test_while_it_runs_it_has_neither_end_nor_reason() -> None:
    one = msgspec.structs.replace(made_of(Closed(at=AT, outcome=Outcome.STOPPED, reason="x")), running=True)
    assert (one.outcome, one.reason) == (Outcome.RUNNING, "")


def test_number_and_plan_are_those_of_the_first_line() -> None:
    one = made_of()
    assert (one.number, one.plan) == (1, one.opened.plan)


@pytest.mark.parametrize(("number", "undoes", "back"), [(5, (), 4), (5, (3, 4), 2), (5, (4,), 3), (1, (), 0)])
def test_to_undo_a_rollback_that_was_cut_off_is_to_go_on_with_it(
    number: int, undoes: tuple[int, ...], back: int
) -> None:
    assert of(number, None, undoes=undoes).rollback_target == back


# --- which revisions a deployment put in use ---


def test_new_revisions_and_those_used_again() -> None:
    made = plan(register("web"), changes=(kept("job", 7),))
    arns = {1: {"arn": task_definition_arn("web", 42)}}
    assert deployment(1, made, outputs=arns).revisions() == {"job": "job:7", "web": "web:42"}


def test_a_deployment_that_was_put_back_put_none_in_use() -> None:
    made = plan(register("web"), changes=(kept("job", 7),))
    assert deployment(1, made, outputs={1: {"arn": "x/web:42"}}, outcome=Outcome.PUT_BACK).revisions() == {}


def test_a_registration_that_was_never_made_put_none_in_use() -> None:
    assert deployment(1, plan(register()), begun=[]).revisions() == {}


# --- left part-way ---

PARTS = [Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.UNFINISHED, None]


def of(number: int, outcome: Outcome | None, *, undoes: tuple[int, ...] = (), begun: int = 2) -> Deployment:
    made = plan(register(), update(), undoes=undoes)
    return deployment(number, made, outcome=outcome, begun=range(1, begun + 1))


@pytest.mark.parametrize("outcome", PARTS)
def test_what_did_not_end_is_unfinished(outcome: Outcome | None) -> None:
    left = of(2, outcome)
    assert unfinished([of(1, Outcome.SUCCEEDED), left]) is left


def test_what_ended_is_not() -> None:
    assert unfinished([]) is None
    assert unfinished([of(1, Outcome.SUCCEEDED), of(2, Outcome.PUT_BACK)]) is None


def test_the_newest_counts() -> None:
    newest = of(2, Outcome.INTERRUPTED)
    assert unfinished([of(1, Outcome.STOPPED), newest, of(3, Outcome.SUCCEEDED)]) is newest


def test_a_later_rollback_settles_it() -> None:
    assert unfinished([of(1, Outcome.STOPPED), of(2, Outcome.SUCCEEDED, undoes=(1,))]) is None


def test_a_later_deployment_that_does_not_undo_it_does_not() -> None:
    left = of(1, Outcome.STOPPED)
    assert unfinished([left, of(2, Outcome.SUCCEEDED)]) is left


@pytest.mark.parametrize("outcome", [*PARTS, Outcome.PUT_BACK])
def test_a_rollback_that_did_not_succeed_does_not(outcome: Outcome | None) -> None:
    left, back = of(1, Outcome.STOPPED), of(2, outcome, undoes=(1,))
    assert unfinished([left, back]) is (left if outcome is Outcome.PUT_BACK else back)


def test_of_which_nothing_was_begun_has_left_nothing() -> None:
    assert unfinished([of(1, Outcome.INTERRUPTED, begun=0)]) is None


# --- what only waited ---


def waited(number: int, outcome: Outcome | None, *, made: Plan | None = None) -> Deployment:
    ended = (Closed(at=AT, outcome=outcome),) if outcome is not None else ()
    opened = Opened(number=number, at=AT, origin=ORIGIN, plan=made or plan(wait()))
    return Deployment(opened=opened, entries=(done(1, deployment="ecs-svc/1"), *ended))


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_a_wait_that_did_not_end_can_be_resumed_and_is_in_nobodys_way(outcome: Outcome | None) -> None:
    one = waited(2, outcome)
    assert one.begun() == frozenset()
    assert unfinished([one]) is None
    assert waiting([waited(1, None), one]) is (None if outcome is not None and outcome.ended else one)


def test_only_the_newest_deployment_waits() -> None:
    later = deployment(2, plan(update()))
    assert waiting([waited(1, None), later]) is None
    assert waiting([]) is None


def test_what_sends_something_too_is_unfinished() -> None:
    made = plan(wait(), update("admin"))
    assert waiting([waited(1, None, made=made)]) is None
    assert unfinished([deployment(1, made, outcome=None, begun=[2])]) is not None


def test_once_it_was_let_go_on_something_was_sent() -> None:
    aside = Began(at=AT, step=1, aside="ecs:continue_service_deployment")
    one = msgspec.structs.replace(waited(1, None), entries=(done(1), aside))
    assert one.begun() == {1}
    assert unfinished([one]) is one
