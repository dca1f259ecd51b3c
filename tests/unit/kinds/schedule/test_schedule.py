"""Schedules: what is declared of one, what is live, what is put, and what is put back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import to_data
from ecsplan.core.errors import AwsError, PlanFileError, PlanningError
from ecsplan.core.model import Action, Address, Call, Doc, Identity, Irreversible, JsonText, Phase, Plan, Ref, Undo
from ecsplan.kinds.contract import Delta, Live
from ecsplan.plan import file
from ecsplan.plan.compile import compile_spec, requests
from ecsplan.plan.diff import diff
from ecsplan.plan.read import fingerprints, read
from ecsplan.plan.rollback import numbered_state, to_state
from ecsplan.plan.steps import plan_digest, plan_of
from ecsplan.redact import mask_requests
from ecsplan.spec.load import loads
from tests.support.specs import spec, task
from tests.unit.builders import deployment
from tests.unit.fakes_kinds import (
    CLUSTER,
    FakeAsk,
    compare,
    compiled,
    identity_of,
    kind,
    revision,
    revision_only,
    spec_of,
    step_of,
)
from tests.unit.spec_texts import HEAD, OTHER, faults

KEY = "scheduler__update_schedules"
SCHEDULES = f"[[tasks.web.{KEY}]]\n"
SCHEDULE = kind("schedule")
NIGHTLY = Address("schedule.default/nightly")
OLD, NEW = revision("web:41"), revision("web:42")
LATER = Ref(address=Address("task_definition.web"), output="arn")
READ = Call(service="scheduler", operation="get_schedule", params={"Name": "nightly"})


def live(**members: Any) -> Doc:
    """An answer of GetSchedule."""
    return {
        "Arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly",
        "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
        "GroupName": "default",
        "Name": "nightly",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED",
        "KmsKeyArn": "arn:key",
        "StartDate": datetime(2099, 2, 1, tzinfo=UTC),
        "Target": {
            "Arn": CLUSTER,
            "RoleArn": "arn:role",
            "Input": "{}",
            "EcsParameters": {"TaskDefinitionArn": OLD, "TaskCount": 1},
        },
        **members,
    }


KEPT = {
    "GroupName": "default",
    "Name": "nightly",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "DISABLED",
    "KmsKeyArn": "arn:key",
    "StartDate": "2099-02-01T00:00:00+00:00",
}
TARGET = {"Arn": CLUSTER, "RoleArn": "arn:role", "Input": "{}"}
ECS = {"TaskDefinitionArn": OLD, "TaskCount": 1}


def declared(**members: Any) -> Doc:
    return spec(task("web", services=()) | {KEY: [{"Name": "nightly", **members}]})


def asked(answer: Doc | None) -> FakeAsk:
    """An account with the family at web:41, on the tag of the spec, and the schedule."""
    containers = [{"name": "web", "image": "web:v42", "memory": 128}]
    ask = FakeAsk().family("web", {"family": "web", "containerDefinitions": containers}, [41])
    return ask.refuse(READ, "ResourceNotFoundException") if answer is None else ask.on(READ, answer)


def deltas(data: Doc, answer: Doc | None, tag: str = "v42", now: float = 0.0) -> dict[Address, Delta]:
    resources = compile_spec(spec_of(data), tag, now=now)
    return {one.change.address: one for one in diff(resources, read(asked(answer), resources))}


def planned(data: Doc, answer: Doc, tag: str = "v42", now: float = 0.0) -> Plan:
    return plan_of(
        list(deltas(data, answer, tag, now).values()),
        app="shop",
        tag=tag,
        identity=Identity(account="123456789012", region="eu-west-1"),
        observed={},
    )


# --- the spec ---


def test_its_table_is_a_key_of_the_spec() -> None:
    (web,) = loads(HEAD + SCHEDULES + 'Name = "nightly"\n', "ecsplan.toml").tasks
    (entry,) = web.entries["schedule"]
    assert (entry.params, entry.path) == ({"Name": "nightly"}, f"tasks.web.{KEY}[0]")
    assert faults(HEAD + SCHEDULES.replace("schedules", "schedule") + 'Name = "x"') == [
        f'tasks.web.scheduler__update_schedule: unknown key; did you mean "{KEY}"?'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Nam = "nightly"', ["Name: required, but missing", 'Nam: unknown key; did you mean "Name"?']),
        ('Name = ""', ["Name: must not be empty"]),
        ('Name = "x"\nState = 1', ["State: must be a string, not an integer"]),
        ('Name = "x"\nClientToken = "y"', ["ClientToken: ecsplan sends each update once; leave it out"]),
        (
            'Name = "x"\nTarget.EcsParameters.TaskCuont = 1',
            ['Target.EcsParameters.TaskCuont: unknown key; did you mean "TaskCount"?'],
        ),
    ],
)
def test_its_table_is_checked_by_botocores_model(text: str, expected: list[str]) -> None:
    assert faults(HEAD + SCHEDULES + text) == [f"tasks.web.{KEY}[0].{fault}" for fault in expected]


def test_one_schedule_is_declared_once() -> None:
    text = HEAD + OTHER + SCHEDULES + 'Name = "a"\n' + SCHEDULES.replace("web", "other") + 'Name = "a"\n'
    said = f'"default/a" is declared by tasks.web.{KEY}[0] too; declare it once'
    assert faults(text + 'GroupName = "default"') == [f"tasks.other.{KEY}[0].Name: {said}"]
    assert len(loads(text + 'GroupName = "b"', "ecsplan.toml").tasks) == 2


@pytest.mark.parametrize(("name", "fault"), [
    ("", "Name: required, but missing"),
    ("Name = 3\n", "Name: must be a string, not an integer"),
])  # fmt: skip
def test_what_has_no_name_is_not_declared_twice(name: str, fault: str) -> None:
    text = HEAD + 2 * (SCHEDULES + 'GroupName = "default"\n' + name)
    assert faults(text) == [f"tasks.web.{KEY}[{number}].{fault}" for number in (0, 1)]


def test_its_requests_are_rendered_and_masked() -> None:
    data = declared(Target={"Input": '{"PASSWORD": "hunter2"}'})
    made = requests(spec_of(data), "v42")
    assert list(made["web"]) == ["task_definition", "run_tasks", "update_services", "events__put_targets", KEY]
    (shown,) = made["web"][KEY]
    assert shown["Target"]["EcsParameters"] == {"TaskDefinitionArn": "(known after apply)"}
    assert "hunter2" in str(made)
    assert "hunter2" not in str(mask_requests(made))


# --- comparing ---


def test_what_is_not_declared_is_kept_and_the_revision_is_set() -> None:
    found = deltas(declared(ScheduleExpression="rate(2 days)"), live(), "v43")
    delta = found[NIGHTLY]
    assert [(one.path, one.before) for one in delta.change.fields] == [
        ("ScheduleExpression", "cron(0 3 * * ? *)"),
        ("Target.EcsParameters.TaskDefinitionArn", OLD),
    ]
    assert delta.change.before == {
        "Name": "nightly",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "Target": {"EcsParameters": {"TaskDefinitionArn": OLD}},
    }


def test_nothing_differs_after_it_was_put() -> None:
    assert deltas(declared(), live())[NIGHTLY].change.action is Action.KEEP


def test_a_date_is_written_as_toml_has_it() -> None:
    starting = loads(HEAD + SCHEDULES + 'Name = "nightly"\nStartDate = 2099-02-01T01:00:00+01:00\n', "ecsplan.toml")
    (one,) = (one for one in compile_spec(starting, "v42") if one.address == NIGHTLY)
    assert one.doc["StartDate"] == KEPT["StartDate"]


def test_a_declared_revision_stays() -> None:
    parameters = {"Target": {"EcsParameters": {"TaskDefinitionArn": "arn:other"}}}
    assert compiled(declared(**parameters))[NIGHTLY].doc == {"Name": "nightly", **parameters}


def test_one_that_is_not_there_is_refused() -> None:
    with pytest.raises(PlanningError, match=r"schedule\.default/nightly: there is no schedule default/nightly"):
        deltas(declared(), None)


def test_what_aws_demands_and_nobody_declares_is_refused() -> None:
    answer = {name: value for name, value in live().items() if name != "ScheduleExpression"}
    with pytest.raises(PlanningError, match=r"nightly: ScheduleExpression is required"):
        deltas(declared(State="ENABLED"), answer)


def test_another_answer_is_another_fingerprint() -> None:
    resources = compile_spec(spec_of(declared()), "v42")
    seen = [fingerprints(resources, read(asked(live(State=one)), resources)) for one in ("ENABLED", "DISABLED")]
    assert seen[0][NIGHTLY] != seen[1][NIGHTLY]
    assert seen[1] == fingerprints(resources, read(asked(live()), resources))


# --- changing ---


def test_the_whole_document_is_put_and_the_live_one_is_its_undo() -> None:
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


def test_it_refers_to_a_revision_that_is_not_registered_yet() -> None:
    register, update = planned(declared(), live(), "v43").steps
    assert (register.phase, update.phase) == (Phase.REGISTER, Phase.TARGETS)
    assert isinstance(update.call, Call)
    ref = Ref(address=Address("task_definition.web"), output="arn")
    assert update.call.params["Target"]["EcsParameters"]["TaskDefinitionArn"] == ref


def test_a_plan_file_with_it_is_read_and_checked() -> None:
    plan = planned(declared(State="ENABLED"), live())
    assert file.decode(to_data(plan), "plan.json") == plan

    def with_call(operation: str, **params: Any) -> Any:
        (step,) = plan.steps
        assert isinstance(step.call, Call)
        call = msgspec.structs.replace(step.call, operation=operation, params={**step.call.params, **params})
        other = msgspec.structs.replace(plan, steps=(msgspec.structs.replace(step, call=call),))
        return to_data(msgspec.structs.replace(other, digest=plan_digest(other)))

    def with_after(**members: Any) -> Any:
        changes = [
            msgspec.structs.replace(one, after={**(one.after or {}), **members}) if one.address == NIGHTLY else one
            for one in plan.changes
        ]
        other = msgspec.structs.replace(plan, changes=tuple(changes))
        return to_data(msgspec.structs.replace(other, digest=plan_digest(other)))

    for data, why in (
        (with_call("delete_schedule"), "asks for scheduler:delete_schedule, which ecsplan never does"),
        (with_call("update_schedule", Name="other"), "would change default/other"),
        (with_call("update_schedule", Name=LATER), "lacks the name of what it changes: its name is not known yet"),
        (with_call("update_schedule", GroupName=JsonText(head="", ref=LATER, tail="")), "its name is not known yet"),
        (with_after(Name=LATER), "schedule.default/nightly: its name is not known yet"),
        (with_after(GroupName=JsonText(head="", ref=LATER, tail="")), "its name is not known yet"),
        (with_call("update_schedule", State=1), "State is of another type"),
    ):
        with pytest.raises(PlanFileError, match=why):
            file.decode(data, "plan.json")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(live(State="ENABLED"), {}), (live(), None), (None, None)],
    ids=["carried out", "not carried out", "gone"],
)
def test_a_lost_answer_is_looked_up_by_comparing(answer: Doc | None, expected: Doc | None) -> None:
    (step,) = planned(declared(State="ENABLED"), live()).steps
    assert isinstance(step.call, Call)
    read_again = Call(service="scheduler", operation="get_schedule", params={"GroupName": "default", "Name": "nightly"})
    ask = FakeAsk()
    ask = ask.refuse(read_again, "ResourceNotFoundException") if answer is None else ask.on(read_again, answer)
    assert SCHEDULE.calls.recover(ask, step, step.call) == expected
    assert SCHEDULE.calls.accept(step_of(NIGHTLY, step.call, action=Action.UPDATE), step.call, {}) == {}


# --- rolling back ---


def test_what_was_before_is_put_back_and_nothing_else() -> None:
    """`before` of a deployment, declared again, is the live document that it changed; also over two deployments."""
    one = deltas(declared(State="ENABLED", Description="new"), live())[NIGHTLY]
    assert one.change.before == {"Name": "nightly", "State": "DISABLED", "Description": None}
    changed = one.merged_doc
    restored = compare(SCHEDULE).merge(changed, one.change.before or {})
    assert restored == {**KEPT, "Target": {**TARGET, "EcsParameters": ECS}}
    newer = {"Name": "nightly", "State": "ENABLED", "KmsKeyArn": "arn:key"}
    assert compare(SCHEDULE).merge_before(newer, one.change.before or {}) == {**newer, **(one.change.before or {})}


def test_a_rollback_puts_exactly_what_was_live() -> None:
    """Through the journal: deployment 1 changed the schedule, another hand did since, and rolling back restores what
    deployment 1 had found, and keeps the other change."""
    plan = planned(declared(State="ENABLED", Description="new"), live())
    deployments = [deployment(1, plan)]
    back = to_state(deployments, numbered_state(deployments, 0), keep=False)
    resources = [one for one in back.resources if one.address == NIGHTLY]
    now = live(State="ENABLED", Description="new", KmsKeyArn="arn:other")
    (delta,) = diff(resources, read(FakeAsk().on(READ, now), resources))
    (draft,) = delta.kind.change.steps(delta)
    assert draft.call.params == {**KEPT, "KmsKeyArn": "arn:other", "Target": {**TARGET, "EcsParameters": ECS}}
    assert {change.path for change in draft.changes} == {"State", "Description"}


def test_of_what_is_left_alone_only_the_revision_or_nothing_is_declared() -> None:
    (resource,) = (one for one in compile_spec(spec_of(declared(State="ENABLED")), "v42") if one.address == NIGHTLY)
    ref = Ref(address=Address("task_definition.web"), output="arn")
    assert identity_of(SCHEDULE)(resource.doc) == {"Name": "nightly"}
    assert revision_only(SCHEDULE)(resource.doc, frozenset({ref.address})) == {
        "Name": "nightly",
        "Target": {"EcsParameters": {"TaskDefinitionArn": ref}},
    }
    assert revision_only(SCHEDULE)(resource.doc, frozenset()) == {"Name": "nightly"}


def test_a_missing_one_has_no_candidate() -> None:
    resources = [one for one in compile_spec(spec_of(declared()), "v42") if one.address == NIGHTLY]
    assert compare(SCHEDULE).read(asked(None), resources) == (Live(address=NIGHTLY, observed="missing"),)


# --- what is no schedule of an ECS task ---

UNIVERSAL = "arn:aws:scheduler:::aws-sdk:ecs:runTask"


def target_of(arn: str, **members: Any) -> Doc:
    return live(Target={"Arn": arn, "RoleArn": "arn:role", **members})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            target_of("arn:aws:lambda:eu-west-1:123456789012:function:f"),
            "it does not run an ECS task, its target is arn",
        ),
        (target_of("arn:aws:scheduler:::aws-sdk:ecs:updateService", Input="{}"), "it does not run an ECS task"),
        (target_of(UNIVERSAL, Input="x"), "its Input is no JSON object, so no revision can be put into it"),
        (target_of(UNIVERSAL), "its Input is no JSON object"),
    ],
)
def test_a_schedule_of_anything_else_is_refused(answer: Doc, said: str) -> None:
    with pytest.raises(PlanningError, match=f"schedule.default/nightly: .*{said}"):
        deltas(declared(), answer)


@pytest.mark.parametrize(
    ("arn", "members"),
    [(CLUSTER, {}), (UNIVERSAL, {"Input": "{}"})],
    ids=["a cluster", "a universal target"],
)
def test_a_target_of_another_sort_is_not_made_one_that_runs_a_task(arn: str, members: Doc) -> None:
    answer = target_of("arn:aws:lambda:eu-west-1:123456789012:function:f")
    with pytest.raises(PlanningError, match="it does not run an ECS task, its target is arn:aws:lambda"):
        deltas(declared(Target={"Arn": arn, **members}), answer)


@pytest.mark.parametrize(
    ("members", "answer", "said"),
    [
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, live(), "neither the spec nor AWS has its MaximumWindowInMin"),
        ({"EndDate": "2099-01-01T00:00:00Z"}, live(), "its EndDate 2099-01-01T00:00:00Z would be before its StartDate"),
        ({"Target": {"EcsParameters": {"TaskCount": 2}}}, target_of(UNIVERSAL, Input="{}"),
         "ecs:runTask, which has no EcsParameters.TaskCount: write it into the request in its Input"),
        ({"Target": {"Arn": UNIVERSAL}}, live(), "and its Input has to be declared with it"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_what_is_live_is_refused(members: Doc, answer: Doc, said: str) -> None:
    with pytest.raises(PlanningError, match=f"schedule.default/nightly: .*{said}"):
        deltas(declared(**members), answer)


def test_dates_of_a_schedule_that_runs_once_are_not_compared() -> None:
    """AWS ignores them."""
    once = {"ScheduleExpression": "at(2099-01-01T00:00:00)", "EndDate": "2099-01-01T00:00:00Z"}
    assert deltas(declared(**once), live())[NIGHTLY].change.action is Action.UPDATE


# --- universal targets ---

TEXT = ' {"Cluster": "prod",\n  "TaskDefinition" : "%s", "Count":1 }'


def universal(text: str = TEXT % OLD) -> Doc:
    return target_of(UNIVERSAL, Input=text)


def moved(answer: Doc, tag: str, **members: Any) -> tuple[Any, Any]:
    """The Input that is put, and the one of the undo."""
    step = planned(declared(**members), answer, tag).steps[-1]
    assert isinstance(step.call, Call)
    assert isinstance(step.undo, Call)
    for call in (step.call, step.undo):
        assert "EcsParameters" not in call.params["Target"]
    return step.call.params["Target"]["Input"], step.undo.params["Target"]["Input"]


def test_nothing_differs_where_its_input_has_the_revision() -> None:
    assert not planned(declared(), universal()).changed


def test_a_known_revision_is_put_into_its_input_and_nothing_else_is_touched() -> None:
    older = TEXT % revision("other:7")
    assert moved(universal(older), "v42") == (TEXT % OLD, older)


def test_the_difference_is_that_of_the_revision_alone() -> None:
    change = deltas(declared(), universal(TEXT % revision("other:7")))[NIGHTLY].change
    assert [(one.path, one.before, one.after) for one in change.fields] == [
        ("Target.EcsParameters.TaskDefinitionArn", revision("other:7"), OLD)
    ]
    assert change.before == {
        "Name": "nightly",
        "Target": {"EcsParameters": {"TaskDefinitionArn": revision("other:7")}},
    }


def test_a_revision_that_is_not_registered_yet_is_put_when_it_is() -> None:
    put, undo = moved(universal(), "v43")
    head, tail = (TEXT % "|").split('"|"')
    assert put == JsonText(head=head, ref=Ref(address=Address("task_definition.web"), output="arn"), tail=tail)
    assert put.filled(NEW) == TEXT % NEW
    assert undo == TEXT % OLD
    plan = planned(declared(), universal(), "v43")
    assert file.decode(json.loads(json.dumps(to_data(plan))), "plan.json") == plan


@pytest.mark.parametrize("text", ["{}", '{"Cluster": "prod"}', '{"TaskDefinition": null}', '{"TaskDefinition": ""}'])
def test_an_input_without_a_revision_gets_one(text: str) -> None:
    put, undo = moved(universal(text), "v42")
    assert json.loads(put) == {**json.loads(text), "TaskDefinition": OLD}
    assert undo == text


def test_a_rollback_takes_a_revision_out_of_an_input_that_had_none() -> None:
    text = '{"Cluster": "prod"}'
    change = deltas(declared(), universal(text))[NIGHTLY].change
    assert [(one.path, one.before) for one in change.fields] == [("Target.EcsParameters.TaskDefinitionArn", None)]
    deployments = [deployment(1, planned(declared(), universal(text)))]
    back = to_state(deployments, numbered_state(deployments, 0), keep=False)
    resources = [one for one in back.resources if one.address == NIGHTLY]
    put, _ = moved(universal(text), "v42")
    (delta,) = diff(resources, read(FakeAsk().on(READ, universal(put)), resources))
    (draft,) = delta.kind.change.steps(delta)
    assert draft.call.params["Target"]["Input"] == text


# --- a revision in short form ---


def test_a_short_revision_is_the_full_one() -> None:
    """AWS takes the account and region from the schedule."""
    assert not planned(declared(), universal(TEXT % "web:41")).changed
    assert not planned(declared(), live(Target={**TARGET, "EcsParameters": {"TaskDefinitionArn": "web:41"}})).changed
    pinned = declared(Target={"EcsParameters": {"TaskDefinitionArn": "web:41"}})
    assert not planned(pinned, live()).changed


def test_a_text_that_names_the_same_revision_stays() -> None:
    step = planned(declared(State="ENABLED"), universal(TEXT % "web:41")).steps[-1]
    for call in (step.call, step.undo):
        assert isinstance(call, Call)
        assert call.params["Target"]["Input"] == TEXT % "web:41"


def test_a_short_revision_is_restored_as_the_full_one() -> None:
    change = deltas(declared(), universal(TEXT % "other:7"))[NIGHTLY].change
    assert change.before == {
        "Name": "nightly",
        "Target": {"EcsParameters": {"TaskDefinitionArn": revision("other:7")}},
    }
    older = {"Name": "nightly", "Target": {"EcsParameters": {"TaskDefinitionArn": "other:7"}}}
    newer = {"Name": "nightly", "Target": {"EcsParameters": {"TaskDefinitionArn": OLD}}}
    assert compare(SCHEDULE).merge_before(newer, older) == change.before
    assert compare(SCHEDULE).merge_before({"Name": "nightly"}, older) == older


@pytest.mark.parametrize("named", ["web", "5", '"\\ud800"'])
def test_what_is_no_revision_in_short_form_stays(named: str) -> None:
    text = TEXT.replace('"%s"', named if named != "web" else '"web"')
    step = planned(declared(State="ENABLED"), universal(text)).steps[-1]
    assert isinstance(step.undo, Call)
    assert step.undo.params["Target"]["Input"] == text


def test_what_another_aws_answers_for_nothing_is_not_sent_back() -> None:
    """ "" and [] where AWS demands a length of one."""
    empty = {"PlatformVersion": "", "Group": "", "LaunchType": "", "CapacityProviderStrategy": [], "Tags": []}
    network = {"awsvpcConfiguration": {"Subnets": ["s"], "SecurityGroups": []}}
    ecs = {**ECS, **empty, "NetworkConfiguration": network}
    answer = live(KmsKeyArn="", Target={**TARGET, "Input": "", "EcsParameters": ecs})
    (step,) = planned(declared(State="ENABLED"), answer).steps
    for call in (step.call, step.undo):
        assert isinstance(call, Call)
        assert "KmsKeyArn" not in call.params
        assert "Input" not in call.params["Target"]
        sent = call.params["Target"]["EcsParameters"]
        assert not {"PlatformVersion", "Group", "LaunchType"} & sent.keys()
        assert sent["NetworkConfiguration"] == {"awsvpcConfiguration": {"Subnets": ["s"]}}


def test_a_declared_input_gets_the_revision_too() -> None:
    put, _ = moved(universal(), "v42", Target={"Input": '{"Cluster": "other"}'})
    assert json.loads(put) == {"Cluster": "other", "TaskDefinition": OLD}


def test_a_revision_that_is_declared_with_the_whole_target_stays() -> None:
    put, _ = moved(universal(), "v42", Target={"Arn": UNIVERSAL, "Input": TEXT % "third:7"})
    assert put == TEXT % "third:7"


def test_a_rollback_restores_its_input_to_the_letter() -> None:
    older = TEXT % revision("other:7")
    deployments = [deployment(1, planned(declared(), universal(older)))]
    back = to_state(deployments, numbered_state(deployments, 0), keep=False)
    resources = [one for one in back.resources if one.address == NIGHTLY]
    (delta,) = diff(resources, read(FakeAsk().on(READ, universal()), resources))
    (draft,) = delta.kind.change.steps(delta)
    # Its family is registered anew if it is no longer ACTIVE, so the revision is filled in then.
    assert draft.call.params["Target"]["Input"].filled(revision("other:7")) == older


def test_a_lost_answer_of_it_is_looked_up() -> None:
    (step,) = planned(declared(), universal(TEXT % revision("other:7"))).steps
    assert isinstance(step.call, Call)
    again = Call(service="scheduler", operation="get_schedule", params={"GroupName": "default", "Name": "nightly"})
    for answer, expected in ((universal(), {}), (universal(TEXT % revision("other:7")), None)):
        assert SCHEDULE.calls.recover(FakeAsk().on(again, answer), step, step.call) == expected


# --- a start that is past ---


def refused(message: str) -> AwsError:
    return AwsError(f"scheduler:update_schedule: ValidationException: {message}", code="ValidationException")


LATE = "The StartDate you specify cannot be earlier than 5 minutes ago."
PAST = "2020-01-01T00:00:00+00:00"


def starting(start: str | None) -> Call:
    params = {name: value for name, value in KEPT.items() if name != "StartDate"}
    if start is not None:
        params["StartDate"] = start
    return Call(service="scheduler", operation="update_schedule", params=params)


@pytest.mark.parametrize("undo", [starting(PAST), starting(None), Irreversible(reason="x")])
def test_a_start_that_aws_no_longer_accepts_is_left_out(undo: Undo) -> None:
    step = msgspec.structs.replace(step_of(NIGHTLY, starting(PAST), action=Action.UPDATE), undo=undo)
    found = SCHEDULE.calls.instead(step, starting(PAST), refused(LATE))
    assert found is not None
    other, said = found
    assert other == starting(None)
    assert f"StartDate {PAST} is past" in said
    assert SCHEDULE.calls.instead(step, other, refused(LATE)) is None
    assert SCHEDULE.calls.instead(step, starting(PAST), refused("The EndDate is odd.")) is None


def test_a_declared_start_that_is_refused_leaves_the_live_one() -> None:
    live_one = starting("2098-01-01T00:00:00+00:00")
    step = msgspec.structs.replace(step_of(NIGHTLY, starting(PAST), action=Action.UPDATE), undo=live_one)
    found = SCHEDULE.calls.instead(step, starting(PAST), refused(LATE))
    assert found is not None
    assert found[0] == live_one
    assert "the live one stays, 2098-01-01" in found[1]
    again = SCHEDULE.calls.instead(step, live_one, refused(LATE))
    assert again is not None
    assert again[0] == starting(None)


def test_a_declared_start_that_is_past_is_left_as_it_is_live() -> None:
    began = datetime(2020, 1, 1, tzinfo=UTC)
    without = {name: value for name, value in live().items() if name != "StartDate"}
    for answer in (live(), live(StartDate=began), without):
        assert not planned(declared(StartDate=PAST), answer, now=began.timestamp() + 301).changed
    assert planned(declared(StartDate=PAST), live(), now=began.timestamp() + 299).changed


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"ScheduleExpression": "rate(1 day)", "StartDate": None}, "rate(1 day) may be counted from this update"),
        ({"ScheduleExpression": "rate(1 day)"}, ""),
        ({"StartDate": None}, ""),
    ],
)
def test_the_plan_says_where_a_rate_may_begin_anew(members: Doc, note: str) -> None:
    answer = {name: value for name, value in live(**members).items() if value is not None}
    (step,) = planned(declared(State="ENABLED"), answer).steps
    assert step.note == note


def test_a_schedule_that_is_being_made_is_tried_again() -> None:
    assert SCHEDULE.calls.retryable(AwsError("x", code="ConflictException"))
    assert not SCHEDULE.calls.retryable(AwsError("x", code="ValidationException"))
