"""Specs and command lines that are wrong: one clear message, exit 3, nothing sent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support import toml
from tests.support.specs import container, definition, spec, task
from tests.support.toml import Doc
from tests.support.world import World

COMMANDS: tuple[Sequence[str], ...] = (("plan", "v1"), ("deploy", "v1", "--yes"), ("validate",), ("render", "v1"))


def refused(world: World, *arguments: str) -> str:
    """What a command says that is refused before anything is sent."""
    ran = world.run(*arguments)
    assert (ran.code, ran.out) == (3, ""), ran.said
    assert not world.aws.requests
    return ran.err


def faults(text: str) -> list[str]:
    """The lines of a report of faults, without the file's name."""
    return [line.strip().partition("ecsplan.toml: ")[2] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["app = ", "[tasks", "a = 1\na = 2\n", "\0"])
def test_broken_toml(world: World, command: Sequence[str], text: str) -> None:
    world.write(text, seed=False)
    said = refused(world, *command)
    assert "ecsplan.toml" in said
    assert "line" in said
    assert len(said.splitlines()) <= 3


def test_not_utf_8(world: World) -> None:
    world.file.write_bytes(b'app = "\xff"\n')
    assert "ecsplan.toml" in refused(world, "plan", "v1")


def test_no_spec(world: World) -> None:
    said = refused(world, "plan", "v1")
    assert "ecsplan.toml" in said


def test_a_folder_as_a_spec(world: World) -> None:
    world.file.mkdir()
    assert "ecsplan.toml" in refused(world, "plan", "v1")


def test_wrong_types_all_at_once(world: World) -> None:
    one = container(memory="much", portMappings=[{"containerPort": "8080"}], essential="yes", command="run")
    made: Doc = task(task_definition=definition("web", one), update_services={"service": "web"})
    made["run_tasks"] = [{"count": True, "timeout": "soon"}]
    world.write(spec(made, active_task_count="ten", region=1), seed=False)
    found = faults(refused(world, "plan", "v1"))
    paths = {line.partition(": ")[0] for line in found}
    here = "tasks.web.task_definition.containerDefinitions[0]"
    assert paths == {
        "region",
        "active_task_count",
        f"{here}.memory",
        f"{here}.portMappings[0].containerPort",
        f"{here}.essential",
        f"{here}.command",
        "tasks.web.run_tasks[0].count",
        "tasks.web.run_tasks[0].timeout",
        "tasks.web.update_services",
    }
    assert len(found) == len(paths)


def test_unknown_keys_name_the_nearest_known(world: World) -> None:
    made = task(task_definition=definition("web", container(portMapping=[], healthcheck={})))
    made["update_services"] = [{"service": "web", "desired_count": 1}]
    made["run_task"] = []
    world.write(spec(made, clusters="prod"), seed=False)
    said = refused(world, "plan", "v1")
    for wrong, right in (
        ("portMapping", "portMappings"),
        ("healthcheck", "healthCheck"),
        ("desired_count", "desiredCount"),
        ("run_task", "run_tasks"),
        ("clusters", "cluster"),
    ):
        assert any(wrong in line and right in line for line in faults(said)), wrong


@pytest.mark.parametrize(
    "content",
    [
        "",
        'app = "shop"\n',
        "[tasks]\n",
        "[tasks.web]\n",
        "[tasks.web.task_definition]\n",
        "tasks = []\n",
        "tasks = 1\n",
    ],
)
def test_too_little(world: World, content: str) -> None:
    world.write(content, seed=False)
    assert "task" in refused(world, "plan", "v1")


@pytest.mark.parametrize("count", [0, -3, 10_001])
def test_numbers_of_tasks_that_make_no_sense(world: World, count: int) -> None:
    world.write(spec(task() | {"run_tasks": [{"count": count}]}), seed=False)
    (line,) = faults(refused(world, "plan", "v1"))
    assert line.startswith("tasks.web.run_tasks[0].count: must be from 1 to 10,000")


def test_a_spec_without_placeholder_is_told(world: World) -> None:
    """It is a warning: somebody may want it so, and redeploy."""
    world.write(spec(task(task_definition=definition("web", container(image="web:fixed")))))
    ran = world.ok("plan", "v1")
    assert "! no image of ecsplan.toml contains {image_tag}, so the tag 'v1' makes no difference" in ran.out
    assert world.plan("v1")["warnings"] != []


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("deploy",),
        ("deploy", "--yes"),
        ("show",),
        ("show", "one"),
        ("plan", "v1", "--detailed-exit-code"),
        ("plan", "v1", "v2"),
        ("plan", "v1", "--format", "yaml"),
        ("apply", "--on-failure", "cry"),
        ("apply", "--timeout", "soon"),
        ("apply", "--timeout", "0"),
        ("sandbox", "--port", "99999"),
        ("--colour", "never", "history"),
        ("destroy",),
    ],
)
def test_wrong_command_lines(world: World, arguments: Sequence[str]) -> None:
    world.write(spec())
    said = refused(world, *arguments)
    assert "Error: " in said
    assert said.startswith("Usage: ecsplan")


def test_no_command_shows_the_help(world: World) -> None:
    ran = world.run()
    assert (ran.code, ran.out) == (3, "")
    assert "plan" in ran.err
    assert "rollback" in ran.err


@pytest.mark.parametrize("command", [("deploy", "v1"), ("rollback",), ("rollback", "--to", "0")])
def test_without_a_terminal_nothing_is_asked(world: World, command: Sequence[str]) -> None:
    world.write(spec())
    world.deploy("v1")
    world.forget()
    said = refused(world, *command)
    assert "no terminal" in said
    assert "--yes" in said


@pytest.mark.parametrize("tasks", [{"web/1": task()}, {"": task()}, {"a b": task()}])
def test_names_that_cannot_be_names(world: World, tasks: Doc) -> None:
    world.write(toml.dumps({"app": "../../etc", "tasks": tasks}), seed=False)
    said = refused(world, "plan", "v1")
    assert any(line.startswith("app: ") for line in faults(said))


def test_show_of_a_deployment_that_is_not_there(world: World) -> None:
    world.write(spec())
    assert "no deployment of shop is known in" in refused(world, "show", "1")
    world.deploy("v1")
    world.forget()
    assert "there is no deployment 2" in refused(world, "show", "2")


def test_history_of_nothing(world: World) -> None:
    world.write(spec())
    ran = world.ok("history")
    assert "No deployment of shop is known in" in ran.out
    assert world.ok("history", "--format", "json").data["deployments"] == []
    assert not world.aws.requests
