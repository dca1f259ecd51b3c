"""Documents with every field of AWS's requests: that they have them, and the laws of their form."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecsplan.aws import api
from ecsplan.core.documents import copied
from ecsplan.core.normalize import by_identity, normal
from ecsplan.plan.diff import field_changes
from tests.laws.documents import shuffled
from tests.laws.requests import REQUESTS, documents
from tests.laws.shaped import patterns_in
from tests.unit.fakes_kinds import kind

OPERATIONS = {
    "task_definition": ("ecs", "register_task_definition"),
    "service": ("ecs", "update_service"),
    "event_targets": ("events", "put_targets"),
    "schedule": ("scheduler", "update_schedule"),
}
# A failure names the field; to make such documents smaller first would take minutes.
few = settings(
    deadline=None,
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
for_all_kinds = pytest.mark.parametrize("name", OPERATIONS)
either = pytest.mark.parametrize("whole", [True, False], ids=["every-field", "some-fields"])


def every_kind(test: object) -> object:
    return for_all_kinds(either(test))


@for_all_kinds
@settings(parent=few, max_examples=5, phases=[Phase.generate])
@given(data=st.data())
def test_a_whole_document_has_every_field_of_its_shape(name: str, data: st.DataObject) -> None:
    """So that what holds for whole documents has been seen to hold for every field that botocore knows."""
    request = REQUESTS[name]
    docs = [data.draw(one) for one in request.wholes]
    fields = {field.pattern for field in api.walk(*OPERATIONS[name])}
    refused = {one for one in fields for place in request.refused if one == place or one.startswith(f"{place}.")}
    assert fields - refused == {one for doc in docs for one in patterns_in(doc, request.shape)}


@every_kind
@few
@given(data=st.data())
def test_normalising_twice_is_normalising_once(name: str, whole: bool, data: st.DataObject) -> None:
    of = kind(name)
    doc = data.draw(documents(name, whole))
    before = copied(doc)
    once = normal(doc, of.document.rules)
    assert normal(once, of.document.rules) == once
    assert doc == before


@every_kind
@few
@given(data=st.data(), seed=st.integers(0, 9))
def test_the_order_of_a_set_says_nothing(name: str, whole: bool, data: st.DataObject, seed: int) -> None:
    of = kind(name)
    doc = data.draw(documents(name, whole))
    other = shuffled(doc, of, seed)
    assert normal(other, of.document.rules) == normal(doc, of.document.rules)
    one, two = (by_identity(normal(it, of.document.rules), of.document.rules) for it in (doc, other))
    assert field_changes(one, two) == ()
