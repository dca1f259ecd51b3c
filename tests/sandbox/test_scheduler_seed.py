"""The schedules that ``seed`` makes of the requests of a spec."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from ecsplan.sandbox import Sandbox
from tests.sandbox.conftest import Client
from tests.sandbox.helpers import ARN, EPOCH, FARGATE, Clock, Doc, task_definition
from tests.sandbox.test_scheduler import ROLE, RUN_TASK, shown

KNOWN_LATER: Final = "(known after apply)"
PLACEHOLDER: Final = f"{ARN}task-definition/sandbox-placeholder:"


def requests(*schedules: Doc, **definition: Any) -> Doc:
    return {"WEB": {"task_definition": task_definition(**definition), "scheduler__update_schedules": list(schedules)}}


@pytest.fixture
def scheduler(client: Client) -> Any:
    return client("scheduler")


def seeded(aws: Sandbox, client: Client, declared: Doc, **definition: Any) -> Doc:
    """The schedule ``s`` of a task that declares that."""
    aws.seed(requests({"Name": "s"} | declared, **definition), "prod")
    return shown(client("scheduler"), "s")


def revision(schedule: Doc) -> str:
    return str(schedule["Target"]["EcsParameters"]["TaskDefinitionArn"])


def test_a_schedule_that_is_only_named(aws: Sandbox, client: Client) -> None:
    made = aws.seed(requests({"Name": "nightly"}), "prod")
    assert (made.clusters, made.further["schedules"]) == (("prod",), ("default/nightly",))
    schedule = shown(client("scheduler"))
    assert revision(schedule).startswith(PLACEHOLDER)
    assert (schedule["State"], schedule["FlexibleTimeWindow"]) == ("ENABLED", {"Mode": "OFF"})
    assert schedule["Description"]
    assert schedule["KmsKeyArn"].startswith("arn:aws:kms:eu-west-1:")
    assert schedule["EndDate"].year >= 2100
    assert schedule["Target"] == {
        "Arn": f"{ARN}cluster/prod",
        "RoleArn": ROLE,
        "Input": '{"seeded": "kept"}',
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:seeded"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        "EcsParameters": {"TaskDefinitionArn": revision(schedule), "TaskCount": 1},
    }


def test_groups_are_created(aws: Sandbox, client: Client) -> None:
    made = aws.seed(requests({"Name": "a", "GroupName": "g"}, {"Name": "b", "GroupName": "g"}, {"Name": "a"}))
    assert made.further["schedules"] == ("default/a", "g/a", "g/b")
    assert shown(client("scheduler"), "b", GroupName="g")["GroupName"] == "g"


def test_declared_members_are_there(aws: Sandbox, client: Client) -> None:
    declared = {
        "State": "DISABLED", "ScheduleExpression": "rate(1 day)", "Description": "mine",
        "Target": {
            "Arn": f"{ARN}cluster/jobs", "RetryPolicy": {"MaximumRetryAttempts": 0},
            "EcsParameters": {"TaskDefinitionArn": KNOWN_LATER, "TaskCount": 3, "Group": "g"},
        },
    }  # fmt: skip
    schedule = seeded(aws, client, declared)
    assert [schedule[name] for name in ("State", "ScheduleExpression", "Description")] == [
        "DISABLED", "rate(1 day)", "mine",
    ]  # fmt: skip
    assert schedule["Target"]["Arn"] == f"{ARN}cluster/jobs"
    assert schedule["Target"]["Input"] == '{"seeded": "kept"}'
    assert schedule["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400}
    assert revision(schedule).startswith(PLACEHOLDER)
    assert schedule["Target"]["EcsParameters"] == {
        "TaskDefinitionArn": revision(schedule), "TaskCount": 3, "Group": "g",
    }  # fmt: skip
    assert f"{ARN}cluster/jobs" in client("ecs").list_clusters()["clusterArns"]


def test_a_network_and_fargate(aws: Sandbox, client: Client) -> None:
    parameters = seeded(aws, client, {}, **FARGATE)["Target"]["EcsParameters"]
    assert parameters["LaunchType"] == "FARGATE"
    assert sorted(parameters["NetworkConfiguration"]["awsvpcConfiguration"]) == [
        "AssignPublicIp", "SecurityGroups", "Subnets",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "launch_type"),
    [
        ({"CapacityProviderStrategy": [{"capacityProvider": "p"}]}, None),
        ({"NetworkConfiguration": {"awsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}}, "FARGATE"),
        ({"LaunchType": "EXTERNAL"}, "EXTERNAL"),
    ],
)
def test_what_is_seeded_goes_with_what_is_declared(
    aws: Sandbox, client: Client, declared: Doc, launch_type: str | None
) -> None:
    schedule = seeded(aws, client, {"Target": {"EcsParameters": declared}}, networkMode="awsvpc")
    parameters = schedule["Target"]["EcsParameters"]
    assert parameters.get("LaunchType") == launch_type
    assert parameters["NetworkConfiguration"]["awsvpcConfiguration"]["Subnets"]


@pytest.mark.parametrize(
    ("declared", "there"),
    [
        ({"MaximumWindowInMinutes": 30}, {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}),
        ({"Mode": "FLEXIBLE"}, {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}),
        ({"Mode": "OFF"}, {"Mode": "OFF"}),
    ],
)
def test_windows(aws: Sandbox, client: Client, declared: Doc, there: Doc) -> None:
    assert seeded(aws, client, {"FlexibleTimeWindow": declared})["FlexibleTimeWindow"] == there


def test_dates_are_texts_in_specs(aws: Sandbox, client: Client) -> None:
    dates = {"StartDate": "2090-01-01T02:00:00+02:00", "EndDate": "2091-01-01T00:00:00"}
    schedule = seeded(aws, client, dates)
    assert schedule["StartDate"].isoformat() == "2090-01-01T00:00:00+00:00"
    assert schedule["EndDate"].isoformat() == "2091-01-01T00:00:00+00:00"


def test_a_start_in_the_past_was_accepted_when_it_was_not(aws: Sandbox, client: Client, clock: Clock) -> None:
    schedule = seeded(aws, client, {"StartDate": "2001-01-01T00:00:00Z"})
    assert schedule["StartDate"].year == schedule["CreationDate"].year == 2001
    assert clock.time == EPOCH


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        ({}, {"Cluster": f"{ARN}cluster/prod"}),
        ({"Input": KNOWN_LATER}, {"Cluster": f"{ARN}cluster/prod"}),
        ({"Input": {"$ref": "json"}}, {"Cluster": f"{ARN}cluster/prod"}),
        ({"Input": '{"Count": 2, "TaskDefinition": "web"}'}, {"Cluster": f"{ARN}cluster/prod", "Count": 2}),
        ({"Input": '{"Cluster": "jobs"}'}, {"Cluster": "jobs"}),
    ],
)
def test_a_universal_target(aws: Sandbox, client: Client, given: Doc, request_: Doc) -> None:
    target = seeded(aws, client, {"Target": {"Arn": RUN_TASK} | given})["Target"]
    assert "EcsParameters" not in target
    found = json.loads(target["Input"])
    assert found.pop("TaskDefinition").startswith(PLACEHOLDER)
    assert found == request_
    names = [arn.rpartition("/")[2] for arn in client("ecs").list_clusters()["clusterArns"]]
    assert request_["Cluster"].rpartition("/")[2] in names


def test_another_target_runs_no_task(aws: Sandbox, client: Client) -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:q"
    target = seeded(aws, client, {"Target": {"Arn": queue}})["Target"]
    assert (target["Arn"], "EcsParameters" in target) == (queue, False)


def test_seeding_twice_changes_nothing(aws: Sandbox, scheduler: Any, clock: Clock) -> None:
    made = aws.seed(requests({"Name": "nightly"}))
    before = shown(scheduler)
    clock.tick(60)
    assert aws.seed(requests({"Name": "nightly"})) == made
    assert shown(scheduler) == before
