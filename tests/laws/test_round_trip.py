"""What is declared with any field of AWS's requests, through the embedded AWS and back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

from botocore.model import ListShape, Shape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from ecsplan.core.documents import pruned
from ecsplan.core.model import Action, Doc
from ecsplan.core.normalize import Default, Derive, Rule, normal, places
from tests.laws.embedded import applied, declared, live, planned, seeded
from tests.laws.requests import documents
from tests.laws.shaped import model
from tests.laws.test_every_field import every_kind, few
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
    back, sent = normal(found.doc, of.document.rules), normal(doc, of.document.rules)
    if name in ("service", "schedule"):  # which keep what is not declared
        back = {field: value for field, value in back.items() if field in doc}
        sent = {field: value for field, value in sent.items() if field in doc}
    assert back == sent


# --- answers of another AWS than the installed botocore's ---

MORE = st.sampled_from(["new", 1, True, ["new"], {"new": 1}, [{"name": "new"}]])
OUTPUTS = {
    "DescribeTaskDefinition": "ecs",
    "DescribeServices": "ecs",
    "ListTargetsByRule": "events",
    "GetSchedule": "scheduler",
}


def newer(answer: Any, shape: Shape, more: Any) -> Any:
    """An answer with a member that no model knows in each of its structures."""
    match shape.type_name:
        case "structure" if not getattr(shape, "is_document_type", False):
            members = cast("StructureShape", shape).members
            return {"addedLater": more} | {k: newer(v, members[k], more) for k, v in answer.items() if k in members}
        case "list":
            return [newer(item, cast("ListShape", shape).member, more) for item in answer]
    return answer


@every_kind
@few
@given(data=st.data(), more=MORE)
def test_what_a_newer_aws_answers_is_no_difference(name: str, whole: bool, data: st.DataObject, more: Any) -> None:
    aws, doc = seeded(name), data.draw(documents(name, whole))
    applied(aws, name, doc)

    def seen(operation: str, answer: Doc) -> Doc:
        if operation not in OUTPUTS:
            return answer
        shape = model(OUTPUTS[operation]).operation_model(operation).output_shape
        changed: Doc = newer(answer, cast("Shape", shape), more)
        return changed

    aws.seen = seen
    again = planned(aws, name, doc)
    assert again.change.fields == ()
    assert again.change.action is Action.KEEP


def older(doc: Doc, rules: Sequence[Rule], chance: random.Random) -> None:
    """Takes away, in place, some of what AWS has come to fill in."""
    for rule in reversed(rules):
        if not isinstance(rule, Default | Derive):
            continue
        for parent, field in places(doc, rule.path):
            value = parent.pop(field, None)
            filled = rule.value if isinstance(rule, Default) else rule.of(doc, parent)
            # A block of nothing but defaults was sent, and is answered.
            if value is not None and (value != filled or not pruned(parent) or chance.random() < 0.3):
                parent[field] = value


@every_kind
@few
@given(data=st.data(), seed=st.integers(0, 99))
def test_what_an_older_aws_did_not_fill_in_is_no_difference(
    name: str, whole: bool, data: st.DataObject, seed: int
) -> None:
    of, aws, doc = kind(name), seeded(name), data.draw(documents(name, whole))
    applied(aws, name, doc)

    def seen(operation: str, answer: Doc) -> Doc:
        """Without defaults wherever a kind reads them: in the answer, in its service, and in that one's deployments."""
        service = answer.get("services", [{}])[0]
        for found in (answer, answer.get("taskDefinition", {}), service, *service.get("deployments", ())):
            older(found, of.document.rules, random.Random(seed))
        return answer

    aws.seen = seen
    again = planned(aws, name, doc)
    assert again.change.fields == ()
    assert again.change.action is Action.KEEP
