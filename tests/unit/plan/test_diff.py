"""Desired and live to changes, in reference order; and differences by name."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import Exit, PlanningError
from ecsplan.core.model import Action, Address, Doc, FieldChange, Ref, Settings
from ecsplan.kinds.contract import Candidate, Delta, Live, Resource
from ecsplan.plan.diff import diff, field_changes
from tests.unit.fakes_kinds import CLUSTER, candidate, live_of, resource, revision

TASK, SERVICE, RULE, RUN = (
    "task_definition.web",
    "service.prod/web",
    "event_targets.nightly",
    "run_task.web/migrate",
)
ARN = Ref(address=Address(TASK), output="arn")
OLD, NEW = revision("web:41"), revision("web:42")
ON: Doc = {"service": "web", "taskDefinition": ARN}


def definition(image: str) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": image}]}


def revisions(*images: str, **more: Any) -> Live:
    """Candidates by image; `web:41` is revision 41."""
    return live_of(TASK, *(candidate(definition(image), arn=revision(image)) for image in images), **more)


def service(doc: Doc) -> Live:
    return live_of(SERVICE, candidate({"service": "web"} | doc, arn="service"), facts={"status": "ACTIVE"})


def changes(*pairs: tuple[Resource, Live]) -> tuple[Delta, ...]:
    return diff([one for one, _ in pairs], {one.address: live for one, live in pairs})


def described(fields: tuple[FieldChange, ...]) -> list[tuple[str, Any, Any]]:
    return [(one.path, one.before, one.after) for one in fields]


# --- what is done about it ---


def test_outputs_of_unchanged_resources_fill_references() -> None:
    one, two = changes(
        (resource(TASK, definition("web:41")), revisions("web:41")),
        (resource(SERVICE, ON), service({"taskDefinition": OLD, "desiredCount": 3})),
    )
    assert (one.change.action, one.change.outputs, one.change.fields) == (Action.KEEP, {"arn": OLD}, ())
    assert (two.change.action, two.change.fields, two.change.before) == (Action.KEEP, (), None)
    assert two.declared == {"service": "web", "taskDefinition": OLD}
    assert two.change.after == ON
    assert two.merged_doc["desiredCount"] == 3


def test_a_new_revision_is_known_after_apply() -> None:
    one, two = changes(
        (resource(TASK, definition("web:42"), keep=3, task="shop"), revisions("web:41", "web:40")),
        (resource(SERVICE, ON), service({"taskDefinition": OLD})),
    )
    assert one.change.action is Action.CREATE
    assert described(one.change.fields) == [("containers.web.image", "web:41", "web:42")]
    assert (one.change.before, one.change.outputs) == (definition("web:41"), {"arn": OLD})
    assert (one.change.keep, one.change.task) == (3, "shop")
    assert two.change.action is Action.UPDATE
    assert described(two.change.fields) == [("taskDefinition", OLD, ARN)]
    assert two.change.before == {"service": "web", "taskDefinition": OLD}


def test_a_new_resource_shows_what_is_declared() -> None:
    (one,) = changes((resource(TASK, definition("web:1") | {"cpu": "256", "volumes": []}), live_of(TASK)))
    assert one.change.action is Action.CREATE
    assert one.candidate is None
    assert one.change.before is None
    assert described(one.change.fields) == [
        ("containers.web.image", None, "web:1"),
        ("cpu", None, "256"),
        ("family", None, "web"),
    ]


def test_nothing_there_and_nothing_asked_for() -> None:
    (one,) = changes((resource(TASK, {}, retire=(OLD,)), live_of(TASK)))
    assert (one.change.action, one.change.after, one.merged_doc) == (Action.KEEP, None, {})


def test_an_equal_revision_that_is_not_in_use() -> None:
    one, two = changes(
        (resource(TASK, definition("web:42")), revisions("web:41", "web:42")),
        (resource(SERVICE, ON), service({"taskDefinition": OLD})),
    )
    assert (one.change.action, one.change.outputs) == (Action.KEEP, {"arn": NEW})
    assert described(one.change.fields) == [("containers.web.image", "web:41", "web:42")]
    assert described(two.change.fields) == [("taskDefinition", OLD, NEW)]


def test_an_inactive_equal_revision_is_registered_again() -> None:
    inactive = Candidate(doc=definition("web:41"), outputs={"arn": OLD}, reusable=False)
    one, two = changes(
        (resource(TASK, definition("web:41")), live_of(TASK, inactive)),
        (resource(SERVICE, ON), service({"taskDefinition": OLD})),
    )
    assert (one.change.action, one.change.fields) == (Action.CREATE, ())
    assert two.change.action is Action.UPDATE


def test_a_pinned_revision_stands_for_the_declared_document() -> None:
    pinned = resource(TASK, {}, pinned=OLD)
    one, two = changes(
        (pinned, revisions("web:42", "web:41", wanted=definition("web:41"))),
        (resource(SERVICE, ON), service({"taskDefinition": NEW})),
    )
    assert (one.change.action, one.change.outputs, one.change.pinned) == (Action.KEEP, {"arn": OLD}, OLD)
    assert described(two.change.fields) == [("taskDefinition", NEW, OLD)]


def test_a_redeployment_is_an_update_without_a_difference() -> None:
    again = Settings(redeploy=True, force=True)
    (one,) = changes((resource(SERVICE, {"service": "web"}, settings=again), service({"taskDefinition": OLD})))
    assert (one.change.action, one.change.note, one.change.fields) == (Action.UPDATE, "redeploy", ())
    assert one.change.before == {"service": "web"}


def test_new_targets_of_a_rule_are_shown() -> None:
    live = live_of(RULE, candidate({"Rule": "nightly", "Targets": [{"Id": "a", "Arn": CLUSTER}]}))
    new = {"Id": "b", "Arn": CLUSTER, "RoleArn": "r"}
    (one,) = changes((resource(RULE, {"Rule": "nightly", "Targets": [new]}), live))
    assert one.change.action is Action.UPDATE
    assert described(one.change.fields) == [
        ("targets.b.Arn", None, CLUSTER),
        ("targets.b.RoleArn", None, "r"),
    ]


def test_all_reasons_why_it_cannot_be_done_at_once() -> None:
    missing = live_of(SERVICE, facts={"status": "MISSING"})
    with pytest.raises(PlanningError) as caught:
        changes((resource(SERVICE, ON), missing), (resource(RULE, {"Rule": "r", "Targets": []}), live_of(RULE)))
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [SERVICE, RULE]
    assert caught.value.exit_code == Exit.ERROR
    assert caught.value.state == "Nothing was changed."


# --- what runs ---


@pytest.mark.parametrize(
    ("image", "live", "on", "when", "runs"),
    [
        ("web:42", ("web:41",), OLD, "changed", True),
        ("web:41", ("web:41",), OLD, "changed", False),
        ("web:41", ("web:41",), OLD, "always", True),
        # used again: the revision is there, the service is not on it yet
        ("web:42", ("web:41", "web:42"), OLD, "changed", True),
    ],
)
def test_one_off_tasks_run_when_their_task_moves(
    image: str, live: tuple[str, ...], on: str, when: str, runs: bool
) -> None:
    run = resource(RUN, {"taskDefinition": ARN}, settings=Settings(when=when))
    other = resource("run_task.log/migrate", {"taskDefinition": "x"}, task="log")
    deltas = changes(
        (resource(TASK, definition(image)), revisions(*live)),
        (run, live_of(RUN)),
        (other, live_of("run_task.log/migrate")),
        (resource(SERVICE, ON), service({"taskDefinition": on})),
    )
    assert [one.change.address for one in deltas] == [TASK, RUN, "run_task.log/migrate", SERVICE]
    assert deltas[1].change.action is (Action.RUN if runs else Action.KEEP)
    assert deltas[2].change.action is Action.KEEP
    known = deltas[0].change.action is Action.KEEP
    assert deltas[1].declared == {"taskDefinition": deltas[0].change.outputs["arn"] if known else ARN}


def test_another_difference_of_a_service_runs_nothing() -> None:
    deltas = changes(
        (resource(TASK, definition("web:41")), revisions("web:41")),
        (resource(RUN, {"taskDefinition": ARN}), live_of(RUN)),
        (resource(SERVICE, ON | {"desiredCount": 5}), service({"taskDefinition": OLD, "desiredCount": 2})),
    )
    assert [one.change.action for one in deltas] == [Action.KEEP, Action.KEEP, Action.UPDATE]


# --- differences ---


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, [("a.b", 1, 3)]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, [("a", 1, 2), ("b", 1, 2)]),
        ({}, {"a": {"b": 1, "c": {"d": 2}}}, [("a.b", None, 1), ("a.c.d", None, 2)]),
        ({"a": {"b": 1}}, {}, [("a.b", 1, None)]),
        ({"a": {"b": 1}}, {"a": "x"}, [("a.b", 1, None)]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [("a", [1, 2], [2, 1])]),
        ({"a": [{"b": [1]}, {"b": [2]}]}, {"a": [{"b": [1]}, {"b": [3]}]},
         [("a", [{"b": [1]}, {"b": [2]}], [{"b": [1]}, {"b": [3]}])]),
        ({"a": [1]}, {}, [("a", [1], None)]),
        ({"a": "256"}, {"a": 256}, [("a", "256", 256)]),
        ({"a": "x\ny"}, {"a": "x\nz"}, [("a", "x\ny", "x\nz")]),
        ({"__A": "1"}, {"__A": "2"}, [("__A", "1", "2")]),
        ({"a.b": 1, "a": {"b": 1}}, {"a.b": 2, "a": {"b": 1}}, [("a.b", 1, 2)]),
        ({"a": ""}, {}, [("a", "", None)]),
        ({"a": False}, {"a": True}, [("a", False, True)]),
        ({"a": OLD}, {"a": ARN}, [("a", OLD, ARN)]),
        ({"a": ARN}, {"a": ARN}, []),
        ({"a": ARN}, {"a": Ref(address=Address(TASK), output="x")},
         [("a", ARN, Ref(address=Address(TASK), output="x"))]),
        ({"a": [OLD]}, {"a": [ARN]}, [("a", [OLD], [ARN])]),
    ],
)  # fmt: skip
def test_differences(before: Doc, after: Doc, expected: list[tuple[str, Any, Any]]) -> None:
    assert described(field_changes(before, after)) == expected


def test_an_item_that_was_only_a_name_and_is_more_now() -> None:
    assert described(field_changes({"a": True}, {"a": {"b": 1}})) == [("a.b", None, 1)]
    assert described(field_changes({"a": {"b": 1}}, {"a": True})) == [("a.b", 1, None)]


def test_many_differences_are_all_listed() -> None:
    before = {"env": {f"A{i}": str(i) for i in range(50)}}
    after = {"env": {f"A{i}": str(i + 1) for i in range(50)}}
    assert len(field_changes(before, after)) == 50
