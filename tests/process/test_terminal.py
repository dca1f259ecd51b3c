"""On a terminal a deployment is a table, in a pipe it is lines; the terminal is left as it was found."""

from __future__ import annotations

import signal

from tests.support.processes import python
from tests.support.specs import shop, task
from tests.support.terminal import terminal
from tests.support.world import World

TITLE = "deployment 1: shop v1"


def test_a_table_on_a_terminal_and_lines_in_a_pipe(world: World) -> None:
    world.write(shop())
    with terminal("--color", "never", "deploy", "v1", "--yes", columns=100) as screen:
        screen.until(lambda shown: any(line.startswith(TITLE) for line in shown), "a table")
        assert screen.ended() == 0
    lines = screen.everything
    end = lines[lines.index(next(line for line in reversed(lines) if line.startswith(TITLE))) :]
    assert [line.split()[:2] for line in end[1:6]] == [
        ["✓", "task"], ["✓", "web/migrate"], ["✓", "web"], ["✓", "admin"], ["✓", "targets"],
    ]  # fmt: skip
    assert lines.count(end[0]) == 1
    assert end[-2:] == ["", "Deployment 1 succeeded."]
    assert b"\x1b[3" not in screen.written  # no colours
    assert (screen.screen.cursor.x, screen.screen.cursor.hidden) == (0, False)

    piped = world.deploy("v2")
    assert "\033" not in piped.said
    assert "deployment 2: shop v2, 5 steps\n" in piped.err
    assert "1/5 + task_definition.web  registered web:2\n" in piped.err


def test_a_terminal_shows_first_where_it_acts(world: World) -> None:
    world.write(shop())
    world.ok("plan", "v1")
    head = "shop v1  account 123456789012, eu-west-1, cluster prod"
    world.aws.rollout("FAILED", service="web")
    with terminal("--color", "never", "apply", "--on-failure", "stop", columns=100, lines=50) as screen:
        assert screen.ended() == 7
    assert (screen.everything[0], screen.everything.count(head)) == (head, 1)
    with terminal("--color", "never", "resume", columns=100, lines=50) as screen:
        screen.ended()
    assert (screen.everything[0], screen.everything.count(head)) == (head, 1)


def test_an_interrupted_table_stays_and_says_what_to_do(world: World) -> None:
    world.write(shop())
    world.aws.rollout("NEVER")
    with terminal("deploy", "v1", "--yes", lines=40) as screen:
        screen.until(lambda shown: any("rolling out" in line for line in shown), "a rollout")
        screen.resize(60, 40)
        screen.send(signal.SIGINT)
        assert screen.ended() == 130
    assert "stopping after the current call; press Ctrl-C again to stop immediately" in " ".join(screen.everything)
    assert sum(line.startswith(TITLE) for line in screen.everything) == 1
    assert any("Deployment 1 was interrupted" in line for line in screen.shown)


def test_a_question_is_asked_where_the_answer_counts(world: World) -> None:
    world.write(shop())
    with terminal("deploy", "v1", columns=60, lines=50, more={"COLUMNS": ""}) as screen:
        screen.until(lambda shown: shown and shown[-1].startswith("Apply this plan?"), "a question")
        screen.send(signal.SIGINT)
        assert screen.ended() == 130
    assert screen.shown[-1] == "interrupted; nothing was changed"
    world.aws.rollout("FAILED", service="web")
    assert world.run("deploy", "v1", "--yes", "--on-failure", "stop").code == 7
    with terminal("deploy", "v2", columns=60, lines=50, more={"COLUMNS": ""}) as screen:
        assert screen.ended() == 7
    assert "Apply this plan?" not in "\n".join(screen.everything)
    assert screen.shown[-3:] == [
        "Finish it with `ecsplan resume`, go back with",
        "`ecsplan rollback`, or end it as it is with",
        "`ecsplan abandon`.",
    ]


def test_what_others_have_changed_is_asked_for_by_name(world: World) -> None:
    world.write({"app": "shop", "cluster": "prod", "tasks": {"web": task()}})
    for tag in ("v1", "v2"):
        world.deploy(tag)
    (other,) = world.register()
    world.ecs("UpdateService", cluster="prod", service="web", taskDefinition=other)
    for answer, code, on in (("n", 1, other), ("y", 0, "web:1")):
        with terminal("rollback", columns=100, lines=50, more={"COLUMNS": ""}) as screen:
            asks = "Apply this plan, and take back what others have changed in service.prod/web? [y/N]:"
            screen.until(lambda shown: shown and shown[-1].startswith(asks), "a question")  # noqa: B023
            screen.type(f"{answer}\n")
            assert (screen.ended(), world.on("web")) == (code, on)


def test_a_terminal_that_can_do_nothing_gets_lines(world: World) -> None:
    world.write({"app": "shop", "cluster": "prod", "tasks": {"web": task()}})
    with terminal("deploy", "v1", "--yes", more={"TERM": "dumb"}) as screen:
        assert screen.ended() == 0
    assert "\033[2J" not in screen.written.decode()
    assert b"\x1b" not in screen.written
    assert any(line.startswith("1/2 + task_definition.web") for line in screen.everything)


def test_rich_is_imported_for_a_deployment_on_a_terminal_only(world: World) -> None:
    world.write({"app": "shop", "cluster": "prod", "tasks": {"web": task()}})
    code = """
import sys
from ecsplan import cli
deploy = ("deploy", "v1", "--yes")
for arguments in (("--help",), ("plan", "v1"), deploy, deploy, ("history",), ("show", "1")):
    assert cli.run(arguments) == 0
print([name for name in sys.modules if name.partition(".")[0] == "rich"])
"""
    assert python(code).splitlines()[-1] == "[]"
