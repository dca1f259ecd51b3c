"""Revisions of task definitions: numbers, states, listing, tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import ARN, EPOCH, Clock, create_service, error_of, task_definition, update


def register(ecs: Any, count: int, family: str = "web") -> list[str]:
    made = [ecs.register_task_definition(**task_definition(family)) for _ in range(count)]
    return [answer["taskDefinition"]["taskDefinitionArn"] for answer in made]


def test_every_registration_is_a_new_revision(ecs: Any, clock: Clock) -> None:
    first, second = (ecs.register_task_definition(**task_definition())["taskDefinition"] for _ in range(2))
    assert (first["revision"], second["revision"]) == (1, 2)
    assert second["taskDefinitionArn"] == f"{ARN}task-definition/web:2"
    assert second["status"] == "ACTIVE"
    assert second["registeredAt"].timestamp() == EPOCH


@pytest.mark.parametrize("reference", ["web", "web:2", f"{ARN}task-definition/web:2", f"{ARN}task-definition/web"])
def test_references(ecs: Any, reference: str) -> None:
    register(ecs, 2)
    assert ecs.describe_task_definition(taskDefinition=reference)["taskDefinition"]["revision"] == 2


def test_a_bare_family_is_its_newest_active_revision(ecs: Any) -> None:
    arns = register(ecs, 3)
    ecs.deregister_task_definition(taskDefinition=arns[2])
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == 2
    for arn in arns[:2]:
        ecs.deregister_task_definition(taskDefinition=arn)
    with pytest.raises(ClientError) as caught:
        ecs.describe_task_definition(taskDefinition="web")
    assert error_of(caught.value) == ("ClientException", "Unable to describe task definition.")
    assert ecs.describe_task_definition(taskDefinition=arns[0])["taskDefinition"]["status"] == "INACTIVE"


@pytest.mark.parametrize("reference", ["web:9", "none", f"{ARN}task-definition/web:9", "a b"])
def test_unknown_references(ecs: Any, reference: str) -> None:
    register(ecs, 1)
    with pytest.raises(ClientError) as caught:
        ecs.describe_task_definition(taskDefinition=reference)
    assert error_of(caught.value) == ("ClientException", "Unable to describe task definition.")


def test_tags_only_when_asked_for(ecs: Any) -> None:
    tags = [{"key": "b", "value": "2"}, {"key": "a", "value": ""}]
    assert ecs.register_task_definition(**task_definition(tags=tags))["tags"] == tags
    assert "tags" not in ecs.describe_task_definition(taskDefinition="web")
    assert ecs.describe_task_definition(taskDefinition="web", include=["TAGS"])["tags"] == tags


def test_tagging(ecs: Any) -> None:
    (arn,) = register(ecs, 1)
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "3"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "3"}]
    with pytest.raises(ClientError) as caught:
        ecs.list_tags_for_resource(resourceArn=f"{ARN}service/prod/none")
    assert error_of(caught.value)[0] == "InvalidParameterException"


def test_listing(ecs: Any) -> None:
    web, webapp = register(ecs, 3), register(ecs, 1, "web-app")
    ecs.deregister_task_definition(taskDefinition=web[0])
    assert ecs.list_task_definitions()["taskDefinitionArns"] == [*web[1:], *webapp]
    assert ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"] == web[1:]
    assert ecs.list_task_definitions(familyPrefix="we")["taskDefinitionArns"] == []
    assert ecs.list_task_definitions(familyPrefix="web", sort="DESC")["taskDefinitionArns"] == [web[2], web[1]]
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == [web[0]]


def test_listing_sorts_by_number_not_by_text(ecs: Any) -> None:
    arns = register(ecs, 11)
    assert ecs.list_task_definitions(familyPrefix="web", sort="DESC")["taskDefinitionArns"] == arns[::-1]


def test_pages_of_revisions(ecs: Any) -> None:
    arns = register(ecs, 103)
    first = ecs.list_task_definitions()
    assert len(first["taskDefinitionArns"]) == 100
    second = ecs.list_task_definitions(nextToken=first["nextToken"])
    assert first["taskDefinitionArns"] + second["taskDefinitionArns"] == arns
    assert "nextToken" not in second
    pages = list(ecs.get_paginator("list_task_definitions").paginate(PaginationConfig={"PageSize": 50}))
    assert [len(page["taskDefinitionArns"]) for page in pages] == [50, 50, 3]
    for size in (0, 101):
        with pytest.raises(ClientError) as caught:
            ecs.list_task_definitions(maxResults=size)
        assert error_of(caught.value)[0] == "InvalidParameterException"


def test_a_token_that_nobody_gave(ecs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        ecs.list_task_definitions(nextToken="x")
    assert error_of(caught.value)[0] == "InvalidParameterException"


def test_families(ecs: Any) -> None:
    register(ecs, 1, "web-b")
    (gone,) = register(ecs, 1, "web-a")
    register(ecs, 1, "api")
    ecs.deregister_task_definition(taskDefinition=gone)
    assert ecs.list_task_definition_families()["families"] == ["api", "web-a", "web-b"]
    assert ecs.list_task_definition_families(familyPrefix="web", status="ACTIVE")["families"] == ["web-b"]
    assert ecs.list_task_definition_families(status="INACTIVE")["families"] == ["web-a"]


def test_deregistering_needs_a_revision_that_is_there(ecs: Any) -> None:
    register(ecs, 1)
    for reference in ("web", "web:9"):
        with pytest.raises(ClientError) as caught:
            ecs.deregister_task_definition(taskDefinition=reference)
        assert error_of(caught.value)[0] == "ClientException"
    answer = ecs.deregister_task_definition(taskDefinition="web:1")["taskDefinition"]
    assert (answer["status"], answer["deregisteredAt"].timestamp()) == ("INACTIVE", EPOCH)


def test_deleting(ecs: Any) -> None:
    register(ecs, 3)
    for number in (1, 2):
        ecs.deregister_task_definition(taskDefinition=f"web:{number}")
    answer = ecs.delete_task_definitions(taskDefinitions=["web:1", "web:3", "web:9"])
    assert [d["status"] for d in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert [f["arn"] for f in answer["failures"]] == [f"{ARN}task-definition/web:3", "web:9"]
    with pytest.raises(ClientError):
        ecs.describe_task_definition(taskDefinition="web:1")
    assert register(ecs, 1) == [f"{ARN}task-definition/web:4"]  # numbers are never used twice


def test_deleting_waits_for_the_service(ecs: Any, clock: Clock) -> None:
    register(ecs, 2)
    create_service(ecs, taskDefinition="web:1")
    clock.tick()
    ecs.deregister_task_definition(taskDefinition="web:1")
    ecs.delete_task_definitions(taskDefinitions=["web:1"])
    assert ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]["status"] == "DELETE_IN_PROGRESS"
    update(ecs, taskDefinition="web:2")
    clock.tick(2)
    ecs.describe_services(cluster="prod", services=["web"])
    with pytest.raises(ClientError):
        ecs.describe_task_definition(taskDefinition="web:1")


def test_regions_are_apart(client: Any, ecs: Any, aws: Sandbox) -> None:
    register(ecs, 1)
    other = client("ecs", "us-east-1")
    assert other.list_task_definitions()["taskDefinitionArns"] == []
    made = other.register_task_definition(**task_definition())["taskDefinition"]
    assert made["taskDefinitionArn"] == "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1"
    assert aws.ecs("us-east-1").call("ListTaskDefinitions")["taskDefinitionArns"] == [made["taskDefinitionArn"]]
