"""What failed is tried again where the deployment was begun to stop on a failure, and what others run is joined or
awaited."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecsplan.apply.engine import Options
from ecsplan.core import events
from ecsplan.core.model import Step
from ecsplan.core.text import mark_of
from ecsplan.journal import Began, Chosen, Deployment, Done, Opened, Outcome
from tests.unit.builders import AT, ORIGIN, plan, register, reusing, run, task_definition_arn, update
from tests.unit.fakes import lost, refusal
from tests.unit.rig import STAYS, Rig, exits, fails

STOP = Chosen(on_failure="stop")


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.aws.seed(reusing(run()))
    return made


def unmarked(step: Step) -> Step:
    """A one-off task whose mark the spec does not declare."""
    params = {name: value for name, value in step.call.params.items() if name != "startedBy"}
    return msgspec.structs.replace(step, call=msgspec.structs.replace(step.call, params=params))


def stopped(rig: Rig, made: Any, options: Chosen = STOP) -> Deployment:
    """The deployment as far as the rig's journal has it."""
    entries: Any = tuple(entry for entry in rig.log.entries if not isinstance(entry, Opened))
    return Deployment(opened=Opened(number=7, at=AT, origin=ORIGIN, plan=made, options=options), entries=entries)


# --- again ---


def test_a_task_that_failed_runs_again_with_a_token_of_its_own(rig: Rig) -> None:
    rig.tasks[1] = exits(1)
    made = reusing(unmarked(run()))
    assert rig.apply(made, on_failure="stop").outcome is Outcome.STOPPED
    assert rig.resume(stopped(rig, made)).outcome is Outcome.SUCCEEDED
    first, second = rig.aws.calls("run_task")
    assert first["clientToken"] != second["clientToken"]
    assert first["startedBy"][:21] == second["startedBy"][:21] == mark_of("shop", "", "run_task.web/migrate")
    assert [entry.attempt for entry in rig.log.of(Began) if entry.step == 1] == [msgspec.UNSET, 1]


def test_an_attempt_that_was_cut_off_is_repeated_with_its_own_token(rig: Rig) -> None:
    rig.tasks[1] = exits(1)
    made = reusing(unmarked(run()))
    rig.apply(made, on_failure="stop")
    before = stopped(rig, made)
    cut = msgspec.structs.replace(before, entries=(*before.entries, Began(at=AT, step=1, attempt=1)))
    assert rig.resume(cut).outcome is Outcome.SUCCEEDED
    again = Rig()
    again.aws.seed(made)
    again.tasks[1] = exits(1)
    again.apply(made, on_failure="stop")
    again.resume(stopped(again, made))
    assert rig.aws.calls("run_task")[-1]["clientToken"] == again.aws.calls("run_task")[-1]["clientToken"]


def test_where_it_was_to_roll_back_it_does_not_run_again(rig: Rig) -> None:
    rig.tasks[1] = exits(1)
    made = reusing(unmarked(run()))
    rig.apply(made, on_failure="stop")
    assert rig.resume(stopped(rig, made, Chosen(on_failure="rollback"))).outcome is Outcome.PUT_BACK
    assert len(rig.aws.calls("run_task")) == 1


def test_a_rollout_is_forced_and_judged_by_its_own_deployment(rig: Rig) -> None:
    rig.rollouts["web", 1] = fails("no capacity")
    made = plan(register(), update())
    result = rig.apply(made, on_failure="stop")
    assert result.state == "Done: task_definition.web. Failed: service.prod/web."
    failed = rig.aws.primary("web")
    assert rig.resume(stopped(rig, made)).outcome is Outcome.SUCCEEDED
    (began,) = [entry for entry in rig.log.of(Began) if entry.attempt]
    assert began.expect["deployment"] == failed
    assert rig.aws.calls("update_service")[1]["forceNewDeployment"] is True
    assert rig.log.of(Done)[-1].outputs == {"deployment": rig.aws.primary("web")}


def test_a_second_attempt_that_is_refused_leaves_the_first_to_be_put_back(rig: Rig) -> None:
    rig.rollouts["web", 1] = fails("no capacity")
    made = plan(register(), update())
    rig.apply(made, on_failure="stop")
    rig.aws.fail("update_service", refusal(message="no"), at=1)
    result = rig.resume(stopped(rig, made), on_failure="rollback")
    assert result.outcome is Outcome.PUT_BACK
    assert rig.aws.calls("update_service")[-1]["taskDefinition"] == task_definition_arn("web", 41)


# --- options ---


@pytest.mark.parametrize(("given", "begun", "used"), [
    (Options(), Chosen(), ("rollback", True, False)),
    (Options(), Chosen(on_failure="stop", wait=False, beside=True), ("stop", False, True)),
    (Options(on_failure="rollback", wait=True), Chosen(on_failure="stop", wait=False), ("rollback", True, False)),
])  # fmt: skip
def test_what_is_not_given_is_as_it_was_begun(given: Options, begun: Chosen, used: tuple[str, bool, bool]) -> None:
    whole = given.over(begun)
    assert (whole.on_failure, whole.wait, whole.beside) == used
    assert whole.chosen == Chosen(on_failure=used[0], wait=used[1], beside=used[2])


# --- what others run ---


def theirs(rig: Rig, made: Any, number: int = 1) -> str:
    """Another machine has started the task of this plan."""
    other = Rig(clock=rig.clock)
    other.aws.seed(made)
    other.apply(made, number=number)
    params = dict(other.aws.calls("run_task")[0])
    rig.tasks[1] = exits(0, after=100.0)
    answer = rig.aws.ecs.call("RunTask", params)
    return str(answer["tasks"][0]["taskArn"])


def test_the_same_is_joined_and_is_no_call(rig: Rig) -> None:
    made = reusing(unmarked(run()))
    arn = theirs(rig, made)
    assert rig.apply(made).outcome is Outcome.SUCCEEDED
    assert rig.aws.calls("run_task") == []
    (done,) = rig.log.of(Done)
    assert done.outputs["tasks"] == arn
    assert rig.log.of(Began) == []


def test_a_look_that_is_not_answered_is_made_again(rig: Rig) -> None:
    rig.aws.fail("list_tasks", lost("no way there"), times=3)
    assert rig.apply(reusing(unmarked(run()))).outcome is Outcome.SUCCEEDED
    warned = [event.message for event in rig.happened(events.Warned)]
    message = "could not look for one-off tasks of run_task.web/migrate that still run: no way there; looking again"
    assert warned == [message] * 3
    assert len(rig.aws.calls("run_task")) == 1


def test_without_permission_to_look_nothing_is_run(rig: Rig) -> None:
    rig.aws.fail("list_tasks", refusal("AccessDeniedException", "no"), times=9)
    result = rig.apply(reusing(unmarked(run())))
    assert (result.outcome, rig.aws.calls("run_task")) == (Outcome.PUT_BACK, [])
    assert "--beside" in result.hint


def test_without_permission_to_look_a_resumed_deployment_stays_as_it_is(rig: Rig) -> None:
    rig.aws.fail("list_tasks", refusal("AccessDeniedException", "no"), times=9)
    result = rig.resume(stopped(rig, reusing(unmarked(run())), Chosen(on_failure="rollback")))
    assert (result.outcome, rig.aws.calls("run_task")) == (Outcome.STOPPED, [])


def test_while_another_one_is_awaited_a_stop_ends_it(rig: Rig) -> None:
    made = reusing(unmarked(run()))
    rig.aws.add_revision("web", 42)
    theirs(rig, made)
    (task,) = [one for one in rig.aws.ecs.region.tasks.values() if one.service is None]
    task.doc["overrides"] = {"containerOverrides": [{"name": "web", "command": ["other"]}]}
    rig.clock.on_sleep = rig.stop.set
    result = rig.apply(made)
    assert (result.outcome, rig.aws.calls("run_task")) == (Outcome.INTERRUPTED, [])
    assert result.untouched


# --- cut off before the first call ---


def test_nothing_was_begun(rig: Rig) -> None:
    rig.stop.set()
    result = rig.apply(reusing(unmarked(run())))
    assert (result.outcome, result.untouched, result.state) == (Outcome.INTERRUPTED, True, "Nothing was changed.")
    assert {next_.value for next_ in result.next} == {"again"}


def test_a_rollback_of_which_nothing_was_begun_is_given_again(rig: Rig) -> None:
    rig.stop.set()
    made = plan(register(), undoes=(3,))
    result = rig.apply(made)
    assert {next_.value for next_ in result.next} == {"rollback"}


def test_a_late_task_of_the_first_attempt_is_awaited_and_not_run_beside(rig: Rig) -> None:
    """It could not be stopped; when it has ended well after all, it counts."""
    rig.tasks[1] = STAYS
    made = reusing(unmarked(run()))
    rig.aws.fail("stop_task", refusal("AccessDeniedException", "no"), times=9)
    assert rig.apply(made, on_failure="stop", timeout=10).outcome is Outcome.STOPPED
    again = rig.resume(stopped(rig, made), timeout=10)
    assert again.outcome is Outcome.STOPPED
    assert len(rig.aws.calls("run_task")) == 1
