"""Service deployments and service revisions: the history of a service's rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from . import errors, rollouts, service_docs
from .paging import page
from .state import Doc, Region, Rollout, Service, ServiceRevision


def list_deployments(region: Region, params: Doc) -> Doc:
    """Newest first; ``createdAt`` has ``after`` and ``before``, both exclusive."""
    service = region.service(region.cluster(params), params["service"])
    if service is None:
        raise errors.service_not_found()
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
        raise errors.invalid("serviceDeploymentArns must have 1 to 20 items.")
    known = {rollout.arn: (service, rollout) for service, rollout in _rollouts(region)}
    found = [service_docs.rollout(region, *known[arn]) for arn in arns if arn in known]
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
    return {"serviceDeployments": found, "failures": failures}


def describe_revisions(region: Region, params: Doc) -> Doc:
    arns = params["serviceRevisionArns"]
    if not 1 <= len(arns) <= 20:
        raise errors.invalid("serviceRevisionArns must have 1 to 20 items.")
    known: dict[str, tuple[Service, ServiceRevision]] = {}
    for service, rollout in _rollouts(region):
        known |= {revision.arn: (service, revision) for revision in (rollout.target, *rollout.sources)}
    found = [service_docs.revision(region, *known[arn]) for arn in arns if arn in known]
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
    return {"serviceRevisions": found, "failures": failures}


def stop(region: Region, params: Doc) -> Doc:
    """Roll a deployment back that is still going on, or leave it as it is (ABORT).

    The circuit breaker need not be configured for either.
    """
    arn = params["serviceDeploymentArn"]
    service, rollout = next(((s, r) for s, r in _rollouts(region) if r.arn == arn), (None, None))
    if service is None or rollout is None:
        raise errors.AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    deployment = service.primary
    if rollout.status not in ("PENDING", "IN_PROGRESS") or deployment is None or deployment.rollout is not rollout:
        raise errors.AwsError("ConflictException", f"The service deployment is {rollout.status} and cannot be stopped.")
    back = params.get("stopType", "ROLLBACK") == "ROLLBACK"
    rollouts.stop_by_user(region, service, deployment, region.now, back=back)
    return {"serviceDeploymentArn": arn}


def go_on(region: Region, params: Doc) -> Doc:
    """ContinueServiceDeployment: let a deployment go on that waits at a PAUSE hook, or send it back."""
    arn = params["serviceDeploymentArn"]
    service, rollout = next(((s, r) for s, r in _rollouts(region) if r.arn == arn), (None, None))
    if service is None or rollout is None:
        raise errors.AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    rollouts.continue_(region, service, rollout, params["hookId"], params.get("action", "CONTINUE"), region.now)
    return {"serviceDeploymentArn": arn}


def _rollouts(region: Region) -> Iterator[tuple[Service, Rollout]]:
    return ((service, rollout) for service in region.services.values() for rollout in service.rollouts)


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "ListServiceDeployments": list_deployments,
    "DescribeServiceDeployments": describe_deployments,
    "DescribeServiceRevisions": describe_revisions,
    "StopServiceDeployment": stop,
    "ContinueServiceDeployment": go_on,
})  # fmt: skip
