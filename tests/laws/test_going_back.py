"""What a change replaces puts back what was there, however many changes there were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsplan.core.documents import copied
from ecsplan.core.model import Action, Call, Doc
from ecsplan.core.normalize import normal
from ecsplan.kinds.contract import Kind, Live
from ecsplan.plan.diff import diff
from tests.laws.documents import (
    ANSWERED_RULES,
    ANSWERED_SERVICES,
    DECLARED_RULES,
    DECLARED_SERVICES,
    Docs,
    as_answered,
    modest,
    nulls,
)
from tests.laws.requests import documents
from tests.unit.fakes_kinds import before, candidate, compare, kind, live_of, resource

SCHEDULES = documents("schedule", False)
LIVES: dict[str, Docs] = {"service": ANSWERED_SERVICES, "event_targets": ANSWERED_RULES, "schedule": SCHEDULES}
DECLARED: dict[str, Docs] = {"service": DECLARED_SERVICES, "event_targets": DECLARED_RULES, "schedule": SCHEDULES}
for_all_kinds = pytest.mark.parametrize("name", LIVES)


def step(of: Kind, live: Doc, declared: Doc) -> tuple[Doc, Doc]:
    """What is live after a change, and what puts it back."""
    wanted = compare(of).merge(live, declared)
    after: Doc = as_answered(wanted)
    return after, before(of, live, wanted, declared)


def same(of: Kind, one: Doc, two: Doc) -> bool:
    """Equal as far as anybody can tell; what a rule has no targets for is not told from no targets at all."""
    return normal(one, of.document.rules) == normal(two, of.document.rules)


@for_all_kinds
@modest
@given(data=st.data())
def test_a_change_is_put_back(name: str, data: st.DataObject) -> None:
    of = kind(name)
    live, change = data.draw(LIVES[name]), data.draw(DECLARED[name])
    first = copied((live, change))
    after, back = step(of, live, change)
    assert same(of, compare(of).merge(after, back), live)
    assert [live, change] == first


@for_all_kinds
@modest
@given(data=st.data())
def test_two_changes_are_put_back_at_once(name: str, data: st.DataObject) -> None:
    of = kind(name)
    live = data.draw(LIVES[name])
    one, back_one = step(of, live, data.draw(DECLARED[name]))
    two, back_two = step(of, one, data.draw(DECLARED[name]))
    assert same(of, compare(of).merge(two, compare(of).merge_before(back_two, back_one)), live)


@for_all_kinds
@modest
@given(data=st.data())
def test_what_is_live_already_changes_nothing(name: str, data: st.DataObject) -> None:
    of = kind(name)
    live = data.draw(LIVES[name])
    after, back = step(of, live, data.draw(DECLARED[name]))
    again, nothing = step(of, after, back)
    assert same(of, again, live)
    assert same(of, compare(of).merge(again, nothing), after)


@modest
@given(ANSWERED_SERVICES, DECLARED_SERVICES)
def test_what_a_service_is_sent_makes_what_was_promised_and_its_undo_puts_it_back(live: Doc, change: Doc) -> None:
    of = kind("service")
    # What AWS chooses for a volume, and what it keeps of a strategy that is not in use, is not sent.
    change = {field: value for field, value in change.items() if field != "volumeConfigurations"}
    change.get("deploymentConfiguration", {}).pop("linearConfiguration", None)
    found: Live = live_of("service.prod/web", candidate(live, arn="x"), facts={"status": "ACTIVE"})
    declared = resource("service.prod/web", change)
    (delta,) = diff([declared], {declared.address: found})
    if delta.change.action is Action.KEEP:
        assert same(of, compare(of).merge(live, change), live)
        return
    (draft,) = of.change.steps(delta)
    assert isinstance(draft.undo, Call)
    assert not nulls(draft.call.params)
    assert not nulls(draft.undo.params)
    updated = _updated(live, draft.call.params)
    assert same(of, updated, delta.merged_doc)
    assert same(of, _updated(updated, draft.undo.params), live)


def _updated(live: Doc, params: Doc) -> Doc:
    """UpdateService as ECS carries it out: a parameter replaces what was there, a deploymentConfiguration's members do,
    and a circuit breaker is off unless it is sent as on."""
    result = {**live, **params}
    if "deploymentConfiguration" in params:
        old, new = live.get("deploymentConfiguration", {}), params["deploymentConfiguration"]
        result["deploymentConfiguration"] = {**old, **new}
        if breaker := new.get("deploymentCircuitBreaker"):
            kept = {**old.get("deploymentCircuitBreaker", {}), "enable": False, "rollback": False}
            result["deploymentConfiguration"]["deploymentCircuitBreaker"] = {**kept, **breaker}
    return result


@modest
@given(ANSWERED_RULES, DECLARED_RULES)
def test_a_rules_steps_and_their_undos_are_what_the_difference_says(live: Doc, change: Doc) -> None:
    of = kind("event_targets")
    known = {target["Id"] for target in live["Targets"]}
    change = change | {"Targets": [one for one in change["Targets"] if one["Id"] in known or "RoleArn" in one]}
    address = "event_targets.nightly"
    declared = resource(address, change)
    delta_live = live_of(address, candidate(live))
    for target in (*live["Targets"], *change["Targets"]):
        target.setdefault("Arn", "arn:cluster")
        target.setdefault("EcsParameters", {"TaskDefinitionArn": "web:41"})
    (delta,) = diff([declared], {declared.address: delta_live})
    sent = of.change.steps(delta) if delta.change.action is not Action.KEEP else ()
    done = _carried_out(live, [draft.call for draft in sent])
    assert same(of, done, compare(of).merge(live, change))
    undos = [draft.undo for draft in reversed(sent) if isinstance(draft.undo, Call)]
    assert same(of, _carried_out(done, undos), live)


def _carried_out(live: Doc, calls: list[Call]) -> Doc:
    """PutTargets and RemoveTargets, as EventBridge carries them out."""
    targets: dict[str, Any] = {target["Id"]: target for target in live["Targets"]}
    for call in calls:
        for target in call.params.get("Targets", ()):
            targets[target["Id"]] = target
        for name in call.params.get("Ids", ()):
            del targets[name]
    return live | {"Targets": list(targets.values())}
