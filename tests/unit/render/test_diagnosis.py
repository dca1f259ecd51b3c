"""What went wrong, for people: on one screen, nothing twice, and nothing that a terminal would act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import to_data, to_json
from ecsplan.core.diagnosis import (
    LONGEST_LINE,
    ContainerEnd,
    Diagnosis,
    LogTail,
    ServiceEvent,
    StoppedTasks,
    joined,
    shortened,
    together,
)
from ecsplan.core.model import Address
from ecsplan.journal import Closed, Outcome
from ecsplan.render.diagnosis import diagnoses_text
from ecsplan.render.json import deployment_json
from ecsplan.render.paint import ansi, printable
from ecsplan.render.text import deployment_text
from tests.support.paths import DOCS
from tests.unit.builders import AT, deployment, plan

WEB, API = Address("service.prod/web"), Address("service.prod/api")
OOM = Diagnosis(
    reason="tasks failed to start",
    meaning="container web: out of memory (exit code 137)",
    advice="Raise its memory, or find out what uses it.",
    failures=3,
    threshold=3,
    alarms=("web-5xx",),
    events=(
        ServiceEvent(text="is unable to consistently start tasks successfully", count=4, at="2026-03-01T12:00:00Z"),
        ServiceEvent(text="(deployment ecs-svc/1) deployment failed: tasks failed to start"),
    ),
    tasks=(
        StoppedTasks(
            count=3,
            reason="Essential container in task exited",
            containers=(
                ContainerEnd(name="web", exit_code=137, reason="OutOfMemoryError: killed", meaning="out of memory"),
                ContainerEnd(name="proxy", exit_code=0, essential=False),
            ),
            task="0a1b",
            meaning="out of memory",
        ),
        StoppedTasks(
            count=1,
            reason="CannotPullContainerError: gone",
            containers=(ContainerEnd(name="web", reason="CannotPullContainerError: gone"),),
            meaning="the image cannot be pulled",
        ),
    ),
    logs=(LogTail(container="web", task="0a1b", group="/ecs/web", stream="web/web/0a1b", lines=("one", "", "  two")),),
    unseen=("the last log lines of container proxy: it has no logConfiguration; only awslogs can be read",),
)
AS_DATA = msgspec.json.decode(to_json(OOM))
SCREEN = """\
service.prod/web
  container web: out of memory (exit code 137)
  Raise its memory, or find out what uses it.
  reason   tasks failed to start
  breaker  3 of 3 failures
  alarms   web-5xx
  tasks    3 x Essential container in task exited
             web: exit code 137: OutOfMemoryError: killed
             proxy (not essential): exit code 0
           CannotPullContainerError: gone (the image cannot be pulled)
             web: never started
  events   4 x is unable to consistently start tasks successfully
           (deployment ecs-svc/1) deployment failed: tasks failed to start
  log      web in task 0a1b (/ecs/web)
  | one
  |
  |   two
  unseen   the last log lines of container proxy: it has no logConfiguration;
           only awslogs can be read"""


def changed(**members: Any) -> Diagnosis:
    found: Diagnosis = msgspec.structs.replace(OOM, **members)
    return found


def logged(*lines: str) -> Diagnosis:
    return changed(logs=(msgspec.structs.replace(OOM.logs[0], lines=lines),))


def test_a_whole_diagnosis() -> None:
    assert diagnoses_text({WEB: OOM}) == SCREEN


def test_what_was_said_is_not_said_again() -> None:
    said = "service.prod/web: (deployment ecs-svc/1) deployment failed: tasks failed to start"
    text = diagnoses_text({WEB: OOM}, already=said)
    assert "reason" not in text
    assert "deployment failed" not in text


def test_nothing_to_tell_is_nothing() -> None:
    assert diagnoses_text({}) == ""
    assert diagnoses_text({WEB: Diagnosis(reason="it failed")}, already="service.prod/web: it failed") == ""


def test_colours_change_nothing_but_colours() -> None:
    text = diagnoses_text({WEB: OOM}, ansi)
    assert text != SCREEN
    assert printable(text.replace("\n", "¶")).replace("¶", "\n") == SCREEN


# --- the screen ---


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("rows", [18, 24, 34])
def test_it_fits_the_screen(columns: int, rows: int) -> None:
    much = changed(
        events=tuple(ServiceEvent(text=f"event {n}: {'word ' * 30}") for n in range(8)),
        tasks=tuple(msgspec.structs.replace(OOM.tasks[0], reason=f"reason {n}") for n in range(5)),
        logs=(msgspec.structs.replace(OOM.logs[0], lines=tuple(f"line {n} {'x' * 100}" for n in range(20))),),
    )
    lines = diagnoses_text({WEB: much}, columns=columns, rows=rows, more="ecsplan show 2").split("\n")
    assert max(map(len, lines)) <= columns
    assert len(lines) <= rows
    text = "\n".join(lines)
    assert "line 19" in text
    assert lines[-1] == "All of it: ecsplan show 2"
    assert "and " in text


def test_the_last_lines_of_a_log_are_those_that_stay() -> None:
    found = logged(*(f"line {n}" for n in range(20)))
    text = diagnoses_text({WEB: found}, rows=30, more="ecsplan show 2")
    assert "| line 19" in text
    assert "| line 0\n" not in text
    assert text.endswith("\n\nAll of it: ecsplan show 2")


def test_without_a_screen_all_of_it_is_told_and_log_lines_stay_whole() -> None:
    long = "x" * 500
    assert f"  | {long}\n" in diagnoses_text({WEB: logged(long)})
    assert long not in diagnoses_text({WEB: logged(long)}, rows=40)
    assert diagnoses_text({WEB: logged(long)}, rows=40).count("x" * 76) == 6


def test_an_arn_stays_whole() -> None:
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{'web' * 20}"
    assert arn in diagnoses_text({WEB: changed(events=(ServiceEvent(text=f"is unhealthy in {arn}"),))})


def test_a_container_that_wrote_nothing() -> None:
    assert "log      web in task 0a1b (/ecs/web): no lines were found" in diagnoses_text({WEB: logged()})


@pytest.mark.parametrize("line", [
    "\x1b[31mred\x1b[0m", "\x1b[2J\x1b[Hred", "\x1b]0;title\x07red", "re\x08d", "\x1b]8;;http://x\x1b\\red",
    "\rred", "\x85red",
])  # fmt: skip
def test_a_log_line_does_nothing_to_the_terminal(line: str) -> None:
    assert "  | red\n" in diagnoses_text({WEB: logged(line, "end")})


def test_tabs_and_letters_of_any_script_stay() -> None:
    assert printable("a\tβ 日本 …") == "a   β 日本 …"


# --- several ---


def test_what_failed_in_the_same_way_shares_a_block() -> None:
    """Alike but for ids: one block, with the first one's details."""
    other = changed(reason="tasks failed to start", logs=(), events=())
    text = diagnoses_text({WEB: OOM, API: other})
    assert text == SCREEN.replace("service.prod/web", "service.prod/web, service.prod/api", 1)


def test_many_that_failed_alike_are_counted() -> None:
    names = [Address(f"service.prod/s{n}") for n in range(40)]
    head = diagnoses_text(dict.fromkeys(names, OOM)).split("\n")[0]
    assert head == "service.prod/s0, service.prod/s1, service.prod/s2, 37 others"


def apart(count: int) -> Mapping[Address, Diagnosis]:
    return {Address(f"service.prod/s{n}"): Diagnosis(reason=f"reason {chr(97 + n)} {'x' * 90}") for n in range(count)}


def test_further_ones_get_a_line_each() -> None:
    """Where there is a command that shows them whole."""
    text = diagnoses_text(apart(6), more="ecsplan show 2")
    assert text.count("  reason   reason") == 4
    assert [len(line) for line in text.split("\n")[-3:-1]] == [80, 80]
    assert text.split("\n")[-2].startswith("service.prod/s5  reason f")
    assert text.endswith("\nAll of it: ecsplan show 2")
    assert diagnoses_text(apart(6)).count("  reason   reason") == 6


def test_no_more_of_them_than_fit() -> None:
    assert diagnoses_text(apart(20), more="ecsplan show 2").split("\n")[-2] == "and 7 more failures"


def test_several_blocks_share_the_screen() -> None:
    both = {WEB: logged(*(f"line {n}" for n in range(20))), API: changed(reason="another", meaning="something else")}
    assert len(diagnoses_text(both, rows=36).split("\n")) <= 36
    assert "| line 19" in diagnoses_text(both, rows=36)


def test_together_keeps_apart_what_failed_otherwise() -> None:
    other = changed(tasks=(msgspec.structs.replace(OOM.tasks[0], reason="something else"),))
    assert [addresses for addresses, _ in together({WEB: OOM, API: other})] == [(WEB,), (API,)]


def test_two_of_one_address_are_joined() -> None:
    """Its tasks were started by several requests."""
    late = changed(
        tasks=(OOM.tasks[0], msgspec.structs.replace(OOM.tasks[1], reason="late")), unseen=("its tasks: no",)
    )
    found = joined(OOM, late)
    assert [(task.count, task.reason[:9]) for task in found.tasks] == [(6, "Essential"), (1, "CannotPul"), (1, "late")]
    assert found.unseen == (*OOM.unseen, "its tasks: no")
    assert (found.reason, found.logs) == (OOM.reason, OOM.logs)


# --- as data ---


def test_a_line_that_is_too_long_is_not_kept_whole() -> None:
    (log,) = shortened(logged("x" * 5000, "short")).logs
    assert log.lines == (f"{'x' * LONGEST_LINE} …", "short")


def test_show_tells_it_in_both_formats() -> None:
    closed = Closed(at=AT, outcome=Outcome.PUT_BACK, reason="it failed", diagnoses={WEB: OOM})
    one = msgspec.structs.replace(deployment(7, plan()), entries=(closed,))
    assert deployment_text(one).endswith(f"\n\n{SCREEN}")
    assert msgspec.json.decode(deployment_json(one))["diagnoses"] == {WEB: AS_DATA}
    assert msgspec.json.decode(deployment_json(deployment(7, plan())))["diagnoses"] == {}


def test_the_keys_of_a_diagnosis_are_documented() -> None:
    """Readers go by them."""
    text = (DOCS / "output.md").read_text(encoding="utf-8")
    keys = [*to_data(OOM), *to_data(OOM.tasks[0]), *to_data(OOM.tasks[0].containers[0]), *to_data(OOM.events[0])]
    assert [key for key in [*keys, *to_data(OOM.logs[0])] if f"`{key}`" not in text] == []
