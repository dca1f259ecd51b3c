"""Clusters: made, described, listed, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.helpers import ARN, create_service, error_of, task_definition


def test_clusters(ecs: Any) -> None:
    made = ecs.create_cluster(clusterName="b", tags=[{"key": "k", "value": "v"}])["cluster"]
    assert (made["clusterArn"], made["status"]) == (f"{ARN}cluster/b", "ACTIVE")
    assert ecs.create_cluster(clusterName="b")["cluster"]["tags"] == [{"key": "k", "value": "v"}]
    assert ecs.list_clusters()["clusterArns"] == [f"{ARN}cluster/b", f"{ARN}cluster/prod"]
    answer = ecs.describe_clusters(clusters=["prod", f"{ARN}cluster/b", "none"], include=["TAGS"])
    assert [c["clusterName"] for c in answer["clusters"]] == ["prod", "b"]
    assert answer["failures"] == [{"arn": f"{ARN}cluster/none", "reason": "MISSING"}]


def test_the_default_cluster_must_be_made_as_well(ecs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        ecs.list_services()
    assert error_of(caught.value) == ("ClusterNotFoundException", "Cluster not found.")
    ecs.create_cluster()
    assert ecs.list_services()["serviceArns"] == []


def test_pages_of_clusters(ecs: Any) -> None:
    for number in range(4):
        ecs.create_cluster(clusterName=f"c{number}")
    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["clusterArns"]) for page in pages] == [2, 2, 1]


def test_a_cluster_in_use_is_not_deleted(ecs: Any) -> None:
    ecs.register_task_definition(**task_definition())
    create_service(ecs)
    with pytest.raises(ClientError) as caught:
        ecs.delete_cluster(cluster="prod")
    assert error_of(caught.value)[0] == "ClusterContainsServicesException"
    ecs.delete_service(cluster="prod", service="web", force=True)
    assert ecs.delete_cluster(cluster="prod")["cluster"]["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.describe_clusters(clusters=["prod"])["clusters"][0]["status"] == "INACTIVE"
