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


WITH_SECRETS = json.dumps({
    "Cluster": "prod", "TaskDefinition": "x:1",
    "Overrides": {"ContainerOverrides": [
        {"Name": "web", "Environment": [{"Name": "DB_PASSWORD", "Value": "hunter2hunter2"}]},
    ]},
})  # fmt: skip


def universal(world: World, text: str) -> None:
    """Makes the target of the schedule one that has the request of RunTask in its Input."""
    put(world, Target={"Arn": UNIVERSAL, "RoleArn": schedule(world)["Target"]["RoleArn"], "Input": text})


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
