"""A declared value that is another one is always seen, at its path."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecsplan.diff import diff
from ecsplan.model import Doc, Live
from tests.property.embedded import applied, declared, live, seeded
from tests.property.leaves import EXCEPTED, Leaf, changed, leaves, named, never_differs, others
from tests.property.requests import REQUESTS, documents
from tests.property.test_every_field import few, for_all_kinds
from tests.unit.fakes_kinds import kind


def deployed(name: str, doc: Doc) -> Live:
    aws = seeded(name)
    applied(aws, name, doc)
    return live(aws, declared(name, doc))


def seen(name: str, found: Live, doc: Doc) -> list[str]:
    """The paths of what a plan shows."""
    (delta,) = diff([declared(name, doc)], {found.address: found})
    return [change.path for change in delta.change.fields]


def check(name: str, found: Live, doc: Doc, leaf: Leaf, value: object) -> None:
    """The change of one leaf shows; where it is the identity of an item, as an item that has come."""
    other = changed(doc, leaf, value)
    paths = seen(name, found, other)
    path, identity = named(other, leaf.keys, kind(name).rules)
    if never_differs(doc, leaf, value):
        assert paths == []
    elif identity:
        assert any(it == path or it.startswith(f"{path}.") for it in paths), (leaf, value, path, paths)
    else:
        assert path in paths, (leaf, value, path, paths)


@for_all_kinds
@settings(parent=few, max_examples=2, phases=[Phase.generate])
@given(data=st.data())
def test_any_field_that_differs_is_seen(name: str, data: st.DataObject) -> None:
    """Each field of AWS's request in turn, at one of its places."""
    doc = data.draw(documents(name, True))
    found = deployed(name, doc)
    one = {leaf.pattern: leaf for leaf in leaves(doc, REQUESTS[name].shape)}
    for leaf in one.values():
        check(name, found, doc, leaf, data.draw(st.sampled_from(others(leaf))))


@for_all_kinds
@few
@given(data=st.data())
def test_one_leaf_that_differs_is_seen(name: str, data: st.DataObject) -> None:
    doc = data.draw(documents(name, False))
    found = deployed(name, doc)
    leaf = data.draw(st.sampled_from(list(leaves(doc, REQUESTS[name].shape))))
    for value in others(leaf):
        check(name, found, doc, leaf, value)


def test_what_never_differs_is_short() -> None:
    """Whatever is added to it hides a change that somebody declared: there has to be a good reason."""
    assert len(EXCEPTED) == 7


@pytest.mark.parametrize("name", ["service"])
def test_a_field_that_is_no_state_is_one_of_the_model(name: str) -> None:
    assert {"gatewayConnectors", "monitoring", "forceNewDeployment"} <= set(REQUESTS[name].shape.members)
