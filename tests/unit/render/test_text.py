"""Plans and deployments for people: at 80 columns, in words that stay."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsplan.core.model import Change, FieldChange, Phase, Plan, Settings, Step
from ecsplan.core.text import CHANGED, SENSITIVE, value_text
from ecsplan.journal import Began, Damaged, Deployment, Failed, Outcome
from ecsplan.redact import mask_plan
from ecsplan.render.paint import ansi, fitted, plain
from ecsplan.render.text import NO_CHANGES, deployment_text, history_text, plan_text
from ecsplan.render.words import field_lines, without_service
from tests.unit.builders import (
    AT,
    deployment,
    kept,
    plan,
    register,
    retire,
    revision,
    run,
    targets,
    task_definition_arn,
    update,
    wait,
    whole,
)

IMAGE = FieldChange(path="containers.web.image", before="web:v41", after="web:v42")


def changed(step: Step, *fields: FieldChange, **more: Any) -> Step:
    return msgspec.structs.replace(step, changes=fields, **more)


def for_tasks(*steps: Step, **more: Any) -> Plan:
    """A plan whose changes name the tasks of its steps, in order."""
    names = {step.address: Change(address=step.address, task=step.task, action=step.action) for step in steps}
    return plan(*steps, **{"changes": tuple(names.values()), **more})


# --- a plan ---


def test_a_plan_of_every_phase() -> None:
    steps = (
        changed(register(), IMAGE, FieldChange(path="containers.web.environment.DEBUG", after="1")),
        changed(run(), note="web: ./manage.py migrate"),
        update(),
        changed(targets(), note="report"),
        retire(number=30),
        retire(number=31),
    )
    assert plan_text(for_tasks(*steps, warnings=("service.prod/web is still rolling out",))).splitlines() == [
        "shop v42  account 123456789012, eu-west-1, cluster default",
        "",
        "web",
        "  1 + task_definition.web  new revision of web",
        '        ~ containers.web.image  "web:v41" -> "web:v42"',
        '        + containers.web.environment.DEBUG = "1"',
        "  2 > run_task.web/migrate  web: ./manage.py migrate",
        "  3 ~ service.prod/web",
        "        ~ taskDefinition  web:41 -> (known after apply)",
        "  4 ~ event_targets.nightly  report",
        "  5 - task_definition.web  deregister web:30, web:31 (2 revisions)",
        "",
        "! service.prod/web is still rolling out",
        "",
        "Plan: 1 to register, 1 to run, 1 to update, 1 to retarget, 2 to deregister.",
    ]


def test_what_is_only_waited_for_is_counted_by_itself() -> None:
    made = for_tasks(update("admin"), wait(), wait("cron"), summary={"register": 0, "update": 1, "wait": 2})
    lines = plan_text(made).splitlines()
    assert "  2 ~ service.prod/web  is still rolling out (1/2 running)" in lines
    assert lines[-1] == "Plan: 1 to update, 2 to wait for."


@pytest.mark.parametrize(("begun", "became"), [([1], "waited for"), ([], "not begun")])
def test_in_the_journal_it_was_waited_for(begun: list[int], became: str) -> None:
    shown = deployment_text(deployment(1, plan(wait()), begun=begun))
    assert shown.splitlines()[-1] == f"  1 ~ service.prod/web  {became}"


def test_a_plan_without_changes_says_so() -> None:
    assert plan_text(plan(changes=(kept(),))).splitlines() == [
        "shop v42  account 123456789012, eu-west-1",
        "",
        NO_CHANGES,
    ]


def test_a_rollback_has_no_tag() -> None:
    assert plan_text(plan(tag="")).startswith("shop  account 123456789012, eu-west-1\n")


def test_each_task_has_a_block_in_the_order_of_the_spec() -> None:
    web, job = update("web"), msgspec.structs.replace(update("job"), task="job")
    text = plan_text(for_tasks(job, web))
    assert [line for line in text.splitlines() if re.fullmatch(r"[a-z]+", line)] == ["job", "web"]
    assert text.index("service.prod/job") < text.index("\nweb\n") < text.index("service.prod/web")


def test_the_blocks_of_a_rollback_are_in_the_order_of_its_steps() -> None:
    web, job = update("web"), msgspec.structs.replace(update("job"), task="job")
    made = for_tasks(web, job)
    text = plan_text(msgspec.structs.replace(made, changes=made.changes[::-1]))
    assert [line for line in text.splitlines() if re.fullmatch(r"[a-z]+", line)] == ["web", "job"]


def test_a_task_without_a_step_has_no_block() -> None:
    idle = Change(address=kept().address, task="idle", action=kept().action)
    assert "idle" not in plan_text(for_tasks(update(), changes=(idle,)))


def test_a_revision_that_is_used_again_is_told_with_what_differs() -> None:
    reused = msgspec.structs.replace(kept(number=40), fields=(IMAGE,))
    lines = plan_text(for_tasks(update(), changes=(reused, *for_tasks(update()).changes))).splitlines()
    assert lines[3:5] == [
        "    = task_definition.web  web:40 is as declared and is used again",
        '        ~ containers.web.image  "web:v41" -> "web:v42"',
    ]


def test_many_revisions_are_told_by_the_first_and_the_last() -> None:
    text = plan_text(for_tasks(*(retire(number=n) for n in range(30, 60))))
    assert "  1 - task_definition.web  deregister web:30, web:31 … web:59 (30 revisions)" in text.splitlines()


def test_one_revision_is_told_without_a_count() -> None:
    assert "  1 - task_definition.web  deregister web:30\n" in plan_text(for_tasks(retire()))


def test_the_summary_names_only_what_is_to_be_done() -> None:
    assert plan_text(for_tasks(register(), update())).splitlines()[-1] == "Plan: 1 to register, 1 to update."


@pytest.mark.parametrize("count", [1, 12])
def test_no_line_is_wider_than_80_columns(count: int) -> None:
    """Short values, long plans: what we add ourselves always fits."""
    url = FieldChange(path="containers.web.environment.WEB_URL", after="x" * 30)
    steps = [
        msgspec.structs.replace(step, task=f"task-{n}")
        for n in range(count)
        for step in (
            changed(register(f"web-{n}"), IMAGE, url),
            changed(run(f"migrate-{n}"), note="web: ./manage.py migrate"),
            update(f"service-{n}"),
            targets(f"nightly-{n}", ids=["report"]),
            *(retire(f"web-{n}", number=number) for number in range(130, 134)),
        )
    ]
    text = plan_text(for_tasks(*steps, warnings=("service.prod/web is still rolling out an earlier deployment",)))
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_summary_fits_80_columns_for_large_plans() -> None:
    families = [f"f{n}" for n in range(20)]
    steps = [one for f in families for one in (register(f), run(f), update(f), targets(f), retire(f))]
    assert len(plan_text(for_tasks(*steps)).splitlines()[-1]) <= 80


def test_colours_go_around_words_and_change_none() -> None:
    made = for_tasks(*whole(), warnings=("mind",))
    colored = plan_text(made, ansi)
    assert "\033[" in colored
    assert re.sub(r"\033\[\d+m", "", colored) == plan_text(made)


# --- values and fields ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("web:v42", '"web:v42"'),
        ("", '""'),
        (5, "5"),
        (True, "true"),
        (["a", 1], '["a", 1]'),
        ({"a": "ü"}, '{"a": "ü"}'),
        ("1\n2\t\033[31m", '"1\\n2\\t\\u001b[31m"'),
        (task_definition_arn("web", 41), "web:41"),
        ("arn:aws:ecs:eu-west-1:1:cluster/prod", '"arn:aws:ecs:eu-west-1:1:cluster/prod"'),
        (revision(), "(known after apply)"),
        ({"arn": revision()}, '{"arn": "(known after apply)"}'),
        ({"when": Phase.RUN}, '{"when": "Phase.RUN"}'),
        (SENSITIVE, "(sensitive)"),
        (CHANGED, "(sensitive, changed)"),
    ],
)
def test_values_read_as_people_write_them(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_tables_that_are_equal_read_alike() -> None:
    one, two = [{"b": 1, "a": {"d": 2, "c": 3}}], [{"a": {"c": 3, "d": 2}, "b": 1}]
    assert value_text(one) == value_text(two) == '[{"a": {"c": 3, "d": 2}, "b": 1}]'


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, 1, ["    + a.b = 1"]),
        (1, None, ["    - a.b  1"]),
        (1, 2, ["    ~ a.b  1 -> 2"]),
        (False, 0, ["    ~ a.b  false -> 0"]),
        (SENSITIVE, CHANGED, ["    ~ a.b  (sensitive, changed)"]),
        ("x" * 40, "y" * 22, ["    ~ a.b", f'        "{"x" * 40}" -> "{"y" * 22}"']),
        ("x" * 40, "y" * 40, ["    ~ a.b", f'        "{"x" * 40}"', f'     -> "{"y" * 40}"']),
        (None, "y" * 70, ["    + a.b =", f'        "{"y" * 70}"']),
        ("x" * 70, None, ["    - a.b", f'        "{"x" * 70}"']),
    ],
)
def test_a_difference_takes_more_lines_only_where_one_is_too_short(before: Any, after: Any, lines: list[str]) -> None:
    assert field_lines(FieldChange(path="a.b", before=before, after=after), 4, plain) == lines


@pytest.mark.parametrize("length", range(50, 67))
def test_lines_of_differences_fill_80_columns_and_no_more(length: int) -> None:
    for change in (
        FieldChange(path="a.b", before="x", after="y" * length),
        FieldChange(path="a.b", after="y" * (length - 4)),
        FieldChange(path="a.b", before="y" * (length - 4)),
    ):
        lines = field_lines(change, 8, plain)
        assert all(len(line) <= 80 for line in lines)
        if len(lines) > 1:
            assert len(" ".join((lines[0], *(line.strip() for line in lines[1:])))) >= 79


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("short enough", ["short enough"]),
        ("Deployment 7 was interrupted", ["Deployment 7 was", "interrupted"]),
        ("! one two three four five", ["! one two three four", "    five"]),
        ("  3 > run_task.web/migrate  web: go", ["  3 > run_task.web/migrate", "        web: go"]),
        ('        ~ image  "web:v1" -> x', ["        ~ image", '            "web:v1"', "            -> x"]),
        ("        ~ a  b -> cdefghijkl", ["        ~ a  b", "            -> cdefghijkl"]),
        ("  web: there is no such rule", ["  web: there is no", "    such rule"]),
        ("a arn:aws:ecs:eu-west-1:123456789012:x b", ["a", "arn:aws:ecs:eu-west-1:123456789012:x", "b"]),
        ("\033[31mone two three four five six\033[0m", ["\033[31mone two three four", "five six\033[0m"]),
        ("", []),
    ],
)
def test_a_line_that_is_too_long_is_broken_between_words(line: str, rows: list[str]) -> None:
    assert fitted(line, 20).splitlines() == rows


@given(text=st.text(alphabet="ab -~\n", max_size=200), columns=st.integers(20, 40))
def test_breaking_lines_loses_no_word(text: str, columns: int) -> None:
    assert fitted(text, columns).split() == text.split()
    for line in text.splitlines():
        assert len(line) > columns or fitted(line, columns) == line


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("(service web) has started 2 tasks: (task 0a1b) (task 2c3d).", "has started 2 tasks"),
        ("(service web) (task 0a1b) failed container health checks.", "(task 0a1b) failed container health checks"),
        ("(service web) has reached a steady state.", "has reached a steady state"),
    ],
)
def test_an_event_is_told_without_what_nobody_reads(event: str, said: str) -> None:
    assert without_service(event) == said


def test_an_empty_text_is_not_painted() -> None:
    assert ansi("", "red") == ""
    assert ansi("x", "red") == "\033[31mx\033[0m"
    assert plain("x", "red") == "x"


# --- the history ---


def deployments() -> list[Deployment]:
    made = plan(register(), update())
    return [
        deployment(9, made, outputs={1: {"arn": task_definition_arn("web", 41)}}),
        deployment(10, plan(update(), tag="", changes=(kept(number=40),)), outcome=Outcome.STOPPED, reason="no"),
        deployment(11, made, outputs={1: {"arn": task_definition_arn("web", 42)}}, outcome=Outcome.PUT_BACK),
    ]


def test_the_history_is_a_table() -> None:
    assert history_text(deployments()).splitlines() == [
        " #  when                  who       tag  outcome    revisions",
        " 9  2023-11-14 22:13:20Z  ada@ci-7  v42  succeeded  web:41",
        "10  2023-11-14 22:13:20Z  ada@ci-7  -    stopped    web:40",
        "11  2023-11-14 22:13:20Z  ada@ci-7  v42  put back   -",
    ]


def test_the_history_tells_what_a_rollback_undoes() -> None:
    undoing = deployment(12, plan(update(), tag="v41", changes=(kept(number=40),), undoes=(9, 11)))
    assert history_text([undoing]).splitlines()[1].endswith("  v41  succeeded  web:40 (undoes 9, 11)")


def test_a_damaged_deployment_takes_its_place() -> None:
    lines = history_text([deployments()[0], Damaged(number=10, error="line 3 is damaged")]).splitlines()
    assert lines[2] == "10                                       unreadable  line 3 is damaged"


def test_only_the_head_of_the_history_is_bold() -> None:
    first, *rest = history_text(deployments(), ansi).splitlines()
    assert first.startswith("\033[1m")
    assert rest == history_text(deployments()).splitlines()[1:]


# --- one deployment ---


def test_a_deployment_is_shown_with_how_far_each_step_came() -> None:
    made = plan(register(), run(), update(), undoes=(3, 4))
    cut = deployment(5, made, begun=[1], outcome=Outcome.STOPPED, reason="the task failed")
    parts = (*cut.entries[:2], Began(at=AT, step=2), Failed(at=AT, step=2, error="no"), *cut.entries[2:])
    text = deployment_text(msgspec.structs.replace(cut, entries=parts))
    assert text.splitlines() == [
        "deployment 5: shop v42  account 123456789012, eu-west-1",
        "stopped, 2023-11-14 22:13:20Z, by ada@ci-7, process 4711, 'ecsplan deploy v42'",
        "because: the task failed",
        "undoes: 3, 4",
        "",
        "  1 + task_definition.web  done  new revision of web",
        "  2 > run_task.web/migrate  failed",
        "  3 ~ service.prod/web  not begun",
        "        ~ taskDefinition  web:41 -> (known after apply)",
    ]
    going_on = msgspec.structs.replace(cut, running=True)
    assert "  3 ~ service.prod/web  planned" in deployment_text(going_on).splitlines()


def test_what_was_known_after_apply_is_known_in_the_journal() -> None:
    done = deployment(5, plan(register(), update()), outputs={1: {"arn": task_definition_arn("web", 42)}, 2: {}})
    assert "        ~ taskDefinition  web:41 -> web:42" in deployment_text(done).splitlines()


def test_a_deployment_that_succeeded_gives_no_reason() -> None:
    text = deployment_text(deployment(1, plan(tag="")))
    assert text.splitlines() == [
        "deployment 1: shop  account 123456789012, eu-west-1",
        "succeeded, 2023-11-14 22:13:20Z, by ada@ci-7, process 4711, 'ecsplan deploy v42'",
    ]


def test_secrets_are_masked_before_anything_is_rendered() -> None:
    secret = FieldChange(path="containers.web.environment.DB_PASSWORD", before="hunter2old", after="hunter2new")
    made = mask_plan(for_tasks(changed(register(), secret)))
    assert "        ~ containers.web.environment.DB_PASSWORD  (sensitive, changed)" in plan_text(made).splitlines()
    assert "hunter2" not in plan_text(made) + deployment_text(deployment(1, made))


def test_settings_of_a_step_are_no_part_of_its_line() -> None:
    assert plan_text(for_tasks(update(settings=Settings(timeout=5)))) == plan_text(for_tasks(update()))
