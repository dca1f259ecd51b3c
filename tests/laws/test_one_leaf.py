"""A declared value that is another one is always seen, at its path."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import pytest
from botocore.model import StructureShape
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecsplan.core.errors import PlanningError
from ecsplan.core.model import Doc
from ecsplan.core.normalize import normal
from ecsplan.kinds.contract import Live
from ecsplan.plan.diff import diff
from tests.laws.embedded import applied, declared, live, seeded
from tests.laws.leaves import (
    EXCEPTED,
    ORDERED,
    VALUES,
    Leaf,
    changed,
    item_at,
    leaves,
    meaning,
    named,
    never_differs,
    others,
    switched_on,
)
from tests.laws.requests import REQUESTS, documents
from tests.laws.shaped import model
from tests.laws.test_every_field import few, for_all_kinds
from tests.unit.fakes_kinds import kind

# Fields on which AWS's value of others depends, so that those differ with them.
WIDER = frozenset(
    {
        "networkMode",  # the host port
        "requiresCompatibilities[]",  # the platform that Fargate has without one
        "serviceConnectConfiguration.namespace",  # the DNS name of an alias
        "serviceConnectConfiguration.services[].discoveryName",  # the same
        "FlexibleTimeWindow.Mode",  # OFF has no length
    }
)

# What a live service cannot be changed to: no plan, and the reason.
REFUSED = frozenset({"deploymentController.type"})

# Which schedule it is stands in its document, so another one is another document.
IDENTITY = frozenset({"Name", "GroupName"})

Pick: TypeAlias = tuple[Leaf, Any]  # and another value for it


def deployed(name: str, doc: Doc) -> Live:
    aws = seeded(name)
    applied(aws, name, doc)
    return live(aws, declared(name, doc))


def seen(name: str, found: Live, doc: Doc) -> list[str]:
    """The paths of what a plan shows."""
    (delta,) = diff([declared(name, doc)], {found.address: found})
    return [change.path for change in delta.change.fields]


def check(name: str, found: Live, doc: Doc, picks: Sequence[Pick]) -> None:
    """The changes of these leaves show, each at its path; that of an item's identity as an item that has come."""
    for leaf, value in picks:
        if leaf.pattern in REFUSED:
            with pytest.raises(PlanningError, match=str(leaf.keys[0])):
                seen(name, found, changed(doc, leaf, value))
    picks = [pick for pick in picks if pick[0].pattern not in REFUSED | IDENTITY]
    other = doc
    for leaf, value in picks:
        other = changed(other, leaf, value)
    paths = seen(name, found, other)
    expected = set()
    for leaf, value in picks:
        if never_differs(doc, leaf, value):
            continue
        path, identity = named(other, leaf.keys, kind(name).document.rules)
        expected.add(path)
        if identity:
            assert any(it == path or it.startswith(f"{path}.") for it in paths), (leaf, value, path, paths)
        else:
            assert path in paths, (leaf, value, path, paths)
    if not any(leaf.pattern in WIDER or alone(name, doc, leaf) for leaf, _ in picks):
        assert set(paths) == expected


def alone(name: str, doc: Doc, leaf: Leaf) -> bool:
    """Whether its change may hide that of others: of all that belongs to an item, or to what is switched off."""
    return named(doc, leaf.keys, kind(name).document.rules)[1] or leaf.keys[-1] in ("enable", "enabled")


@for_all_kinds
@settings(parent=few, max_examples=2, phases=[Phase.generate])
@given(data=st.data())
def test_any_field_that_differs_is_seen(name: str, data: st.DataObject) -> None:
    """Every field of AWS's request, each at one of its places; some at a time, to save time."""
    doc = switched_on(data.draw(documents(name, True)))
    found = deployed(name, doc)
    one = {leaf.pattern: leaf for leaf in leaves(doc, REQUESTS[name].shape)}
    picks = [(leaf, data.draw(st.sampled_from(others(leaf)))) for leaf in one.values()]
    excepted = [pick for pick in picks if never_differs(doc, *pick)]
    check(name, found, doc, excepted)
    together = []
    for leaf, value in picks:
        if alone(name, doc, leaf):
            check(name, found, doc, [(leaf, value)])
        elif (leaf, value) not in excepted:
            together.append((leaf, value))
    for start in range(0, len(together), 8):
        check(name, found, doc, together[start : start + 8])


@for_all_kinds
@few
@given(data=st.data())
def test_one_leaf_that_differs_is_seen(name: str, data: st.DataObject) -> None:
    doc = data.draw(documents(name, False))
    found = deployed(name, doc)
    leaf = data.draw(st.sampled_from(list(leaves(doc, REQUESTS[name].shape))))
    check(name, found, doc, [(leaf, data.draw(st.sampled_from(others(leaf))))])


@for_all_kinds
@settings(parent=few, max_examples=1)
@given(data=st.data())
def test_two_spellings_differ_exactly_if_aws_takes_them_for_two_values(name: str, data: st.DataObject) -> None:
    of, doc = kind(name), data.draw(documents(name, True))
    for leaf in {leaf.pattern: leaf for leaf in leaves(doc, REQUESTS[name].shape) if leaf.pattern in VALUES}.values():
        forms = [(value, normal(changed(doc, leaf, value), of.document.rules)) for value in VALUES[leaf.pattern]]
        for (one, first), (two, second) in itertools.combinations(forms, 2):
            assert (first == second) is (meaning(leaf.pattern, one) == meaning(leaf.pattern, two)), (one, two)


@pytest.mark.parametrize(("name", "pattern"), [(name, pattern) for name, all_ in ORDERED.items() for pattern in all_])
@settings(parent=few, max_examples=3)
@given(data=st.data())
def test_an_order_that_means_something_is_seen(name: str, pattern: str, data: st.DataObject) -> None:
    doc = data.draw(documents(name, True))
    texts = (leaf for leaf in leaves(doc, REQUESTS[name].shape) if not getattr(leaf.shape, "enum", None))
    leaf = next(leaf for leaf in texts if leaf.pattern.startswith(f"{pattern}[]"))
    place = leaf.keys[: pattern.count(".") + pattern.count("[]") + 1]
    item = place + leaf.keys[len(place) : len(place) + 1]
    items = item_at(doc, place)
    # Two items that differ in that text.
    items[:] = [item_at(doc, item), item_at(changed(doc, leaf, others(leaf)[0]), item)]
    found = deployed(name, doc)
    items.reverse()
    path, _ = named(doc, leaf.keys, kind(name).document.rules)
    assert seen(name, found, doc) == [path]


def test_what_never_differs_is_short() -> None:
    """Names and an action, and what AWS has no answer for: as soon as a description shows it, it can be compared."""
    answers = ("Service", "Deployment")
    shapes = [cast("StructureShape", model("ecs").shape_for(name)) for name in answers]
    described = {field for shape in shapes for field in shape.members}
    unanswered = {field for field, reason in EXCEPTED.items() if reason == "never answered"}
    assert unanswered == {"gatewayConnectors", "monitoring"}
    assert not unanswered & described
