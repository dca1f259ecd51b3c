"""Schedules of EventBridge Scheduler: moved with a deployment, and nothing else of them is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.specs import TOPIC, spec, task
from tests.support.world import World

KEY = "scheduler__update_schedules"
NAME = "schedule.default/nightly"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
CHANGING = ("CreationDate", "LastModificationDate", "ResponseMetadata")

Doc = dict[str, Any]


def declared(**members: Any) -> Doc:
    return spec(task("web") | {KEY: [{"Name": "nightly", **members}]})


def schedule(world: World, name: str = "nightly") -> Doc:
    found = world.client("scheduler").get_schedule(Name=name)
    return {member: value for member, value in found.items() if member not in CHANGING}


def put(world: World, **members: Any) -> Doc:
    """Changes the schedule by hand; what is not named stays."""
    whole = {name: value for name, value in schedule(world).items() if name != "Arn"} | members
    world.client("scheduler").update_schedule(**{k: v for k, v in whole.items() if v is not None})
    return schedule(world)


def universal(world: World, text: str) -> None:
    """Makes the target of the schedule one that has the request of RunTask in its Input."""
    put(world, Target={"Arn": UNIVERSAL, "RoleArn": schedule(world)["Target"]["RoleArn"], "Input": text})


def revision(world: World) -> str:
    return str(schedule(world)["Target"]["EcsParameters"]["TaskDefinitionArn"]).rpartition("/")[2]


def unmoved(doc: Doc) -> Doc:
    """A schedule but for the revision that it runs."""
    parameters = {k: v for k, v in doc["Target"]["EcsParameters"].items() if k != "TaskDefinitionArn"}
    return {**doc, "Target": {**doc["Target"], "EcsParameters": parameters}}


@pytest.fixture
def seeded(world: World) -> World:
    """A disabled schedule with all that is easily lost: its key, dates, description, zone, dead-letter queue, input."""
    world.write(declared())
    live = put(
        world,
        State="DISABLED",
        ScheduleExpressionTimezone="Europe/Berlin",
        StartDate="2098-12-31T23:00:00Z",
        EndDate="2099-12-31T23:00:00Z",
        ActionAfterCompletion="DELETE",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    )
    assert {"KmsKeyArn", "Description", "StartDate", "EndDate"} <= live.keys()
    assert {"Input", "DeadLetterConfig", "RetryPolicy"} <= live["Target"].keys()
    world.forget()
    return world


def test_only_the_revision_of_a_schedule_is_changed(seeded: World) -> None:
    before = schedule(seeded)
    shown = seeded.ok("plan", "v1").out
    assert "~ schedule.default/nightly" in shown
    assert "sandbox-placeholder:1 -> (known after apply)" in shown
    seeded.ok("apply")
    assert seeded.sent() == ["RegisterTaskDefinition", "UpdateService", "UpdateSchedule"]
    assert revision(seeded) == "web:1"
    assert unmoved(schedule(seeded)) == unmoved(before)
    assert seeded.run("plan", "v1", "--detailed-exitcode").code == 0


def test_a_rollback_puts_back_what_was_live(seeded: World) -> None:
    before = schedule(seeded)
    seeded.deploy("v1")
    seeded.write(declared(State="ENABLED", Description="new", Target={"RetryPolicy": {"MaximumRetryAttempts": 0}}),
                 seed=False)  # fmt: skip
    seeded.deploy("v2")
    changed = schedule(seeded)
    assert (changed["State"], changed["Description"], revision(seeded)) == ("ENABLED", "new", "web:2")
    assert changed["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400}
    seeded.ok("rollback", "--yes")
    assert revision(seeded) == "web:1"
    assert unmoved(schedule(seeded)) == unmoved(before)


def test_a_failed_deployment_puts_it_back(seeded: World) -> None:
    seeded.deploy("v1")
    before = schedule(seeded)
    seeded.write(spec(task("web") | {KEY: [{"Name": "nightly"}, {"Name": "weekly"}]}))
    seeded.aws.fault("UpdateSchedule", "error", code="AccessDeniedException", match={"Name": "weekly"}, status=403)
    ran = seeded.run("deploy", "v2", "--yes")
    assert ran.code == 6, ran.said
    assert "AccessDeniedException" in ran.said
    assert schedule(seeded) == before


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "throttle"])
def test_an_answer_that_was_lost_or_throttled_is_no_failure(seeded: World, kind: str) -> None:
    before = schedule(seeded)
    seeded.aws.fault("UpdateSchedule", kind, times=7)
    ran = seeded.run("deploy", "v1", "--yes")
    assert ran.code == 0, ran.said
    assert revision(seeded) == "web:1"
    assert unmoved(schedule(seeded)) == unmoved(before)


def test_a_conflict_is_tried_again(seeded: World) -> None:
    seeded.aws.fault("UpdateSchedule", "error", code="ConflictException", status=409, times=2)
    ran = seeded.deploy("v1")
    assert "trying again" in ran.err
    assert revision(seeded) == "web:1"


def test_a_schedule_that_was_changed_by_hand_is_not_overwritten(seeded: World) -> None:
    seeded.ok("plan", "v1")
    before = put(seeded, State="ENABLED")
    seeded.forget()
    ran = seeded.run("apply")
    assert (ran.code, ran.out) == (4, "")
    assert 'schedule.default/nightly: State "DISABLED" -> "ENABLED"' in ran.err
    assert (schedule(seeded), seeded.sent()) == (before, [])


def test_a_schedule_that_is_not_there_is_refused_with_account_and_region(seeded: World) -> None:
    seeded.write(declared(GroupName="mails"), seed=False)
    ran = seeded.run("plan", "v1")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "error: this cannot be planned in account 123456789012, region eu-west-1:",
        "  schedule.mails/nightly: there is no schedule mails/nightly; "
        "it is created elsewhere, ecsplan only changes it",
        "Nothing was changed.",
    ]


def test_a_schedule_of_something_else_is_refused(seeded: World) -> None:
    put(
        seeded, Target={"Arn": "arn:aws:sqs:eu-west-1:123456789012:q", "RoleArn": schedule(seeded)["Target"]["RoleArn"]}
    )
    ran = seeded.run("plan", "v1")
    assert ran.code == 1
    assert "it does not run an ECS task, its target is arn:aws:sqs:eu-west-1:123456789012:q" in ran.err


def test_dates_of_toml_are_set(seeded: World) -> None:
    text = seeded.file.read_text()
    named = '"Name" = "nightly"'
    assert named in text
    seeded.file.write_text(text.replace(named, f'{named}, "EndDate" = 2099-06-01T02:00:00+02:00'))
    shown = " ".join(seeded.ok("plan", "v1").out.split())
    assert '~ EndDate "2099-12-31T23:00:00+00:00" -> "2099-06-01T00:00:00+00:00"' in shown
    seeded.ok("apply")
    assert schedule(seeded)["EndDate"].isoformat() == "2099-06-01T00:00:00+00:00"
    assert seeded.run("plan", "v1", "--detailed-exitcode").code == 0


def test_a_start_that_is_past_is_left_out_if_aws_refuses_it(seeded: World) -> None:
    """AWS does not say whether it takes the live StartDate again; the embedded one does not."""
    put(seeded, StartDate="2023-11-15T00:00:00Z")
    seeded.clock.sleep(2 * 86_400)
    ran = seeded.deploy("v1")
    assert (
        "its StartDate 2023-11-15T00:00:00+00:00 is past, and AWS does not accept it again: it is left out" in ran.err
    )
    assert revision(seeded) == "web:1"
    assert "StartDate" not in schedule(seeded)
    assert seeded.run("plan", "v1", "--detailed-exitcode").code == 0


def test_a_declared_start_that_is_refused_leaves_the_live_one(seeded: World) -> None:
    """It became past between plan and apply."""
    live = schedule(seeded)["StartDate"]
    seeded.write(declared(StartDate="2090-01-01T00:00:00Z"), seed=False)
    seeded.ok("plan", "v1")
    seeded.clock.sleep(70 * 365 * 86400.0)
    assert "the live one stays, 2098-12-31T23:00:00+00:00" in seeded.ok("apply").err
    assert schedule(seeded)["StartDate"] == live


def test_the_clock_of_the_deployment_says_what_is_past(seeded: World) -> None:
    put(seeded, StartDate=None)
    seeded.write(declared(StartDate="2024-06-01T00:00:00Z"), seed=False)  # the account is in November 2023
    seeded.deploy("v1")
    assert schedule(seeded)["StartDate"].isoformat() == "2024-06-01T00:00:00+00:00"


def test_a_universal_target_is_moved_in_its_input(seeded: World) -> None:
    text = '{ "Cluster": "prod",\n "TaskDefinition": "sandbox-placeholder:1", "Count": 2 }'
    role = schedule(seeded)["Target"]["RoleArn"]
    put(seeded, Target={"Arn": UNIVERSAL, "RoleArn": role, "Input": text})
    seeded.deploy("v1")
    after = schedule(seeded)
    run = json.loads(after["Target"]["Input"])
    assert run["TaskDefinition"].endswith(":task-definition/web:1")
    assert after["Target"]["Input"] == text.replace("sandbox-placeholder:1", run["TaskDefinition"])
    assert seeded.run("plan", "v1", "--detailed-exitcode").code == 0
    seeded.deploy("v2")
    seeded.ok("rollback", "--to", "1", "--yes")
    assert schedule(seeded) == after


def deployed(world: World, tag: str, **members: Any) -> None:
    """With no revision left but those in use."""
    world.write(spec(task("web") | {KEY: [{"Name": "nightly", **members}]}, active_task_count=1), seed=False)
    world.deploy(tag)


def test_a_revision_in_short_form_that_a_schedule_uses_is_kept(seeded: World) -> None:
    universal(seeded, '{"Cluster":"prod","TaskDefinition":"x:1"}')
    deployed(seeded, "v1")
    deployed(seeded, "v2")
    deployed(seeded, "v3", Target={"Arn": UNIVERSAL, "Input": '{"Cluster":"prod","TaskDefinition":"web:2"}'})
    assert seeded.active("web") == ["web:3", "web:2"]


def test_a_short_revision_without_a_known_region_is_kept(seeded: World) -> None:
    deployed(seeded, "v1")
    deployed(seeded, "v2")
    universal(seeded, '{"Cluster":"prod"}')
    deployed(seeded, "v3", Target={"Arn": UNIVERSAL, "Input": '{"Cluster":"prod","TaskDefinition":"web:2"}'})
    assert seeded.active("web") == ["web:3", "web:2"]


@pytest.mark.parametrize("back", [("--yes",), ("--to", "1", "--yes")])
def test_a_rollback_to_a_short_revision_registers_it_anew(seeded: World, back: tuple[str, ...]) -> None:
    universal(seeded, '{"Cluster":"prod","TaskDefinition":"x:1"}')
    deployed(seeded, "v1")
    universal(seeded, '{"Cluster":"prod","TaskDefinition":"web:1"}')
    deployed(seeded, "v2")
    seeded.ok("rollback", *back)
    used = json.loads(schedule(seeded)["Target"]["Input"])["TaskDefinition"].rpartition("/")[2]
    assert used in seeded.active("web")


def test_from_an_ecs_target_to_a_universal_one_and_back(seeded: World) -> None:
    seeded.deploy("v1")
    target = schedule(seeded)["Target"]
    put(seeded, Target={**target, "EcsParameters": {**target["EcsParameters"], "LaunchType": "EC2", "TaskCount": 3}})
    before = schedule(seeded)
    seeded.write(declared(Target={"Arn": UNIVERSAL, "Input": '{"Cluster":"prod"}'}), seed=False)
    shown = " ".join(seeded.ok("plan", "v2").out.split())
    assert "- Target.EcsParameters.LaunchType" in shown
    assert "- Target.EcsParameters.TaskCount" in shown
    seeded.deploy("v2")
    assert "EcsParameters" not in schedule(seeded)["Target"]
    seeded.ok("rollback", "--yes")
    assert schedule(seeded) == before


def test_from_a_universal_target_to_an_ecs_one_and_back(seeded: World) -> None:
    """The request of RunTask is no input of a cluster's target."""
    seeded.deploy("v1")
    cluster = schedule(seeded)["Target"]["Arn"]
    run = {"Cluster": "prod", "TaskDefinition": schedule(seeded)["Target"]["EcsParameters"]["TaskDefinitionArn"]}
    universal(seeded, json.dumps(run))
    before = schedule(seeded)
    seeded.write(declared(Target={"Arn": cluster, "EcsParameters": {"TaskCount": 2}}), seed=False)
    seeded.deploy("v2")
    assert "Input" not in schedule(seeded)["Target"]
    seeded.ok("rollback", "--yes")
    assert schedule(seeded) == before


@pytest.mark.parametrize("levels", [900, 970, 985, 990, 995])
def test_a_request_of_more_levels_than_any_is_refused(seeded: World, levels: int) -> None:
    text = '{"a": ' + "[" * levels + "]" * levels + "}"
    seeded.write(declared(Target={"Arn": UNIVERSAL, "Input": text}), seed=False)
    ran = seeded.run("plan", "v1")
    assert ran.code == 3
    assert "Target.Input: must be the request of RunTask as a JSON object" in ran.err


def test_a_target_of_another_sort_is_not_changed(seeded: World) -> None:
    role = schedule(seeded)["Target"]["RoleArn"]
    before = put(seeded, Target={"Arn": "arn:aws:sqs:eu-west-1:123456789012:q", "RoleArn": role})
    seeded.write(declared(Target={"Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"}), seed=False)
    ran = seeded.run("deploy", "v1", "--yes")
    assert (ran.code, schedule(seeded)) == (1, before)
    assert "it does not run an ECS task, its target is arn:aws:sqs" in ran.err


def test_parameters_that_a_universal_target_cannot_hold_are_refused(seeded: World) -> None:
    universal(seeded, '{"Cluster":"prod","TaskDefinition":"x:1"}')
    seeded.write(declared(Target={"EcsParameters": {"TaskCount": 2}}), seed=False)
    ran = seeded.run("deploy", "v1", "--yes")
    assert ran.code == 1
    assert "which has no EcsParameters.TaskCount: write it into the request in its Input" in ran.err


@pytest.mark.parametrize("text", ['{"a":"\\ud800"}', '{"a":' + "[" * 900 + "]" * 900 + "}"])
def test_any_json_is_an_input(seeded: World, text: str) -> None:
    """Half a surrogate pair, and more levels than Python can walk."""
    seeded.write(declared(Target={"Input": text}), seed=False)
    seeded.ok("plan", "v1")
    seeded.ok("plan", "v1", "--explain")
    seeded.deploy("v1")
    assert schedule(seeded)["Target"]["Input"] == text
    assert seeded.run("plan", "v1", "--detailed-exitcode").code == 0


@pytest.mark.parametrize(("members", "code"), [
    ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, 1),  # only with what is live
    ({"EndDate": "2098-12-31T22:00:00Z"}, 1),
    ({"EndDate": "9999-12-31T23:59:59-05:00"}, 3),
    ({"StartDate": "2098-W01-1T00:00Z"}, 3),
    ({"ScheduleExpression": "cron(0 3 * * * *)"}, 3),
    ({"ScheduleExpression": "at(2098-02-30T00:00:00)"}, 3),
])  # fmt: skip
def test_what_aws_refuses_is_refused_before_anything_is_sent(seeded: World, members: Doc, code: int) -> None:
    put(seeded, FlexibleTimeWindow={"Mode": "OFF"})
    seeded.forget()
    seeded.write(declared(**members), seed=False)
    ran = seeded.run("deploy", "v1", "--yes")
    assert (ran.code, seeded.sent()) == (code, []), ran.said


WITH_SECRETS = json.dumps({
    "Cluster": "prod", "TaskDefinition": "x:1",
    "Overrides": {"ContainerOverrides": [
        {"Name": "web", "Environment": [{"Name": "DB_PASSWORD", "Value": "hunter2hunter2"}]},
    ]},
})  # fmt: skip


def test_the_secrets_of_a_universal_target_are_masked(seeded: World) -> None:
    """Names in the request of RunTask are spelled as in the API: Name and Value."""
    universal(seeded, WITH_SECRETS)
    topic = {"sns_notification_topic_arn": TOPIC}
    target = {"Target": {"Arn": UNIVERSAL, "Input": WITH_SECRETS.replace("prod", "other")}}
    seeded.write(spec(task("web") | {KEY: [{"Name": "nightly", **target}]}, **topic), seed=False)
    for arguments in (
        ("plan", "v1"),
        ("plan", "v1", "--format", "json"),
        ("plan", "v1", "--explain"),
        ("render", "v1"),
    ):
        assert "hunter2" not in seeded.ok(*arguments).said
    said = "it is not allowed: hunter2hunter2"
    seeded.aws.fault("UpdateSchedule", "error", code="AccessDeniedException", message=said, status=403, times=1)
    refused = seeded.run("deploy", "v1", "--yes")
    assert "it is not allowed" in refused.said
    assert "hunter2" not in refused.said
    seeded.deploy("v2")
    assert "hunter2hunter2" in schedule(seeded)["Target"]["Input"]
    assert "update_schedule" in json.dumps(seeded.published())
    assert "hunter2" not in json.dumps(seeded.published())


def test_the_input_of_a_schedule_is_masked(seeded: World) -> None:
    seeded.write(
        declared(Target={"Input": '{"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}'}), seed=False
    )
    shown = seeded.ok("plan", "v1").out
    assert "hunter2" not in shown
    assert "(sensitive" in shown
    assert "hunter2" not in seeded.ok("plan", "v1", "--format", "json").out
    assert "hunter2" not in seeded.ok("render", "v1").out
    assert "hunter2" not in seeded.ok("plan", "v1", "--explain").out
