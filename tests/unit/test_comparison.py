"""Every field of the requests that are compared: the rule that it gets, and that without one it is compared exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from comparison import beyond, comparison_text, place, treatment

from ecsplan.aws.api import Field, walk
from ecsplan.core.model import Doc
from ecsplan.core.normalize import normal
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import Kind
from ecsplan.plan.explain import NO_ROW, deciding
from tests.conftest import Golden
from tests.support.paths import DOCS

DOCUMENT = DOCS / "comparison.md"
COMPARED = [kind for kind in kinds() if kind.compare is not None]
FIELDS = [
    pytest.param(kind, field, id=f"{kind.name}-{field.pattern}")
    for kind in COMPARED
    for field in walk(kind.declare.table.request.service, kind.declare.table.request.operation)
]
# What a value of each type may be, and another one.
VALUES: dict[str, tuple[Any, Any]] = {
    "string": ("one", "two"),
    "integer": (3, 4),
    "long": (3, 4),
    "float": (3.0, 4.0),
    "double": (3.0, 4.0),
    "boolean": (True, False),
    "list": (["one", "two"], ["two", "one"]),
    "map": ({"a": "one"}, {"a": "two"}),
}


# Where one of a pair is nothing without the other.
PAIRED = {"containerDefinitions[].environment[].name": {"value": "one"}}


def holding(pattern: str, value: Any, beside: Mapping[str, Doc]) -> Doc:
    """A document with nothing in it but one field."""
    doc: Any = value
    parts = pattern.replace("[]", ".[]").replace("{}", ".{}").split(".")
    for depth, part in enumerate(reversed(parts)):
        doc = [doc] if part == "[]" else {"anything" if part == "{}" else part: doc}
        if depth == 0 and pattern in beside:
            doc |= beside[pattern]
    assert isinstance(doc, dict)
    return doc


def test_the_document_is_up_to_date(golden: Golden) -> None:
    golden(DOCUMENT, comparison_text())


def test_all_kinds_that_compare_are_in_it() -> None:
    titles = [line for line in comparison_text().splitlines() if line.startswith("## ")]
    assert titles == ["## RegisterTaskDefinition", "## UpdateService", "## PutTargets", "## UpdateSchedule"]


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_field_without_a_rule_is_compared_exactly(kind: Kind, field: Field) -> None:
    said = treatment(field, kind)
    _, rows = deciding(place(field), kind.document.rules)
    if rows or field.type == "structure":
        assert said
        assert NO_ROW not in said
        return
    one, two = VALUES[field.type]
    before, after = (holding(field.pattern, value, PAIRED) for value in (one, two))
    assert said.startswith("compared exactly")
    assert normal(before, kind.document.rules) != normal(after, kind.document.rules)
    assert normal(before, kind.document.rules) != normal({}, kind.document.rules)


@pytest.mark.parametrize("kind", COMPARED, ids=lambda kind: kind.name)
def test_every_rule_names_a_field_that_there_is(kind: Kind) -> None:
    """A row with a slip in its path would do nothing, silently. Fields that answers have and requests do not, or that
    are newer than botocore, are listed here by name."""
    known: dict[str, set[str]] = {
        "task_definition": set(),
        "service": {"schedulingStrategy"},  # answered, and not to be changed
        "event_targets": {"absent"},  # ecsplan's own, in a rollback's documents
        "schedule": set(),
    }
    assert set(beyond(kind)) == known[kind.name]
