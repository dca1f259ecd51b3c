"""Targets of EventBridge rules: pointed at the revision, with everything else about them as it is live."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import AwsError, PlanningError, RefusedError
from ecsplan.core.model import Action, Address, Call, Doc, Phase, Ref
from ecsplan.kinds.contract import Live, Resource, StepDraft
from ecsplan.kinds.event_targets.read import listing
from tests.support.specs import spec, task
from tests.unit.fakes_kinds import (
    CLUSTER,
    FakeAsk,
    before,
    call,
    candidate,
    compare,
    compiled,
    delta_of,
    identity_of,
    kind,
    live_of,
    resource,
    revision,
    revision_only,
    step_of,
)

KIND = kind("event_targets")
NIGHTLY = "event_targets.nightly"
ARN = Ref(address=Address("task_definition.web"), output="arn")
OLD, NEW = revision("web:41"), revision("web:42")


def ask_for(rule: str = "nightly", **more: Any) -> Call:
    return call("list_targets_by_rule", "events", Rule=rule, **more)


def target(name: str = "report", arn: str = OLD, **fields: Any) -> Doc:
    """A target as it is live."""
    ecs = {"TaskDefinitionArn": arn, "TaskCount": 1}
    return {"Id": name, "Arn": CLUSTER, "RoleArn": "arn:r", "EcsParameters": ecs, "Input": '{"a":1}'} | fields


def wanted(*targets: Doc, **more: Any) -> Resource:
    return resource(NIGHTLY, {"Rule": "nightly", "Targets": list(targets)} | more)


def on(name: str = "report", arn: Any = NEW, **fields: Any) -> Doc:
    """A target as it is declared."""
    return {"Id": name, "EcsParameters": {"TaskDefinitionArn": arn}} | fields


def live(*targets: Doc) -> Live:
    return live_of(NIGHTLY, candidate({"Rule": "nightly", "Targets": list(targets)}))


def test_a_target_without_a_name_is_none() -> None:
    (found,) = compare(KIND).read(FakeAsk().on(ask_for(), {"Targets": [{"Arn": CLUSTER}, target()]}), [wanted(on())])
    assert [one["Id"] for one in found.candidates[0].doc["Targets"]] == ["report"]


def drafts(declared: Resource, found: Live) -> tuple[StepDraft, ...]:
    return KIND.change.steps(delta_of(declared, found))


def put(*targets: Doc) -> Call:
    return call("put_targets", "events", Rule="nightly", Targets=list(targets))


def remove(*names: str) -> Call:
    return call("remove_targets", "events", Rule="nightly", Ids=list(names))


# --- what is declared ---


def test_each_target_is_put_on_the_revision_unless_it_declares_its_own() -> None:
    targets: list[Doc] = [
        {"Id": "report"},
        {"Id": "clean", "EcsParameters": {"TaskCount": 2}},
        {"Id": "other", "EcsParameters": {"TaskDefinitionArn": "arn:own"}},
    ]
    entry = {"Rule": "nightly", "Targets": targets}
    (rule,) = [one for one in compiled(spec(task("web", services=(), events__put_targets=[entry]))).values()
               if one.address.kind == "event_targets"]  # fmt: skip
    assert rule.address == NIGHTLY
    assert [one["EcsParameters"] for one in rule.doc["Targets"]] == [
        {"TaskDefinitionArn": ARN},
        {"TaskCount": 2, "TaskDefinitionArn": ARN},
        {"TaskDefinitionArn": "arn:own"},
    ]
    moved = {"Rule": "nightly", "Targets": [on("report", ARN), on("clean", ARN)]}
    assert revision_only(KIND)(rule.doc, frozenset({ARN.address})) == moved
    assert revision_only(KIND)(rule.doc, frozenset()) == {"Rule": "nightly", "Targets": []}
    assert identity_of(KIND)(rule.doc) == {"Rule": "nightly", "Targets": []}


@pytest.mark.parametrize(
    ("bus", "address"),
    [
        ({}, "nightly"),
        ({"EventBusName": "default"}, "nightly"),
        ({"EventBusName": "shop"}, "shop/nightly"),
        ({"EventBusName": "arn:aws:events:eu-west-1:123456789012:event-bus/shop"}, "shop/nightly"),
    ],
)
def test_a_rule_is_named_with_its_bus(bus: Doc, address: str) -> None:
    entry = {"Rule": "nightly", "Targets": [{"Id": "a"}]} | bus
    found = compiled(spec(task("web", services=(), events__put_targets=[entry])))
    assert Address.of("event_targets", address) in found


def test_a_rule_of_two_tasks_is_one_resource() -> None:
    data = spec(
        task("web", services=(), rules=(("nightly", ("a",)), ("hourly", ("a",)))),
        task("log", services=(), rules=(("nightly", ("b",)),)),
    )
    found = compiled(data)
    assert [one.name for one in found if one.kind == "event_targets"] == ["nightly", "hourly"]
    nightly = found[Address(NIGHTLY)]
    log = Ref(address=Address("task_definition.log"), output="arn")
    assert nightly.doc == {"Rule": "nightly", "Targets": [on("a", ARN), on("b", log)]}
    assert nightly.task == "web"
    assert revision_only(KIND)(nightly.doc, frozenset({log.address}))["Targets"] == [on("b", log)]


def test_a_call_concerns_its_rule() -> None:
    assert KIND.change.subject(put(target())) == "nightly"
    assert KIND.change.subject(call("remove_targets", "events", Rule="r", EventBusName="bus", Ids=[])) == "bus/r"


# --- reading ---


def test_all_rules_are_asked_for_at_once_and_every_page_is_read() -> None:
    reader = (
        FakeAsk()
        .on(ask_for(), {"Targets": [target("a")], "NextToken": "2"})
        .on(ask_for(NextToken="2"), {"Targets": [target("b")], "NextToken": "3"})
        .on(ask_for(NextToken="3"), {"Targets": [target("a", NEW)]})
        .on(ask_for("r", EventBusName="bus"), {"Targets": []})
    )
    other = resource("event_targets.bus/r", {"Rule": "r", "EventBusName": "bus", "Targets": []})
    first, second = compare(KIND).read(reader, [wanted(), other])
    assert [len(asked) for asked in reader.rounds] == [2, 1, 1]
    assert first.candidates[0].doc == {"Rule": "nightly", "Targets": [target("a", NEW), target("b")]}
    assert second.candidates[0].doc == {"Rule": "r", "EventBusName": "bus", "Targets": []}


def test_a_page_that_names_itself_ends_the_reading() -> None:
    reader = FakeAsk().on(ask_for(), {"Targets": [target("a")], "NextToken": "x"})
    reader.on(ask_for(NextToken="x"), {"Targets": [target("b")], "NextToken": "x"})
    (found,) = compare(KIND).read(reader, [wanted()])
    assert [one["Id"] for one in found.candidates[0].doc["Targets"]] == ["a", "b"]


def test_a_rule_that_is_not_there_and_one_that_may_not_be_seen() -> None:
    (found,) = compare(KIND).read(FakeAsk().refuse(ask_for(), "ResourceNotFoundException"), [wanted()])
    assert (found.candidates, found.observed) == ((), "missing")


def test_a_bus_that_is_not_there_is_told_apart_from_a_rule_that_is_not_there() -> None:
    shop = wanted(on(), EventBusName="arn:aws:events:eu-west-1:123456789012:event-bus/shop")
    call = listing(shop.doc)
    for message, said in (
        ("Event bus shop does not exist.", "there is no event bus shop;"),
        ("Rule nightly does not exist on EventBus shop.", "there is no rule nightly on the event bus shop;"),
    ):
        reader = FakeAsk().refuse(call, "ResourceNotFoundException", f"{call}: ResourceNotFoundException: {message}")
        (live,) = compare(KIND).read(reader, [shop])
        assert said in KIND.change.blockers(shop, live)[0]
    with pytest.raises(AwsError, match=r"^not you$"):
        compare(KIND).read(FakeAsk().refuse(ask_for(), "AccessDeniedException", "not you"), [wanted()])


def test_what_is_observed_is_what_the_targets_say() -> None:
    def observed(*targets: Doc) -> Any:
        return compare(KIND).read(FakeAsk().on(ask_for(), {"Targets": list(targets)}), [wanted()])[0].observed

    assert observed(target("a"), target("b")) == observed(target("b"), target("a", Input='{"a": 1}'))
    assert observed(target("a")) != observed(target("a", NEW))


@pytest.mark.parametrize(
    ("declared", "found", "said"),
    [
        (on(), live(target()), []),
        (on("new", Arn=CLUSTER, RoleArn="arn:r"), live(target()), []),
        (on(), live_of(NIGHTLY),
         ["there is no rule nightly on the event bus default; rules are created elsewhere, ecsplan only sets their "
          "targets"]),
        (on("new"), live(target()), ["there is no target new yet; to make one, declare its Arn and RoleArn too"]),
        (on("new", Arn="x"), live(target()), ["there is no target new yet; to make one, declare its RoleArn too"]),
        (on("fn"), live({"Id": "fn", "Arn": "arn:lambda"}), ["target fn does not run an ECS task, it is arn:lambda"]),
        (on("fn", Arn=CLUSTER), live({"Id": "fn", "Arn": "arn:lambda"}), []),
    ],
)  # fmt: skip
def test_what_cannot_be_planned(declared: Doc, found: Live, said: list[str]) -> None:
    assert list(KIND.change.blockers(wanted(declared), found)) == [f"{NIGHTLY}: {one}" for one in said]


# --- changing ---


def test_a_target_is_put_whole_with_its_revision_changed() -> None:
    found = live(target("other"), target("report", RetryPolicy={"MaximumRetryAttempts": 1}))
    (draft,) = drafts(wanted(on()), found)
    sent = target("report", NEW, RetryPolicy={"MaximumRetryAttempts": 1})
    assert draft.call == put(sent)
    assert draft.undo == put(target("report", RetryPolicy={"MaximumRetryAttempts": 1}))
    assert (draft.phase, draft.action, draft.note) == (Phase.TARGETS, Action.UPDATE, "report")
    assert [field.path for field in draft.changes] == ["targets.report.EcsParameters.TaskDefinitionArn"]


def test_what_neither_the_spec_nor_the_target_has_is_refused() -> None:
    """Of a target that changes: PutTargets would refuse it when the services have moved already."""
    network: Doc = {"NetworkConfiguration": {"awsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}}
    lacks = on(EcsParameters={"TaskDefinitionArn": NEW, **network})
    with pytest.raises(
        PlanningError,
        match=r"targets\.report\.EcsParameters\.NetworkConfiguration\.awsvpcConfiguration\.Subnets is required",
    ):
        drafts(wanted(lacks), live(target()))
    network["NetworkConfiguration"]["awsvpcConfiguration"] |= {"Subnets": ["subnet-1"]}
    there = target(EcsParameters={"TaskDefinitionArn": OLD, **network})
    assert len(drafts(wanted(lacks), live(there))) == 1


def test_tags_that_are_no_longer_propagated_are_left_out_and_not_sent_as_nothing() -> None:
    def one(arn: str, **fields: Any) -> Doc:
        return target(EcsParameters={"TaskDefinitionArn": arn, "TaskCount": 1} | fields)

    declared = on(EcsParameters={"TaskDefinitionArn": NEW, "PropagateTags": ""})
    (draft,) = drafts(wanted(declared), live(one(OLD, PropagateTags="TASK_DEFINITION")))
    assert draft.call == put(one(NEW))
    assert draft.undo == put(one(OLD, PropagateTags="TASK_DEFINITION"))


def test_targets_that_are_as_declared_are_not_sent() -> None:
    (draft,) = drafts(wanted(on("a"), on("b")), live(target("a"), target("b", NEW)))
    assert draft.call == put(target("a", NEW))


def test_a_new_target_is_a_creation_that_removing_undoes() -> None:
    new = on("new", Arn=CLUSTER, RoleArn="arn:r")
    changed, created = drafts(wanted(on("a"), new), live(target("a")))
    assert (changed.call, changed.undo) == (put(target("a", NEW)), put(target("a")))
    assert (created.call, created.undo, created.action) == (put(new), remove("new"), Action.CREATE)
    assert {field.path.split(".")[1] for field in created.changes} == {"new"}
    assert {field.path.split(".")[1] for field in changed.changes} == {"a"}


def test_ten_targets_per_call() -> None:
    names = [f"t{i:02}" for i in range(12)]
    sent = drafts(wanted(*map(on, names)), live(*map(target, names)))
    assert [[one["Id"] for one in draft.call.params["Targets"]] for draft in sent] == [names[:10], names[10:]]
    assert [draft.note for draft in sent] == [", ".join(names[:10]), ", ".join(names[10:])]
    assert [len(draft.changes) for draft in sent] == [10, 2]


def test_a_name_that_begins_like_another_keeps_its_differences_apart() -> None:
    new = on("a", Arn=CLUSTER, RoleArn="arn:r")
    changed, created = drafts(wanted(on("a-b"), new), live(target("a-b")))
    assert [field.path for field in changed.changes] == ["targets.a-b.EcsParameters.TaskDefinitionArn"]
    assert {field.path.split(".")[1] for field in created.changes} == {"a"}


def test_what_a_rollback_takes_away() -> None:
    back = wanted(on("a", OLD), absent=["new", "gone already"])
    changed, gone = drafts(back, live(target("a", NEW), target("new", NEW), target("other")))
    assert (changed.call, changed.undo) == (put(target("a")), put(target("a", NEW)))
    assert (gone.call, gone.undo, gone.action) == (remove("new"), put(target("new", NEW)), Action.DELETE)


def test_the_bus_goes_along() -> None:
    declared = wanted(on(), EventBusName="bus")
    (draft,) = drafts(declared, live_of(NIGHTLY, candidate({"Rule": "nightly", "Targets": [target()]})))
    assert draft.call.params["EventBusName"] == "bus"


# --- the document that puts back ---


def replaced(found: list[Doc], declared: Resource) -> Doc:
    document = {"Rule": "nightly", "Targets": found}
    return before(KIND, document, compare(KIND).merge(document, declared.doc), declared.doc)


def test_only_what_changed_is_put_back() -> None:
    declared = wanted(on("a", Input='{"a": 1}'), on("b", OLD), on("new"))
    assert replaced([target("a"), target("b"), target("c")], declared) == {
        "Rule": "nightly",
        "Targets": [{"Id": "a", "EcsParameters": {"TaskDefinitionArn": OLD}}],
        "absent": ["new"],
    }


def test_a_member_that_was_absent_is_put_back_as_absent() -> None:
    found = replaced([target("a")], wanted(on("a", OLD, DeadLetterConfig={"Arn": "q"})))
    assert found == {"Rule": "nightly", "Targets": [{"Id": "a", "DeadLetterConfig": None}]}
    live_doc = {"Rule": "nightly", "Targets": [target("a", DeadLetterConfig={"Arn": "q"})]}
    assert compare(KIND).merge(live_doc, found)["Targets"] == [target("a")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Input": "{}"}, {"InputPath": "$.a"}),
        ({"InputPath": "$.a"}, {"InputTransformer": {"InputTemplate": "x"}}),
        (
            {"EcsParameters": {"LaunchType": "FARGATE"}},
            {"EcsParameters": {"CapacityProviderStrategy": [{"capacityProvider": "a"}]}},
        ),
    ],
)
def test_what_eventbridge_takes_one_of_takes_the_others_place_and_gives_it_back(one: Doc, other: Doc) -> None:
    for old, new in ((one, other), (other, one)):
        found, declared = {"Rule": "nightly", "Targets": [{"Id": "a", **old}]}, {"Targets": [{"Id": "a", **new}]}
        after = compare(KIND).merge(found, declared)
        assert after["Targets"] == declared["Targets"]
        assert compare(KIND).merge(after, before(KIND, found, after, declared))["Targets"] == found["Targets"]


def test_a_target_that_was_taken_away_is_put_back_whole() -> None:
    assert replaced([target("new", NEW)], wanted(absent=["new", "gone"])) == {
        "Rule": "nightly",
        "Targets": [target("new", NEW)],
    }


RULE: Doc = {"Rule": "nightly"}


@pytest.mark.parametrize(
    ("newer", "older", "expected"),
    [
        ({"Targets": [on("a", NEW)]}, {"Targets": [on("a", OLD)]}, {"Targets": [on("a", OLD)]}),
        ({"Targets": [on("a", NEW), on("b", NEW)]}, {"Targets": [on("a", OLD, Input="x")]},
         {"Targets": [on("a", OLD, Input="x"), on("b", NEW)]}),
        # made by the older deployment and changed by the newer one: to go
        ({"Targets": [on("a", OLD)]}, {"Targets": [], "absent": ["a"]}, {"Targets": [], "absent": ["a"]}),
        # made by the newer one only
        ({"Targets": [], "absent": ["a"]}, {"Targets": [on("b")]}, {"Targets": [on("b")], "absent": ["a"]}),
        # taken away by the older one (a rollback), made again by the newer
        ({"Targets": [], "absent": ["a"]}, {"Targets": [target("a")]}, {"Targets": [target("a")]}),
        # what had been absent stays so
        ({"Targets": [on("a", NEW, Input="x")]}, {"Targets": [on("a", OLD, Input=None)]},
         {"Targets": [on("a", OLD, Input=None)]}),
    ],
)  # fmt: skip
def test_of_two_deployments_the_older_state_wins(newer: Doc, older: Doc, expected: Doc) -> None:
    assert compare(KIND).merge_before(RULE | newer, RULE | older) == RULE | expected


# --- what was answered ---


def test_entries_that_failed_are_an_error_although_the_answer_is_200() -> None:
    sent = put(target("a"), target("b"))
    step = step_of(NIGHTLY, sent, action=Action.UPDATE)
    assert KIND.calls.accept(step, sent, {"FailedEntryCount": 0, "FailedEntries": []}) == {}
    failed = {"TargetId": "b", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "busy"}
    with pytest.raises(RefusedError) as caught:
        KIND.calls.accept(step, sent, {"FailedEntryCount": 1, "FailedEntries": [failed]})
    assert caught.value.message == (
        f"{NIGHTLY}: EventBridge did not take 1 of the targets: b: ConcurrentModificationException: busy"
    )
    assert caught.value.again == put(target("b"))


def test_only_the_removals_that_failed_are_repeated() -> None:
    step = step_of(NIGHTLY, remove("a", "b"), action=Action.DELETE)
    with pytest.raises(RefusedError) as caught:
        KIND.calls.accept(step, step.call, {"FailedEntries": [{"TargetId": "a"}]})
    assert caught.value.again == remove("a")


def test_a_target_that_was_to_go_and_is_not_there_has_not_failed() -> None:
    """So it looks when a request whose answer was lost is sent again."""
    step = step_of(NIGHTLY, remove("a", "b"), action=Action.DELETE)
    gone = {"TargetId": "a", "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no target a"}
    assert KIND.calls.accept(step, step.call, {"FailedEntryCount": 1, "FailedEntries": [gone]}) == {}
    busy = {"TargetId": "b", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "busy"}
    with pytest.raises(RefusedError, match="did not take 1 of the targets: b") as caught:
        KIND.calls.accept(step, step.call, {"FailedEntryCount": 2, "FailedEntries": [gone, busy]})
    assert caught.value.again == remove("b")


# --- was it carried out, although nobody saw the answer? ---


@pytest.mark.parametrize(("sent", "found", "done"), [
    (put(target(arn=NEW)), [target(arn=NEW), target("other")], True),
    (put(target(arn=NEW)), [target(arn=OLD)], False),
    (put(target(arn=NEW), target("second", arn=NEW)), [target(arn=NEW)], False),
    (put(target(arn=NEW)), [], False),
    (remove("report"), [target("other")], True),
    (remove("report"), [target()], False),
])  # fmt: skip
def test_targets_tell_whether_they_were_set(sent: Call, found: list[Doc], done: bool) -> None:
    reader = FakeAsk().on(ask_for(), {"Targets": found})
    assert KIND.calls.recover(reader, step_of(NIGHTLY, sent, action=Action.UPDATE), sent) == ({} if done else None)


def test_targets_of_a_rule_that_is_gone_were_not_set() -> None:
    reader = FakeAsk().refuse(ask_for(), "ResourceNotFoundException")
    assert KIND.calls.recover(reader, step_of(NIGHTLY, put(target()), action=Action.UPDATE), put(target())) is None
