"""One-off tasks that are more than one RunTask can start: several steps of one address, started, awaited and lost
together."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core import events
from ecsplan.core.model import Plan, Settings
from ecsplan.journal import Began, Closed, Deployment, Done, Entry, Failed, Opened, Outcome
from tests.unit.builders import AT, ORIGIN, reusing, run, targets, task_definition_arn
from tests.unit.fakes import refusal
from tests.unit.rig import STAYS, Rig, exits


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.aws.seed(many())
    return made


def many(settings: Settings = Settings()) -> Plan:  # noqa: B008
    """Six tasks in three steps, and targets that follow."""
    return reusing(*(run("many", count=2, settings=settings) for _ in range(3)), targets())


def stopped_tasks(rig: Rig) -> list[int]:
    """By their numbers, in the order of their start."""
    return [rig.aws.tasks.index(params["task"]) + 1 for params in rig.aws.calls("stop_task")]


def test_they_are_started_together_and_awaited_together(rig: Rig) -> None:
    rig.tasks[5] = exits(0, after=0.5)
    assert rig.apply(many()).outcome is Outcome.SUCCEEDED
    assert rig.trace == [
        "list_tasks",
        "began 1", "run_task", "done 1",
        "began 2", "run_task", "done 2",
        "began 3", "run_task", "done 3",
        "describe_tasks", "describe_tasks", "describe_tasks",
        "describe_tasks",
        "began 4", "put_targets", "done 4",
        "closed succeeded",
    ]  # fmt: skip
    assert [len(calls) for calls in rig.aws.asked] == [1, 3, 1]


def test_each_step_has_a_token_of_its_own(rig: Rig) -> None:
    rig.apply(many())
    assert len({params["clientToken"] for params in rig.aws.calls("run_task")}) == 3


def test_the_next_group_waits_for_all_of_it(rig: Rig) -> None:
    rig.tasks[1] = exits(0, after=0.5)
    rig.apply(reusing(run("a"), run("a"), run("b")))
    looks = ["describe_tasks"] * 3
    # Those of the first group have the same mark, which the spec declares, and are looked at before the next begins.
    assert rig.trace[7:12] == [*looks, "list_tasks", "began 3"]


def test_when_some_fail_the_others_are_still_awaited(rig: Rig) -> None:
    """So that nothing is at work any more when things are put back, and all that failed is told."""
    rig.tasks |= {1: exits(1), 4: exits(2, after=1.0)}
    result = rig.apply(many())
    assert result.outcome is Outcome.PUT_BACK
    assert result.reason == (
        "run_task.web/many: 1 of 2 tasks: container web ended with exit code 1: it ended; "
        "run_task.web/many: 1 of 2 tasks: container web ended with exit code 2: it ended"
    )
    assert result.state == "One-off tasks are not undone: run_task.web/many."
    assert [entry.step for entry in rig.log.of(Failed)] == [1, 2]
    assert stopped_tasks(rig) == []


# --- not all find a place ---


def test_what_did_start_is_stopped_when_something_could_not_be(rig: Rig) -> None:
    rig.aws.places = 3
    result = rig.apply(many())
    assert result.outcome is Outcome.PUT_BACK
    assert result.reason == (
        "run_task.web/many: 1 of 2 tasks could be placed: not enough free CPU on any container instance (RESOURCE:CPU)"
    )
    assert rig.trace == [
        "list_tasks",
        "began 1", "run_task", "done 1",
        "began 2", "run_task", "failed 2",
        "failed 1",
        "undo began 1", "stop_task", "undo done 1", "undo began 1", "stop_task", "undo done 1",
        "undo began 2", "stop_task", "undo done 2",
        "closed put back",
    ]  # fmt: skip
    assert stopped_tasks(rig) == [1, 2, 3]
    assert rig.aws.calls("stop_task")[0]["reason"] == "not all tasks of run_task.web/many could be started"


def test_what_did_start_is_journaled_with_the_failure(rig: Rig) -> None:
    rig.aws.places = 1
    rig.apply(reusing(run(count=2)))
    (failed,) = rig.log.of(Failed)
    assert (failed.outputs, failed.unclear) == ({"tasks": rig.aws.tasks[0]}, False)


def test_a_step_that_is_refused_stops_the_others_too(rig: Rig) -> None:
    rig.aws.fail("run_task", refusal("InvalidParameterException", "TaskDefinition is inactive"), at=3)
    result = rig.apply(many(), on_failure="stop")
    assert (result.outcome, result.reason) == (Outcome.STOPPED, "TaskDefinition is inactive")
    assert stopped_tasks(rig) == [1, 2, 3, 4]


def test_without_waiting_too(rig: Rig) -> None:
    rig.aws.places = 3
    assert rig.apply(many(Settings(wait=False))).outcome is Outcome.PUT_BACK
    assert stopped_tasks(rig) == [1, 2, 3]


def test_a_stop_that_is_refused_is_a_warning(rig: Rig) -> None:
    rig.aws.places = 3
    rig.aws.fail("stop_task", refusal("AccessDeniedException", "not authorized to perform ecs:StopTask"), times=9)
    assert rig.apply(many()).outcome is Outcome.PUT_BACK
    warned = [event.message for event in rig.happened(events.Warned)]
    assert warned == ["run_task.web/many may still be running: not authorized to perform ecs:StopTask"] * 2


def test_nothing_that_found_no_place_is_said_to_have_run(rig: Rig) -> None:
    rig.aws.places = 0
    result = rig.apply(reusing(run()))
    assert (result.outcome, result.state) == (Outcome.PUT_BACK, "")
    assert stopped_tasks(rig) == []


# --- too late ---


def test_all_that_are_late_are_stopped(rig: Rig) -> None:
    rig.tasks |= {1: exits(1), 3: STAYS, 6: STAYS}
    result = rig.apply(many(Settings(timeout=60)))
    assert result.reason == (
        "run_task.web/many: 1 of 2 tasks: container web ended with exit code 1: it ended; "
        "run_task.web/many: not finished after 60 s: 1 running, 1 stopped"
    )
    assert stopped_tasks(rig) == [3, 4, 5, 6]


# --- cut off ---


def left(made: Plan, *entries: Entry) -> Deployment:
    return Deployment(opened=Opened(number=7, at=AT, origin=ORIGIN, plan=made), entries=entries)  # type: ignore[arg-type]


def start(rig: Rig, count: int = 2) -> str:
    """Run so many tasks before the test. Returns their ARNs, as outputs hold them."""
    answer = rig.aws.ecs.call(
        "RunTask", {"cluster": "prod", "taskDefinition": task_definition_arn("web", 41), "count": count}
    )
    return " ".join(task["taskArn"] for task in answer["tasks"])


def started(rig: Rig, step: int) -> list[Entry]:
    """The step was done: its two tasks are started, and the journal says so."""
    return [Began(at=AT, step=step), Done(at=AT, step=step, outputs={"tasks": start(rig)})]


def forget(rig: Rig) -> None:
    """Let ECS forget the tasks that have stopped."""
    rig.clock.time += 3601


def lost(step: int, **more: Any) -> Failed:
    return Failed(at=AT, step=step, error="it broke", **more)


def test_started_tasks_are_awaited_and_the_others_started(rig: Rig) -> None:
    assert rig.resume(left(many(), *started(rig, 1), *started(rig, 2))).outcome is Outcome.SUCCEEDED
    assert rig.trace[:7] == ["list_tasks", "began 3", "run_task", "done 3", *["describe_tasks"] * 3]


def test_earlier_tasks_are_polled_although_later_ones_began(rig: Rig) -> None:
    rig.tasks[1] = exits(3)
    result = rig.resume(left(many(), *started(rig, 1), *started(rig, 2), *started(rig, 3)))
    assert "exit code 3" in result.reason


def test_what_had_failed_is_not_gone_on_with(rig: Rig) -> None:
    """Of step 3 nothing is started any more, and what still runs of step 1 is stopped."""
    rig.tasks |= {1: STAYS, 2: STAYS, 3: STAYS}
    first, third = started(rig, 1), start(rig, 1)
    rig.aws.ecs.call("StopTask", {"cluster": "prod", "task": third})
    rig.clock.time += 1
    begun: list[Entry] = [Began(at=AT, step=2), lost(2, outputs={"tasks": third})]
    result = rig.resume(left(many(), *first, *begun))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "run_task.web/many: it broke")
    assert rig.aws.calls("run_task") == []
    assert stopped_tasks(rig) == [1, 2]


def test_what_had_failed_stays_failed_when_ecs_has_forgotten_it(rig: Rig) -> None:
    deployment = left(many(), *started(rig, 1), lost(1), *started(rig, 2))
    forget(rig)
    result = rig.resume(deployment)
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "run_task.web/many: it broke")
    assert rig.aws.calls("run_task") == []


def test_a_look_that_is_refused_says_nothing(rig: Rig) -> None:
    rig.aws.fail("describe_tasks", refusal("AccessDeniedException", "not authorized"), times=9)
    result = rig.resume(left(many(), *started(rig, 1), lost(1)))
    assert (result.outcome, result.reason) == (Outcome.STOPPED, "could not read its status: not authorized")


def test_a_refusal_before_it_was_carried_out_is_no_failure_of_it(rig: Rig) -> None:
    begun: list[Entry] = [Began(at=AT, step=1), lost(1), Closed(at=AT, outcome=Outcome.STOPPED), *started(rig, 1)]
    assert rig.resume(left(many(), *begun)).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("run_task")) == 2


@pytest.mark.parametrize(("unclear", "runs"), [("done", 0), ("run", 1)])
def test_a_person_decides_about_those_that_ecs_has_forgotten(rig: Rig, unclear: str, runs: int) -> None:
    rig.tasks[5] = exits(0, after=1.0)
    first = started(rig, 1)
    forget(rig)
    deployment = left(many(), *first, *started(rig, 2), *started(rig, 3))
    assert rig.resume(deployment).outcome is Outcome.STOPPED
    assert rig.resume(deployment, unclear=unclear).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls("run_task")) == runs
