"""What PutTargets is sent and ListTargetsByRule answers, a row each, both ways: no difference where EventBridge makes
them equal, and one, at the path named, where one thing that is declared is another."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from ecsplan.core.model import Doc
from ecsplan.core.normalize import normal
from tests.unit.fakes_kinds import CLUSTER, kind, paths, revision, same

KIND = kind("event_targets")
E = "EcsParameters"
NET = f"{E}.NetworkConfiguration.awsvpcConfiguration"
LIVE: Doc = {"Id": "report", "Arn": CLUSTER, "RoleArn": "arn:r"}

# id, declared, answered, declared otherwise, where that differs below the target
Row: TypeAlias = tuple[str, Doc, Doc, Doc, str]


def rule(*targets: Doc) -> Doc:
    return {"Rule": "nightly", "Targets": list(targets)}


def ecs(**fields: Any) -> Doc:
    return {E: {"TaskDefinitionArn": revision("web:41")} | fields}


def network(**fields: Any) -> Doc:
    return ecs(NetworkConfiguration={"awsvpcConfiguration": {"Subnets": ["a"]} | fields})


def shares(*items: Doc) -> Doc:
    return ecs(CapacityProviderStrategy=list(items))


ROWS: list[Row] = [
    ("TaskDefinitionArn verbatim", ecs(), ecs(), ecs(TaskDefinitionArn=revision("web:42")), f"{E}.TaskDefinitionArn"),
    ("a floating revision is not a pinned one", ecs(TaskDefinitionArn=revision("web")),
     ecs(TaskDefinitionArn=revision("web")), ecs(), f"{E}.TaskDefinitionArn"),
    ("TaskCount", ecs(TaskCount=1), ecs(), ecs(TaskCount=2), f"{E}.TaskCount"),
    ("LaunchType", ecs(), ecs(LaunchType="FARGATE"), ecs(LaunchType="EC2"), f"{E}.LaunchType"),
    ("EnableECSManagedTags", ecs(), ecs(EnableECSManagedTags=False), ecs(EnableECSManagedTags=True),
     f"{E}.EnableECSManagedTags"),
    ("EnableECSManagedTags not answered", ecs(EnableECSManagedTags=False), ecs(), ecs(EnableECSManagedTags=True),
     f"{E}.EnableECSManagedTags"),
    ("EnableExecuteCommand", ecs(EnableExecuteCommand=False), ecs(), ecs(EnableExecuteCommand=True),
     f"{E}.EnableExecuteCommand"),
    ("PropagateTags", ecs(PropagateTags=""), ecs(), ecs(PropagateTags="TASK_DEFINITION"), f"{E}.PropagateTags"),
    ("PlatformVersion", ecs(PlatformVersion="LATEST"), ecs(), ecs(PlatformVersion="1.4.0"), f"{E}.PlatformVersion"),
    ("LaunchType omitted", ecs(), ecs(), ecs(LaunchType="FARGATE"), f"{E}.LaunchType"),
    ("PlatformVersion as sent", ecs(PlatformVersion="1.4.0"), ecs(PlatformVersion="1.4.0"),
     ecs(PlatformVersion="1.3.0"), f"{E}.PlatformVersion"),
    ("ReferenceId", ecs(), ecs(ReferenceId="a"), ecs(ReferenceId="b"), f"{E}.ReferenceId"),
    ("Group", ecs(), ecs(Group="g"), ecs(Group="h"), f"{E}.Group"),
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
    ("weight", shares({"capacityProvider": "a", "weight": 1}),
     shares({"capacityProvider": "a", "weight": 1, "base": 0}), shares({"capacityProvider": "a", "weight": 2}),
     f"{E}.CapacityProviderStrategy.a.weight"),
    ("PlacementStrategy field", ecs(PlacementStrategy=[{"type": "spread", "field": "host"}]),
     ecs(PlacementStrategy=[{"type": "spread", "field": "host"}]),
     ecs(PlacementStrategy=[{"type": "spread", "field": "cpu"}]), f"{E}.PlacementStrategy"),
    ("PlacementConstraints, one other", ecs(PlacementConstraints=[{"type": "memberOf", "expression": "a"}]),
     ecs(PlacementConstraints=[{"type": "memberOf", "expression": "a"}]),
     ecs(PlacementConstraints=[{"type": "memberOf", "expression": "b"}]), f"{E}.PlacementConstraints"),
    ("PlacementStrategy in order", ecs(PlacementStrategy=[{"type": "random"}, {"type": "spread"}]),
     ecs(PlacementStrategy=[{"type": "random"}, {"type": "spread"}]),
     ecs(PlacementStrategy=[{"type": "spread"}, {"type": "random"}]), f"{E}.PlacementStrategy"),
    ("PlacementConstraints", ecs(PlacementConstraints=[{"type": "memberOf"}, {"type": "distinctInstance"}]),
     ecs(PlacementConstraints=[{"type": "distinctInstance"}, {"type": "memberOf"}]),
     ecs(PlacementConstraints=[{"type": "memberOf"}]), f"{E}.PlacementConstraints"),
    ("Tags", ecs(Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]),
     ecs(Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "1"}]),
     ecs(Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "3"}]), f"{E}.Tags.a"),
    ("RetryPolicy not filled in", {}, {}, {"RetryPolicy": {"MaximumRetryAttempts": 185}},
     "RetryPolicy.MaximumRetryAttempts"),
    ("RetryPolicy in part", {"RetryPolicy": {"MaximumRetryAttempts": 1}},
     {"RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}},
     {"RetryPolicy": {"MaximumRetryAttempts": 2}}, "RetryPolicy.MaximumRetryAttempts"),
    ("RetryPolicy as sent", {"RetryPolicy": {"MaximumEventAgeInSeconds": 86400}},
     {"RetryPolicy": {"MaximumEventAgeInSeconds": 86400}}, {"RetryPolicy": {"MaximumEventAgeInSeconds": 60}},
     "RetryPolicy.MaximumEventAgeInSeconds"),
    ("DeadLetterConfig as sent", {"DeadLetterConfig": {"Arn": "q"}}, {"DeadLetterConfig": {"Arn": "q"}},
     {"DeadLetterConfig": {"Arn": "p"}}, "DeadLetterConfig.Arn"),
    ("DeadLetterConfig", {}, {"DeadLetterConfig": {"Arn": "q"}}, {"DeadLetterConfig": {"Arn": "p"}},
     "DeadLetterConfig.Arn"),
    ("Input parsed", {"Input": '{"a": 1, "b": [1, 2]}'}, {"Input": '{"b":[1,2],"a":1}'},
     {"Input": '{"a": 1, "b": [2, 1]}'}, "Input"),
    ("Input of nothing is an input", {"Input": "{}"}, {"Input": " { } "}, {"Input": "[]"}, "Input"),
    ("Input that is no JSON", {"Input": "x"}, {"Input": "x"}, {"Input": "y"}, "Input"),
    ("Input of text in text", {"Input": '"5"'}, {"Input": '"5"'}, {"Input": "5"}, "Input"),
    ("Input left alone", {}, {"Input": '{"a": 1}'}, {"Input": '{"a": 2}'}, "Input"),
    ("InputPath", {"InputPath": "$.a"}, {"InputPath": "$.a"}, {"InputPath": "$.b"}, "InputPath"),
    ("InputTransformer", {"InputTransformer": {"InputTemplate": "<a>", "InputPathsMap": {"a": "$.a"}}},
     {"InputTransformer": {"InputPathsMap": {"a": "$.a"}, "InputTemplate": "<a>"}},
     {"InputTransformer": {"InputTemplate": "<a>", "InputPathsMap": {"a": "$.b"}}}, "InputTransformer.InputPathsMap.a"),
    ("Arn", {"Arn": CLUSTER}, {}, {"Arn": "arn:x"}, "Arn"),
    ("RoleArn", {}, {}, {"RoleArn": "arn:x"}, "RoleArn"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "answered", "other", "path"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_targets(declared: Doc, answered: Doc, other: Doc, path: str) -> None:
    live = rule({"Id": "clean", "Arn": "x"}, LIVE | ecs() | answered)
    one = {"Id": "report"}
    assert same(KIND, live, rule(one | declared))
    assert paths(KIND, live, rule(one | declared)) == []
    assert not same(KIND, live, rule(one | other))
    found = [it for it in paths(KIND, live, rule(one | other)) if it == f"targets.report.{path}" or path != "Input"]
    assert found == [f"targets.report.{path}"]


@pytest.mark.parametrize(("declared", "answered"), [("{}", None), ("null", None), ('{"a":[]}', '{"a":null}')])
def test_an_input_is_not_taken_for_none(declared: str, answered: str | None) -> None:
    live = rule(LIVE | ({} if answered is None else {"Input": answered}))
    assert not same(KIND, live, rule({"Id": "report", "Input": declared}))
    assert paths(KIND, live, rule({"Id": "report", "Input": declared})) == ["targets.report.Input"]


def test_targets_are_compared_by_id() -> None:
    one, two = {"Id": "one", "Arn": "x"}, {"Id": "two", "Arn": "y"}
    assert same(KIND, rule(one, two), rule(two, one))
    assert paths(KIND, rule(one), rule(two)) == ["targets.two.Arn"]
    assert paths(KIND, rule(one), rule({"Id": "three"})) == ["targets.three"]


def test_the_targets_that_a_rollback_takes_away_are_no_state() -> None:
    live, gone = rule(LIVE, {"Id": "new", "Arn": "x"}), rule({"Id": "report"}) | {"absent": ["new", "old"]}
    assert same(KIND, rule(LIVE), gone)
    assert normal(gone, KIND.document.rules) == normal(rule({"Id": "report"}), KIND.document.rules)
    assert paths(KIND, live, gone) == ["targets.new.Arn"]


def test_which_rule_it_is_is_no_state() -> None:
    assert same(KIND, rule(LIVE), rule({"Id": "report"}) | {"EventBusName": "default"})
    assert same(KIND, rule(LIVE), {"Rule": "other", "Targets": [{"Id": "report"}]})
