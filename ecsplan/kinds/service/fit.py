"""Whether a service and the revision that it is moved to go together: what UpdateService would refuse, seen while
planning, also where it comes from what is live and not declared.

Sources: the ECS API reference (UpdateService, LoadBalancer, ServiceConnectService) and recorded refusals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecsplan.core.model import Address, Doc, Ref
from ecsplan.kinds.contract import Delta, Live, Resource, short_arn
from ecsplan.kinds.task_definition.lint_ports import maps_port


def blockers(resource: Resource, live: Live) -> tuple[str, ...]:
    status, controller = live.facts.get("status"), live.facts.get("controller", "ECS")
    where = (
        f"service {short_arn(resource.doc['service'])} in cluster {short_arn(resource.doc.get('cluster') or 'default')}"
    )
    if status == "MISSING":
        return (
            f"{resource.address}: there is no {where}; services are created elsewhere, ecsplan only deploys to them",
        )
    if status != "ACTIVE":
        return (f"{resource.address}: {where} is {status}",)
    if controller != "ECS":
        return (f"{resource.address}: {where} is deployed by {controller}, not by ECS itself; ecsplan cannot move it",)
    wanted = resource.doc.get("deploymentController", {}).get("type", controller)
    if wanted != controller:
        return (
            f"{resource.address}: {where} is deployed by {controller} itself; a deployment cannot hand it to {wanted}, "
            "so leave deploymentController out",
        )
    return ()


def conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """Reasons why ECS would not take this update, each a sentence; of a revision that is not known, none."""
    definition = definition_of(delta, others)
    if not definition:
        return ()
    found = (
        *_ports(delta.merged_doc, definition),
        *_names(delta.merged_doc, definition),
        *_place(delta.merged_doc, definition),
    )
    return tuple(f"{delta.change.address}: {fault}" for fault in found)


def has_network(doc: Doc) -> bool:
    """Whether it has an awsvpc network: without subnets it is none, whatever else is filled in."""
    return bool(((doc.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}).get("subnets"))


def definition_of(delta: Delta, others: Mapping[Address, Delta]) -> Doc:
    """The task definition that something is moved to, as it will be; empty where it is not one of this plan."""
    ref = delta.resource.doc.get("taskDefinition")
    other = others.get(ref.address) if isinstance(ref, Ref) else None
    return other.merged_doc if other else {}


def _ports(service: Doc, definition: Doc) -> Iterator[str]:
    """Load balancers and registries name a container and a port of it."""
    containers = {container.get("name"): container for container in definition.get("containerDefinitions", ())}
    entries = [("load balancer", entry) for entry in service.get("loadBalancers", ())]
    entries += [("service registry", entry) for entry in service.get("serviceRegistries", ())]
    for what, entry in entries:
        name, port = entry.get("containerName"), entry.get("containerPort")
        if name is not None and name not in containers:
            yield f"its {what} sends to container {name}, which the task definition does not have"
        elif name is not None and port is not None and not maps_port(containers[name], port):
            yield f"its {what} sends to port {port} of container {name}, which maps no such port"


def _names(service: Doc, definition: Doc) -> Iterator[str]:
    """Service Connect goes by the names of port mappings."""
    connect = service.get("serviceConnectConfiguration") or {}
    known = {
        mapping.get("name")
        for container in definition.get("containerDefinitions", ())
        for mapping in container.get("portMappings", ())
    }
    if connect.get("enabled"):
        for entry in connect.get("services", ()):
            if entry.get("portName") not in known:
                yield (
                    f"its Service Connect names port {entry.get('portName')}, "
                    "and no port mapping of the task definition has that name"
                )


def _place(service: Doc, definition: Doc) -> Iterator[str]:
    """Network and launch type."""
    network = has_network(service)
    awsvpc = definition.get("networkMode") == "awsvpc"
    if awsvpc and not network:
        yield "the task definition's network mode is awsvpc, and neither the spec nor the service has a network for it"
    if network and not awsvpc:
        yield (
            "it has an awsvpc network, which ECS does not take away from a service, and the task definition's network "
            f"mode is {definition.get('networkMode') or 'bridge'}"
        )
    # What requires EC2 or EXTERNAL may be compatible with more, as ECS computes it; FARGATE has to be asked for there.
    launch, wanted = service.get("launchType"), definition.get("requiresCompatibilities")
    if launch == "FARGATE" and wanted and launch not in wanted and not service.get("capacityProviderStrategy"):
        yield f"its launch type is {launch}, and the task definition is for {', '.join(wanted)} only"
