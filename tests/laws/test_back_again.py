"""One value of a live schedule is changed, added or removed by a deployment and rolled back: AWS answers as before, to
the letter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from ecsplan.core.documents import pruned
from ecsplan.core.model import Call, Doc
from tests.laws.embedded import Embedded, applied, seeded
from tests.laws.leaves import changed, item_at, leaves
from tests.laws.requests import SCHEDULES, UNIVERSAL_SCHEDULES
from tests.laws.shaped import Docs, Strategies
from tests.laws.test_every_field import few

DATES = ("CreationDate", "LastModificationDate")
WAYS = {"ECS target": SCHEDULES, "universal target": UNIVERSAL_SCHEDULES}
either_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def answered(aws: Embedded) -> Doc:
    found = aws.send("scheduler", "get_schedule", Name="nightly")
    return {name: value for name, value in found.items() if name not in DATES}


def with_other_leaves(one: Doc, two: Doc) -> Iterator[Doc]:
    """The document with one leaf of another value, for each place where the second one has another."""
    for leaf in leaves(one, SCHEDULES.shape):
        try:
            value = item_at(two, leaf.keys)
        except (KeyError, IndexError):
            continue
        if value != leaf.value:
            yield changed(one, leaf, value)


def other_members(one: Doc, two: Doc) -> Iterator[Doc]:
    """A document that declares one more member, or None for one that is there, for each that only one of the two
    has."""
    for above, name, value in only_in(one, two):
        declared: Doc = {name: value}
        for key in reversed(above):
            declared = {key: declared}
        yield {"Name": "nightly", "GroupName": "default", **declared}


def only_in(one: Any, two: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Where a member is that only one of two structures has, its name, and its value if it is the second one."""
    for name in {**one, **two}:
        if name not in one or name not in two:
            yield above, name, two.get(name)
        elif isinstance(one[name], dict) and isinstance(two[name], dict):
            yield from only_in(one[name], two[name], (*above, name))


def drawn(data: st.DataObject, docs: Docs) -> Doc:
    """One of the documents, of the schedule that there is, without structures that are empty: these mean nothing."""
    return {**(pruned(data.draw(docs)) or {}), "Name": "nightly", "GroupName": "default"}


def there_and_back(one: Doc, others: list[Doc]) -> None:
    """Rolled back in both ways: by the undo of the step, and by what the journal keeps."""
    aws = seeded("schedule")
    applied(aws, "schedule", one)
    before = answered(aws)
    for wanted in others:
        delta = applied(aws, "schedule", wanted)
        (draft,) = delta.kind.change.steps(delta) if delta.change.fields else (None,)
        if draft is None:  # another spelling of the same value
            assert answered(aws) == before
            continue
        assert answered(aws) != before, wanted
        assert isinstance(draft.undo, Call)
        aws.do(draft.undo)
        assert answered(aws) == before, wanted
        assert delta.change.before is not None
        applied(aws, "schedule", wanted)
        applied(aws, "schedule", delta.change.before)
        assert answered(aws) == before, wanted


@either_way
@settings(parent=few, max_examples=6, phases=[Phase.generate])
@given(data=st.data())
def test_a_leaf_that_was_changed_and_rolled_back_is_as_it_was(way: Strategies, data: st.DataObject) -> None:
    one, two = drawn(data, way.whole), drawn(data, way.whole)
    others = list(with_other_leaves(one, two))
    assume(others)
    there_and_back(one, others)


@either_way
@settings(parent=few, max_examples=6, phases=[Phase.generate])
@given(data=st.data())
def test_a_member_that_was_added_or_removed_and_rolled_back_is_as_it_was(way: Strategies, data: st.DataObject) -> None:
    one, two = drawn(data, way.some), drawn(data, way.whole)
    for first, second in ((one, two), (two, one)):
        there_and_back(first, list(other_members(first, second)))
