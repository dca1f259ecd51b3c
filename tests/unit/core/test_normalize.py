"""The engine of the rules, each row by itself, and the names that differences go by."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.documents import is_empty, pruned
from ecsplan.core.model import Address, Doc, Ref
from ecsplan.core.normalize import (
    Canon,
    Default,
    Derive,
    Drop,
    Keep,
    Keyed,
    Rule,
    Secret,
    Unordered,
    by_identity,
    identity,
    normal,
    places,
    sort_key,
)

ARN = Ref(address=Address("task_definition.web"), output="arn")


def nth(doc: Doc, parent: Doc) -> Any:
    """The name of the document for items without one."""
    return None if "name" in parent else doc.get("family")


# --- nothing is nothing ---


@pytest.mark.parametrize("value", [None, [], {}, ()])
def test_absent_null_and_empty_are_one(value: Any) -> None:
    assert is_empty(value)
    assert pruned(value) is None
    assert normal({"a": value, "b": 1, "c": {"d": value}, "e": [value]}, ()) == {"b": 1}


@pytest.mark.parametrize("value", ["", 0, False, 0.0, ARN, [""], [0]])
def test_what_is_a_value(value: Any) -> None:
    assert not is_empty(value)
    assert pruned({"a": [{"b": value}]}) == {"a": [{"b": value}]}


def test_normal_takes_nothing_and_gives_a_document() -> None:
    assert normal({}, ()) == {}
    assert normal({"a": None}, ()) == {}


def test_the_argument_is_not_edited() -> None:
    doc = {"b": [2, 1], "c": {}, "d": [{"x": 1}]}
    rules: tuple[Rule, ...] = (Unordered(path="b", reason=""), Default(path="d.*.y", value=[1], reason=""))
    assert normal(doc, rules) == {"b": [1, 2], "d": [{"x": 1, "y": [1]}]}
    assert doc == {"b": [2, 1], "c": {}, "d": [{"x": 1}]}


def test_a_default_is_copied_out_of_its_row() -> None:
    rule = Default(path="a", value={"list": [1]}, reason="")
    normal({"x": 1}, (rule,))["a"]["list"].append(2)
    assert normal({"x": 1}, (rule,)) == {"x": 1, "a": {"list": [1]}}


# --- one rule each ---


@pytest.mark.parametrize(
    ("rule", "doc", "expected"),
    [
        (Default(path="a", value=1, reason=""), {}, {"a": 1}),
        (Default(path="a", value=1, reason=""), {"a": None}, {"a": 1}),
        (Default(path="a", value=1, reason=""), {"a": 0}, {"a": 0}),
        (Default(path="a", value=1, reason=""), {"a": ""}, {"a": ""}),
        (Default(path="a.b", value=1, reason=""), {}, {}),
        (Default(path="a.b", value=1, reason=""), {"a": {}}, {}),
        (Default(path="a.b", value=1, reason=""), {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        (Default(path="a.*.b", value=1, reason=""), {"a": [{"c": 2}, {"b": 3}]}, {"a": [{"b": 1, "c": 2}, {"b": 3}]}),
        (Default(path="a.*.b", value=1, reason=""), {"a": {"c": 2}}, {"a": {"c": 2}}),
        (Default(path="a.b", value=1, reason=""), {"a": "text"}, {"a": "text"}),
        (Derive(path="a.*.name", of=nth, reason=""), {"family": "x", "a": [{"b": 1}, {"name": "y"}]},
         {"family": "x", "a": [{"b": 1, "name": "x"}, {"name": "y"}]}),
        (Derive(path="a.*.name", of=nth, reason=""), {"a": [{"b": 1}]}, {"a": [{"b": 1}]}),
        (Canon(path="a.b", to=str.upper, reason=""), {"a": {"b": "x"}}, {"a": {"b": "X"}}),
        (Canon(path="a.b", to=str.upper, reason=""), {"a": {"c": "x"}}, {"a": {"c": "x"}}),
        (Canon(path="a", to=lambda value: [], reason=""), {"a": [1]}, {}),
        (Drop(path="a", reason=""), {"a": 1, "b": 2}, {"b": 2}),
        (Drop(path="a", reason=""), {"b": 2}, {"b": 2}),
        (Drop(path="a", when=lambda value: value == 0, reason=""), {"a": 0}, {}),
        (Drop(path="a", when=lambda value: value == 0, reason=""), {"a": 1}, {"a": 1}),
        (Drop(path="a.b", reason=""), {"a": {"b": 1}}, {}),
        (Unordered(path="a", reason=""), {"a": [3, 1, 2]}, {"a": [1, 2, 3]}),
        (Unordered(path="a", reason=""), {"a": [{"b": 2}, {"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}),
        (Unordered(path="a", reason=""), {"a": "text"}, {"a": "text"}),
        (Keyed(path="a", by=("n",), reason=""), {"a": [{"n": "y"}, {"n": "x", "m": 1}]},
         {"a": [{"n": "x", "m": 1}, {"n": "y"}]}),
        (Keyed(path="a", by=("n",), reason=""), {"a": "text"}, {"a": "text"}),
        (Keyed(path="a", by=("n",), reason=""), {"a": [{"n": "x", "v": 2}, {"n": "w"}, {"n": "x", "v": 1}]},
         {"a": [{"n": "w"}, {"n": "x", "v": 2}, {"n": "x", "v": 1}]}),
        (Keep(path="a", reason=""), {"a": [2, 1]}, {"a": [2, 1]}),
        (Secret(path="a", reason=""), {"a": {"KEY": "x"}}, {"a": {"KEY": "x"}}),
    ],
)  # fmt: skip
def test_a_rule_by_itself(rule: Rule, doc: Doc, expected: Doc) -> None:
    assert normal(doc, (rule,)) == expected
    assert normal(expected, (rule,)) == expected


def test_rules_apply_in_the_tables_order() -> None:
    fill, drop = Default(path="a", value=1, reason=""), Drop(path="a", when=lambda value: value == 1, reason="")
    assert normal({"b": 1}, (fill, drop)) == {"b": 1}
    assert normal({"b": 1}, (drop, fill)) == {"a": 1, "b": 1}


def test_places_are_parents_and_names() -> None:
    doc: Doc = {"a": [{"b": {"c": 1}}, {"b": {}}, {"b": 2}, "x"], "d": 1}
    assert list(places(doc, "d")) == [(doc, "d")]
    assert list(places(doc, "nothing")) == [(doc, "nothing")]
    assert [(parent, field) for parent, field in places(doc, "a.*.b.c")] == [({"c": 1}, "c"), ({}, "c")]
    assert list(places(doc, "d.x")) == []
    assert list(places([{"x": 1}], "*.x")) == [({"x": 1}, "x")]


def test_references_can_be_sorted_among_values() -> None:
    first: list[Doc] = [{"arn": ARN}, {"arn": "x"}]
    second: list[Doc] = [{"arn": "x"}, {"arn": ARN}]
    assert sorted(first, key=sort_key) == sorted(second, key=sort_key)
    assert sort_key({"b": 1, "a": 2}) == sort_key({"a": 2, "b": 1})


# --- names ---


@pytest.mark.parametrize(
    ("item", "by", "expected"),
    [
        ({"a": "x", "b": 1}, ("a",), "x"),
        ({"a": 80, "b": "tcp"}, ("a", "range", "b"), "80/tcp"),
        ({"a": 0, "b": ""}, ("a", "b"), "0/"),
        ({"b": 1}, ("a",), ""),
        ("text", ("a",), "text"),
    ],
)
def test_the_identity_of_an_item(item: Any, by: tuple[str, ...], expected: str) -> None:
    assert identity(item, Keyed(path="x", by=by, reason="")) == expected


RULES: tuple[Rule, ...] = (
    Keyed(path="items", by=("name",), label="things", reason=""),
    Keyed(path="items.*.env", by=("name",), value="value", reason=""),
    Keyed(path="items.*.ports", by=("port", "protocol"), reason=""),
)


def test_a_view_names_items_by_what_they_are() -> None:
    doc = {
        "cpu": 1,
        "order": [{"env": [1]}, "x"],
        "items": [
            {
                "name": "web",
                "env": [{"name": "A", "value": "1"}, {"name": "B"}],
                "ports": [{"port": 80, "protocol": "tcp", "host": 0}],
                "inner": {"items": [1]},
            },
            "text",
        ],
    }
    assert by_identity(doc, RULES) == {
        "cpu": 1,
        "order": [{"env": [1]}, "x"],
        "things": {
            "web": {"env": {"A": "1", "B": ""}, "ports": {"80/tcp": {"host": 0}}, "inner": {"items": [1]}},
            "text": "text",
        },
    }


def test_of_items_with_one_identity_none_is_lost() -> None:
    doc = {"items": [{"name": "a", "x": 1}, {"name": "a", "x": 2}, {"name": "a", "x": 3}]}
    assert by_identity(doc, RULES) == {"things": {"a": {"x": 1}, "a#2": {"x": 2}, "a#3": {"x": 3}}}


def test_an_entry_that_is_only_a_name_is_seen() -> None:
    with_one = by_identity({"items": [{"name": "a", "x": 1}]}, RULES)
    with_two = by_identity({"items": [{"name": "a", "x": 1}, {"name": "b"}]}, RULES)
    assert with_one != with_two


def test_what_reads_alike_is_alike() -> None:
    """Else there would be something to do, and nothing to show for it."""
    one, two = ({"items": [{"name": "a", "env": [env]}]} for env in ({"name": "A"}, {"name": "A", "value": ""}))
    assert by_identity(normal(one, RULES), RULES) == by_identity(normal(two, RULES), RULES)
    assert normal(one, RULES) == normal(two, RULES)
