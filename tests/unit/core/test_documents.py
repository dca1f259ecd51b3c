"""Documents: walked, copied and filled."""

from __future__ import annotations

from typing import Any

from ecsplan.core.documents import copied, filled, mapped, refs_in
from ecsplan.core.model import Address, JsonText, Ref

WEB = Address("task_definition.web")
ARN = Ref(address=WEB, output="arn")


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


def test_a_reference_inside_a_text_of_json_is_found_and_filled() -> None:
    text = JsonText(head='{"a": ', ref=ARN, tail=', "b": 1}')
    doc = {"Input": text, "also": [text]}
    assert list(refs_in(doc)) == [ARN, ARN]
    assert filled(doc, {}) == doc
    assert filled(doc, {WEB: {"arn": 'web:"42"'}})["Input"] == '{"a": "web:\\"42\\"", "b": 1}'
