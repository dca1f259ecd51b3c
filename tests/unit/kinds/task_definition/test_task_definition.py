"""Task definitions: what is declared, how revisions are read, registered, retired and found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.session import Session

from ecsplan.aws.api import members
from ecsplan.core.errors import AwsError, RefusedError
from ecsplan.core.model import Action, Address, Call, Doc, Irreversible, Phase, Ref
from ecsplan.kinds.contract import Live, Resource
from ecsplan.kinds.task_definition.read import family, revision_of, same_family
from tests.support.specs import container, spec
from tests.unit.fakes_kinds import (
    FakeAsk,
    call,
    candidate,
    compare,
    compiled,
    delta_of,
    describe,
    kind,
    listed,
    live_of,
    resource,
    revision,
    spec_of,
    step_of,
)

KIND = kind("task_definition")
WEB = "task_definition.web"
OWN = Ref(address=Address(WEB), output="arn")


def doc(image: str = "web:41", **fields: Any) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": image, "memory": 64}]} | fields


def web(**more: Any) -> Resource:
    return resource(WEB, doc(), **more)


def active(*numbers: int) -> list[str]:
    return [revision(f"web:{number}") for number in numbers]


# --- what is declared ---


def declared(tag: str = "v42", **definition: Any) -> Doc:
    data = spec({"task_definition": doc() | definition})
    return compiled(data, tag)[Address(WEB)].doc


def test_the_tag_is_put_in_images_and_nowhere_else() -> None:
    containers = [
        container(
            image="repo:5000/{image_tag}/web:{image_tag}",
            command=["echo", "{image_tag}"],
            environment=[{"name": "TAG", "value": "{image_tag}"}],
        ),
        container("log", image="log:1"),
        container("odd", image="odd:{tag}-{image_tag}"),
    ]
    found = declared("000", containerDefinitions=containers)["containerDefinitions"]
    assert [one["image"] for one in found] == ["repo:5000/000/web:000", "log:1", "odd:{tag}-000"]
    assert (found[0]["command"], found[0]["environment"][0]["value"]) == (["echo", "{image_tag}"], "{image_tag}")


def test_a_second_tag_does_not_find_the_first_one() -> None:
    loaded = spec_of(spec({"task_definition": doc("web:{image_tag}")}))
    from ecsplan.plan.compile import compile_spec

    images = [compile_spec(loaded, tag)[0].doc["containerDefinitions"][0]["image"] for tag in ("v1", "v2")]
    assert images == ["web:v1", "web:v2"]


def test_numbers_become_text_where_aws_wants_text() -> None:
    variables = [{"name": name, "value": value} for name, value in [("A", 1), ("B", True), ("C", "x"), ("D", 1.5)]]
    found = declared(cpu=256, memory="512", containerDefinitions=[container(cpu=10, environment=variables)])
    assert (found["cpu"], found["memory"], found["containerDefinitions"][0]["cpu"]) == ("256", "512", 10)
    values = [variable["value"] for variable in found["containerDefinitions"][0]["environment"]]
    assert values == ["1", "true", "x", "1.5"]


def test_empty_tags_are_not_sent() -> None:
    assert "tags" not in declared(tags=[])
    assert declared(tags=[{"key": "a", "value": "b"}])["tags"] == [{"key": "a", "value": "b"}]


def test_how_many_to_keep_comes_from_the_task() -> None:
    data = spec({"task_definition": doc(), "active_task_count": 3})
    assert compiled(data)[Address(WEB)].keep == 3


# --- reading ---


@pytest.mark.parametrize("answer", [{}, {"taskDefinition": {}}, {"taskDefinition": {"family": "web"}}])
def test_an_answer_that_names_no_revision_is_an_error(answer: Doc) -> None:
    with pytest.raises(AwsError, match=r"^ecs:describe_task_definition: the answer names no revision$"):
        compare(KIND).read(FakeAsk().on(describe("web"), answer).on(listed("web"), {}), [web()])


def test_everything_is_asked_for_at_once_and_later_pages_together() -> None:
    other = resource("task_definition.log", {"family": "log", "containerDefinitions": []})
    second = {name: call("list_task_definitions", **listed(name).params, nextToken="2") for name in ("web", "log")}
    reader = (
        FakeAsk()
        .on(describe("web"), {"taskDefinition": doc(taskDefinitionArn=revision("web:12"), status="ACTIVE")})
        .on(listed("web"), {"taskDefinitionArns": active(12, 11), "nextToken": "2"})
        .on(describe("log"), {"taskDefinition": {"taskDefinitionArn": revision("log:1")}})
        .on(listed("log"), {"taskDefinitionArns": [revision("log:1")], "nextToken": "2"})
        .on(second["web"], {"taskDefinitionArns": [*active(9), revision("web-2:3")]})
        .on(second["log"], {"taskDefinitionArns": [], "nextToken": "2"})
    )
    first, log = compare(KIND).read(reader, [web(), other])
    assert reader.rounds == [(describe("web"), listed("web"), describe("log"), listed("log")),
                          (second["web"], second["log"])]  # fmt: skip
    assert first.facts == {"family": "web", "active": active(12, 11, 9), "pinned": ""}
    assert first.candidates == (candidate(doc(), arn=revision("web:12")),)
    assert log.facts["active"] == [revision("log:1")]


def test_revisions_are_ordered_by_number_and_others_families_left_out() -> None:
    reader = FakeAsk().on(describe("web"), {"taskDefinition": doc(taskDefinitionArn=revision("web:10"))})
    reader.on(listed("web"), {"taskDefinitionArns": [*active(9, 10, 2), revision("web-x:99")]})
    (live,) = compare(KIND).read(reader, [web()])
    assert live.facts["active"] == active(10, 9, 2)
    assert live.observed == ["web:10", "web:9", "web:2"]


def test_what_cannot_be_registered_is_left_out_and_aws_own_tags_too() -> None:
    # What this botocore's answer has beyond its request, and what a newer one may have.
    shape: Any = Session().get_service_model("ecs").shape_for("TaskDefinition")
    unknown_fields = shape.members.keys() - members("ecs", "register_task_definition") | {"addedLater"}
    extra = {field: "x" for field in unknown_fields if field not in ("status", "taskDefinitionArn")}
    tags = [{"key": "aws:cloudformation:stack", "value": "x"}, {"key": "team", "value": "y"}]
    described = {"taskDefinition": doc(**extra, status="ACTIVE", taskDefinitionArn=revision("web:1")), "tags": tags}
    (live,) = compare(KIND).read(FakeAsk().on(describe("web"), described).on(listed("web"), {}), [web()])
    assert live.candidates[0].doc == doc(tags=[{"key": "team", "value": "y"}])


def test_a_family_that_is_new() -> None:
    (live,) = compare(KIND).read(FakeAsk().family("web", None, ()), [web()])
    assert (live.candidates, live.facts["active"]) == ((), [])


@pytest.mark.parametrize(("code", "numbers"), [("AccessDeniedException", ()), ("ClientException", (1,))])
def test_a_refusal_that_is_not_about_a_new_family_is_raised(code: str, numbers: tuple[int, ...]) -> None:
    reader = FakeAsk().refuse(describe("web"), code, "no such right").on(listed("web"), {"taskDefinitionArns":
                                                                                     active(*numbers)})  # fmt: skip
    with pytest.raises(AwsError, match=r"^no such right$"):
        compare(KIND).read(reader, [web()])


def test_a_listing_that_is_refused_is_raised() -> None:
    reader = FakeAsk().on(describe("web"), {"taskDefinition": doc(taskDefinitionArn=revision("web:1"))})
    with pytest.raises(AwsError, match=r"^not you$"):
        compare(KIND).read(reader.refuse(listed("web"), "AccessDeniedException", "not you"), [web()])


def test_revisions_in_use_come_first_and_are_asked_for_once() -> None:
    reader = FakeAsk().family("web", doc("web:42"), (42, 41))
    (live,) = compare(KIND).read(reader, [web()])
    reader.on(describe(revision("web:40")), {"taskDefinition": doc("web:40", taskDefinitionArn=revision("web:40"),
                                                                status="INACTIVE")})  # fmt: skip
    used = {live.address: [*active(40, 42, 40), revision("other:1"), "web", revision("web")]}
    (found,) = compare(KIND).read_used(reader, [live], used)
    assert reader.rounds[1:] == [(describe(revision("web:40")),)]
    assert [(one.outputs["arn"], one.reusable) for one in found.candidates] == [
        (revision("web:42"), True),
        (revision("web:40"), False),
    ]
    assert found.observed == {"active": ["web:42", "web:41"], "known": {"web:42": True, "web:40": False}}


def test_nothing_more_is_asked_where_the_newest_is_in_use() -> None:
    reader = FakeAsk().family("web", doc(), (41,))
    (live,) = compare(KIND).read(reader, [web()])
    (found,) = compare(KIND).read_used(reader, [live], {})
    assert len(reader.rounds) == 1
    assert found.candidates == live.candidates


def test_a_revision_in_use_that_ecs_has_forgotten_is_no_candidate() -> None:
    reader = FakeAsk().family("web", doc(), (41,)).refuse(describe(revision("web:2")), "InvalidParameterException")
    (live,) = compare(KIND).read(reader, [web()])
    (found,) = compare(KIND).read_used(reader, [live], {live.address: active(2)})
    assert found.candidates == live.candidates


def test_a_pinned_revision_stands_for_what_is_declared() -> None:
    pinned = resource(WEB, {}, pinned=revision("web:7"))
    old = doc("web:7", taskDefinitionArn=revision("web:7"), status="INACTIVE")
    reader = FakeAsk().family("web", doc(), (41,)).on(describe(revision("web:7")), {"taskDefinition": old})
    (live,) = compare(KIND).read(reader, [pinned])
    assert len(reader.rounds) == 1
    assert live.wanted == doc("web:7")
    (found,) = compare(KIND).read_used(reader, [live], {live.address: active(41)})
    assert [one.outputs["arn"] for one in found.candidates] == active(41, 7)
    assert KIND.change.blockers(pinned, live) == ()


def test_a_pinned_revision_that_nobody_knows() -> None:
    pinned = resource("task_definition.web:7", {}, pinned="web:7")
    reader = FakeAsk().family("web", doc(), (41,)).refuse(describe("web:7"), "ClientException")
    (live,) = compare(KIND).read(reader, [pinned])
    assert KIND.change.blockers(pinned, live) == ("revision web:7 is no longer known to ECS, nor to the journal",)
    assert KIND.change.blockers(resource(WEB, doc(), pinned="web:7"), live) == ()


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (resource("task_definition.x", {"family": "web"}), "web"),
        (resource("task_definition.web:7", {}, pinned=revision("web:7")), "web"),
        (resource("task_definition.web", {}), "web"),
    ],
)
def test_the_family_of_a_resource(one: Resource, expected: str) -> None:
    assert family(one) == expected


def test_parts_of_arns() -> None:
    assert (revision_of(revision("web:41")), revision_of("web")) == (41, 0)
    assert same_family(revision("web:41"), "web")
    assert not same_family(revision("web-2:41"), "web")
    assert not same_family("web:41", "web")


# --- changing ---


def test_one_registration_and_its_undo() -> None:
    live = live_of(WEB, candidate(doc("web:40"), arn=revision("web:40")), facts={"active": active(40, 39)})
    (draft,) = KIND.change.steps(delta_of(web(), live))
    assert (draft.phase, draft.action) == (Phase.REGISTER, Action.CREATE)
    assert draft.call == call("register_task_definition", **doc())
    assert draft.undo == call("deregister_task_definition", taskDefinition=OWN)
    assert [field.path for field in draft.changes] == ["containers.web.image"]
    assert (draft.note, draft.expect) == ("a new revision, after web:40", {"newest": 40})


def test_what_a_new_revision_is_compared_with_is_named_where_it_is_not_the_newest() -> None:
    live = live_of(WEB, candidate(doc("web:38"), arn=revision("web:38")), facts={"active": active(40, 39)})
    (draft,) = KIND.change.steps(delta_of(web(), live))
    assert draft.note == "a new revision, after web:40, compared with web:38"


def test_tags_that_others_put_there_are_sent_again() -> None:
    live = live_of(WEB, candidate(doc("web:40", tags=[{"key": "a", "value": "b"}]), arn="x"))
    (draft,) = KIND.change.steps(delta_of(web(), live))
    assert draft.call.params == doc(tags=[{"key": "a", "value": "b"}])


def test_the_note_tells_a_first_revision_from_one_that_is_inactive() -> None:
    (first,) = KIND.change.steps(delta_of(web(), live_of(WEB)))
    assert (first.note, first.expect) == ("the first revision", {"newest": 0})
    (again,) = KIND.change.steps(
        delta_of(web(), live_of(WEB, candidate(doc(), reusable=False, arn=revision("web:40"))))
    )
    assert again.note != "the first revision"


@pytest.mark.parametrize(
    ("declared", "candidates", "numbers", "used", "gone"),
    [
        # a new revision will be registered: it is the first of those to keep
        (web(keep=2), (), (5, 4, 3), (), (3, 4)),
        (web(keep=1), (), (5, 4), (5,), (4,)),
        (web(keep=10), (), (5, 4), (), ()),
        (web(keep=None), (), (5, 4), (), ()),
        # the newest is kept as it is
        (web(keep=2), (5,), (5, 4, 3), (), (3,)),
        (web(keep=1), (5,), (5, 4, 3), (3,), (4,)),
        # an older one is used again: never itself
        (web(keep=1), (3,), (5, 4, 3), (), (4,)),
        # a rollback: what it goes back from, if ACTIVE and unused
        (web(keep=1, pinned=revision("web:3"), retire=tuple(active(5, 4, 99))), (3,), (5, 4, 3, 2), (4,), (5,)),
        (web(keep=1, pinned=revision("web:3")), (3,), (5, 4, 3), (), ()),
    ],
)
def test_what_is_deregistered(
    declared: Resource, candidates: Sequence[int], numbers: Sequence[int], used: Sequence[int], gone: Sequence[int]
) -> None:
    found = (candidate(doc(), arn=revision(f"web:{number}")) for number in candidates)
    live = live_of(WEB, *found, facts={"active": active(*numbers)})
    drafts = KIND.change.cleanup(delta_of(declared, live), frozenset(active(*used)))
    assert [draft.call.params["taskDefinition"] for draft in drafts] == active(*gone)
    assert [draft.note for draft in drafts] == [f"web:{number}" for number in gone]
    assert all(isinstance(draft.undo, Irreversible) and draft.phase is Phase.RETIRE for draft in drafts)


def test_what_a_rollback_made_is_taken_away_where_nothing_was_before() -> None:
    gone = resource(WEB, {}, retire=tuple(active(1)))
    live = live_of(WEB, candidate(doc(), arn=revision("web:1")), facts={"active": active(1)})
    assert [draft.note for draft in KIND.change.cleanup(delta_of(gone, live), frozenset())] == ["web:1"]


# --- what was answered, and what was not ---

REGISTER = step_of(WEB, call("register_task_definition", **doc()), action=Action.CREATE, expect={"newest": 41})
RETIRE = step_of(WEB, call("deregister_task_definition", taskDefinition=revision("web:1")), action=Action.DELETE)


def test_the_arn_is_passed_on() -> None:
    answer = {"taskDefinition": {"taskDefinitionArn": "x"}}
    assert KIND.calls.accept(REGISTER, REGISTER.call, answer) == {"arn": "x"}
    with pytest.raises(RefusedError, match=r"^task_definition\.web: ecs:register_task_definition was answered without"):
        KIND.calls.accept(REGISTER, REGISTER.call, {})


def test_a_registration_whose_answer_was_lost_is_found_among_newer_revisions() -> None:
    reader = FakeAsk().on(listed("web"), {"taskDefinitionArns": [*active(44, 43, 42, 41), revision("web-x:50")]})
    reader.on(describe(revision("web:42")), {"taskDefinition": doc("other:1", taskDefinitionArn="42")})
    reader.on(describe(revision("web:43")), {"taskDefinition": doc(taskDefinitionArn="43", status="INACTIVE")})
    reader.on(describe(revision("web:44")), {"taskDefinition": doc(taskDefinitionArn="44", cpu=None)})
    assert KIND.calls.recover(reader, REGISTER, REGISTER.call) == {"arn": "44"}
    assert len(reader.rounds) == 2


def test_a_registration_that_did_not_happen() -> None:
    reader = FakeAsk().on(listed("web"), {"taskDefinitionArns": active(41)})
    assert KIND.calls.recover(reader, REGISTER, REGISTER.call) is None
    reader = FakeAsk().on(listed("web"), {"taskDefinitionArns": active(42)}).refuse(describe(revision("web:42")),
                                                                               "ClientException")  # fmt: skip
    assert KIND.calls.recover(reader, REGISTER, REGISTER.call) is None


@pytest.mark.parametrize(("status", "done"), [("INACTIVE", True), ("DELETE_IN_PROGRESS", True), ("ACTIVE", False)])
def test_a_deregistration_is_known_by_the_status(status: str, done: bool) -> None:
    arn = revision("web:1")
    reader = FakeAsk().on(describe(arn), {"taskDefinition": {"taskDefinitionArn": arn, "status": status}})
    assert KIND.calls.recover(reader, RETIRE, RETIRE.call) == ({"arn": arn} if done else None)


def test_a_deregistered_revision_may_be_gone_altogether() -> None:
    arn = revision("web:1")
    reader = FakeAsk().refuse(describe(arn), "ClientException")
    assert KIND.calls.recover(reader, RETIRE, RETIRE.call) == {"arn": arn}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (call("register_task_definition", family="web"), "web"),
        (call("deregister_task_definition", taskDefinition=revision("web:1")), "web"),
        (call("deregister_task_definition", taskDefinition=OWN), ""),
    ],
)
def test_which_family_a_call_concerns(asked: Call, name: str) -> None:
    assert KIND.change.subject(asked) == name


def test_a_kind_only_writes_what_it_says() -> None:
    live: Live = live_of(WEB, facts={"active": active(3, 2, 1)})
    delta = delta_of(web(keep=1), live)
    drafts = [*KIND.change.steps(delta), *KIND.change.cleanup(delta, frozenset())]
    sent = {str(each) for draft in drafts for each in (draft.call, draft.undo) if isinstance(each, Call)}
    assert sent == KIND.change.writes
