"""What CreateService, UpdateService and RunTask refuse alike."""

from __future__ import annotations

from . import errors
from .state import Doc, Revision


def capacity(params: Doc) -> None:
    if params.get("launchType") and params.get("capacityProviderStrategy"):
        text = (
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
        raise errors.invalid(text)


def network(revision: Revision, configuration: Doc | None) -> None:
    """An awsvpc task needs to know its subnets; any other must not be given some."""
    if revision.doc.get("networkMode") == "awsvpc":
        if not (configuration or {}).get("awsvpcConfiguration"):
            text = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise errors.invalid(text)
        if not (configuration or {})["awsvpcConfiguration"].get("subnets"):
            raise errors.invalid("subnets can not be empty.")
    elif configuration and configuration.get("awsvpcConfiguration"):
        raise errors.invalid("Network Configuration is not valid for the given networkMode of this task definition.")


def launch_type(revision: Revision, wanted: str) -> None:
    if wanted not in revision.doc["compatibilities"]:
        raise errors.invalid(f"Task definition does not support launch_type {wanted}.")


def fargate_placement(params: Doc, doc: Doc) -> None:
    """Placement does not go with Fargate, not even an empty list of it."""
    if doc.get("launchType") != "FARGATE":
        return
    for member, what in (("placementStrategy", "strategies"), ("placementConstraints", "constraints")):
        if member in params:
            raise errors.invalid(f"Placement {what} are not supported with FARGATE launch type.")


def ports(revision: Revision, doc: Doc) -> None:
    """Load balancers and registries name a container, and a port of it, that the task definition must have."""
    containers = {c["name"]: c for c in revision.doc["containerDefinitions"]}
    for entry in [*doc.get("loadBalancers", []), *doc.get("serviceRegistries", [])]:
        name, port = entry.get("containerName"), entry.get("containerPort")
        if name is None:
            continue
        if name not in containers:
            raise errors.invalid(f"The container {name} does not exist in the task definition.")
        mapped = any(_maps(mapping, port) for mapping in containers[name]["portMappings"])
        if port is not None and not mapped:
            raise errors.invalid(f"The container {name} did not have a container port {port} defined.")


def _maps(mapping: Doc, port: int | None) -> bool:
    if "containerPortRange" in mapping:
        low, _, high = mapping["containerPortRange"].partition("-")
        return port is not None and int(low) <= port <= int(high or low)
    return bool(mapping.get("containerPort") == port)
