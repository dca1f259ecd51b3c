"""Bringing documents to one form, and naming what differs between two."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecsplan.core.documents import copied, pruned
from ecsplan.core.model import Doc
from ecsplan.core.normalize import by_identity, normal
from ecsplan.kinds.contract import Kind
from ecsplan.plan.diff import field_changes
from tests.laws.documents import (
    DECLARED_SERVICES,
    RULES,
    SERVICES,
    TASK_DEFINITIONS,
    Docs,
    leaves,
    modest,
    shuffled,
)
from tests.unit.fakes_kinds import kind

DOCUMENTS: dict[str, Docs] = {
    "task_definition": TASK_DEFINITIONS,
    "service": SERVICES | DECLARED_SERVICES,
    "event_targets": RULES,
}
for_all_kinds = pytest.mark.parametrize("name", DOCUMENTS)


def seen(doc: Doc, of: Kind) -> Doc:
    return by_identity(normal(doc, of.document.rules), of.document.rules)


@for_all_kinds
@modest
@given(data=st.data())
def test_normalising_twice_is_normalising_once(name: str, data: st.DataObject) -> None:
    of = kind(name)
    doc = data.draw(DOCUMENTS[name])
    before = copied(doc)
    once = normal(doc, of.document.rules)
    assert normal(once, of.document.rules) == once
    assert doc == before


@for_all_kinds
@modest
@given(data=st.data())
def test_nothing_more_is_made_of_what_is_empty(name: str, data: st.DataObject) -> None:
    of = kind(name)
    doc = data.draw(DOCUMENTS[name])
    once = normal(doc, of.document.rules)
    assert normal(pruned(doc) or {}, of.document.rules) == once
    assert pruned(once) == (once or None)


@for_all_kinds
@modest
@given(data=st.data(), seed=st.integers(0, 9))
def test_the_order_of_a_set_says_nothing(name: str, data: st.DataObject, seed: int) -> None:
    of = kind(name)
    doc = data.draw(DOCUMENTS[name])
    other = shuffled(doc, of, seed)
    assert normal(other, of.document.rules) == normal(doc, of.document.rules)
    assert field_changes(seen(doc, of), seen(other, of)) == ()


@for_all_kinds
@modest
@given(data=st.data())
def test_a_document_does_not_differ_from_itself(name: str, data: st.DataObject) -> None:
    of = kind(name)
    doc = data.draw(DOCUMENTS[name])
    assert field_changes(seen(doc, of), seen(copied(doc), of)) == ()


@for_all_kinds
@modest
@given(data=st.data())
def test_two_documents_differ_exactly_where_their_normal_forms_do(name: str, data: st.DataObject) -> None:
    of = kind(name)
    one, two = (
        normal(data.draw(DOCUMENTS[name]), of.document.rules),
        normal(data.draw(DOCUMENTS[name]), of.document.rules),
    )
    changes = field_changes(by_identity(one, of.document.rules), by_identity(two, of.document.rules))
    assert bool(changes) is (one != two)
    assert [change.path for change in changes] == sorted({change.path for change in changes})
    back = field_changes(by_identity(two, of.document.rules), by_identity(one, of.document.rules))
    assert [(it.path, it.after, it.before) for it in back] == [(it.path, it.before, it.after) for it in changes]


@for_all_kinds
@modest
@given(data=st.data())
def test_one_value_that_is_another_shows_at_its_path_and_nowhere_else(name: str, data: st.DataObject) -> None:
    of = kind(name)
    found = seen(data.draw(DOCUMENTS[name]), of)
    paths = sorted(leaves(found))
    assume(paths and paths != [()])
    path = data.draw(st.sampled_from(paths))
    changed = copied(found)
    inner: Any = changed
    for part in path[:-1]:
        inner = inner[part]
    before, inner[path[-1]] = inner[path[-1]], "something else"
    (change,) = field_changes(found, changed)
    assert (change.path, change.before, change.after) == (".".join(path), before, "something else")
