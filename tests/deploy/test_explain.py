"""`plan --explain`: the cause of every line of a diff, through the command line."""

from __future__ import annotations

from tests.support.specs import spec, task
from tests.support.world import World


def test_each_difference_comes_with_its_cause(world: World) -> None:
    world.write(spec(task()))
    world.deploy("v1")
    ran = world.ok("plan", "v2", "--explain")
    plan, _, cause = ran.out.partition("How it was compared")
    assert "to register" in plan
    assert '~ containers.web.image  "web:v1" -> "web:v2"\n        compared exactly: no rule names it' in cause
    assert "containerDefinitions.*.essential: absent is true" in cause
    assert "left alone, not declared" in cause
    assert max(map(len, cause.splitlines())) <= 80


def test_what_is_equal_is_explained_too(world: World) -> None:
    world.write(spec(task()))
    world.deploy("v1")
    ran = world.ok("plan", "v1", "--explain")
    assert "No changes." in ran.out
    assert "= containers.web.cpu  live 0, declared (absent)" in ran.out
    assert "desiredCount" in ran.out


def test_as_json_there_is_one_object_per_field(world: World) -> None:
    world.write(spec(task()))
    world.deploy("v1")
    explanations = world.plan("v2", "--explain")["explanations"]
    assert {one["verdict"] for one in explanations} == {"differs", "equal", "left alone"}
    (image,) = [one for one in explanations if one["path"] == "containers.web.image"]
    assert image == {
        "address": "task_definition.web",
        "path": "containers.web.image",
        "verdict": "differs",
        "before": "web:v1",
        "after": "web:v2",
        "rule": None,
        "reason": "compared exactly: no rule names it",
    }
    revision = [one for one in explanations if one["path"] == "taskDefinition"]
    assert [one["after"] for one in revision] == ["(known after apply)"]
    assert "explanations" not in world.plan("v2")


def test_it_costs_no_request_more(world: World) -> None:
    world.write(spec(task()))
    world.deploy("v1")
    world.forget()
    world.ok("plan", "v2")
    without = len(world.asked())
    world.forget()
    world.ok("plan", "v2", "--explain")
    assert len(world.asked()) == without
