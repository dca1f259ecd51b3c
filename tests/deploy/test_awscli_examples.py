"""The task definitions of the AWS CLI's own examples: each is deployed as it is shown, and planned again without a
change."""

from __future__ import annotations

import copy

import pytest

from ecsplan.aws.api import members
from tests.support import awscli_examples
from tests.support.awscli_examples import Example
from tests.support.toml import Doc
from tests.support.world import World

REGISTRATIONS = awscli_examples.registrations()
# What ECS answered is registered again as people do it: without the members that a registration does not take.
ANSWERED = [
    Example(
        name=f"{one.name}-answered",
        doc={k: v for k, v in one.doc.items() if k in members("ecs", "register_task_definition")},
    )
    for one in awscli_examples.task_definitions()
]


def spec(doc: Doc) -> Doc:
    return {"app": "examples", "tasks": {doc["family"]: {"task_definition": doc}}}


def test_as_many_examples_are_found_as_there_were() -> None:
    pages = sorted(one.name for one in REGISTRATIONS)
    assert len(REGISTRATIONS) >= 2
    assert len(ANSWERED) >= 4
    assert pages[:2] == ["register-task-definition-1", "register-task-definition-2"]
    for page in awscli_examples.folder().glob("*.rst"):
        shown = page.read_text(encoding="utf-8").count(f"\n    {awscli_examples.REGISTER}")
        assert sum(name.rpartition("-")[0] == page.stem for name in pages) == shown, page.name


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=one.name) for one in sorted(REGISTRATIONS + ANSWERED, key=lambda one: one.name)]
)
def test_deployed_and_planned_again(world: World, example: Example) -> None:
    world.write(spec(example.doc))
    world.deploy("v1")
    (sent,) = world.params("RegisterTaskDefinition")
    assert sent == {name: value for name, value in example.doc.items() if name != "tags" or value}
    world.forget()

    again = world.run("plan", "v1", "--detailed-exitcode")
    assert (again.code, "No changes." in again.out) == (0, True), again.said
    assert "No changes." in world.ok("apply").out
    assert world.sent() == []
    assert world.active(example.doc["family"]) == [f"{example.doc['family']}:1"]


@pytest.mark.parametrize("example", [pytest.param(one, id=one.name) for one in REGISTRATIONS])
def test_one_thing_changed_is_a_change(world: World, example: Example) -> None:
    world.write(spec(example.doc))
    world.deploy("v1")
    other = copy.deepcopy(example.doc)
    other["containerDefinitions"][0]["command"].reverse()
    world.write(spec(other), seed=False)
    (step,) = world.plan("v1")["steps"]
    assert [change["path"] for change in step["changes"]] == ["containers.sleep.command"]
