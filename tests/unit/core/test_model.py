"""The core values: addresses, references, JSON both ways, digests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import digest_of, from_data, to_data, to_json
from ecsplan.core.documents import copied, filled, mapped, refs_in
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Identity,
    Irreversible,
    Notify,
    Phase,
    Plan,
    Ref,
    Settings,
    Step,
)

WEB = Address("task_definition.web")
ARN = Ref(address=WEB, output="arn")
CHANGE = Change(
    address=Address("service.prod/web"),
    task="web",
    action=Action.UPDATE,
    before={"taskDefinition": "web:41"},
    after={"taskDefinition": ARN},
    fields=(FieldChange(path="taskDefinition", before="web:41", after=ARN),),
    outputs={"arn": "x"},
    settings=Settings(wait=False, timeout=90, force=True),
    facts={"essential": ["web"]},
    keep=3,
    pinned="web:1",
    retire=("web:2",),
)
PLAN = Plan(
    app="shop",
    tag="v42",
    identity=Identity(account="123456789012", region="eu-west-1"),
    base=4,
    changed=True,
    observed={WEB: "sha256:00"},
    changes=(CHANGE,),
    steps=(
        Step(
            index=1,
            phase=Phase.REGISTER,
            kind="task_definition",
            address=WEB,
            action=Action.CREATE,
            changes=(FieldChange(path="containers.web.image", before="a", after="b"),),
            call=Call(service="ecs", operation="register_task_definition", params={"family": "web"}),
            undo=Call(service="ecs", operation="deregister_task_definition", params={"taskDefinition": ARN}),
            expect={"newest": 41},
        ),
        Step(
            index=2,
            phase=Phase.RUN,
            kind="run_task",
            address=Address("run_task.web/migrate"),
            action=Action.RUN,
            call=Call(service="ecs", operation="run_task", params={"taskDefinition": ARN, "nested": [{"a": [ARN]}]}),
            undo=Irreversible(reason="it has run"),
        ),
    ),
    summary={"register": 1, "run": 1},
    warnings=("mind the gap",),
    notify={"web": Notify(topic_arn="arn:x", blacklist_regex="^get_")},
    undoes=(3, 2),
    digest="sha256:11",
)


# --- addresses ---


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("service.prod/web", "service", "prod/web"),
        ("event_targets.bus/my.rule@web", "event_targets", "bus/my.rule@web"),
        ("a.b.c", "a", "b.c"),
    ],
)
def test_an_address_is_its_kind_and_its_name(text: str, kind: str, name: str) -> None:
    address = Address(text)
    assert (address, address.kind, address.name) == (text, kind, name)
    assert Address.of(kind, name) == address
    assert isinstance(Address.of(kind, name), Address)


@pytest.mark.parametrize("text", ["", "service", "service.", ".web", "."])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an address: "):
        Address(text)


def test_phases_and_actions_have_an_order_and_a_sign() -> None:
    assert [phase.value for phase in sorted(Phase, key=lambda phase: phase.rank)] == [
        "register",
        "run",
        "update",
        "targets",
        "deregister",
    ]
    assert {action.value: action.sign for action in Action} == {
        "keep": "=",
        "create": "+",
        "update": "~",
        "delete": "-",
        "run": ">",
    }


def test_words_for_people() -> None:
    assert str(PLAN.identity) == "123456789012-eu-west-1"
    assert str(PLAN.steps[0].call) == "ecs:register_task_definition"


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        PLAN.tag = "v43"  # type: ignore[misc]


# --- documents ---


def test_mapped_changes_leaves_of_a_deep_copy() -> None:
    doc = {"a": [1, {"b": ARN}], "c": ("x",), "d": {}}
    result = mapped(doc, lambda leaf: f"<{leaf if not isinstance(leaf, Ref) else leaf.output}>")
    assert result == {"a": ["<1>", {"b": "<arn>"}], "c": ["<x>"], "d": {}}
    assert doc == {"a": [1, {"b": ARN}], "c": ("x",), "d": {}}


def test_a_copy_may_be_edited() -> None:
    doc: dict[str, Any] = {"a": [{"b": 1}]}
    copy = copied(doc)
    copy["a"][0]["b"] = 2
    assert doc == {"a": [{"b": 1}]}


def test_known_references_are_filled_and_others_stay() -> None:
    other = Ref(address=Address("task_definition.worker"), output="arn")
    unknown = Ref(address=WEB, output="digest")
    doc = {"a": ARN, "b": [other, {"c": unknown}], "d": "arn"}
    assert filled(doc, {WEB: {"arn": "web:42"}}) == {"a": "web:42", "b": [other, {"c": unknown}], "d": "arn"}
    assert doc["a"] is ARN


def test_references_are_found_wherever_they_stand() -> None:
    other = Ref(address=WEB, output="other")
    assert list(refs_in({"a": ARN, "b": [1, ({"c": other},)], "d": "x"})) == [ARN, other]
    assert list(refs_in("x")) == []


# --- JSON ---


def test_a_plan_survives_json() -> None:
    for data in (to_data(PLAN), msgspec.json.decode(to_json(PLAN))):
        back = from_data(data, Plan)
        assert back == PLAN
        assert isinstance(back.steps[0].address, Address)
        assert isinstance(back.changes[0].fields[0].after, Ref)


def test_how_references_and_undos_are_written() -> None:
    steps = to_data(PLAN)["steps"]
    assert steps[0]["undo"] == {
        "type": "call",
        "service": "ecs",
        "operation": "deregister_task_definition",
        "params": {"taskDefinition": {"$ref": "output", "address": "task_definition.web", "output": "arn"}},
    }
    assert steps[1]["undo"] == {"type": "irreversible", "reason": "it has run"}
    assert (steps[0]["phase"], steps[0]["action"]) == ("register", "create")


def test_documents_that_resemble_references() -> None:
    for doc in ({"$ref": "output"}, {"$ref": "x", "address": "a.b", "output": "c"}, {"$ref": "output", "a": 1, "b": 2}):
        data = to_data(Call(service="ecs", operation="run_task", params={"x": doc}))
        assert from_data(data, Call).params == {"x": doc}


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        ({"tag": 1}, r"\$\.tag"),
        ({"steps": [{}]}, r"\$\.steps\[0\]"),
        ({"identity": {"account": "1"}}, r"\$\.identity"),
        ({"changes": [{"address": "x", "task": "", "action": "keep"}]}, "not an address"),
    ],
)
def test_reading_is_strict_and_says_where(edit: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=path):
        from_data(to_data(PLAN) | edit, Plan)


def test_reading_a_reference_to_no_address_is_refused() -> None:
    data = {"service": "ecs", "operation": "x", "params": {"a": {"$ref": "output", "address": "no", "output": "arn"}}}
    with pytest.raises(msgspec.ValidationError, match="not an address"):
        from_data(data | {"type": "call"}, Call)


def test_unknown_keys_are_ignored() -> None:
    assert from_data(to_data(PLAN) | {"added later": 1}, Plan) == PLAN


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"^cannot be written as JSON: object$"):
        to_json({"a": object()})
    with pytest.raises(msgspec.ValidationError, match=r"^cannot be read from JSON: complex$"):
        from_data(1, complex)


def test_a_digest_ignores_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})
    assert digest_of(PLAN) == digest_of(from_data(to_data(PLAN), Plan))
    assert digest_of({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
