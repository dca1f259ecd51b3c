"""A kind that is read and put as one document: made by `put_kind`, found by its file alone, and gone through as others
are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from comparison import comparison_text

import ecsplan.kinds
from ecsplan.aws import pacing
from ecsplan.core.codec import to_data
from ecsplan.core.errors import PlanFileError, PlanningError
from ecsplan.core.model import Action, Address, Call, Doc, Identity, Phase, Plan, Ref
from ecsplan.kinds import kind_of, kinds
from ecsplan.kinds.contract import Delta, Kind, Live
from ecsplan.plan import file
from ecsplan.plan.compile import compile_spec, requests
from ecsplan.plan.diff import diff
from ecsplan.plan.read import fingerprints, read
from ecsplan.plan.rollback import to_deployment
from ecsplan.plan.steps import plan_digest, plan_of
from ecsplan.redact import mask_requests
from ecsplan.spec.load import loads
from tests.support.specs import spec, task
from tests.unit.builders import deployment
from tests.unit.fakes_kinds import FakeAsk, compare, compiled, identity_of, revision, revision_only, spec_of, step_of
from tests.unit.spec_texts import HEAD, OTHER, faults

KEY = "scheduler__update_schedules"
SCHEDULES = f"[[tasks.web.{KEY}]]\n"
NIGHTLY = Address("schedule.default/nightly")
OLD, NEW = revision("web:41"), revision("web:42")
READ = Call(service="scheduler", operation="get_schedule", params={"Name": "nightly"})


@pytest.fixture
def schedule(tmp_path: Path) -> Iterator[Kind]:
    """The kind, whose file is all that is added to the package for the time of a test."""
    source = Path(__file__).with_name("schedule.py").read_text(encoding="utf-8")
    (tmp_path / "schedule.py").write_text(source, encoding="utf-8")
    forget()
    ecsplan.kinds.__path__.append(str(tmp_path))
    try:
        yield kind_of(NIGHTLY)
    finally:
        ecsplan.kinds.__path__.remove(str(tmp_path))
        sys.modules.pop("ecsplan.kinds.schedule", None)
        forget()


def forget() -> None:
    kinds.cache_clear()
    ecsplan.kinds._by_name.cache_clear()


def live(**members: Any) -> Doc:
    """An answer of GetSchedule."""
    return {
        "Arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly",
        "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
        "GroupName": "default",
        "Name": "nightly",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED",
        "KmsKeyArn": "arn:key",
        "StartDate": datetime(2026, 2, 1, tzinfo=UTC),
        "Target": {
            "Arn": "arn:cluster",
            "RoleArn": "arn:role",
            "Input": "{}",
            "EcsParameters": {"TaskDefinitionArn": OLD, "TaskCount": 1},
        },
        **members,
    }


KEPT = {
    "GroupName": "default",
    "Name": "nightly",
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "DISABLED",
    "KmsKeyArn": "arn:key",
    "StartDate": "2026-02-01T00:00:00+00:00",
}
TARGET = {"Arn": "arn:cluster", "RoleArn": "arn:role", "Input": "{}"}
ECS = {"TaskDefinitionArn": OLD, "TaskCount": 1}


def declared(**members: Any) -> Doc:
    return spec(task("web", services=()) | {KEY: [{"Name": "nightly", **members}]})


def asked(answer: Doc | None) -> FakeAsk:
    """An account with the family at web:41, on the tag of the spec, and the schedule."""
    containers = [{"name": "web", "image": "web:v42", "memory": 128}]
    ask = FakeAsk().family("web", {"family": "web", "containerDefinitions": containers}, [41])
    return ask.refuse(READ, "ResourceNotFoundException") if answer is None else ask.on(READ, answer)


def deltas(data: Doc, answer: Doc | None, tag: str = "v42") -> dict[Address, Delta]:
    resources = compile_spec(spec_of(data), tag)
    return {one.change.address: one for one in diff(resources, read(asked(answer), resources))}


def planned(data: Doc, answer: Doc, tag: str = "v42") -> Plan:
    return plan_of(
        list(deltas(data, answer, tag).values()),
        app="shop",
        tag=tag,
        identity=Identity(account="123456789012", region="eu-west-1"),
        observed={},
    )


# --- one file ---


def test_without_its_file_there_is_no_such_kind() -> None:
    assert [kind.name for kind in kinds()] == ["task_definition", "run_task", "service", "event_targets"]
    (fault,) = faults(HEAD + SCHEDULES + 'Name = "nightly"')
    assert fault.startswith(f"tasks.web.{KEY}: unknown key")


def test_its_table_is_a_key_of_the_spec(schedule: Kind) -> None:
    (web,) = loads(HEAD + SCHEDULES + 'Name = "nightly"\nwait = false\n', "ecsplan.toml").tasks
    (entry,) = web.entries["schedule"]
    assert (entry.params, entry.path, entry.settings.wait) == ({"Name": "nightly"}, f"tasks.web.{KEY}[0]", False)
    assert faults(HEAD + SCHEDULES.replace("schedules", "schedule") + 'Name = "x"') == [
        f'tasks.web.scheduler__update_schedule: unknown key; did you mean "{KEY}"?'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Nam = "nightly"', ["Name: required, but missing", 'Nam: unknown key; did you mean "Name"?']),
        ('Name = ""', ["Name: must not be empty"]),
        ('Name = "x"\nState = 1', ["State: must be a string, not an integer"]),
        ('Name = "x"\nwait = "no"', ["wait: must be true or false, not a string"]),
        (
            'Name = "x"\nTarget.EcsParameters.TaskCuont = 1',
            ['Target.EcsParameters.TaskCuont: unknown key; did you mean "TaskCount"?'],
        ),
    ],
)
def test_its_table_is_checked_by_botocores_model(schedule: Kind, text: str, expected: list[str]) -> None:
    assert faults(HEAD + SCHEDULES + text) == [f"tasks.web.{KEY}[0].{fault}" for fault in expected]


def test_one_schedule_is_declared_once(schedule: Kind) -> None:
    text = HEAD + OTHER + SCHEDULES + 'Name = "a"\n' + SCHEDULES.replace("web", "other") + 'Name = "a"\n'
    said = f'"default/a" is declared by tasks.web.{KEY}[0] too; declare it once'
    assert faults(text + 'GroupName = "default"') == [f"tasks.other.{KEY}[0].Name: {said}"]
    assert len(loads(text + 'GroupName = "b"', "ecsplan.toml").tasks) == 2


@pytest.mark.parametrize(("name", "fault"), [
    ("", "Name: required, but missing"),
    ("Name = 3\n", "Name: must be a string, not an integer"),
])  # fmt: skip
def test_what_has_no_name_is_not_declared_twice(schedule: Kind, name: str, fault: str) -> None:
    text = HEAD + 2 * (SCHEDULES + 'GroupName = "default"\n' + name)
    assert faults(text) == [f"tasks.web.{KEY}[{number}].{fault}" for number in (0, 1)]


def test_its_requests_are_rendered_and_masked(schedule: Kind) -> None:
    data = declared(Target={"Input": '{"PASSWORD": "hunter2"}', "SqsParameters": {"MessageGroupId": "x"}})
    made = requests(spec_of(data), "v42")
    assert list(made["web"]) == ["task_definition", "run_tasks", "update_services", "events__put_targets", KEY]
    (shown,) = made["web"][KEY]
    assert shown["Target"]["EcsParameters"] == {"TaskDefinitionArn": "(known after apply)"}
    assert "hunter2" in str(made)
    assert "hunter2" not in str(mask_requests(made))


def test_its_fields_are_in_the_document_of_comparisons(schedule: Kind) -> None:
    text = comparison_text()
    assert "## UpdateSchedule\n" in text
    assert '| `State` | absent is `"ENABLED"`: the default |' in text or "`State`" in text


def test_its_requests_are_paced(schedule: Kind) -> None:
    rate = pacing.rate_of(READ)
    assert rate is not None
    assert (rate.burst, rate.per_second) == (250, 250)


# --- comparing ---


def test_what_is_not_declared_is_kept_and_the_revision_is_set(schedule: Kind) -> None:
    found = deltas(declared(ScheduleExpression="rate(2 days)"), live(), "v43")
    delta = found[NIGHTLY]
    assert [(one.path, one.before) for one in delta.change.fields] == [
        ("ScheduleExpression", "rate(1 day)"),
        ("Target.EcsParameters.TaskDefinitionArn", OLD),
    ]
    assert delta.change.before == {
        "Name": "nightly",
        "ScheduleExpression": "rate(1 day)",
        "Target": {"EcsParameters": {"TaskDefinitionArn": OLD}},
    }


def test_nothing_differs_after_it_was_put(schedule: Kind) -> None:
    assert deltas(declared(), live())[NIGHTLY].change.action is Action.KEEP


def test_a_date_is_written_as_toml_has_it(schedule: Kind) -> None:
    starting = loads(HEAD + SCHEDULES + 'Name = "nightly"\nStartDate = 2026-02-01T01:00:00+01:00\n', "ecsplan.toml")
    (one,) = (one for one in compile_spec(starting, "v42") if one.address == NIGHTLY)
    assert one.doc["StartDate"] == KEPT["StartDate"]


def test_a_declared_revision_stays(schedule: Kind) -> None:
    parameters = {"Target": {"EcsParameters": {"TaskDefinitionArn": "arn:other"}}}
    assert compiled(declared(**parameters))[NIGHTLY].doc == {"Name": "nightly", **parameters}


def test_one_that_is_not_there_is_refused(schedule: Kind) -> None:
    with pytest.raises(PlanningError, match=r"schedule\.default/nightly: there is no schedule default/nightly;"):
        deltas(declared(), None)


def test_what_aws_demands_and_nobody_declares_is_refused(schedule: Kind) -> None:
    answer = {name: value for name, value in live().items() if name != "ScheduleExpression"}
    with pytest.raises(PlanningError, match=r"nightly: ScheduleExpression is required"):
        deltas(declared(State="ENABLED"), answer)


def test_another_answer_is_another_fingerprint(schedule: Kind) -> None:
    resources = compile_spec(spec_of(declared()), "v42")
    seen = [fingerprints(resources, read(asked(live(State=one)), resources)) for one in ("ENABLED", "DISABLED")]
    assert seen[0][NIGHTLY] != seen[1][NIGHTLY]
    assert seen[1] == fingerprints(resources, read(asked(live()), resources))


# --- changing ---


def test_the_whole_document_is_put_and_the_live_one_is_its_undo(schedule: Kind) -> None:
    plan = planned(declared(State="ENABLED"), live())
    (step,) = plan.steps
    put = Call(
        service="scheduler",
        operation="update_schedule",
        params={**KEPT, "State": "ENABLED", "Target": {**TARGET, "EcsParameters": ECS}},
    )
    undo = msgspec.structs.replace(put, params={**KEPT, "Target": {**TARGET, "EcsParameters": ECS}})
    assert (step.phase, step.action, step.call, step.undo) == (Phase.TARGETS, Action.UPDATE, put, undo)
    assert [change.path for change in step.changes] == ["State"]


def test_it_refers_to_a_revision_that_is_not_registered_yet(schedule: Kind) -> None:
    register, update = planned(declared(), live(), "v43").steps
    assert (register.phase, update.phase) == (Phase.REGISTER, Phase.TARGETS)
    assert isinstance(update.call, Call)
    ref = Ref(address=Address("task_definition.web"), output="arn")
    assert update.call.params["Target"]["EcsParameters"]["TaskDefinitionArn"] == ref


def test_a_plan_file_with_it_is_read_and_checked(schedule: Kind) -> None:
    plan = planned(declared(State="ENABLED"), live())
    assert file.decode(to_data(plan), "plan.json") == plan

    def with_call(operation: str, **params: Any) -> Any:
        (step,) = plan.steps
        assert isinstance(step.call, Call)
        call = msgspec.structs.replace(step.call, operation=operation, params={**step.call.params, **params})
        other = msgspec.structs.replace(plan, steps=(msgspec.structs.replace(step, call=call),))
        return to_data(msgspec.structs.replace(other, digest=plan_digest(other)))

    for data, why in (
        (with_call("delete_schedule"), "asks for scheduler:delete_schedule, which ecsplan never does"),
        (with_call("update_schedule", Name="other"), "would change default/other"),
        (with_call("update_schedule", State=1), "State is of another type"),
    ):
        with pytest.raises(PlanFileError, match=why):
            file.decode(data, "plan.json")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(live(State="ENABLED"), {}), (live(), None), (None, None)],
    ids=["carried out", "not carried out", "gone"],
)
def test_a_lost_answer_is_looked_up_by_comparing(schedule: Kind, answer: Doc | None, expected: Doc | None) -> None:
    (step,) = planned(declared(State="ENABLED"), live()).steps
    assert isinstance(step.call, Call)
    read_again = Call(service="scheduler", operation="get_schedule", params={"GroupName": "default", "Name": "nightly"})
    ask = FakeAsk()
    ask = ask.refuse(read_again, "ResourceNotFoundException") if answer is None else ask.on(read_again, answer)
    assert schedule.calls.recover(ask, step, step.call) == expected
    assert schedule.calls.accept(step_of(NIGHTLY, step.call, action=Action.UPDATE), step.call, {}) == {}


# --- rolling back ---


def test_what_was_before_is_put_back_and_nothing_else(schedule: Kind) -> None:
    """`before` of a deployment, declared again, is the live document that it changed; also over two deployments."""
    one = deltas(declared(State="ENABLED", Description="new"), live())[NIGHTLY]
    assert one.change.before == {"Name": "nightly", "State": "DISABLED", "Description": None}
    changed = one.merged_doc
    restored = compare(schedule).merge(changed, one.change.before or {})
    assert restored == {**KEPT, "Target": {**TARGET, "EcsParameters": ECS}}
    newer = {"Name": "nightly", "State": "ENABLED", "KmsKeyArn": "arn:key"}
    assert compare(schedule).merge_before(newer, one.change.before or {}) == {**newer, **(one.change.before or {})}


def test_a_rollback_puts_exactly_what_was_live(schedule: Kind) -> None:
    """Through the journal: deployment 1 changed the schedule, another hand did since, and rolling back restores what
    deployment 1 had found, and keeps the other change."""
    plan = planned(declared(State="ENABLED", Description="new"), live())
    back = to_deployment([deployment(1, plan)], 0, keep=False)
    resources = [one for one in back.resources if one.address == NIGHTLY]
    now = live(State="ENABLED", Description="new", KmsKeyArn="arn:other")
    (delta,) = diff(resources, read(FakeAsk().on(READ, now), resources))
    (draft,) = delta.kind.change.steps(delta)
    assert draft.call.params == {**KEPT, "KmsKeyArn": "arn:other", "Target": {**TARGET, "EcsParameters": ECS}}
    assert {change.path for change in draft.changes} == {"State", "Description"}


def test_of_what_is_left_alone_only_the_revision_or_nothing_is_declared(schedule: Kind) -> None:
    (resource,) = (one for one in compile_spec(spec_of(declared(State="ENABLED")), "v42") if one.address == NIGHTLY)
    ref = Ref(address=Address("task_definition.web"), output="arn")
    assert identity_of(schedule)(resource.doc) == {"Name": "nightly"}
    assert revision_only(schedule)(resource.doc, frozenset({ref.address})) == {
        "Name": "nightly",
        "Target": {"EcsParameters": {"TaskDefinitionArn": ref}},
    }
    assert revision_only(schedule)(resource.doc, frozenset()) == {"Name": "nightly"}


def test_a_missing_one_has_no_candidate(schedule: Kind) -> None:
    resources = [one for one in compile_spec(spec_of(declared()), "v42") if one.address == NIGHTLY]
    assert compare(schedule).read(asked(None), resources) == (Live(address=NIGHTLY, observed="missing"),)
