"""What RegisterTaskDefinition rejects of port mappings. The source is botocore's documentation of PortMapping, or AWS's
own text in quotes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member
from ecsplan.core.model import Doc
from ecsplan.kinds.task_definition.sizes import whole

OWN_PORTS = ("awsvpc", "host")  # modes in which a container's port is the host's


def problems(definition: Doc, path: Path) -> Problems:
    """Everything that is wrong with ports, each with its path."""
    mode = definition.get("networkMode")
    used: dict[tuple[str, int], Path] = {}
    for index, container in enumerate(entries_of(definition, "containerDefinitions")):
        at = (*path, "containerDefinitions", index, "portMappings")
        mappings = entries_of(container, "portMappings")
        if mappings and mode == "none":
            yield Problem(at, 'networkMode = "none" has no ports')
            continue
        mapped: dict[tuple[int | str, str], Path] = {}
        for number, mapping in enumerate(mappings):
            yield from _mapping(mapping, mode, (*at, number))
            yield from _twice(mapping, (*at, number), mapped, used)


def _mapping(mapping: Any, mode: Any, path: Path) -> Problems:
    """ "When networkMode=awsvpc, the host ports and container ports in port mappings must match." 0 is none."""
    port, host = member(mapping, "containerPort"), member(mapping, "hostPort")
    if member(mapping, "containerPortRange"):
        if host:
            yield Problem((*path, "hostPort"), "leave it out beside containerPortRange, for which ECS finds the ports")
        if mode == "host":
            yield Problem((*path, "containerPortRange"), "needs networkMode bridge or awsvpc")
    elif mode in OWN_PORTS and type(host) is int and type(port) is int and host not in (0, port):
        yield Problem((*path, "hostPort"), f"must be containerPort, {port}, or be left out, under networkMode {mode}")


def _twice(
    mapping: Any, path: Path, mapped: dict[tuple[int | str, str], Path], used: dict[tuple[str, int], Path]
) -> Problems:
    """ "Container port 53 is used in more than one port mapping for container", "TCP host port '3000' is mapped
    multiple times in task." `mapped` is what the container has so far, `used` what the task has; both are added to."""
    protocol = str(member(mapping, "protocol") or "tcp")
    for key, port in _ports(mapping):
        if (first := mapped.setdefault((port, protocol), path)) != path:
            yield Problem((*path, key), f"{port} is mapped by {dotted(first)} too")
            return
    host = member(mapping, "hostPort")
    if type(host) is int and host and (first := used.setdefault((protocol, host), path)) != path:
        yield Problem((*path, "hostPort"), f"{host} is mapped by {dotted(first)} too")


def _ports(mapping: Any) -> Iterator[tuple[str, int | str]]:
    for key in ("containerPort", "containerPortRange"):
        port = member(mapping, key)
        if type(port) in (int, str) and port:
            yield key, port


def cautions(definition: Doc, path: Path) -> Problems:
    """A port under two protocols: registration accepts it (the guide's note that it does not was removed in 2020), and
    CreateService was seen to reject it for the port of a load balancer and of Service Connect."""
    for index, container in enumerate(entries_of(definition, "containerDefinitions")):
        at = (*path, "containerDefinitions", index, "portMappings")
        protocols: dict[int | str, str] = {}
        for number, mapping in enumerate(entries_of(container, "portMappings")):
            protocol = str(member(mapping, "protocol") or "tcp")
            for key, port in _ports(mapping):
                if protocols.setdefault(port, protocol) != protocol:
                    said = f"{port} is mapped under two protocols"
                    yield Problem(
                        (*at, number, key), f"{said}; ECS refuses it as the port of a service's load balancer"
                    )


def maps_port(container: Doc, port: int) -> bool:
    """Does a port mapping of the container have this port, or a range that includes it?"""
    for mapping in entries_of(container, "portMappings"):
        low, _, high = str(member(mapping, "containerPortRange") or "").partition("-")
        if member(mapping, "containerPort") == port or (
            (first := whole(low)) is not None and (last := whole(high)) is not None and first <= port <= last
        ):
            return True
    return False
