"""What UpdateSchedule refuses is found offline: each fault with path and sentence, and its sound neighbour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.unit.fakes_kinds import CLUSTER
from tests.unit.lint_tables import said, task, warned

AT = "scheduler__update_schedules[0]"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
PROVIDERS = [{"capacityProvider": "FARGATE_SPOT"}]
NOON = datetime(2099, 1, 1, 12, tzinfo=UTC)
NO_NAME = "a name is 1 to 64 letters, digits and - _ . only; it is no ARN"
NO_EXPRESSION = "must be rate(5 minutes), cron(0 3 * * ? *) with six fields, or at(2026-12-24T18:00:00)"
NO_DAY = "cron() needs ? as day of the month or as day of the week, and not as both: cron(0 3 * * ? *)"
NO_DATE = "must be a date and a time with an offset, such as 2026-12-24T18:00:00Z"


def schedule(**members: Any) -> dict[str, Any]:
    return task(entry={"scheduler__update_schedules": [{"Name": "nightly", **members}]})


def target(**members: Any) -> dict[str, Any]:
    return schedule(Target=members)


def ecs(**members: Any) -> dict[str, Any]:
    return target(EcsParameters=members)


def network(**members: Any) -> dict[str, Any]:
    return {"NetworkConfiguration": {"awsvpcConfiguration": members}}


ECS = "Target.EcsParameters"
NET = f"{ECS}.NetworkConfiguration.awsvpcConfiguration"
FAULTS = {
    "an ARN for a name": (schedule(Name="arn:aws:x"), "Name", NO_NAME),
    "a long name": (schedule(Name="x" * 65), "Name", NO_NAME),
    "a group with a space": (schedule(GroupName="a b"), "GroupName", NO_NAME),
    "a state": (schedule(State="OFF"), "State", 'must be ENABLED or DISABLED, not "OFF"'),
    "an action": (schedule(ActionAfterCompletion="STOP"), "ActionAfterCompletion",
                  'must be NONE or DELETE, not "STOP"'),
    "five fields of cron": (schedule(ScheduleExpression="cron(0 3 * * *)"), "ScheduleExpression", NO_EXPRESSION),
    "a bare cron": (schedule(ScheduleExpression="0 3 * * ? *"), "ScheduleExpression", NO_EXPRESSION),
    "a rate of nothing": (schedule(ScheduleExpression="rate(0 days)"), "ScheduleExpression", NO_EXPRESSION),
    "a rate of zeros": (schedule(ScheduleExpression="rate(00 days)"), "ScheduleExpression", NO_EXPRESSION),
    "a rate in other digits": (schedule(ScheduleExpression="rate(\u0665 days)"), "ScheduleExpression", NO_EXPRESSION),
    "no question mark": (schedule(ScheduleExpression="cron(0 3 * * * *)"), "ScheduleExpression", NO_DAY),
    "two question marks": (schedule(ScheduleExpression="cron(0 3 ? * ? *)"), "ScheduleExpression", NO_DAY),
    "no day of any year": (schedule(ScheduleExpression="at(2098-02-30T00:00:00)"), "ScheduleExpression",
                           "there is no 2098-02-30T00:00:00"),
    "a week": (schedule(StartDate="2098-W01-1T00:00Z"), "StartDate", NO_DATE),
    "beyond the last year": (schedule(EndDate="9999-12-31T23:59:59-05:00"), "EndDate", NO_DATE),
    "beyond the last year in TOML": (
        schedule(EndDate=datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))), "EndDate", NO_DATE,
    ),
    "a rate in weeks": (schedule(ScheduleExpression="rate(1 week)"), "ScheduleExpression", NO_EXPRESSION),
    "a moment with a zone": (schedule(ScheduleExpression="at(2026-12-24T18:00:00Z)"), "ScheduleExpression",
                             NO_EXPRESSION),
    "a start without an offset": (schedule(StartDate=datetime(2099, 1, 1, 12)), "StartDate", NO_DATE),  # noqa: DTZ001
    "a day": (schedule(EndDate=date(2099, 1, 1)), "EndDate", NO_DATE),
    "a day as text": (schedule(EndDate="2099-01-01"), "EndDate", NO_DATE),
    "text without an offset": (schedule(EndDate="2099-01-01T00:00:00"), "EndDate", NO_DATE),
    "no date at all": (schedule(EndDate="tomorrow"), "EndDate", NO_DATE),
    "an end before the start": (
        schedule(StartDate=NOON, EndDate=NOON.astimezone(timezone(timedelta(hours=2)))), "EndDate",
        "must be later than StartDate",
    ),
    "a window of OFF": (schedule(FlexibleTimeWindow={"Mode": "OFF", "MaximumWindowInMinutes": 5}),
                        "FlexibleTimeWindow.MaximumWindowInMinutes", "goes only with Mode FLEXIBLE"),
    "a window of more than a day": (schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}),
                                    "FlexibleTimeWindow.MaximumWindowInMinutes", "must be at most 1440, not 1441"),
    "a mode": (schedule(FlexibleTimeWindow={"Mode": "ON"}), "FlexibleTimeWindow.Mode",
               'must be OFF or FLEXIBLE, not "ON"'),
    "a long description": (schedule(Description="x" * 513), "Description",
                           "longer than 512 characters, which is the most that AWS takes"),
    "a key by its name": (schedule(KmsKeyArn="alias/x"), "KmsKeyArn",
                          '"alias/x" is no ARN of the sort that AWS takes here'),
    "a role by its name": (target(RoleArn="scheduler"), "Target.RoleArn",
                           '"scheduler" is no ARN of the sort that AWS takes here'),
    "a queue by its name": (target(DeadLetterConfig={"Arn": "q"}), "Target.DeadLetterConfig.Arn",
                            '"q" is no ARN of the sort that AWS takes here'),
    "a long input": (target(Input='"' + "ü" * 131_072 + '"'), "Target.Input",
                     "longer than 262144 bytes, which is the most that AWS takes"),
    "an input of text": (target(Input="hello"), "Target.Input",
                         "must be JSON; a text is written with quotes of its own, '\"text\"'"),
    "many retries": (target(RetryPolicy={"MaximumRetryAttempts": 186}), "Target.RetryPolicy.MaximumRetryAttempts",
                     "must be at most 185, not 186"),
    "a cluster by its name": (target(Arn="prod"), "Target.Arn",
                              '"prod" runs no ECS task; declare a cluster\'s ARN, or leave it out to keep the '
                              "live one"),
    "a queue's parameters": (target(SqsParameters={"MessageGroupId": "x"}), "Target.SqsParameters",
                             "does not go with a target that runs an ECS task; leave it out"),
    "ECS parameters of a universal target": (
        target(Arn=UNIVERSAL, EcsParameters={"TaskCount": 1}), ECS,
        "does not go with this Arn: the task definition is the TaskDefinition in its Input, which ecsplan sets",
    ),
    "no request in a universal target": (target(Arn=UNIVERSAL, Input="[]"), "Target.Input",
                                         "must be the request of RunTask as a JSON object"),
    "two ways to a capacity": (ecs(LaunchType="EC2", CapacityProviderStrategy=PROVIDERS),
                               f"{ECS}.CapacityProviderStrategy",
                               "goes without LaunchType; declare one of the two, not both"),
    "many tasks": (ecs(TaskCount=11), f"{ECS}.TaskCount", "must be at most 10, not 11"),
    "managed instances": (ecs(LaunchType="MANAGED_INSTANCES"), f"{ECS}.LaunchType",
                          "MANAGED_INSTANCES is no launch type here; declare a CapacityProviderStrategy instead"),
    "no launch type": (ecs(LaunchType="fargate"), f"{ECS}.LaunchType",
                       'must be EC2 or FARGATE or EXTERNAL, not "fargate"'),
    "tags of nothing": (ecs(PropagateTags="NONE"), f"{ECS}.PropagateTags",
                        "a schedule can only propagate the tags of the TASK_DEFINITION; write that, or leave it out"),
    "many providers": (ecs(CapacityProviderStrategy=7 * PROVIDERS), f"{ECS}.CapacityProviderStrategy",
                       "more than 6, which is the most AWS takes"),
    "many subnets": (ecs(**network(Subnets=17 * ["subnet-1"])), f"{NET}.Subnets",
                     "more than 16, which is the most that AWS takes"),
    "many security groups": (ecs(**network(Subnets=["s"], SecurityGroups=6 * ["sg"])), f"{NET}.SecurityGroups",
                             "more than 5, which is the most that AWS takes"),
    "an address": (ecs(**network(Subnets=["s"], AssignPublicIp="yes")), f"{NET}.AssignPublicIp",
                   'must be ENABLED or DISABLED, not "yes"'),
    "an address on EC2": (ecs(LaunchType="EC2", **network(Subnets=["s"], AssignPublicIp="ENABLED")),
                          f"{NET}.AssignPublicIp", "goes only with LaunchType FARGATE"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "path", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(table: dict[str, Any], path: str, message: str) -> None:
    assert said(table) == [(f"{AT}.{path}", message)]


SOUND = {
    "names": schedule(Name="a.b_c-9" + "x" * 57, GroupName="g"),
    "rate": schedule(ScheduleExpression="rate(5 minutes)", StartDate=NOON),
    "rate of one": schedule(ScheduleExpression="rate(1 hour)", StartDate=NOON),
    "cron": schedule(ScheduleExpression="cron(0/15 8-18 ? * MON-FRI *)", ScheduleExpressionTimezone="Europe/Berlin"),
    "once": schedule(ScheduleExpression="at(2099-12-24T18:00:00)", ActionAfterCompletion="DELETE"),
    "dates": schedule(StartDate=NOON, EndDate=NOON + timedelta(seconds=1)),
    "a date as text": schedule(EndDate="2099-01-01T00:00:00+01:00"),
    "a window": schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1440}),
    "ARNs": schedule(
        KmsKeyArn="arn:aws-cn:kms:cn-north-1:123456789012:key/1-2",
        Target={
            "Arn": CLUSTER,
            "RoleArn": "arn:aws:iam::123456789012:role/path/a@b",
            "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"},
        },
    ),
    "an input": target(Input='"' + "x" * 262_142 + '"', RetryPolicy={"MaximumRetryAttempts": 0}),
    "a universal target": target(Arn=UNIVERSAL, Input='{"Cluster": "prod"}'),
    "the most": ecs(TaskCount=10, CapacityProviderStrategy=6 * PROVIDERS, PropagateTags="TASK_DEFINITION"),
    "an address on Fargate": ecs(LaunchType="FARGATE", **network(Subnets=16 * ["s"], AssignPublicIp="ENABLED")),
    "a late week day": schedule(ScheduleExpression="cron(15 10 ? * 6L 2022-2023)"),
    "a leap day": schedule(ScheduleExpression="at(2028-02-29T00:00:00)"),
    "dates as text": schedule(StartDate="2099-01-01 00:00+0100", EndDate="2099-12-31T23:59:59.5Z"),
    "external": ecs(LaunchType="EXTERNAL"),
}


@pytest.mark.parametrize("table", SOUND.values(), ids=SOUND)
def test_what_is_sound_has_no_fault(table: dict[str, Any]) -> None:
    assert warned(table) == []


def test_an_address_beside_capacity_providers_is_warned_of() -> None:
    table = ecs(CapacityProviderStrategy=PROVIDERS, **network(Subnets=["s"], AssignPublicIp="ENABLED"))
    said = "AWS documents it for LaunchType FARGATE only, and may refuse it beside a CapacityProviderStrategy"
    assert warned(table) == [(f"{AT}.{NET}.AssignPublicIp", said)]


def test_a_rate_without_a_start_is_warned_of() -> None:
    ((path, message),) = warned(schedule(ScheduleExpression="rate(1 day)"))
    assert path == f"{AT}.ScheduleExpression"
    assert "use cron(), or declare a StartDate" in message


@pytest.mark.parametrize("start", [datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00Z"])
def test_a_start_that_is_past_is_warned_of(start: Any) -> None:
    """By the clock that is handed in; five minutes late is early enough."""
    began = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    ((path, message),) = warned(schedule(StartDate=start), now=began + 301)
    assert path == f"{AT}.StartDate"
    assert "is past; AWS does not accept it" in message
    assert warned(schedule(StartDate=start), now=began + 300) == []


@pytest.mark.parametrize("entry", [3, None, "x", [], {"Name": 3, "Target": 4}, {"Target": {"EcsParameters": []}}])
def test_what_is_malformed_is_left_to_the_check_of_the_model(entry: Any) -> None:
    assert said(task(entry={"scheduler__update_schedules": [entry]})) == []
