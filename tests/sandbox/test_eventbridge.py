"""Section 5 of the table: EventBridge rules and their targets."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import ARN, Doc, error_of

CLUSTER: Final = f"{ARN}cluster/prod"
ROLE: Final = "arn:aws:iam::123456789012:role/e"
BUS: Final = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
CRON: Final = "cron(0 3 * * ? *)"
DEFAULTS: Final = {"TaskCount": 1, "EnableECSManagedTags": False, "EnableExecuteCommand": False}


def target(id_: str = "t", ecs: Doc | None = None, **members: Any) -> Doc:
    parameters = {"TaskDefinitionArn": f"{ARN}task-definition/web:1"} | (ecs or {})
    return {
        "Id": id_,
        "Arn": CLUSTER,
        "RoleArn": ROLE,
        "EcsParameters": parameters,
    } | members


@pytest.fixture
def rule(events: Any) -> Any:
    events.put_rule(Name="nightly", ScheduleExpression=CRON)
    return events


def put(events: Any, *targets: Doc, rule: str = "nightly") -> Doc:
    answer: Doc = events.put_targets(Rule=rule, Targets=list(targets))
    return answer


def targets_of(events: Any, rule: str = "nightly") -> list[Doc]:
    return list(events.list_targets_by_rule(Rule=rule)["Targets"])


def test_a_rule(events: Any) -> None:
    arn = "arn:aws:events:eu-west-1:123456789012:rule/r"
    assert events.put_rule(Name="r", ScheduleExpression="rate(1 hour)", Description="d")["RuleArn"] == arn
    answer = events.describe_rule(Name="r")
    assert {k: v for k, v in answer.items() if k != "ResponseMetadata"} == {
        "Name": "r",
        "Arn": arn,
        "State": "ENABLED",
        "EventBusName": "default",
        "ScheduleExpression": "rate(1 hour)",
        "Description": "d",
        "CreatedBy": "123456789012",
    }


def test_put_rule_replaces(rule: Any) -> None:
    put(rule, target())
    rule.put_rule(Name="nightly", EventPattern='{"a": ["b"]}', State="DISABLED")
    answer = rule.describe_rule(Name="nightly")
    assert (answer["State"], answer["EventPattern"]) == ("DISABLED", '{"a": ["b"]}')
    assert "ScheduleExpression" not in answer
    assert len(targets_of(rule)) == 1


def test_listing_rules(events: Any) -> None:
    for name in ("b", "a2", "a1"):
        events.put_rule(Name=name, ScheduleExpression=CRON)
    assert [r["Name"] for r in events.list_rules()["Rules"]] == ["a1", "a2", "b"]
    assert [r["Name"] for r in events.list_rules(NamePrefix="a")["Rules"]] == ["a1", "a2"]
    first = events.list_rules(Limit=2)
    rest = events.list_rules(Limit=2, NextToken=first["NextToken"])
    assert [r["Name"] for r in first["Rules"] + rest["Rules"]] == ["a1", "a2", "b"]


def test_deleting_a_rule(rule: Any) -> None:
    put(rule, target())
    with pytest.raises(ClientError) as caught:
        rule.delete_rule(Name="nightly")
    assert error_of(caught.value) == ("ValidationException", "Rule can't be deleted since it has targets.")
    rule.remove_targets(Rule="nightly", Ids=["t"])
    rule.delete_rule(Name="nightly")
    rule.delete_rule(Name="nightly")
    with pytest.raises(ClientError) as caught:
        rule.describe_rule(Name="nightly")
    text = "Rule nightly does not exist on EventBus default."
    assert error_of(caught.value) == ("ResourceNotFoundException", text)


NETWORK: Final = {"awsvpcConfiguration": {"Subnets": ["s-2", "s-1"], "SecurityGroups": ["g"]}}

#: row · members sent · members of EcsParameters sent · the same as answered, over the defaults
ROWS: Final[list[tuple[str, Doc, Doc]]] = [
    ("filled in", {}, {}),
    ("count", {}, {"TaskCount": 3}),
    ("floating", {}, {"TaskDefinitionArn": f"{ARN}task-definition/web"}),
    ("launch type", {}, {"LaunchType": "FARGATE", "PlatformVersion": "LATEST"}),
    ("concrete platform", {}, {"LaunchType": "FARGATE", "PlatformVersion": "1.4.0"}),
    ("booleans", {}, {"EnableECSManagedTags": True, "EnableExecuteCommand": True}),
    ("propagate", {}, {"PropagateTags": "TASK_DEFINITION", "Group": "g", "ReferenceId": "r"}),
    ("network as sent", {}, {"NetworkConfiguration": NETWORK}),
    ("strategy as sent", {}, {"CapacityProviderStrategy": [{"capacityProvider": "b"}, {"capacityProvider": "a"}]}),
    ("placement", {}, {"PlacementStrategy": [{"type": "spread", "field": "host"}, {"type": "random"}]}),
    ("constraints", {}, {"PlacementConstraints": [{"type": "distinctInstance"}]}),
    ("tags", {}, {"Tags": [{"Key": "k", "Value": "v"}]}),
    ("retry policy", {"RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}}, {}),
    ("dead letters", {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"}}, {}),
    ("input", {"Input": '{"b": 1,  "a": 2}'}, {}),
    ("transformer", {"InputTransformer": {"InputTemplate": '"x"', "InputPathsMap": {"a": "$.b"}}}, {}),
]


@pytest.mark.parametrize(("members", "parameters"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_target_row(rule: Any, members: Doc, parameters: Doc) -> None:
    sent = target(ecs=parameters, **members)
    assert put(rule, sent)["FailedEntryCount"] == 0
    (answer,) = targets_of(rule)
    assert answer == sent | {"EcsParameters": DEFAULTS | sent["EcsParameters"]}


@pytest.mark.parametrize(("key", "fits"), [("tag:Größe 2", True), ("tag#2", False)])
def test_a_pattern_of_unicode_categories(rule: Any, key: str, fits: bool) -> None:
    parameters = {"RunCommandTargets": [{"Key": key, "Values": ["v"]}]}
    sent = {"Id": "t", "Arn": "arn:aws:ssm:eu-west-1:123456789012:document/d", "RunCommandParameters": parameters}
    if fits:
        assert put(rule, sent)["FailedEntryCount"] == 0
    else:
        with pytest.raises(ClientError, match="regular expression"):
            put(rule, sent)


def test_put_targets_replaces_the_whole_target(rule: Any) -> None:
    put(rule, target(Input="{}", RetryPolicy={"MaximumRetryAttempts": 1}), target("u"))
    put(rule, target(ecs={"TaskCount": 2}))
    (answer,) = [t for t in targets_of(rule) if t["Id"] == "t"]
    assert "Input" not in answer
    assert "RetryPolicy" not in answer
    assert answer["EcsParameters"]["TaskCount"] == 2
    assert len(targets_of(rule)) == 2


def test_targets_come_back_in_another_order(rule: Any) -> None:
    put(rule, target("Target0"), target("Target1"))
    assert [t["Id"] for t in targets_of(rule)] == ["Target1", "Target0"]


def test_pages_of_targets_that_share_an_arn(rule: Any) -> None:
    put(rule, *(target(f"t{n}") for n in range(5)))
    seen: list[str] = []
    token: Doc = {}
    for _ in range(3):
        answer = rule.list_targets_by_rule(Rule="nightly", Limit=2, **token)
        seen += [t["Id"] for t in answer["Targets"]]
        token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    assert not token
    assert sorted(seen) == [f"t{n}" for n in range(5)]


def test_five_targets_per_rule(rule: Any) -> None:
    put(rule, *(target(f"t{n}") for n in range(5)))
    put(rule, target("t4"))
    with pytest.raises(ClientError) as caught:
        put(rule, target("t5"))
    assert error_of(caught.value)[0] == "LimitExceededException"
    assert len(targets_of(rule)) == 5


def test_ten_entries_per_call(rule: Any) -> None:
    with pytest.raises(ClientError) as caught:
        put(rule, *(target(f"t{n}") for n in range(11)))
    assert error_of(caught.value)[0] == "ValidationException"


#: row · target that PutTargets refuses
REFUSED: Final[list[tuple[str, Doc]]] = [
    ("id with a blank", target("a b")),
    ("long id", target("x" * 65)),
    ("long input", target(Input="x" * 8193)),
    ("no role", {k: v for k, v in target().items() if k != "RoleArn"}),
    ("no parameters", {k: v for k, v in target().items() if k != "EcsParameters"}),
    ("retries", target(RetryPolicy={"MaximumRetryAttempts": 186})),
    ("age", target(RetryPolicy={"MaximumEventAgeInSeconds": 59})),
    ("propagate", target(ecs={"PropagateTags": "NONE"})),
    ("two inputs", target(Input="{}", InputPath="$")),
    ("two capacities", target(ecs={"LaunchType": "EC2", "CapacityProviderStrategy": [{"capacityProvider": "a"}]})),
    ("count", target(ecs={"TaskCount": 0})),
    ("key of a map", target(InputTransformer={"InputTemplate": '"x"', "InputPathsMap": {"a b": "$.b"}})),
]


@pytest.mark.parametrize("sent", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(aws: Sandbox, client: Any, rule: Any, sent: Doc) -> None:
    unchecked = client("events", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        put(unchecked, sent)
    assert error_of(caught.value)[0] == "ValidationException"
    assert targets_of(rule) == []


def test_removing(rule: Any) -> None:
    put(rule, target("a"), target("b"))
    answer = rule.remove_targets(Rule="nightly", Ids=["a", "x"])
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"][0]["TargetId"] == "x"
    assert [t["Id"] for t in targets_of(rule)] == ["b"]


@pytest.mark.parametrize("call", ["put_targets", "list_targets_by_rule", "remove_targets"])
def test_unknown_rule(events: Any, call: str) -> None:
    more: Doc = {"put_targets": {"Targets": [target()]}, "remove_targets": {"Ids": ["t"]}}
    params: Doc = more.get(call, {})
    with pytest.raises(ClientError) as caught:
        getattr(events, call)(Rule="none", **params)
    text = "Rule none does not exist on EventBus default."
    assert error_of(caught.value) == ("ResourceNotFoundException", text)


def test_buses(rule: Any) -> None:
    assert rule.describe_rule(Name="nightly", EventBusName=BUS)["Name"] == "nightly"
    with pytest.raises(ClientError) as caught:
        rule.list_targets_by_rule(Rule="nightly", EventBusName="none")
    assert error_of(caught.value)[0] == "ResourceNotFoundException"


def test_rules_of_a_target(events: Any) -> None:
    for name in ("a", "b", "c"):
        events.put_rule(Name=name, ScheduleExpression=CRON)
    for name in ("a", "c"):
        put(events, target(), rule=name)
    assert events.list_rule_names_by_target(TargetArn=CLUSTER)["RuleNames"] == ["a", "c"]
    assert events.list_rule_names_by_target(TargetArn=CLUSTER + "x")["RuleNames"] == []


def test_a_partial_failure(aws: Sandbox, rule: Any) -> None:
    aws.fault("PutTargets", "failed_entries", code="ConcurrentModificationException", message="later")
    answer = put(rule, target("a"), target("b"))
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"] == [
        {"TargetId": "a", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "later"}
    ]
    assert [t["Id"] for t in targets_of(rule)] == ["b"]
    assert put(rule, target("a"))["FailedEntryCount"] == 0
