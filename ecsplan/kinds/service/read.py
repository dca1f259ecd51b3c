"""Reading services, in the shape of UpdateService's parameters. DescribeServices: requests and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from ecsplan.core.clock import epoch
from ecsplan.core.diagnosis import Tally
from ecsplan.core.model import Address, Call, Doc, Step, Value
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Candidate, Live, Resource, User
from ecsplan.kinds.ecs.calls import in_cluster, pages
from ecsplan.kinds.ecs.request_fields import request_fields_only, unknown_fields
from ecsplan.kinds.service.rules import RULES

T = TypeVar("T")

BATCH = 10  # names per DescribeServices (ECS API reference)
LISTED = 100  # services per ListServices (ECS API reference)

# Shown on the PRIMARY deployment, not on the service (ECS API reference, Deployment).
ON_DEPLOYMENT = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")

# Computed by AWS, or not part of the service's state (ECS API reference, Service): never compared, never sent.
READ_ONLY = frozenset(
    {
        "serviceArn",
        "serviceName",
        "clusterArn",
        "status",
        "runningCount",
        "pendingCount",
        "deployments",
        "taskSets",
        "events",
        "roleArn",
        "createdAt",
        "createdBy",
        "platformFamily",
        "currentServiceDeployment",
        "currentServiceRevisions",
        "resourceManagementType",
        "tags",
    }
)


def read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """Ten services per request, all requests at once."""
    groups = batches([(resource.doc.get("cluster"), resource) for resource in resources])
    answers = reader.fetch([describe(cluster, [r.doc["service"] for r in group]) for cluster, group in groups])
    found: dict[Address, Live] = {}
    for (_, group), answer in zip(groups, answers, strict=True):
        if answer.error is not None and answer.error.code == "ClusterNotFoundException":
            found |= {resource.address: _missing(resource, "NO CLUSTER") for resource in group}
            continue
        services = by_name(answer.value())
        for resource in group:
            found[resource.address] = _live(resource, services.get(short_arn(resource.doc["service"])))
    return tuple(found[resource.address] for resource in resources)


def _missing(resource: Resource, status: str) -> Live:
    """NO CLUSTER or MISSING. What is observed is the same: whether the cluster is there changes nothing in a plan."""
    return Live(address=resource.address, observed="missing", facts={"status": status})


def _live(resource: Resource, service: Doc | None) -> Live:
    if service is None:
        return _missing(resource, "MISSING")
    doc = {k: v for k, v in service.items() if k not in READ_ONLY}
    primary, state = primary_of(service), primary_of(service).get("rolloutState")
    doc |= {field: primary[field] for field in ON_DEPLOYMENT if field in primary}
    request = ("ecs", "update_service")
    doc = request_fields_only(*request, doc, unknown_fields(*request, resource.doc), top=False) | names(resource.doc)
    form = normal(doc, RULES)
    observed = {"status": service.get("status"), **form}
    if "desiredCount" not in resource.doc:
        observed.pop("desiredCount", None)  # autoscaling moves it; only a declared count is compared
    draining = [
        d["taskDefinition"]
        for d in service.get("deployments", ())
        if d.get("status") not in ("PRIMARY", "INACTIVE") and "taskDefinition" in d
    ]
    return Live(
        address=resource.address,
        candidates=(Candidate(doc=doc, outputs={"arn": str(service.get("serviceArn", ""))}, normal=form),),
        observed=observed,
        # Strategies without a rollout state keep the old deployment as long as they may have to go back to it.
        rolling=state == "IN_PROGRESS" or bool(primary and state is None and draining),
        in_use=tuple(draining),
        facts={
            "status": service.get("status", "ACTIVE"),
            "controller": service.get("deploymentController", {}).get("type", "ECS"),
            "deployment": primary.get("id", ""),
            "described": service,
            **({"rollout": rollout} if (rollout := service.get("currentServiceDeployment")) else {}),
        },
    )


# --- requests and answers ---


def batches(items: Sequence[tuple[str | None, T]]) -> list[tuple[str | None, list[T]]]:
    """Ten at a time, by cluster; a name and an ARN of one cluster are the same."""
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
    """The members of a request that name the service."""
    return {field: doc[field] for field in ("cluster", "service") if field in doc}


def users(reader: Reader, clusters: Sequence[str], _families: Sequence[str]) -> tuple[User, ...]:
    """Every service of these clusters, with the revisions that it shows, also those that are draining. One request for
    each hundred services, and one for each ten."""
    listings = [
        Call(service="ecs", operation="list_services", params=in_cluster(cluster, {"maxResults": LISTED}))
        for cluster in clusters
    ]
    listed = pages(reader, reader.fetch(listings) if listings else (), at="serviceArns")
    places = [(cluster, arn) for cluster, arns in zip(clusters, listed, strict=True) for arn in arns]
    calls = [describe(cluster, arns) for cluster, arns in batches(places)]
    services = [one for answer in (reader.fetch(calls) if calls else ()) for one in answer.value().get("services", ())]
    return tuple(
        User(name=f"service.{short_arn(one.get('clusterArn', ''))}/{one.get('serviceName')}", revision=revision)
        for one in services
        for revision in _revisions(one)
    )


def _revisions(service: Doc) -> Iterator[str]:
    for one in (service, *service.get("deployments", ()), *service.get("taskSets", ())):
        if one.get("taskDefinition") and one.get("status") != "INACTIVE":
            yield str(one["taskDefinition"])


# --- facts for people ---


def tally(deployment: Doc, rollout: Doc) -> Tally:
    breaker = rollout.get("deploymentCircuitBreaker") or {}
    return Tally(
        running=deployment.get("runningCount") or 0,
        desired=deployment.get("desiredCount") or 0,
        pending=deployment.get("pendingCount") or 0,
        failed=max(deployment.get("failedTasks") or 0, breaker.get("failureCount") or 0),
    )


def newest(service: Doc, since: Any) -> str:
    """The service's newest event since then, without the service's name; "" if a time is missing."""
    began = epoch(since)
    for event in service.get("events", ()):
        at = epoch(event.get("createdAt"))
        if began is None or at is None or at < began:
            return ""
        return re.sub(r"^\(service [^)]*\) ", "", str(event.get("message", "")))
    return ""


def counts(deployment: Doc) -> str:
    parts = [f"{deployment.get('runningCount', 0)}/{deployment.get('desiredCount', 0)} running"]
    if pending := deployment.get("pendingCount"):
        parts.append(f"{pending} pending")
    if failed := deployment.get("failedTasks"):
        parts.append(f"{failed} failed")
    return ", ".join(parts)


# --- what a step expects ---


class Expect(Value, frozen=True, kw_only=True):
    """What a step expects: the ids of the deployment and of the service deployment before it, the revision that the
    service moves from, and the deployment that the step reverts while it may still be rolling out. Of a step that only
    waits: the deployment that it waits for, and its revision."""

    deployment: str = ""
    previous: str = ""
    rollout: str = ""
    stops: str = ""
    awaits: str = ""
    revision: str = ""


def expected(step: Step) -> Expect:
    return msgspec.convert(step.expect, Expect)
