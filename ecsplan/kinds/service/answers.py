"""How services are asked for, and where things are in the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ecsplan.core.model import Call, Doc, Step, Value
from ecsplan.kinds.contract import short_arn
from ecsplan.kinds.ecs.calls import in_cluster

T = TypeVar("T")

BATCH = 10  # names per DescribeServices (ECS API reference)


def batches(items: Sequence[tuple[str | None, T]]) -> list[tuple[str | None, list[T]]]:
    """Ten at a time, by cluster; a cluster is the same by name and by ARN."""
    clusters: dict[str, tuple[str | None, list[T]]] = {}
    for cluster, item in items:
        clusters.setdefault(short_arn(cluster or "default"), (cluster, []))[1].append(item)
    return [(c, group[i : i + BATCH]) for c, group in clusters.values() for i in range(0, len(group), BATCH)]


def describe(cluster: str | None, names: Sequence[str]) -> Call:
    return Call(service="ecs", operation="describe_services", params=in_cluster(cluster, {"services": list(names)}))


def by_name(data: Doc) -> dict[str, Doc]:
    return {
        short_arn(service.get("serviceName") or service.get("serviceArn")): service
        for service in data.get("services", ())
    }


def primary_of(service: Doc) -> Doc:
    for deployment in service.get("deployments", ()):
        if deployment.get("status") == "PRIMARY":
            return dict(deployment)
    return {}


def names(doc: Doc) -> Doc:
    """What names a service in a request."""
    return {field: doc[field] for field in ("cluster", "service") if field in doc}


class Expect(Value, frozen=True, kw_only=True):
    """What a step expects: the ids of the deployment and of the service deployment until then, the revision that the
    service moves from, and the deployment that the step reverts while it may still be rolling out."""

    deployment: str = ""
    previous: str = ""
    rollout: str = ""
    stops: str = ""


def expected(step: Step) -> Expect:
    return msgspec.convert(step.expect, Expect)
