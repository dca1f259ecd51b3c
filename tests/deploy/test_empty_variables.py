"""A variable with an empty value: nobody knows whether ECS keeps it, so that it is told and never comes back for ever;
and a value that is emptied is a change like any other."""

from __future__ import annotations

from tests.support.specs import container, definition, spec, task
from tests.support.toml import Doc
from tests.support.world import World

PATH = "containers.web.environment.X"


def shop(**variables: str) -> Doc:
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return spec(task("web", task_definition=definition("web", container(environment=environment))))


def drop_empty_variables(world: World) -> None:
    """As some have seen ECS do: revisions are answered without variables whose value is empty."""
    for revision in world.aws.region.families["web"]:
        for one in revision.doc["containerDefinitions"]:
            one["environment"] = [variable for variable in one["environment"] if variable["value"]]


def test_a_variable_that_becomes_empty_is_a_change_and_is_sent(world: World) -> None:
    world.write(shop(A="1"))
    world.deploy("v1")
    world.write(shop(A="1", X=""), seed=False)
    (first, *_) = world.plan("v1")["steps"]
    assert [(change["path"], change["after"]) for change in first["changes"]] == [(PATH, "")]
    world.ok("apply")
    assert "No changes." in world.ok("plan", "v1").out


def test_one_that_ecs_drops_is_told_and_does_not_come_back_for_ever(world: World) -> None:
    world.write(shop(A="1", X=""))
    world.deploy("v1")
    drop_empty_variables(world)
    world.forget()
    for _ in range(2):
        ran = world.run("plan", "v1", "--detailed-exitcode")
        assert (ran.code, "No changes." in ran.out) == (0, True)
        assert f'the live revision was registered with {PATH} = "", and does not have it' in ran.said
        world.ok("apply")
    (warning,) = world.plan("v1")["warnings"]
    assert PATH in warning
    assert world.sent() == []


def test_with_the_next_tag_it_is_shown_and_sent(world: World) -> None:
    world.write(shop(A="1"))
    world.deploy("v1")
    world.write(shop(A="1", X=""), seed=False)
    first = world.plan("v2")["steps"][0]
    assert {change["path"] for change in first["changes"]} == {PATH, "containers.web.image"}
    world.forget()
    world.deploy("v2")
    (sent,) = world.params("RegisterTaskDefinition")
    assert {"name": "X", "value": ""} in sent["containerDefinitions"][0]["environment"]
    assert world.plan("v2")["warnings"] == []


def test_a_value_that_is_emptied_or_no_longer_declared_is_a_change(world: World) -> None:
    world.write(shop(X="x"))
    world.deploy("v1")
    for number, variables in ((2, {"X": ""}), (3, {})):
        world.write(shop(**variables), seed=False)
        ran = world.run("plan", "v1", "--detailed-exitcode")
        assert ran.code == 2
        assert PATH in ran.out
        world.ok("apply")
        assert world.on("web") == f"web:{number}"
        assert "No changes." in world.ok("plan", "v1").out
