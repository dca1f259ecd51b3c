"""The contract of kinds: how they are found, what they need not say, and the documents that they share."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecsplan.core.checks import Request
from ecsplan.core.documents import layered, overlay, replaced, without_none
from ecsplan.core.errors import AwsError, Exit, PlanFileError
from ecsplan.core.model import Address, Call, Doc
from ecsplan.core.ports import Answer
from ecsplan.core.text import short_arn
from ecsplan.kinds import kind_of, kinds, resource_of
from ecsplan.kinds.contract import Calls, Change, Compare, CompileScope, Declare, Document, Kind, Live, Resource, Table
from ecsplan.plan.diff import without_impossible
from tests.unit.core.test_codec import ARN, CHANGE
from tests.unit.fakes_kinds import FakeAsk, before, call, candidate, compare, kind, live_of, resource

PLAIN = Kind(
    name="plain",
    order=9,
    document=Document(),
    declare=Declare(
        table=Table(key="plain", request=Request(service="ecs", operation="update_service")),
        compile=lambda _task, _scope: (),
    ),
    compare=Compare(read=lambda _reader, resources: tuple(Live(address=one.address) for one in resources)),
    change=Change(writes=frozenset(), steps=lambda _delta: ()),
    calls=Calls(accept=lambda *_: {}, recover=lambda *_: None),
)


def test_kinds_are_found_and_stand_in_reference_order() -> None:
    assert [one.name for one in kinds()] == ["task_definition", "run_task", "service", "event_targets", "schedule"]
    assert [kind_of(Address.of(one.name, "x")) for one in kinds()] == list(kinds())


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(PlanFileError, match=r"^balloon\.x: there is no kind of that name$") as caught:
        kind_of(Address("balloon.x"))
    assert caught.value.exit_code == Exit.USAGE


def test_a_change_gives_back_the_resource_that_it_came_from() -> None:
    assert resource_of(CHANGE) == Resource(
        kind=kind_of(CHANGE.address),
        address=CHANGE.address,
        task="web",
        doc={"taskDefinition": ARN},
        settings=CHANGE.settings,
        facts={"essential": ["web"]},
        keep=3,
        pinned="web:1",
        retire=("web:2",),
    )
    assert resource_of(msgspec.structs.replace(CHANGE, after=None)).doc == {}


def test_what_a_kind_need_not_say() -> None:
    sent, reader = call("x"), FakeAsk()
    one = resource("plain.x", {"a": 1}, kind=PLAIN)
    live = live_of("plain.x")
    assert compare(PLAIN).read_used(reader, [live], {}) == (live,)
    assert compare(PLAIN).merge({"a": 1}, {"b": 2}) == {"b": 2}
    assert compare(PLAIN).merge_before({"a": 1, "b": 1}, {"a": None}) == {"a": None, "b": 1}
    assert before(PLAIN, {"a": 1}, {"a": 2}, {}) == {"a": 1}
    assert PLAIN.change.blockers(one, live) == ()
    assert list(PLAIN.declare.lint({}, ())) == list(PLAIN.declare.cautions({}, (), CompileScope(tag="v1"))) == []
    assert list(PLAIN.declare.clashes({}, None)) == []
    assert PLAIN.change.subject(sent) == ""
    assert (PLAIN.track, PLAIN.revert, PLAIN.versioned) == (None, None, False)
    assert reader.rounds == []


def test_an_answer_is_its_data_or_raises_its_error() -> None:
    asked = Call(service="ecs", operation="x", params={})
    assert Answer(call=asked, data={"a": 1}).value() == {"a": 1}
    with pytest.raises(AwsError, match=r"^no$"):
        Answer(call=asked, error=AwsError("no")).value()


@pytest.mark.parametrize(
    ("live", "declared", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None, "b": {"c": None}}, {"b": {"d": 2}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": "x"}),
        ("x", "y", "y"),
    ],
)
def test_the_declared_document_is_laid_over_the_live_one(live: Any, declared: Any, expected: Any) -> None:
    assert overlay(live, declared) == expected


@pytest.mark.parametrize(
    ("newer", "older", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"b": None, "c": 2}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
    ],
)
def test_the_older_of_two_documents_wins_and_keeps_its_nulls(newer: Any, older: Any, expected: Any) -> None:
    assert layered(newer, older) == expected


def test_only_the_declared_places_that_differ_are_put_back() -> None:
    found = {"a": 1, "b": {"c": 1, "d": 1}, "e": [1], "same": 1, "other": 1}
    wanted = {"a": 2, "b": {"c": 2, "d": 1, "new": 1}, "e": [2], "same": 1, "other": 2, "made": 1}
    declared = {"a": 2, "b": {"c": 2, "d": 1, "new": 1}, "e": [2], "same": 1, "made": 1}
    assert replaced(found, wanted, declared, found) == {"a": 1, "b": {"c": 1, "new": None}, "e": [1], "made": None}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"a": "1 vCPU", "b": {"c": "0"}}, {"a": "1 vCPU", "b": {"c": "0"}}),
        ({}, {"a": "1024", "b": {"c": 0}}),
        ({"b": "text"}, {"a": "1024", "b": {"c": 0}}),
    ],
)
def test_what_aws_answered_is_put_back_as_it_was_answered(raw: Doc, expected: Doc) -> None:
    found, wanted = {"a": "1024", "b": {"c": 0}}, {"a": "512", "b": {"c": 1}}
    assert replaced(found, wanted, wanted, raw) == expected


def test_nothing_is_sent_as_null() -> None:
    assert without_none({"a": None, "b": [1], "e": {"f": None, "g": 0}}) == {"b": [1], "e": {"g": 0}}


def test_what_people_call_an_arn() -> None:
    assert short_arn("arn:aws:ecs:eu-west-1:1:task-definition/web:41") == "web:41"
    assert short_arn("arn:aws:ecs:eu-west-1:1:service/prod/web") == "web"
    assert short_arn("web") == "web"


def test_what_is_optional_and_cannot_be_done_is_left_out_and_told() -> None:
    gone = resource("event_targets.r", {"Rule": "r", "Targets": []}, optional=True)
    there = resource("service.default/web", {"service": "web", "desiredCount": 1}, optional=True)
    needed = resource("service.default/x", {"service": "x"})
    lives = {
        gone.address: live_of(gone.address),
        there.address: live_of(there.address, facts={"status": "ACTIVE"}),
        needed.address: live_of(needed.address, facts={"status": "MISSING"}),
    }
    left, said = without_impossible([gone, there, needed], lives)
    assert left == (there, needed)
    draining = lives | {there.address: live_of(there.address, candidate({}), facts={"status": "DRAINING"})}
    (kept, _), told = without_impossible([there, needed], draining)
    assert (kept.address, kept.doc) == (there.address, {"service": "web"})
    assert told == ("left out: service.default/web: service web in cluster default is DRAINING",)
    assert [one[: len("left out: event_targets.r:")] for one in said] == ["left out: event_targets.r:"]


UNKNOWN, INACTIVE = "Unable to describe task definition.", "TaskDefinition is inactive"
CONCURRENT = "Too many concurrent attempts to create a new revision of the specified family."


@pytest.mark.parametrize(
    ("name", "code", "message", "retryable"),
    [
        ("service", "ClientException", UNKNOWN, True),
        ("service", "ClientException", "TaskDefinition not found.", True),
        ("service", "ClientException", INACTIVE, False),
        ("run_task", "ClientException", UNKNOWN, True),
        ("task_definition", "ClientException", UNKNOWN, False),
        ("task_definition", "ClientException", CONCURRENT, True),
        ("service", "ClientException", CONCURRENT, False),
        ("event_targets", "ConcurrentModificationException", "x", True),
        ("event_targets", "ManagedRuleException", "x", False),
    ],
)
def test_what_may_succeed_later(name: str, code: str, message: str, retryable: bool) -> None:
    assert kind(name).calls.retryable(AwsError(message, code=code)) is retryable
    assert not PLAIN.calls.retryable(AwsError(message, code=code))
