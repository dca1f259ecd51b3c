"""One leaf of a live schedule is changed by a deployment and rolled back: AWS answers as before, to the letter."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from ecsplan.core.model import Call, Doc
from tests.laws.embedded import Embedded, applied, seeded
from tests.laws.leaves import EXCEPTED, Leaf, changed, item_at, leaves
from tests.laws.requests import REQUESTS, documents
from tests.laws.test_every_field import few

DATES = ("CreationDate", "LastModificationDate")


def answered(aws: Embedded) -> Doc:
    found = aws.send("scheduler", "get_schedule", Name="nightly")
    return {name: value for name, value in found.items() if name not in DATES}


def other_leaves(one: Doc, two: Doc) -> list[tuple[Leaf, Any]]:
    """The leaves of a document that have another value at the same place of a second one."""
    found = []
    for leaf in leaves(one, REQUESTS["schedule"].shape):
        try:
            value = item_at(two, leaf.keys)
        except (KeyError, IndexError):
            continue
        if value != leaf.value and str(leaf.keys[0]) not in EXCEPTED:
            found.append((leaf, value))
    return found


@settings(parent=few, max_examples=8, phases=[Phase.generate])
@given(data=st.data())
def test_a_leaf_that_was_changed_and_rolled_back_is_as_it_was(data: st.DataObject) -> None:
    """Rolled back in both ways: by the undo of the step, and by what the journal keeps."""
    one, two = data.draw(documents("schedule", True)), data.draw(documents("schedule", True))
    picks = other_leaves(one, two)
    assume(picks)
    aws = seeded("schedule")
    applied(aws, "schedule", one)
    before = answered(aws)
    for leaf, value in picks:
        wanted = changed(one, leaf, value)
        delta = applied(aws, "schedule", wanted)
        (draft,) = delta.kind.change.steps(delta) if delta.change.fields else (None,)
        if draft is None:  # another spelling of the same value
            assert answered(aws) == before
            continue
        assert answered(aws) != before, leaf
        assert isinstance(draft.undo, Call)
        aws.do(draft.undo)
        assert answered(aws) == before, leaf
        assert delta.change.before is not None
        applied(aws, "schedule", wanted)
        applied(aws, "schedule", delta.change.before)
        assert answered(aws) == before, leaf
