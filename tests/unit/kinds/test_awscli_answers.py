"""Answers of ECS, some of them years old, as the AWS CLI's own examples record them: a spec of what they show is no
difference from them, and a spec with any one value of it changed is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecsplan.aws.api import members
from ecsplan.core.documents import mapped, pruned
from ecsplan.core.model import Action, Doc
from ecsplan.kinds.contract import Live
from ecsplan.kinds.service.read import ON_DEPLOYMENT
from tests.support import awscli_examples
from tests.support.awscli_examples import Example
from tests.unit.fakes_kinds import (
    FakeAsk,
    call,
    compare,
    compiled,
    delta_of,
    describe,
    kind,
    listed,
    paths,
    resource,
    same,
)

TASKS, SERVICES = awscli_examples.task_definitions(), awscli_examples.services()
TASK, SERVICE = kind("task_definition"), kind("service")


def named(examples: list[Example]) -> list[Any]:
    return [pytest.param(one.doc, id=one.name) for one in examples]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every text, number and boolean in a document."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
        return
    for name, item in items:
        yield from leaves(item, (*path, name))


def changed(doc: Doc, path: tuple[Any, ...]) -> Doc:
    """The document with another value at this place."""
    result: Any = mapped(doc, lambda leaf: leaf)
    parent = result
    for part in path[:-1]:
        parent = parent[part]
    old = parent[path[-1]]
    parent[path[-1]] = (not old) if isinstance(old, bool) else f"{old}x" if isinstance(old, str) else old + 1
    other: Doc = result
    return other


def test_as_many_answers_are_found_as_there_were() -> None:
    assert len(TASKS) >= 4
    assert len(SERVICES) >= 11


# --- task definitions ---


def live_task(answer: Doc) -> Live:
    """As it is read, and as if it were ACTIVE: two of the pages are about revisions that no longer are."""
    found = answer | {"status": "ACTIVE"}
    family, arn = found["family"], found["taskDefinitionArn"]
    reader = FakeAsk().on(describe(family), {"taskDefinition": found, "tags": []})
    reader.on(listed(family), {"taskDefinitionArns": [arn]})
    (live,) = compare(TASK).read(reader, [resource(f"task_definition.{family}", {"family": family})])
    return live


def declared_task(answer: Doc) -> Doc:
    return {name: value for name, value in answer.items() if name in members("ecs", "register_task_definition")}


def by_hand(answer: Doc) -> Doc:
    """What a person would have written: nothing that is empty, and nothing that ECS fills in."""
    doc: Doc = pruned(declared_task(answer))
    for container in doc["containerDefinitions"]:
        del container["essential"]
        if not container["cpu"]:
            del container["cpu"]
    return doc


@pytest.mark.parametrize("answer", named(TASKS))
def test_a_spec_of_an_answered_task_definition_is_no_difference(answer: Doc) -> None:
    for doc in (declared_task(answer), by_hand(answer)):
        (declared,) = compiled({"tasks": {"one": {"task_definition": doc}}}).values()
        change = delta_of(declared, live_task(answer)).change
        assert (change.action, change.fields) == (Action.KEEP, ())


@pytest.mark.parametrize("sent", named(awscli_examples.registrations()))
def test_what_was_registered_is_no_difference_from_what_was_answered(sent: Doc) -> None:
    (answer,) = [one.doc for one in TASKS if one.name == "register-task-definition-1"]
    change = delta_of(resource("task_definition.sleep360", sent), live_task(answer)).change
    assert (change.action, change.fields) == (Action.KEEP, ())


@pytest.mark.parametrize("answer", named(TASKS))
def test_any_other_value_of_a_task_definition_is_seen(answer: Doc) -> None:
    doc = declared_task(answer)
    found = live_task(answer).candidates[0].doc
    places = [path for path in leaves(doc) if path != ("family",)]
    assert len(places) >= 5
    unseen = [
        path for path in places if same(TASK, found, changed(doc, path)) or not paths(TASK, found, changed(doc, path))
    ]
    assert unseen == []


# --- services ---


def live_service(answer: Doc) -> tuple[Live, Doc]:
    """A service as it is read, and what a spec can declare of it, as it was answered."""
    names = {"cluster": answer["clusterArn"].rpartition("/")[2], "service": answer["serviceName"]}
    reader = FakeAsk().on(
        call("describe_services", cluster=names["cluster"], services=[names["service"]]), {"services": [answer]}
    )
    (live,) = compare(SERVICE).read(reader, [resource(f"service.{names['cluster']}/{names['service']}", names)])
    primary: Doc = next((one for one in answer["deployments"] if one["status"] == "PRIMARY"), {})
    shown = {name: value for name, value in answer.items() if name in members("ecs", "update_service")}
    return live, names | shown | {name: primary[name] for name in ON_DEPLOYMENT if name in primary}


@pytest.mark.parametrize("answer", named(SERVICES))
def test_a_spec_of_an_answered_service_is_no_difference(answer: Doc) -> None:
    live, declared = live_service(answer)
    whole = resource(live.address, declared)
    if answer.get("deploymentController", {}).get("type") == "EXTERNAL":
        (fault,) = SERVICE.change.blockers(whole, live)
        assert "is deployed by EXTERNAL, not by ECS itself" in fault
        return
    for one in (whole, resource(live.address, {name: declared[name] for name in ("cluster", "service")})):
        assert SERVICE.change.blockers(one, live) == ()
        change = delta_of(one, live).change
        assert (change.action, change.fields) == (Action.KEEP, ())


@pytest.mark.parametrize("answer", named(SERVICES))
def test_any_other_value_of_a_service_is_seen(answer: Doc) -> None:
    live, declared = live_service(answer)
    found = live.candidates[0].doc
    places = [path for path in leaves(declared) if path[0] not in ("cluster", "service")]
    assert len(places) >= 2
    unseen = [path for path in places if same(SERVICE, found, changed(declared, path))]
    assert unseen == []
