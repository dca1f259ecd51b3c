"""Where only plain values differ, the quick way finds what deepdiff does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.core.model import Address, Ref
from ecsplan.plan.diff import _compared, field_changes

REF = Ref(address=Address("task_definition.web"), output="arn")
SCALARS = st.one_of(
    st.text("ab", max_size=2), st.integers(0, 2), st.booleans(), st.sampled_from([1.0, 2.5]), st.just(REF)
)
NAMES = st.sampled_from(["cpu", "image", "__DEBUG", "web"])
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
    lambda below: st.dictionaries(NAMES, below, min_size=1, max_size=3),
    max_leaves=8,
)
VIEWS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=100, deadline=None)
@given(before=VIEWS, after=VIEWS)
def test_the_quick_way_finds_what_deepdiff_finds(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert field_changes(before, after) == _compared(before, after)
