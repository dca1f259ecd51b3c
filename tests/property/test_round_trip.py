"""What is declared with any field of AWS's requests, through the embedded AWS and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsplan.model import Action, Doc
from ecsplan.normalize import normal
from tests.property.embedded import applied, declared, live, planned, seeded
from tests.property.requests import documents
from tests.property.test_every_field import every_kind, few
from tests.unit.fakes_kinds import kind


@every_kind
@few
@given(data=st.data())
def test_a_plan_after_an_apply_is_empty(name: str, whole: bool, data: st.DataObject) -> None:
    aws = seeded(name)
    first = data.draw(documents(name, False))
    wanted = data.draw(documents(name, whole))
    for doc in (first, wanted):
        applied(aws, name, doc)
        again = planned(aws, name, doc)
        assert again.change.fields == ()
        assert again.change.action is Action.KEEP


@every_kind
@few
@given(data=st.data())
def test_what_went_through_aws_and_back_is_what_was_declared(name: str, whole: bool, data: st.DataObject) -> None:
    of, aws = kind(name), seeded(name)
    doc = data.draw(documents(name, whole))
    applied(aws, name, doc)
    (found,) = live(aws, declared(name, doc)).candidates
    back, sent = normal(found.doc, of.rules), normal(doc, of.rules)
    if name == "service":  # which keeps what is not declared
        back = {field: value for field, value in back.items() if field in doc}
        sent = {field: value for field, value in sent.items() if field in doc}
    assert back == sent


@pytest.fixture
def nothing() -> Doc:
    return {}
