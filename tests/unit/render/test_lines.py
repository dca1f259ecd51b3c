"""A deployment while it runs: a line when something changed, and at least one every 30 seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ecsplan.core import events
from ecsplan.core.model import Address, Step
from ecsplan.journal import Outcome
from ecsplan.render.lines import Lines, outcome_text
from ecsplan.render.paint import ansi
from ecsplan.render.words import is_routine
from tests.unit.builders import plan, register, retire, run, targets, task_definition_arn, update, wait, whole

WEB, API = Address("service.prod/web"), Address("service.prod/api")


def lines(*told: events.Event, paint: Any = None) -> list[str]:
    said: list[str] = []
    listener = Lines(said.append, paint) if paint else Lines(said.append)
    for event in told:
        listener(event)
    return said


def look(
    note: str, elapsed: float, *, address: Address = WEB, done: bool = False, ok: bool = True
) -> events.Progressed:
    return events.Progressed(address=address, note=note, done=done, ok=ok, elapsed=elapsed)


def numbered(step: Step, index: int) -> Step:
    return msgspec.structs.replace(step, index=index)


START = events.DeploymentStarted(number=7, app="shop", tag="v42", steps=12)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (START, "deployment 7: shop v42, 12 steps"),
        (events.DeploymentStarted(number=1, app="shop", tag="", steps=1), "deployment 1: shop, 1 step"),
        (events.Warned(message="SNS was not told"), "! SNS was not told"),
        (
            events.Paced(call="ecs:update_service", per_second=2.5, waiting=8),
            "     ecs:update_service at AWS's pace: 2.5/s, 8 waiting",
        ),
        (events.UndoStarted(reason="no"), "putting back what was done, last step first"),
    ],
)
def test_what_concerns_the_whole_deployment(event: events.Event, line: str) -> None:
    assert lines(event) == [line]


@pytest.mark.parametrize(
    ("step", "outputs", "line"),
    [
        (register(), {"arn": task_definition_arn("web", 42)}, " 3/12 + task_definition.web  registered web:42"),
        (run(), {"tasks": "x"}, " 3/12 > run_task.web/migrate  started"),
        (update(), {"deployment": "x"}, " 3/12 ~ service.prod/web  updating"),
        (wait(), {"deployment": "x"}, " 3/12 ~ service.prod/web  already under way"),
        (targets(), {}, " 3/12 ~ event_targets.nightly  targets set"),
        (retire(), {"arn": task_definition_arn("web", 30)}, " 3/12 - task_definition.web  deregistered web:30"),
    ],
)
def test_a_step_that_was_carried_out(step: Step, outputs: dict[str, str], line: str) -> None:
    assert lines(START, events.StepDone(step=numbered(step, 3), outputs=outputs))[1:] == [line]


@pytest.mark.parametrize(
    ("step", "what"), [(register(), "deregistered again"), (update(), "putting back"), (run(), "stopped")]
)
def test_a_step_that_is_undone(step: Step, what: str) -> None:
    (line,) = lines(START, events.StepDone(step=numbered(step, 12), outputs={}, undo=True))[1:]
    assert line == f"12/12 {step.action.sign} {step.address}  {what}"


@pytest.mark.parametrize(("undo", "what"), [(False, "failed: it crashed"), (True, "undo failed: it crashed")])
def test_a_step_that_failed(undo: bool, what: str) -> None:
    (line,) = lines(START, events.StepFailed(step=numbered(update(), 3), error="it crashed", undo=undo))[1:]
    assert line == f" 3/12 ~ service.prod/web  {what}"


def test_what_people_need_not_know_is_no_line() -> None:
    assert lines(events.StepStarted(step=update()), events.DeploymentEnded(number=1, outcome="x", reason="")) == []


# --- progress ---


def told(looks: Sequence[events.Event]) -> list[str]:
    return lines(START, *looks)[1:]


def test_a_look_is_told_below_the_steps() -> None:
    assert told([look("rolling out, 1/2 running", 12.4)]) == [
        "       service.prod/web  rolling out, 1/2 running (12 s)"
    ]


def test_nothing_new_is_not_told_again() -> None:
    assert len(told([look("a", 0), look("a", 5), look("a", 29.9)])) == 1


def test_something_new_is_told_at_once() -> None:
    assert len(told([look("a", 0), look("b", 0.5), look("a", 1)])) == 3


def test_nothing_new_is_told_every_30_seconds_all_the_same() -> None:
    looks = [look("a", elapsed) for elapsed in range(0, 121, 5)]
    assert [re.findall(r"\((\d+) s\)", line)[0] for line in told(looks)] == ["0", "30", "60", "90", "120"]


def test_the_30_seconds_begin_with_the_last_line() -> None:
    looks = [look("a", 0), look("b", 20), look("b", 35), look("b", 50)]
    assert [line.rpartition("(")[2] for line in told(looks)] == ["0 s)", "20 s)", "50 s)"]


def test_each_address_is_told_for_itself() -> None:
    assert len(told([look("a", 0), look("a", 0, address=API), look("a", 5), look("a", 5, address=API)])) == 2


def test_each_step_of_an_address_is_told_for_itself() -> None:
    one, two = look("1 running", 1), look("2 running", 1)
    again = [msgspec.structs.replace(event, step=number) for number, event in ((1, one), (2, two))] * 2
    assert len(told(again)) == 2


def test_what_a_container_writes_stands_below_the_steps_line_by_line() -> None:
    line = events.Logged(address=Address("run_task.web/a"), source="a web", task="1", container="web", at="", text="x")
    two = msgspec.structs.replace(line, text="one\n  two")
    assert lines(line, two, msgspec.structs.replace(line, text="")) == [
        "     a web | x", "     a web | one", "     a web |   two", "     a web |",
    ]  # fmt: skip


def test_the_end_is_told_even_if_the_words_are_the_same() -> None:
    assert len(told([look("a", 0), look("a", 1, done=True)])) == 2


def test_a_failure_is_told_as_the_steps_failure_only() -> None:
    assert told([look("it crashed", 1, done=True, ok=False)]) == []


def test_a_second_wait_for_the_same_thing_begins_anew() -> None:
    """The way back is waited for from 0 s on, and its 30 seconds are its own."""
    looks = [look("a", 0), look("b", 100, done=True), look("a", 0), look("a", 31)]
    assert len(told(looks)) == 4


def test_a_second_wait_that_looks_the_same_is_told_every_30_seconds_too() -> None:
    looks = [look("a", 0), look("a", 290), *(look("a", elapsed) for elapsed in range(0, 61, 10))]
    assert len(told(looks)) >= 4


# --- what a look shows beside its note ---


def seen(note: str = "rolling out, 1/2 running", elapsed: float = 0.0, **more: Any) -> events.Progressed:
    return msgspec.structs.replace(look(note, elapsed), **more)


def test_stage_and_traffic_are_told_where_the_note_has_none() -> None:
    (line,) = told([seen(stage="BAKE_TIME", traffic=50.0)])
    assert line.strip() == "service.prod/web  rolling out, 1/2 running, bake time, 50 % of traffic (0 s)"


@pytest.mark.parametrize("note", ["rolling out, BAKE_TIME, 50 % of traffic", "rolling out, bake time, 50 %"])
def test_they_are_not_told_twice(note: str) -> None:
    (line,) = told([seen(note, stage="BAKE_TIME", traffic=50.0)])
    assert line.strip() == f"service.prod/web  {note} (0 s)"


def test_another_stage_is_told_at_once() -> None:
    assert (
        len(told([seen(stage="SCALE_UP"), seen(stage="BAKE_TIME", elapsed=0.5), seen(stage="BAKE_TIME", elapsed=1)]))
        == 2
    )


def test_an_event_that_means_trouble_is_told_once() -> None:
    trouble = "(service web) was unable to place a task because nothing fits."
    found = told([
        seen(newest="(service web) has started 2 tasks: (task a) (task b)."),
        seen(elapsed=1, newest=trouble),
        seen(elapsed=2, newest=trouble),
        seen(elapsed=3, newest="(service web) has reached a steady state."),
        seen("it crashed", 4, newest=f"{trouble}!", done=True, ok=False),
    ])  # fmt: skip
    assert [line.strip() for line in found[1:]] == ["prod/web: was unable to place a task because nothing fits"]


@pytest.mark.parametrize(
    ("event", "routine"),
    [
        ("has started 1 tasks: (task x).", True),
        ("has stopped 2 running tasks: (task x) (task y).", True),
        ("registered 1 targets in (target-group x)", True),
        ("deregistered 1 targets in (target-group x)", True),
        ("(task x) has begun draining connections.", True),
        ("has reached a steady state.", True),
        ("(deployment ecs-svc/1) deployment completed.", True),
        ("(deployment ecs-svc/1) deployment failed: tasks failed to start.", False),
        ("was unable to place a task because no container instance met all of its requirements.", False),
        ("(task x) (port 80) is unhealthy in (target-group x) due to (reason Health checks failed).", False),
    ],
)
def test_which_events_tell_of_trouble(event: str, routine: bool) -> None:
    assert is_routine(event) is routine


def test_steps_of_one_task_that_look_the_same_are_one_line() -> None:
    assert len(told([seen("running", step=3), seen("running", step=4), seen("running", step=5)])) == 1


def test_lines_of_a_log_stand_behind_their_writer() -> None:
    logged = events.Logged(
        address=Address("run_task.web/migrate"), source="web/migrate", task="t", container="web",
        at="2026-01-01T00:00:00Z", text="  one\r\n\033[31mtwo\033[0m\a\n",
    )  # fmt: skip
    assert told([logged]) == ["       web/migrate |   one", "       web/migrate | two"]


# --- colours and widths ---


def whole_story() -> list[events.Event]:
    made = plan(*whole())
    story: list[events.Event] = [events.DeploymentStarted(number=7, app="shop", tag="v42", steps=5)]
    story += [events.StepDone(step=step, outputs={"arn": "x/web:42"}) for step in made.steps]
    story += [events.StepFailed(step=step, error="no") for step in made.steps]
    story += [look("rolling out, 1/2 running, 1 pending, 3 failed", 100.0), look("rolled out", 999.0, done=True)]
    story += [events.Warned(message="mind"), events.UndoStarted(reason="no")]
    return story


def test_colours_go_around_words_and_change_none() -> None:
    colored = lines(*whole_story(), paint=ansi)
    assert any("\033[" in line for line in colored)
    assert [re.sub(r"\033\[\d+m", "", line) for line in colored] == lines(*whole_story())


def test_no_line_is_wider_than_80_columns() -> None:
    assert [line for line in lines(*whole_story()) if len(line) > 80] == []


# --- the end ---


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome.SUCCEEDED, "Deployment 7 succeeded, but it crashed."),
        (Outcome.PUT_BACK, "Deployment 7 failed and everything was put back: it crashed"),
        (Outcome.FAILED, "Deployment 7 failed: it crashed"),
        (Outcome.STOPPED, "Deployment 7 failed and stopped part-way: it crashed"),
        (Outcome.INTERRUPTED, "Deployment 7 was interrupted: it crashed"),
        (Outcome.UNFINISHED, "Deployment 7 is not finished: it crashed"),
    ],
)
def test_how_it_ended_is_one_sentence(outcome: Outcome, text: str) -> None:
    assert outcome_text(7, outcome, "it crashed") == text
    assert ":" not in outcome_text(7, outcome, "")


def test_an_interruption_is_said_once() -> None:
    assert (
        outcome_text(7, Outcome.INTERRUPTED, "stopped by a signal")
        == "Deployment 7 was interrupted: stopped by a signal"
    )


def test_every_outcome_has_its_sentence() -> None:
    assert len({outcome_text(7, outcome, "") for outcome in Outcome}) == len(Outcome)
