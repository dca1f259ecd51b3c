"""What UpdateSchedule is sent and GetSchedule answers, a row each, both ways: no difference where Scheduler makes them
equal, and one, at the path named, where one thing that is declared is another."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest

from ecsplan.core.model import Doc
from tests.unit.fakes_kinds import CLUSTER, kind, paths, revision, same

KIND = kind("schedule")
T, E = "Target", "Target.EcsParameters"
NET = f"{E}.NetworkConfiguration.awsvpcConfiguration"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
LIVE: Doc = {
    "Name": "nightly",
    "GroupName": "default",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
}

# id, declared, answered, declared otherwise, where that differs
Row: TypeAlias = tuple[str, Doc, Doc, Doc, str]


def target(**fields: Any) -> Doc:
    return {T: {"Arn": CLUSTER, "RoleArn": "arn:r"} | fields}


def ecs(**fields: Any) -> Doc:
    return target(EcsParameters={"TaskDefinitionArn": revision("web:41")} | fields)


def network(**fields: Any) -> Doc:
    return ecs(NetworkConfiguration={"awsvpcConfiguration": {"Subnets": ["a"]} | fields})


def shares(*items: Doc) -> Doc:
    return ecs(CapacityProviderStrategy=list(items))


def retry(**fields: int) -> Doc:
    return target(RetryPolicy=fields)


def given(text: str) -> Doc:
    return target(Input=text)


ROWS: list[Row] = [
    ("State", {"State": "ENABLED"}, {}, {"State": "DISABLED"}, "State"),
    ("State left alone", {}, {"State": "DISABLED"}, {"State": "ENABLED"}, "State"),
    ("ScheduleExpressionTimezone", {}, {"ScheduleExpressionTimezone": "UTC"},
     {"ScheduleExpressionTimezone": "Europe/Berlin"}, "ScheduleExpressionTimezone"),
    ("ActionAfterCompletion", {"ActionAfterCompletion": "NONE"}, {}, {"ActionAfterCompletion": "DELETE"},
     "ActionAfterCompletion"),
    ("ScheduleExpression", {"ScheduleExpression": "cron(0 3 * * ? *)"}, {}, {"ScheduleExpression": "rate(1 day)"},
     "ScheduleExpression"),
    ("Description", {"Description": "a"}, {"Description": "a"}, {"Description": "b"}, "Description"),
    ("KmsKeyArn", {}, {"KmsKeyArn": "arn:k"}, {"KmsKeyArn": "arn:l"}, "KmsKeyArn"),
    ("StartDate in another zone", {"StartDate": "2030-01-01T01:00:00+01:00"},
     {"StartDate": "2030-01-01T00:00:00+00:00"}, {"StartDate": "2030-01-01T01:00:00+00:00"}, "StartDate"),
    ("StartDate as people write it", {"StartDate": "2030-01-01T00:00:00Z"},
     {"StartDate": "2030-01-01T00:00:00+00:00"}, {"StartDate": "2030-01-01T00:00:01Z"}, "StartDate"),
    ("EndDate in whole seconds", {"EndDate": "2030-01-01T00:00:00.5Z"}, {"EndDate": "2030-01-01T00:00:00+00:00"},
     {"EndDate": "2031-01-01T00:00:00Z"}, "EndDate"),
    ("EndDate left alone", {}, {"EndDate": "2030-01-01T00:00:00+00:00"}, {"EndDate": "2031-01-01T00:00:00Z"},
     "EndDate"),
    ("FlexibleTimeWindow", {"FlexibleTimeWindow": {"Mode": "OFF"}}, {},
     {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}, "FlexibleTimeWindow"),
    ("the window of OFF", {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}},
     {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}, {"FlexibleTimeWindow": {"Mode": "OFF"}},
     "FlexibleTimeWindow"),
    ("RetryPolicy filled in", {}, retry(MaximumEventAgeInSeconds=86400, MaximumRetryAttempts=185),
     retry(MaximumRetryAttempts=184), f"{T}.RetryPolicy.MaximumRetryAttempts"),
    ("RetryPolicy not filled in", retry(MaximumEventAgeInSeconds=86400, MaximumRetryAttempts=185), {},
     retry(MaximumEventAgeInSeconds=60), f"{T}.RetryPolicy.MaximumEventAgeInSeconds"),
    ("RetryPolicy in part", retry(MaximumRetryAttempts=1),
     retry(MaximumRetryAttempts=1, MaximumEventAgeInSeconds=86400), retry(MaximumRetryAttempts=2),
     f"{T}.RetryPolicy.MaximumRetryAttempts"),
    ("no retries are not the default", retry(MaximumRetryAttempts=0), retry(MaximumRetryAttempts=0),
     retry(MaximumRetryAttempts=185), f"{T}.RetryPolicy.MaximumRetryAttempts"),
    ("DeadLetterConfig", {}, target(DeadLetterConfig={"Arn": "q"}), target(DeadLetterConfig={"Arn": "p"}),
     f"{T}.DeadLetterConfig.Arn"),
    ("Input parsed", given('{"a": 1, "b": [1, 2]}'), given('{"b":[1,2],"a":1}'), given('{"a": 1, "b": [2, 1]}'),
     f"{T}.Input"),
    ("Input of nothing is an input", given("{}"), given(" { } "), given("[]"), f"{T}.Input"),
    ("a TaskDefinition in the Input of an ECS target", given('{"TaskDefinition": "a"}'),
     given('{"TaskDefinition": "a"}'), given('{"TaskDefinition": "b"}'), f"{T}.Input"),
    ("Input left alone", {}, given('{"a": 1}'), given('{"a": 2}'), f"{T}.Input"),
    ("Arn", {}, {}, target(Arn="arn:x"), f"{T}.Arn"),
    ("RoleArn", {}, {}, target(RoleArn="arn:x"), f"{T}.RoleArn"),
    ("TaskDefinitionArn verbatim", ecs(), ecs(), ecs(TaskDefinitionArn=revision("web:42")), f"{E}.TaskDefinitionArn"),
    ("a floating revision is not a pinned one", ecs(TaskDefinitionArn=revision("web")),
     ecs(TaskDefinitionArn=revision("web")), ecs(), f"{E}.TaskDefinitionArn"),
    ("TaskCount", ecs(TaskCount=1), ecs(), ecs(TaskCount=2), f"{E}.TaskCount"),
    ("TaskCount echoed", ecs(), ecs(TaskCount=1), ecs(TaskCount=2), f"{E}.TaskCount"),
    ("EnableECSManagedTags", ecs(), ecs(EnableECSManagedTags=False), ecs(EnableECSManagedTags=True),
     f"{E}.EnableECSManagedTags"),
    ("EnableExecuteCommand", ecs(EnableExecuteCommand=False), ecs(), ecs(EnableExecuteCommand=True),
     f"{E}.EnableExecuteCommand"),
    ("LaunchType", ecs(), ecs(LaunchType="FARGATE"), ecs(LaunchType="EC2"), f"{E}.LaunchType"),
    ("LaunchType of none", ecs(LaunchType=""), ecs(), ecs(LaunchType="EC2"), f"{E}.LaunchType"),
    ("PropagateTags", ecs(PropagateTags=""), ecs(), ecs(PropagateTags="TASK_DEFINITION"), f"{E}.PropagateTags"),
    ("PlatformVersion", ecs(PlatformVersion="LATEST"), ecs(), ecs(PlatformVersion="1.4.0"), f"{E}.PlatformVersion"),
    ("Group", ecs(), ecs(Group="g"), ecs(Group="h"), f"{E}.Group"),
    ("ReferenceId", ecs(), ecs(ReferenceId="a"), ecs(ReferenceId="b"), f"{E}.ReferenceId"),
    ("AssignPublicIp", network(AssignPublicIp="DISABLED"), network(), network(AssignPublicIp="ENABLED"),
     f"{NET}.AssignPublicIp"),
    ("Subnets in any order", network(Subnets=["b", "a"]), network(Subnets=["a", "b"]), network(Subnets=["b"]),
     f"{NET}.Subnets"),
    ("SecurityGroups in any order", network(SecurityGroups=["b", "a"]), network(SecurityGroups=["a", "b"]),
     network(SecurityGroups=["b"]), f"{NET}.SecurityGroups"),
    ("CapacityProviderStrategy", shares({"capacityProvider": "b", "weight": 1}, {"capacityProvider": "a"}),
     shares({"capacityProvider": "a", "weight": 0, "base": 0}, {"capacityProvider": "b", "weight": 1, "base": 0}),
     shares({"capacityProvider": "b", "weight": 1}, {"capacityProvider": "a", "base": 1}),
     f"{E}.CapacityProviderStrategy.a.base"),
    ("PlacementStrategy in order", ecs(PlacementStrategy=[{"type": "random"}, {"type": "spread"}]),
     ecs(PlacementStrategy=[{"type": "random"}, {"type": "spread"}]),
     ecs(PlacementStrategy=[{"type": "spread"}, {"type": "random"}]), f"{E}.PlacementStrategy"),
    ("PlacementConstraints", ecs(PlacementConstraints=[{"type": "memberOf"}, {"type": "distinctInstance"}]),
     ecs(PlacementConstraints=[{"type": "distinctInstance"}, {"type": "memberOf"}]),
     ecs(PlacementConstraints=[{"type": "memberOf"}]), f"{E}.PlacementConstraints"),
    ("Tags in either case and any order", ecs(Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]),
     ecs(Tags=[{"key": "a", "value": "2"}, {"key": "b", "value": "1"}]),
     ecs(Tags=[{"key": "b", "value": "1"}, {"key": "a", "value": "3"}]), f"{E}.Tags.a"),
    ("KinesisParameters", target(KinesisParameters={"PartitionKey": "a"}),
     target(KinesisParameters={"PartitionKey": "a"}), target(KinesisParameters={"PartitionKey": "b"}),
     f"{T}.KinesisParameters.PartitionKey"),
]  # fmt: skip


def laid(over: Doc, base: Doc) -> Doc:
    return {**base, **over, T: {**base.get(T, {}), **over.get(T, {})}}


@pytest.mark.parametrize(("declared", "answered", "other", "path"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_schedules(declared: Doc, answered: Doc, other: Doc, path: str) -> None:
    live = laid(answered, LIVE | target())
    one = {"Name": "nightly"}
    assert same(KIND, live, one | declared)
    assert paths(KIND, live, one | declared) == []
    assert not same(KIND, live, one | other)
    found = paths(KIND, live, one | other)
    assert found
    assert all(it == path or it.startswith(f"{path}.") for it in found)


def test_which_schedule_it_is_is_its_group_and_name() -> None:
    assert same(KIND, LIVE | target(), {"Name": "nightly"})
    assert same(KIND, LIVE | target(), {"Name": "nightly", "GroupName": "default"})


def test_a_declared_window_of_off_takes_the_live_length_away() -> None:
    assert KIND.compare is not None
    live = LIVE | {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}
    merged = KIND.compare.merge(live, {"Name": "nightly", "FlexibleTimeWindow": {"Mode": "OFF"}})
    assert merged["FlexibleTimeWindow"] == {"Mode": "OFF"}


@pytest.mark.parametrize(
    ("live", "declared"),
    [
        ({"LaunchType": "FARGATE"}, {"CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}),
        ({"CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}, {"LaunchType": "FARGATE"}),
    ],
)
def test_of_launch_type_and_capacity_providers_the_declared_one_stays(live: Doc, declared: Doc) -> None:
    assert KIND.compare is not None
    merged = KIND.compare.merge(LIVE | target(EcsParameters=live), {T: {"EcsParameters": declared}})
    assert merged[T]["EcsParameters"] == declared


def tagged(*tags: Doc) -> Doc:
    return LIVE | ecs(Tags=list(tags))


def test_the_keys_of_tags_that_are_free_maps_keep_their_case() -> None:
    pair = {"key": "Team", "value": "a"}
    assert same(KIND, tagged(pair), tagged({"Key": "Team", "Value": "a"}))
    assert same(KIND, tagged({"Team": "a"}), tagged({"Team": "a"}))
    assert paths(KIND, tagged({"Team": "a"}), tagged({"Team": "b"})) == [f"{E}.Tags.{{Team}}"]
    assert paths(KIND, tagged({"Team": "a"}), tagged({"team": "a"})) == [f"{E}.Tags.{{Team}}", f"{E}.Tags.{{team}}"]
    assert not same(KIND, tagged(pair), tagged({"Team": "a"}))


# --- universal targets ---


def running(text: str, arn: str | None) -> Doc:
    """A document with a universal target, as it is compared: its revision stands beside its Input."""
    parameters = {} if arn is None else {"EcsParameters": {"TaskDefinitionArn": arn}}
    return LIVE | {T: {"Arn": UNIVERSAL, "RoleArn": "arn:r", "Input": text, **parameters}}


def test_the_revision_of_a_universal_target_is_compared_apart_from_its_input() -> None:
    text = json.dumps({"Cluster": "prod", "TaskDefinition": revision("web:41"), "LaunchType": "EC2"})
    live = running(text, revision("web:41"))
    assert paths(KIND, live, {T: {"EcsParameters": {"TaskDefinitionArn": revision("web:41")}}}) == []
    assert paths(KIND, live, {T: {"EcsParameters": {"TaskDefinitionArn": revision("web:42")}}}) == [
        f"{E}.TaskDefinitionArn"
    ]
    assert paths(KIND, live, {T: {"Input": '{"LaunchType":"EC2","Cluster":"prod"}'}}) == []
    assert paths(KIND, live, {T: {"Input": '{"LaunchType":"FARGATE","Cluster":"prod"}'}}) == [f"{T}.Input"]


def test_a_universal_target_has_no_defaults_of_an_ecs_target() -> None:
    live = running('{"Cluster": "prod"}', None)
    declared = {T: {"EcsParameters": {"TaskDefinitionArn": revision("web:42")}}}
    assert paths(KIND, live, declared) == [f"{E}.TaskDefinitionArn"]
