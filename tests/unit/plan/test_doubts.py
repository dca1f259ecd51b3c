"""A difference that may come from what is unknown of AWS's answers is a warning if nothing else differs: never silent,
and never a difference that returns with every plan."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.model import Action, Address, Doc, Ref
from ecsplan.kinds.contract import Candidate, Delta, Live
from ecsplan.plan.diff import diff
from ecsplan.plan.steps import cautions
from tests.unit.fakes_kinds import (
    FakeAsk,
    call,
    candidate,
    delta_of,
    describe,
    kind,
    listed,
    live_of,
    resource,
    revision,
    step_of,
)

TASK, SERVICE = "task_definition.web", "service.prod/web"
BLANK = {"name": "X", "value": ""}
WARNED = (
    f'{TASK}: the live revision was registered with containers.web.environment.X = "", and does not have it: ECS seems '
    "to drop a variable with an empty value, so that alone is no change"
)


def definition(*variables: Doc, **container: Any) -> Doc:
    environment = [{"name": "A", "value": "1"}, *variables]
    return {
        "family": "web",
        "containerDefinitions": [{"name": "web", "image": "w", "environment": environment} | container],
    }


def found(number: int, *variables: Doc, **more: Any) -> Candidate:
    return candidate(definition(*variables), arn=revision(f"web:{number}"), **more)


def against(declared: Doc, *candidates: Candidate, sent: Doc | None = None, **more: Any) -> Delta:
    """The delta of a task definition whose revision 1 was registered as `sent`, or as it is declared now."""
    asked, live = resource(TASK, declared), live_of(TASK, *candidates, **more)
    (delta,) = diff([asked], {asked.address: live}, {revision("web:1"): declared if sent is None else sent})
    return delta


def test_a_dropped_empty_variable_is_a_warning() -> None:
    delta = against(definition(BLANK), found(1))
    assert (delta.change.action, delta.change.fields) == (Action.KEEP, ())
    assert delta.change.outputs == {"arn": revision("web:1")}
    assert list(cautions([delta])) == [WARNED]


def test_one_that_was_never_sent_is_a_difference() -> None:
    """Nothing is hidden that has not been tried."""
    for sent in ({}, definition(), definition({"name": "X", "value": "x"}), definition({"name": "Y", "value": ""})):
        delta = against(definition(BLANK), found(1), sent=sent)
        assert delta.change.action is Action.CREATE
        assert [(one.path, one.after) for one in delta.change.fields] == [("containers.web.environment.X", "")]


def test_several_are_named_container_by_container() -> None:
    one, two = definition(BLANK, {"name": "Y", "value": ""}), definition(BLANK)
    other = two["containerDefinitions"][0] | {"name": "log"}
    one["containerDefinitions"].append(other)
    live = definition()
    live["containerDefinitions"].append(live["containerDefinitions"][0] | {"name": "log"})
    first, second = against(one, candidate(live, arn=revision("web:1"))).uncertainties
    assert "containers.web.environment.X, containers.web.environment.Y" in first
    assert "containers.log.environment.X" in second


@pytest.mark.parametrize(
    ("declared", "live", "path"),
    [
        (definition(BLANK), [{"name": "X", "value": "x"}], "X"),
        (definition(), [BLANK], "X"),
        (definition({"name": "X", "value": "x"}), [BLANK], "X"),
        (definition({"name": "X", "value": " "}), [], "X"),
        (definition({"name": "X", "value": "x"}), [], "X"),
        (definition({"name": "x", "value": "1"}), [{"name": "X", "value": "1"}], "X"),
    ],
    ids=["set to empty", "empty and no longer declared", "empty, set", "a blank is a value", "set", "by case"],
)
def test_all_else_about_variables_is_a_difference(declared: Doc, live: list[Doc], path: str) -> None:
    delta = against(declared, found(1, *live))
    assert delta.change.action is Action.CREATE
    assert f"containers.web.environment.{path}" in [field.path for field in delta.change.fields]
    assert list(cautions([delta])) == []


def test_beside_another_difference_it_is_shown_and_sent() -> None:
    delta = against(definition(BLANK, image="w:2"), found(1))
    assert delta.change.action is Action.CREATE
    shown = [(field.path, field.before, field.after) for field in delta.change.fields]
    assert shown == [("containers.web.environment.X", None, ""), ("containers.web.image", "w", "w:2")]
    assert delta.merged_doc == definition(BLANK, image="w:2")
    assert delta.uncertainties == ()


def test_what_is_live_as_declared_needs_no_warning() -> None:
    delta = against(definition(BLANK), found(1, BLANK))
    assert (delta.change.action, list(cautions([delta]))) == (Action.KEEP, [])


def test_an_equal_revision_wins_over_one_in_doubt() -> None:
    delta = against(definition(BLANK), found(1), found(2, BLANK))
    assert delta.change.outputs == {"arn": revision("web:2")}
    assert delta.uncertainties == ()


def test_nothing_is_moved_to_a_revision_in_doubt() -> None:
    """The one in use has a value, which is emptied; the newest one lacks the variable."""
    delta = against(definition(BLANK), found(1, {"name": "X", "value": "x"}), found(2))
    assert delta.change.action is Action.CREATE
    assert [(field.before, field.after) for field in delta.change.fields] == [("x", "")]


def test_a_revision_that_cannot_be_used_is_not_in_doubt() -> None:
    assert against(definition(BLANK), found(1, reusable=False)).change.action is Action.CREATE


def test_a_rollback_to_a_live_revision_is_certain() -> None:
    """What ECS has answered as empty, it keeps."""
    delta = against({}, found(2), found(1, BLANK, reusable=False), wanted=definition(BLANK))
    assert delta.change.action is Action.CREATE


# --- a registration whose answer was lost ---


def reconciled(*live: Doc) -> dict[str, str] | None:
    """What is made of revisions 8, 9, … after a registration with an empty variable was sent when 7 was the newest."""
    sent = call("register_task_definition", **definition(BLANK))
    numbers = range(8, 8 + len(live))
    ask = FakeAsk().on(listed("web"), {"taskDefinitionArns": [revision(f"web:{n}") for n in reversed(numbers)]})
    for number, doc in zip(numbers, live, strict=True):
        arn = revision(f"web:{number}")
        ask.on(describe(arn), {"taskDefinition": doc | {"taskDefinitionArn": arn, "status": "ACTIVE"}})
    step = step_of(TASK, sent, action=Action.CREATE, expect={"newest": 7})
    found = kind("task_definition").calls.recover(ask, step, sent)
    return None if found is None else dict(found)


def test_a_revision_without_its_empty_variable_is_equal() -> None:
    assert reconciled(definition()) == {"arn": revision("web:8")}
    assert reconciled(definition(), definition(BLANK)) == {"arn": revision("web:9")}
    assert reconciled(definition({"name": "X", "value": "x"})) is None


# --- a namespace by name and by ARN ---

ARN = "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1"


def connect(namespace: str, **more: Any) -> Doc:
    return {"serviceConnectConfiguration": {"enabled": True, "namespace": namespace} | more}


def service(declared: Doc, live: Doc) -> Delta:
    names: Doc = {"cluster": "prod", "service": "web"}
    facts: Doc = {"status": "ACTIVE"}
    state: Live = live_of(SERVICE, candidate(names | live, arn="s"), facts=facts)
    return delta_of(resource(SERVICE, names | declared), state)


@pytest.mark.parametrize(("declared", "live"), [("shop", ARN), (ARN, "shop")])
def test_a_namespace_by_name_and_by_arn_is_a_warning(declared: str, live: str) -> None:
    delta = service(connect(declared), connect(live))
    assert (delta.change.action, delta.change.fields) == (Action.KEEP, ())
    assert list(cautions([delta])) == [
        f"{SERVICE}: serviceConnectConfiguration.namespace is {live} and declared as {declared}: a name and an ARN "
        "cannot be compared"
    ]


@pytest.mark.parametrize(
    ("declared", "live"), [("shop", "wiki"), (ARN, ARN.replace("ns-1", "ns-2")), ("shop", "")], ids=str
)
def test_another_namespace_is_a_difference(declared: str, live: str) -> None:
    delta = service(connect(declared), connect(live) if live else {})
    assert delta.change.action is Action.UPDATE
    assert "serviceConnectConfiguration.namespace" in [field.path for field in delta.change.fields]
    assert delta.uncertainties == ()


def test_an_alias_named_by_ecs_is_no_difference() -> None:
    declared = connect("shop", services=[{"portName": "web", "clientAliases": [{"port": 80}]}])
    aliases = [{"port": 80, "dnsName": "web.shop"}]
    live = connect(ARN, services=[{"portName": "web", "clientAliases": aliases}])
    assert service(declared, live).change.action is Action.KEEP


def test_a_namespace_in_doubt_hides_nothing_else() -> None:
    services = [{"portName": "web"}]
    delta = service(connect("shop", services=services), connect(ARN))
    assert delta.change.action is Action.UPDATE
    assert delta.merged_doc["serviceConnectConfiguration"]["namespace"] == "shop"


def test_an_uncertain_namespace_beside_a_difference() -> None:
    """It would be a line of every plan that moves the service to a new revision."""
    delta = service(connect("shop") | {"desiredCount": 2}, connect(ARN) | {"desiredCount": 1})
    assert [(field.path, field.before, field.after) for field in delta.change.fields] == [("desiredCount", 1, 2)]
    (warning,) = cautions([delta])
    assert f"namespace is {ARN} and declared as shop" in warning
    assert delta.change.before is not None
    assert delta.change.before["serviceConnectConfiguration"]["namespace"] == ARN


def test_uncertain_resources_fill_references() -> None:
    on: Doc = {"service": "web", "taskDefinition": Ref(address=Address(TASK), output="arn")}
    task, web = resource(TASK, definition(BLANK)), resource(SERVICE, on)
    live = live_of(
        SERVICE, candidate({"service": "web", "taskDefinition": revision("web:1")}), facts={"status": "ACTIVE"}
    )
    lives = {task.address: live_of(TASK, found(1)), web.address: live}
    deltas = diff([task, web], lives, {revision("web:1"): definition(BLANK)})
    assert [delta.change.action for delta in deltas] == [Action.KEEP, Action.KEEP]
