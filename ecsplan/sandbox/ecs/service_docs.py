"""How services, their deployments, service deployments and service revisions are described at a given time."""

from __future__ import annotations

import hashlib

from . import task_definitions, task_docs
from .service_inputs import DEPLOYMENT_ONLY, platform_family, threshold
from .state import Deployment, Doc, Region, Rollout, Service, ServiceRevision

_ON_DEPLOYMENT = ("networkConfiguration", "launchType", "capacityProviderStrategy", *DEPLOYMENT_ONLY)


def describe(region: Region, service: Service) -> Doc:
    """The service as DescribeServices answers it, without tags."""
    rolling = _has_rollout_state(service)
    deployments = [_deployment(region, d, rolling=rolling) for d in service.deployments]
    doc = {k: v for k, v in service.doc.items() if k not in DEPLOYMENT_ONLY}
    doc |= {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": region.clusters[service.cluster].arn,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": sum(d["runningCount"] for d in deployments),
        "pendingCount": sum(d["pendingCount"] for d in deployments),
        "taskDefinition": service.task_definition,
        "deployments": deployments,
        "events": list(service.events),
        "createdAt": service.created_at,
        "createdBy": "arn:aws:iam::123456789012:user/sandbox",
        "resourceManagementType": "CUSTOMER",
    }
    if service.rollouts and service.status == "ACTIVE":
        doc["currentServiceDeployment"] = service.rollouts[-1].arn
        doc["currentServiceRevisions"] = [
            _counts(d.revision.arn, shown) for d, shown in zip(service.deployments, deployments, strict=True)
        ]
    return doc


def _has_rollout_state(service: Service) -> bool:
    """Only rolling updates without a Classic Load Balancer have a rolloutState (BC)."""
    classic = any("loadBalancerName" in balancer for balancer in service.doc["loadBalancers"])
    return service.doc["deploymentConfiguration"]["strategy"] == "ROLLING" and not classic


def _deployment(region: Region, deployment: Deployment, *, rolling: bool) -> Doc:
    statuses = [task.status(region.now) for task in deployment.tasks]
    doc: Doc = {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.revision.task_definition,
        "desiredCount": deployment.desired,
        "runningCount": statuses.count("RUNNING"),
        "pendingCount": statuses.count("PENDING") + statuses.count("PROVISIONING"),
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
    }
    if rolling:
        doc |= {"rolloutState": deployment.state, "rolloutStateReason": deployment.state_reason}
    return doc | _carried(region, deployment.revision)


def _carried(region: Region, revision: ServiceRevision) -> Doc:
    """What a deployment shows of its service revision. The platform version is a number, even for LATEST."""
    doc = {name: revision.settings[name] for name in _ON_DEPLOYMENT if name in revision.settings}
    if doc.get("launchType") == "FARGATE":
        version = revision.settings.get("platformVersion", "LATEST")
        doc["platformVersion"] = task_docs.PLATFORM_VERSION if version == "LATEST" else version
        definition = task_definitions.known(region, revision.task_definition)
        doc["platformFamily"] = platform_family(definition) if definition else "Linux"
    return doc


def _counts(arn: str, shown: Doc) -> Doc:
    return {
        "arn": arn,
        "requestedTaskCount": shown["desiredCount"],
        "runningTaskCount": shown["runningCount"],
        "pendingTaskCount": shown["pendingCount"],
    }


def _summary(rollout: Rollout, arn: str, shown: Doc) -> Doc:
    """A service revision's tasks, and its share of the traffic if the strategy shifts traffic."""
    doc = _counts(arn, shown)
    if rollout.production:
        doc["requestedTestTrafficWeight"] = rollout.test.get(arn, 0.0)
        doc["requestedProductionTrafficWeight"] = rollout.production.get(arn, 0.0)
    return doc


def rollout(region: Region, service: Service, rollout: Rollout) -> Doc:
    """A service deployment as DescribeServiceDeployments answers it."""
    shown = {d.revision.arn: _deployment(region, d, rolling=True) for d in reversed(service.deployments)}
    none = {"desiredCount": 0, "runningCount": 0, "pendingCount": 0}
    counts = {r.arn: _summary(rollout, r.arn, shown.get(r.arn, none)) for r in (*rollout.sources, rollout.target)}
    breaker = rollout.configuration["deploymentCircuitBreaker"]["enable"] or rollout.breaker == "TRIGGERED"
    doc = brief(region, service, rollout)
    del doc["targetServiceRevisionArn"]
    doc |= {
        "updatedAt": rollout.updated_at,
        "sourceServiceRevisions": [counts[r.arn] for r in rollout.sources],
        "targetServiceRevision": counts[rollout.target.arn],
        "lifecycleStage": rollout.stage,
        "deploymentConfiguration": rollout.configuration,
        "deploymentCircuitBreaker": {
            "status": rollout.breaker if breaker else "DISABLED",
            "failureCount": rollout.failures,
            "threshold": threshold(rollout.configuration, service.desired),
        },
        "alarms": _alarms(rollout),
    }
    extra: Doc = {"stoppedAt": rollout.stopped_at, "rollback": rollout.rollback}
    extra["lifecycleHookDetails"] = [dict(hook) for hook in rollout.hooks] or None
    return doc | {name: value for name, value in extra.items() if value is not None}


def _alarms(rollout: Rollout) -> Doc:
    watched = rollout.configuration.get("alarms", {})
    status = "MONITORING" if rollout.finished_at is None else "MONITORING_COMPLETE"
    if rollout.alarmed:
        status = "TRIGGERED"
    return {
        "status": status if watched.get("enable") else "DISABLED",
        "alarmNames": watched.get("alarmNames", []),
        "triggeredAlarmNames": list(rollout.alarmed),
    }


def brief(region: Region, service: Service, rollout: Rollout) -> Doc:
    """A service deployment as ListServiceDeployments answers it."""
    doc = {
        "serviceDeploymentArn": rollout.arn,
        "serviceArn": service.arn,
        "clusterArn": region.clusters[service.cluster].arn,
        "createdAt": rollout.created_at,
        "status": rollout.status,
        "targetServiceRevisionArn": rollout.target.arn,
        "startedAt": rollout.started_at,
        "finishedAt": rollout.finished_at,
        "statusReason": rollout.reason,
    }
    return {name: value for name, value in doc.items() if value is not None}


def revision(region: Region, service: Service, revision: ServiceRevision) -> Doc:
    """A service revision as DescribeServiceRevisions answers it, with the digests of its images."""
    definition = task_definitions.known(region, revision.task_definition)
    images = [
        {"containerName": c["name"], "image": c["image"], "imageDigest": digest(c["image"])}
        for c in (definition.doc["containerDefinitions"] if definition else [])
    ]
    return {
        **revision.settings,
        **_carried(region, revision),
        "serviceRevisionArn": revision.arn,
        "serviceArn": service.arn,
        "clusterArn": region.clusters[service.cluster].arn,
        "taskDefinition": revision.task_definition,
        "containerImages": images,
        "guardDutyEnabled": False,
        "createdAt": revision.created_at,
    }


def digest(image: str) -> str:
    """The digest in the image's name, else one computed from the name."""
    pinned = image.partition("@")[2]
    return pinned or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
