"""Services, their deployments and revisions: creating, updating, describing, listing, stopping, deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import page

from . import definition_inputs, outcomes, rollouts, service_docs, service_inputs, task_definitions, task_docs
from .state import Cluster, Doc, Region, Revision, Rollout, Service, ServiceRevision

#: What UpdateService accepts for a service that CodeDeploy deploys (BC, UpdateService).
CODE_DEPLOY: Final = frozenset((
    "cluster", "service", "desiredCount", "deploymentConfiguration", "healthCheckGracePeriodSeconds",
    "placementConstraints", "placementStrategy", "enableECSManagedTags", "propagateTags", "enableExecuteCommand",
))  # fmt: skip
_CODE_DEPLOY_TEXTS: Final = MappingProxyType({
    "taskDefinition": "Unable to update task definition",
    "forceNewDeployment": "Cannot force a new deployment",
})  # fmt: skip


def create(region: Region, params: Doc) -> Doc:
    cluster = region.cluster(params)
    name = params["serviceName"]
    if service := _existing(region, cluster, params):
        return {"service": service_docs.describe(region, service)}
    service_inputs.check_capacity(params)
    daemon = params.get("schedulingStrategy") == "DAEMON"
    if not daemon and "desiredCount" not in params:
        raise common.invalid("desiredCount should not be null when the scheduling strategy is REPLICA.")
    if "taskDefinition" not in params:
        raise common.invalid("TaskDefinition can not be blank.")
    revision = task_definitions.usable(region, params["taskDefinition"], common.client)
    service = Service(
        arn=region.arn(f"service/{cluster.name}/{name}"),
        name=name,
        cluster=cluster.name,
        doc=service_inputs.created(params, cluster, revision),
        task_definition=revision.arn,
        desired=0 if daemon else params["desiredCount"],
        created_at=region.now,
        tags=definition_inputs.new_tags(params.get("tags")),
    )
    if daemon:
        service.desired = region.outcomes.container_instances
    _check(params, service.doc, revision)
    region.services[cluster.name, name] = service
    if params.get("clientToken"):
        region.create_tokens[cluster.name, name] = params
    if controller(service) == "ECS":
        rollouts.begin(region, service, region.now)
    return {"service": service_docs.describe(region, service)}


def _existing(region: Region, cluster: Cluster, params: Doc) -> Service | None:
    """The service that the same request created before, if any. Raises if another one has that name and is ACTIVE."""
    key = (cluster.name, params["serviceName"])
    service = region.services.get(key)
    if service is None or service.status == "INACTIVE":
        return None
    if params.get("clientToken") and region.create_tokens.get(key) == params:
        return service
    raise common.invalid("Creation of service was not idempotent.")


def controller(service: Service) -> str:
    return str(service.doc["deploymentController"]["type"])


def update(region: Region, params: Doc) -> Doc:
    """Merge ``params`` into the service. A deployment starts only if one of its own settings changes."""
    service = _active(region, region.cluster(params), params["service"])
    _by_controller(service, params)
    before, revision = service.task_definition, _wanted(region, service, params)
    doc = _merged(service, params)
    starts = bool(params.get("forceNewDeployment")) or revision.arn != before
    starts = starts or any(doc.get(name) != service.doc.get(name) for name in service_inputs.STARTS_DEPLOYMENT)
    if starts and revision.status != "ACTIVE":
        raise common.client("TaskDefinition is inactive")
    if starts or len(params.keys() - {"cluster", "service", "desiredCount"}):
        _check(params, doc, revision)
    service.doc, service.task_definition = doc, revision.arn
    service.desired = params.get("desiredCount", service.desired)
    if starts:
        rollouts.begin(region, service, region.now)
    elif "desiredCount" in params:
        rollouts.scale(region, service, region.now)
    return {"service": service_docs.describe(region, service)}


def _active(region: Region, cluster: Cluster, reference: str) -> Service:
    service = region.service(cluster, reference)
    if service is None:
        raise common.service_not_found()
    if service.status != "ACTIVE":
        raise common.service_not_active()
    return service


def _by_controller(service: Service, params: Doc) -> None:
    """Raise for what UpdateService may not change, given the deployment controller."""
    kind = controller(service)
    refused = [] if kind == "ECS" else sorted(params.keys() - CODE_DEPLOY)
    if not refused or (refused == ["forceNewDeployment"] and not params["forceNewDeployment"]):
        return
    name = next((member for member in _CODE_DEPLOY_TEXTS if member in refused), refused[0])
    what = _CODE_DEPLOY_TEXTS.get(name, f"Unable to update {name}")
    instead = "Use AWS CodeDeploy to trigger a new deployment." if kind == "CODE_DEPLOY" else "Use a task set instead."
    where = "with a" if kind == "CODE_DEPLOY" else "with an"
    raise common.invalid(f"{what} on services {where} {kind} deployment controller. {instead}")


def _wanted(region: Region, service: Service, params: Doc) -> Revision:
    if "taskDefinition" in params:
        return task_definitions.usable(region, params["taskDefinition"], common.client)
    return task_definitions.find(region, service.task_definition)


def _merged(service: Service, params: Doc) -> Doc:
    doc = service.doc | service_inputs.sent(params, service.doc)
    if params.get("capacityProviderStrategy"):
        doc.pop("launchType", None)
    elif "capacityProviderStrategy" in params:
        del doc["capacityProviderStrategy"]
        doc.setdefault("launchType", "FARGATE" if "platformVersion" in doc else "EC2")
    return doc


def _check(params: Doc, doc: Doc, revision: Revision) -> None:
    service_inputs.check_network(revision, doc.get("networkConfiguration"))
    if "launchType" in doc:
        service_inputs.check_launch_type(revision, doc["launchType"])
    service_inputs.check_fargate_placement(params, doc)
    service_inputs.check_ports(revision, doc)
    service_inputs.check_hooks(doc["deploymentConfiguration"])


def describe(region: Region, params: Doc) -> Doc:
    if len(params["services"]) > 10:
        raise common.invalid("service names can have at most 10 items.")
    if not params["services"]:
        raise common.invalid("Services cannot be empty.")
    cluster = region.cluster(params)
    found, missing = [], []
    for reference in dict.fromkeys(params["services"]):
        service = region.service(cluster, reference)
        if service is None:
            arn = region.arn(f"service/{cluster.name}/{common.short(reference)}")
            missing.append({"arn": arn, "reason": "MISSING"})
            continue
        doc = service_docs.describe(region, service)
        found.append(doc | {"tags": service.tags} if "TAGS" in params.get("include", []) else doc)
    return {"services": found, "failures": missing}


def list_services(region: Region, params: Doc) -> Doc:
    cluster = region.cluster(params)
    found = [
        service.arn
        for (where, _), service in sorted(region.services.items())
        if where == cluster.name
        and service.status != "INACTIVE"
        and params.get("launchType") in (None, service.doc.get("launchType"))
        and params.get("schedulingStrategy") in (None, service.doc["schedulingStrategy"])
    ]
    arns, following = page(found, params.get("maxResults"), params.get("nextToken"), default=10, limit=100)
    return {"serviceArns": arns} | ({"nextToken": following} if following else {})


def delete(region: Region, params: Doc) -> Doc:
    """The service is INACTIVE at once, since nothing has to drain. It is described, but no longer listed."""
    service = _active(region, region.cluster(params), params["service"])
    if service.desired and not params.get("force") and service.doc["schedulingStrategy"] == "REPLICA":
        raise common.invalid("The service cannot be stopped while it is scaled above 0.")
    service.desired = 0
    rollouts.scale(region, service, region.now)
    for deployment in service.deployments:
        for task in deployment.alive(region.now):
            why = {"stopCode": outcomes.BY_SCHEDULER, "stoppedReason": "Service was deleted."}
            task_docs.halt(task, region.now, region.now, why, 0)
    rollouts.supersede(service, region.now)  # ends its rollout
    service.status, service.deployments = "INACTIVE", []
    return {"service": service_docs.describe(region, service)}


# -- service deployments and revisions --------------------------------------------------------------------------------


def list_deployments(region: Region, params: Doc) -> Doc:
    """Newest first. ``createdAt`` has ``after`` and ``before``, both exclusive."""
    service = region.service(region.cluster(params), params["service"])
    if service is None:
        raise common.service_not_found()
    statuses, window = params.get("status", []), params.get("createdAt", {})
    found = [
        service_docs.brief(region, service, rollout)
        for rollout in reversed(service.rollouts)
        if (not statuses or rollout.status in statuses)
        and window.get("after", float("-inf")) < rollout.created_at < window.get("before", float("inf"))
    ]
    briefs, following = page(found, params.get("maxResults"), params.get("nextToken"), default=100, limit=100)
    return {"serviceDeployments": briefs} | ({"nextToken": following} if following else {})


def describe_deployments(region: Region, params: Doc) -> Doc:
    arns = params["serviceDeploymentArns"]
    if not 1 <= len(arns) <= 20:
        raise common.invalid("serviceDeploymentArns must have 1 to 20 items.")
    known = {rollout.arn: (service, rollout) for service, rollout in _rollouts(region)}
    found = [service_docs.rollout(region, *known[arn]) for arn in arns if arn in known]
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
    return {"serviceDeployments": found, "failures": failures}


def describe_revisions(region: Region, params: Doc) -> Doc:
    arns = params["serviceRevisionArns"]
    if not 1 <= len(arns) <= 20:
        raise common.invalid("serviceRevisionArns must have 1 to 20 items.")
    known: dict[str, tuple[Service, ServiceRevision]] = {}
    for service, rollout in _rollouts(region):
        known |= {revision.arn: (service, revision) for revision in (rollout.target, *rollout.sources)}
    found = [service_docs.revision(region, *known[arn]) for arn in arns if arn in known]
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
    return {"serviceRevisions": found, "failures": failures}


def stop_deployment(region: Region, params: Doc) -> Doc:
    """StopServiceDeployment: roll back a deployment in progress, or leave it as it is (ABORT).

    Neither needs a circuit breaker.
    """
    arn = params["serviceDeploymentArn"]
    service, rollout = next(((s, r) for s, r in _rollouts(region) if r.arn == arn), (None, None))
    if service is None or rollout is None:
        raise common.AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    deployment = service.primary
    if rollout.status not in ("PENDING", "IN_PROGRESS") or deployment is None or deployment.rollout is not rollout:
        raise common.AwsError("ConflictException", f"The service deployment is {rollout.status} and cannot be stopped.")
    back = params.get("stopType", "ROLLBACK") == "ROLLBACK"
    rollouts.stop_by_user(region, service, deployment, region.now, back=back)
    return {"serviceDeploymentArn": arn}


def continue_deployment(region: Region, params: Doc) -> Doc:
    """ContinueServiceDeployment: continue or roll back a deployment that waits at a PAUSE hook."""
    arn = params["serviceDeploymentArn"]
    service, rollout = next(((s, r) for s, r in _rollouts(region) if r.arn == arn), (None, None))
    if service is None or rollout is None:
        raise common.AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    rollouts.continue_(region, service, rollout, params["hookId"], params.get("action", "CONTINUE"), region.now)
    return {"serviceDeploymentArn": arn}


def _rollouts(region: Region) -> Iterator[tuple[Service, Rollout]]:
    return ((service, rollout) for service in region.services.values() for rollout in service.rollouts)


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "CreateService": create,
    "UpdateService": update,
    "DescribeServices": describe,
    "ListServices": list_services,
    "DeleteService": delete,

    "ListServiceDeployments": list_deployments,
    "DescribeServiceDeployments": describe_deployments,
    "DescribeServiceRevisions": describe_revisions,
    "StopServiceDeployment": stop_deployment,
    "ContinueServiceDeployment": continue_deployment,
})  # fmt: skip
