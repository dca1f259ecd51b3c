"""Clusters, and the tags of everything that can carry them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import page

from . import definition_inputs, service_inputs, task_definitions
from .state import Cluster, Doc, Region


def create(region: Region, params: Doc) -> Doc:
    """Returns an existing cluster unchanged."""
    name = params.get("clusterName", "default")
    if not (cluster := region.clusters.get(name)) or cluster.status != "ACTIVE":
        cluster = Cluster(
            name=name,
            arn=region.arn(f"cluster/{name}"),
            tags=definition_inputs.new_tags(params.get("tags")),
            settings=params.get("settings", [{"name": "containerInsights", "value": "disabled"}]),
            capacity_providers=params.get("capacityProviders", []),
            default_strategy=service_inputs.strategy(params.get("defaultCapacityProviderStrategy", [])),
        )
        region.clusters[name] = cluster
    return {"cluster": _describe(region, cluster) | {"tags": cluster.tags}}


def describe(region: Region, params: Doc) -> Doc:
    references = params.get("clusters") or ["default"]
    if len(references) > 100:
        raise common.invalid("cluster names can have at most 100 items.")
    found, failures = [], []
    for reference in references:
        cluster = region.clusters.get(common.short(reference))
        if cluster is None or (reference.startswith("arn:") and reference != cluster.arn):
            failures.append({"arn": region.arn(f"cluster/{common.short(reference)}"), "reason": "MISSING"})
        else:
            doc = _describe(region, cluster)
            found.append(doc | {"tags": cluster.tags} if "TAGS" in params.get("include", []) else doc)
    return {"clusters": found, "failures": failures}


def list_clusters(region: Region, params: Doc) -> Doc:
    found = [cluster.arn for _, cluster in sorted(region.clusters.items()) if cluster.status == "ACTIVE"]
    arns, following = page(found, params.get("maxResults"), params.get("nextToken"), default=100, limit=100)
    return {"clusterArns": arns} | ({"nextToken": following} if following else {})


def delete(region: Region, params: Doc) -> Doc:
    cluster = region.cluster(params)
    if any(s.cluster == cluster.name and s.status == "ACTIVE" for s in region.services.values()):
        raise common.AwsError(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    if any(t.cluster == cluster.name and t.status(region.now) != "STOPPED" for t in region.tasks.values()):
        raise common.AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    cluster.status = "INACTIVE"
    return {"cluster": _describe(region, cluster)}


def _describe(region: Region, cluster: Cluster) -> Doc:
    tasks = Counter(t.status(region.now) for t in region.tasks.values() if t.cluster == cluster.name)
    services = [s for s in region.services.values() if s.cluster == cluster.name and s.status == "ACTIVE"]
    return {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": region.outcomes.container_instances,
        "runningTasksCount": tasks["RUNNING"],
        "pendingTasksCount": tasks["PENDING"] + tasks["PROVISIONING"],
        "activeServicesCount": len(services),
        "statistics": [],
        "tags": [],
        "settings": cluster.settings,
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    }


# -- tags -------------------------------------------------------------------------------------------------------------


def tag(region: Region, params: Doc) -> Doc:
    new = definition_inputs.new_tags(params["tags"])
    tagged = _tags_of(region, params["resourceArn"])
    tagged[:] = [t for t in tagged if t["key"] not in {n["key"] for n in new}] + new
    return {}


def untag(region: Region, params: Doc) -> Doc:
    tagged = _tags_of(region, params["resourceArn"])
    tagged[:] = [t for t in tagged if t["key"] not in params["tagKeys"]]
    return {}


def list_tags(region: Region, params: Doc) -> Doc:
    return {"tags": list(_tags_of(region, params["resourceArn"]))}


def _tags_of(region: Region, arn: str) -> list[Doc]:
    """The resource's own list of tags, to be changed in place."""
    kind, _, rest = arn.removeprefix(region.arn("")).partition("/")
    if kind == "task-definition":
        return task_definitions.find(region, arn).tags
    if kind == "cluster" and rest in region.clusters:
        return region.clusters[rest].tags
    if kind == "service":
        cluster, _, name = rest.partition("/")
        if (cluster, name) in region.services:
            return region.services[cluster, name].tags
    if kind == "task" and arn in region.tasks:
        return region.tasks[arn].tags
    raise common.invalid(f"The specified {kind or 'resource'} is not found: {common.short(arn)}")


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "CreateCluster": create,
    "DescribeClusters": describe,
    "ListClusters": list_clusters,
    "DeleteCluster": delete,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
})  # fmt: skip
