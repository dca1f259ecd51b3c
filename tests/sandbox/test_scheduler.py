"""EventBridge Scheduler: section 1 of the second table of facts, and its rows in section 5 of the first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox.common import AwsError
from ecsplan.sandbox.inputs import Inputs
from tests.sandbox.answers import misfits
from tests.sandbox.helpers import ARN, EPOCH, Clock, Doc, error_of

Client = Callable[..., Any]
CLUSTER: Final = f"{ARN}cluster/prod"
ROLE: Final = "arn:aws:iam::123456789012:role/scheduler"
CRON: Final = "cron(0 3 * * ? *)"
KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/k-1"
QUEUE: Final = {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"}
RUN_TASK: Final = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
SCHEDULES: Final = "arn:aws:scheduler:eu-west-1:123456789012:schedule"
NOW: Final = datetime.fromtimestamp(EPOCH, UTC)
RETRIES: Final = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
DEFAULTS: Final[Doc] = {"State": "ENABLED", "ScheduleExpressionTimezone": "UTC", "ActionAfterCompletion": "NONE"}


def target(ecs: Doc | None = None, **members: Any) -> Doc:
    parameters = {"TaskDefinitionArn": f"{ARN}task-definition/web:1"} | (ecs or {})
    return {"Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": parameters} | members


def universal(**members: Any) -> Doc:
    return {"Arn": RUN_TASK, "RoleArn": ROLE} | members


def network(**members: Any) -> Doc:
    return {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s-1"]} | members}}


def schedule(to: Doc | None = None, **members: Any) -> Doc:
    """The least that Create and Update need."""
    least = {"Name": "nightly", "ScheduleExpression": CRON, "FlexibleTimeWindow": {"Mode": "OFF"}}
    return least | {"Target": to or target()} | members


@pytest.fixture
def scheduler(client: Client) -> Any:
    return client("scheduler")


def shown(scheduler: Any, name: str = "nightly", **group: str) -> Doc:
    """What GetSchedule answers, which an SDK must understand."""
    answer: Doc = scheduler.get_schedule(Name=name, **group)
    del answer["ResponseMetadata"]
    numbers = {key: value.timestamp() if isinstance(value, datetime) else value for key, value in answer.items()}
    assert misfits("GetSchedule", numbers, "scheduler") == []
    return answer


def refused(call: Callable[..., Any], **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"]), *error_of(caught.value)


def test_a_schedule(scheduler: Any, clock: Clock) -> None:
    assert scheduler.create_schedule(**schedule())["ScheduleArn"] == f"{SCHEDULES}/default/nightly"
    assert shown(scheduler) == {
        **schedule(),
        **DEFAULTS,
        "GroupName": "default",
        "Arn": f"{SCHEDULES}/default/nightly",
        "CreationDate": datetime.fromtimestamp(EPOCH, UTC),
        "LastModificationDate": datetime.fromtimestamp(EPOCH, UTC),
        "Target": target(RetryPolicy=RETRIES),
    }


#: row · members sent · the same as answered, if they differ
ROWS: Final[list[tuple[str, Doc, Doc]]] = [
    ("disabled", {"State": "DISABLED"}, {}),
    ("timezone", {"ScheduleExpressionTimezone": "Europe/Berlin"}, {}),
    ("rate", {"ScheduleExpression": "rate(24 hours)"}, {}),
    ("once", {"ScheduleExpression": "at(2030-02-28T00:00:00)", "ActionAfterCompletion": "DELETE"}, {}),
    ("window", {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1440}}, {}),
    ("key", {"KmsKeyArn": KEY}, {}),
    ("dates", {"StartDate": NOW, "EndDate": datetime(2100, 1, 1, tzinfo=UTC)}, {}),
    ("description", {"Description": "d"}, {}),
    ("no retries", {"Target": target(RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})}, {}),
    (
        "part of a retry policy",
        {"Target": target(RetryPolicy={"MaximumRetryAttempts": 0})},
        {"Target": target(RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400})},
    ),
    ("dead letters", {"Target": target(DeadLetterConfig=QUEUE, RetryPolicy=RETRIES)}, {}),
    ("input", {"Target": target(Input='{"b": 1,  "a": 2}', RetryPolicy=RETRIES)}, {}),
    ("input of 256 KB", {"Target": target(Input="é" * 131_072, RetryPolicy=RETRIES)}, {}),
    ("universal", {"Target": universal(Input='{"TaskDefinition": "web:1"}', RetryPolicy=RETRIES)}, {}),
    ("universal in China", {"Target": universal(Arn=RUN_TASK.replace("aws:", "aws-cn:", 1), RetryPolicy=RETRIES)}, {}),
    (
        "queue",
        {"Target": {"Arn": QUEUE["Arn"], "RoleArn": ROLE, "SqsParameters": {"MessageGroupId": "g"}}},
        {"Target": {"Arn": QUEUE["Arn"], "RoleArn": ROLE, "SqsParameters": {"MessageGroupId": "g"},
                    "RetryPolicy": RETRIES}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "answered"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("operation", ["create", "update"])
def test_row(scheduler: Any, operation: str, sent: Doc, answered: Doc) -> None:
    if operation == "update":
        scheduler.create_schedule(**schedule())
    getattr(scheduler, f"{operation}_schedule")(**schedule(**sent))
    answer = shown(scheduler)
    wanted = sent | answered
    assert {key: answer[key] for key in wanted} == wanted


#: row · members of EcsParameters, which come back as they were sent, and nothing beside them
PARAMETERS: Final[list[tuple[str, Doc]]] = [
    ("nothing", {}),
    ("count", {"TaskCount": 10}),
    ("floating", {"TaskDefinitionArn": f"{ARN}task-definition/web"}),
    ("launch type", {"LaunchType": "EXTERNAL", "PlatformVersion": "LATEST"}),
    ("false", {"EnableECSManagedTags": False, "EnableExecuteCommand": False}),
    ("true", {"EnableECSManagedTags": True, "EnableExecuteCommand": True}),
    ("names", {"PropagateTags": "TASK_DEFINITION", "Group": "g", "ReferenceId": "r"}),
    ("public", {"LaunchType": "FARGATE"} | network(AssignPublicIp="ENABLED", SecurityGroups=["g"])),
    ("private", network(AssignPublicIp="DISABLED")),
    ("shares of nothing", {"CapacityProviderStrategy": [{"capacityProvider": "a", "weight": 0, "base": 0}]}),
    ("strategies", {"PlacementStrategy": [{"type": "spread", "field": "host"}, {"type": "random"}]}),
    ("strategies the other way", {"PlacementStrategy": [{"type": "random"}, {"type": "spread", "field": "host"}]}),
    ("constraints", {"PlacementConstraints": [{"type": "memberOf", "expression": "e"}]}),
    ("tags in lower case", {"Tags": [{"key": "k", "value": "v"}]}),
    ("tags in upper case", {"Tags": [{"Key": "k", "Value": "v"}, {"free": "f"}]}),
]


@pytest.mark.parametrize("sent", [row[1] for row in PARAMETERS], ids=[row[0] for row in PARAMETERS])
def test_parameters_row(scheduler: Any, sent: Doc) -> None:
    scheduler.create_schedule(**schedule(target(sent)))
    assert shown(scheduler)["Target"]["EcsParameters"] == target(sent)["EcsParameters"]


def test_sets_come_back_in_another_order(scheduler: Any) -> None:
    names = [f"n-{number}" for number in range(4)]
    shares = [{"capacityProvider": name, "weight": 1} for name in names]
    sets = network(Subnets=names, SecurityGroups=names) | {"CapacityProviderStrategy": shares}
    scheduler.create_schedule(**schedule(target(sets)))
    answer = shown(scheduler)["Target"]["EcsParameters"]
    inner = answer["NetworkConfiguration"]["awsvpcConfiguration"]
    for found, sent in (
        (inner["Subnets"], names),
        (inner["SecurityGroups"], names),
        ([one["capacityProvider"] for one in answer["CapacityProviderStrategy"]], names),
    ):
        assert found != sent
        assert sorted(found) == sent


def test_an_update_replaces_the_whole(scheduler: Any, clock: Clock) -> None:
    rich = {
        "State": "DISABLED", "ScheduleExpressionTimezone": "Asia/Tokyo", "ActionAfterCompletion": "DELETE",
        "Description": "d", "KmsKeyArn": KEY, "StartDate": NOW, "EndDate": datetime(2100, 1, 1, tzinfo=UTC),
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
    }  # fmt: skip
    loaded = target({"Group": "g", "TaskCount": 2}, DeadLetterConfig=QUEUE, Input="{}", RetryPolicy=RETRIES)
    scheduler.create_schedule(**schedule(loaded, **rich))
    clock.tick(60)
    assert scheduler.update_schedule(**schedule())["ScheduleArn"] == f"{SCHEDULES}/default/nightly"
    answer = shown(scheduler)
    changed = answer.pop("LastModificationDate")
    assert (changed - answer.pop("CreationDate")).total_seconds() == 60
    names = {"GroupName": "default", "Arn": f"{SCHEDULES}/default/nightly"}
    assert answer == schedule(target(RetryPolicy=RETRIES)) | DEFAULTS | names


def test_what_get_answers_can_be_put_back(scheduler: Any, clock: Clock) -> None:
    """But for three members: the read-modify-write of section 1.1."""
    start = {"StartDate": NOW, "State": "DISABLED", "KmsKeyArn": KEY}
    scheduler.create_schedule(**schedule(target({"TaskCount": 2} | network()), **start))
    before = shown(scheduler)
    clock.tick(200)
    read_only = ("Arn", "CreationDate", "LastModificationDate")
    scheduler.update_schedule(**{key: value for key, value in before.items() if key not in read_only})
    after = shown(scheduler)
    assert after.pop("LastModificationDate") != before.pop("LastModificationDate")
    assert after == before


LATE: Final = "The StartDate you specify cannot be earlier than 5 minutes ago."


@pytest.mark.parametrize("operation", ["create_schedule", "update_schedule"])
def test_a_start_in_the_past(scheduler: Any, clock: Clock, operation: str) -> None:
    if operation == "update_schedule":
        scheduler.create_schedule(**schedule(StartDate=NOW))  # the live date is refused too
    clock.tick(301)
    assert refused(getattr(scheduler, operation), **schedule(StartDate=NOW)) == (400, "ValidationException", LATE)
    clock.tick(-1)
    getattr(scheduler, operation)(**schedule(StartDate=NOW))


def test_schedules_that_run_once_ignore_dates(scheduler: Any) -> None:
    early, late = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
    scheduler.create_schedule(**schedule(ScheduleExpression="at(2030-01-01T00:00:00)", StartDate=late, EndDate=early))
    assert shown(scheduler)["StartDate"] == late


FLEXIBLE: Final = {"Mode": "FLEXIBLE"}
SHARES: Final = {"CapacityProviderStrategy": [{"capacityProvider": "a"}]}
PUBLIC: Final = network(AssignPublicIp="ENABLED")
#: row · what Create and Update refuse
REFUSED: Final[list[tuple[str, Doc]]] = [
    ("window without minutes", schedule(FlexibleTimeWindow=FLEXIBLE)),
    ("minutes without window", schedule(FlexibleTimeWindow={"Mode": "OFF", "MaximumWindowInMinutes": 5})),
    ("no minutes", schedule(FlexibleTimeWindow=FLEXIBLE | {"MaximumWindowInMinutes": 0})),
    ("too many minutes", schedule(FlexibleTimeWindow=FLEXIBLE | {"MaximumWindowInMinutes": 1441})),
    ("no window", {key: value for key, value in schedule().items() if key != "FlexibleTimeWindow"}),
    ("no target", {key: value for key, value in schedule().items() if key != "Target"}),
    ("no role", schedule({"Arn": CLUSTER, "EcsParameters": target()["EcsParameters"]})),
    ("bad role", schedule(target(RoleArn="scheduler"))),
    ("name", schedule(Name="a%20b")),
    ("long name", schedule(Name="x" * 65)),
    ("state", schedule(State="PAUSED")),
    ("after completion", schedule(ActionAfterCompletion="KEEP")),
    ("key", schedule(KmsKeyArn="key/k")),
    ("description", schedule(Description="x" * 513)),
    ("timezone", schedule(ScheduleExpressionTimezone="Europe/Atlantis")),
    ("end before start", schedule(StartDate=NOW, EndDate=datetime.fromtimestamp(EPOCH - 1, UTC))),
    ("retries", schedule(target(RetryPolicy={"MaximumRetryAttempts": 186}))),
    ("age", schedule(target(RetryPolicy={"MaximumEventAgeInSeconds": 59}))),
    ("dead letters", schedule(target(DeadLetterConfig={"Arn": "q"}))),
    ("long input", schedule(target(Input="é" * 131_073))),
    ("count", schedule(target({"TaskCount": 11}))),
    ("launch type", schedule(target({"LaunchType": "MANAGED_INSTANCES"}))),
    ("two capacities", schedule(target({"LaunchType": "EC2"} | SHARES))),
    ("seven shares", schedule(target({"CapacityProviderStrategy": [{"capacityProvider": "a"}] * 7}))),
    ("propagate", schedule(target({"PropagateTags": "NONE"}))),
    ("subnets", schedule(target(network(Subnets=[])))),
    ("groups", schedule(target(network(SecurityGroups=["g"] * 6)))),
    ("public on EC2", schedule(target({"LaunchType": "EC2"} | PUBLIC))),
    ("public without launch type", schedule(target(PUBLIC))),
    ("public on a provider", schedule(target(SHARES | PUBLIC))),
    ("tag", schedule(target({"Tags": [{"k": "x" * 257}]}))),
    ("tag's key", schedule(target({"Tags": [{"k" * 129: "v"}]}))),
    ("no parameters", schedule({"Arn": CLUSTER, "RoleArn": ROLE})),
    ("no parameters in China", schedule({"Arn": CLUSTER.replace("aws", "aws-cn", 1), "RoleArn": ROLE})),
    ("parameters of another target", schedule(target(Arn=QUEUE["Arn"]))),
    ("parameters of a universal target", schedule(target(Arn=RUN_TASK))),
    ("two kinds of parameters", schedule(target(SqsParameters={}))),
    ("universal text", schedule(universal(Input="web:1"))),
    ("universal list", schedule(universal(Input="[]"))),
    ("universal half", schedule(universal(Input='{"TaskDefinition": '))),
    ("universal without end", schedule(universal(Input="[" * 100_000))),
]


@pytest.mark.parametrize("sent", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(scheduler: Any, client: Client, sent: Doc) -> None:
    unchecked = client("scheduler", parameter_validation=False)
    assert refused(unchecked.create_schedule, **sent)[:2] == (400, "ValidationException")
    assert scheduler.list_schedules()["Schedules"] == []
    scheduler.create_schedule(**schedule())
    before = shown(scheduler)
    assert refused(unchecked.update_schedule, **sent)[:2] == (400, "ValidationException")
    assert shown(scheduler) == before


@pytest.mark.parametrize(
    "members",
    [
        {"StartDate": float("nan")},
        {"EndDate": float("inf")},
        {"StartDate": -1},
        {"EndDate": 253_402_300_800},
        {"Description": "\ud800"},
        {"Target": target(Input='"\udfff"')},
    ],
    ids=str,
)
def test_values_that_no_sdk_sends_are_refused(members: Doc) -> None:
    """JSON can hold them, or Python's reading of it."""
    with pytest.raises(AwsError) as caught:
        Inputs("scheduler").check("UpdateSchedule", schedule(**members))
    assert caught.value.code == "ValidationException"
    Inputs("scheduler").check("UpdateSchedule", schedule(StartDate=0, EndDate=253_402_300_799, Description="😀"))


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "rate(24 hours)", "rate(1 day)", "rate(7 days)",
        "at(2030-12-31T23:59:59)", "cron(0 3 * * ? *)", "cron(15 12 ? * MON-FRI 2030-2040)", "cron(0/5 8-17 ? * 2-6 *)",
        "cron(0 0 L * ? *)", "cron(0 0 3W * ? *)", "cron(0 0 ? * 6L *)", "cron(0 0 ? JAN,jul tue#2 *)",
    ],
)  # fmt: skip
def test_expressions(scheduler: Any, expression: str) -> None:
    scheduler.create_schedule(**schedule(ScheduleExpression=expression))
    assert shown(scheduler)["ScheduleExpression"] == expression


@pytest.mark.parametrize(
    "expression",
    [
        "", "hourly", "rate(0 minutes)", "rate(-1 hours)", "rate(1.5 hours)", "rate(1 week)", "rate(hour)",
        "rate(1 hour", "at(2030-12-31)", "at(2030-02-30T00:00:00)", "at(2030-12-31T23:59:59Z)", "0 3 * * ? *",
        "cron(0 3 * * ?)", "cron(0 3 * * * *)", "cron(0 3 ? * ? *)", "cron(60 3 * * ? *)", "cron(0 24 * * ? *)",
        "cron(0 3 32 * ? *)", "cron(0 3 * 13 ? *)", "cron(0 3 ? * 8 *)", "cron(0 3 * * ? 1969)",
        "cron(0/0 3 * * ? *)", "cron(0 3 * MON ? *)", "cron(L 3 * * ? *)", "cron(1-2-3 3 * * ? *)",
    ],
)  # fmt: skip
def test_malformed_expressions(scheduler: Any, client: Client, expression: str) -> None:
    unchecked = client("scheduler", parameter_validation=False)
    found = refused(unchecked.create_schedule, **schedule(ScheduleExpression=expression))
    assert found[:2] == (400, "ValidationException")
    assert scheduler.list_schedules()["Schedules"] == []
