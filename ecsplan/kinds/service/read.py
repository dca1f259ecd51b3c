"""What is live of services, in the shape of UpdateService's parameters."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.core.model import Address, Doc
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Answer, Reader
from ecsplan.kinds.contract import Candidate, Live, Resource, short_arn
from ecsplan.kinds.ecs.request_fields import known, unknown_fields
from ecsplan.kinds.service.answers import batches, by_name, describe, names, primary_of
from ecsplan.kinds.service.rules import RULES

# Not on the service but on its PRIMARY deployment (ECS API reference, Deployment).
ON_DEPLOYMENT = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")

# Computed by AWS, or no state of the service (ECS API reference, Service): never compared, never sent.
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
        services = by_name(_data(answer))
        for resource in group:
            found[resource.address] = _live(resource, services.get(short_arn(resource.doc["service"])))
    return tuple(found[resource.address] for resource in resources)


def _data(answer: Answer) -> Doc:
    if answer.error and answer.error.code == "ClusterNotFoundException":
        return {}  # each of its services is reported as missing, by name
    return answer.value()


def _live(resource: Resource, service: Doc | None) -> Live:
    if service is None:
        return Live(address=resource.address, observed="missing", facts={"status": "MISSING"})
    doc = {k: v for k, v in service.items() if k not in READ_ONLY}
    primary, state = primary_of(service), primary_of(service).get("rolloutState")
    doc |= {field: primary[field] for field in ON_DEPLOYMENT if field in primary}
    request = ("ecs", "update_service")
    doc = known(*request, doc, unknown_fields(*request, resource.doc), top=False) | names(resource.doc)
    form = normal(doc, RULES)
    observed = {"status": service.get("status"), **form}
    if "desiredCount" not in resource.doc:
        observed.pop("desiredCount", None)  # moved by autoscaling; only a declared count is ours
    draining = [
        d["taskDefinition"]
        for d in service.get("deployments", ())
        if d.get("status") not in ("PRIMARY", "INACTIVE") and "taskDefinition" in d
    ]
    return Live(
        address=resource.address,
        candidates=(Candidate(doc=doc, outputs={"arn": str(service.get("serviceArn", ""))}, normal=form),),
        observed=observed,
        # Strategies without a rollout state keep the old deployment for as long as they may have to go back to it.
        rolling=state == "IN_PROGRESS" or bool(primary and state is None and draining),
        in_use=tuple(draining),
        facts={
            "status": service.get("status", "ACTIVE"),
            "controller": service.get("deploymentController", {}).get("type", "ECS"),
            "deployment": primary.get("id", ""),
            **({"rollout": rollout} if (rollout := service.get("currentServiceDeployment")) else {}),
        },
    )
