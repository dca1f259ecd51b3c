"""JSON both ways, and digests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import digest_of, from_data, to_data, to_json
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Identity,
    Irreversible,
    JsonText,
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


def test_a_text_of_json_with_a_reference_survives_json() -> None:
    text = JsonText(head='{"a": ', ref=ARN, tail="}")
    call = Call(service="scheduler", operation="x", params={"Target": {"Input": text}})
    assert from_data(msgspec.json.decode(to_json(call)), Call) == call
    ref = {"$ref": "output", "address": "task_definition.web", "output": "arn"}
    assert to_data(call)["params"]["Target"]["Input"] == {"$ref": "json", "head": '{"a": ', "ref": ref, "tail": "}"}


def test_documents_that_resemble_references() -> None:
    for doc in (
        {"$ref": "output"},
        {"$ref": "json", "head": "x"},
        {"$ref": "x", "address": "a.b", "output": "c"},
        {"$ref": "output", "a": 1, "b": 2},
    ):
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
