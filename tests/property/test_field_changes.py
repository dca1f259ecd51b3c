"""The differences of two views, held against deepdiff's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepdiff import DeepDiff
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.diff import field_changes

SCALARS = st.one_of(st.text("ab", min_size=1, max_size=2), st.integers(0, 2), st.booleans())
NAMES = st.sampled_from(["cpu", "image", "__DEBUG", "web"])
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
    lambda below: st.dictionaries(NAMES, below, min_size=1, max_size=3),
    max_leaves=8,
)
VIEWS = st.dictionaries(NAMES, VALUES, max_size=4)


def outside_lists(path: Sequence[Any]) -> str:
    """A path as far as the first list on it."""
    names = [str(part) if isinstance(part, str) else "" for part in path]
    return ".".join(names[: names.index("")] if "" in names else names)


@settings(max_examples=100)
@given(before=VIEWS, after=VIEWS)
def test_what_deepdiff_finds_is_found_and_nothing_else(before: dict[str, Any], after: dict[str, Any]) -> None:
    tree = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0, ignore_private_variables=False)
    theirs = {outside_lists(level.path(output_format="list")) for levels in tree.values() for level in levels}
    ours = {change.path for change in field_changes(before, after)}
    # deepdiff names the map that is new, or gone; here its leaves are told.
    assert all(any(path == one or path.startswith(f"{one}.") for one in theirs) for path in ours)
    gone = {one for one in theirs if not any(path == one or path.startswith(f"{one}.") for path in ours)}
    assert gone == set()


def test_numbers_are_compared_by_value() -> None:
    assert field_changes({"cpu": 1}, {"cpu": 1.0}) == ()
    assert [change.path for change in field_changes({"cpu": 1}, {"cpu": True})] == ["cpu"]
