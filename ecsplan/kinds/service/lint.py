"""What UpdateService refuses, seen in the spec alone. What depends on the live service is in `change.py`."""

from __future__ import annotations

from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member, quoted, repeats, tables_of
from ecsplan.core.model import Doc
from ecsplan.core.spec import DEFINITION
from ecsplan.kinds.ecs.lint import containers_by_name, integer, known_names, tables, texts, volumes
from ecsplan.kinds.task_definition.lint_ports import maps_port

KEY = "update_services"


def problems(task: Any, path: Path) -> Problems:
    """Everything in a task's services that AWS would refuse, each with its path."""
    definition = member(task, DEFINITION)
    for entry, at in tables(task, KEY, path):
        if (count := integer(member(entry, "desiredCount"))) < 0:
            yield Problem((*at, "desiredCount"), f"must be 0 or more, not {count}")
        for key in ("loadBalancers", "serviceRegistries"):
            yield from _ports(entry, key, definition, at)
        yield from _port_names(entry, definition, at)
        yield from volumes(entry, definition, at)


def clashes(tasks: Doc, cluster: Any) -> Problems:
    """A service is updated once."""
    services = (
        ((_short(entry.get("cluster", cluster)) or "default", _short(entry.get("service"))), (*path, "service"))
        for path, entry in tables_of(tasks, KEY)
    )
    for (where, service), again, first in repeats(services):
        said = f"{quoted(service)} in cluster {quoted(where)} is updated by {dotted(first[:-1])} too; declare it once"
        yield Problem(again, said)


def _short(name: Any) -> str:
    """A cluster or service by the last part of its ARN."""
    return name.rpartition("/")[2] if isinstance(name, str) else ""


def _ports(entry: Any, key: str, definition: Any, path: Path) -> Problems:
    """The container and port that a load balancer or a registry sends to have to be in the task definition."""
    containers = containers_by_name(definition)
    for item, at in tables(entry, key, path):
        name, port = member(item, "containerName"), member(item, "containerPort")
        if not isinstance(name, str):
            continue
        if name not in containers:
            said = f"there is no container {quoted(name)} in the task definition{known_names(set(containers))}"
            yield Problem((*at, "containerName"), said)
        elif type(port) is int and not maps_port(containers[name], port):
            yield Problem((*at, "containerPort"), f"container {quoted(name)} maps no port {port}")


def _port_names(entry: Any, definition: Any, path: Path) -> Problems:
    """Service Connect goes by the names of port mappings (botocore's documentation of ServiceConnectService)."""
    connect = member(entry, "serviceConnectConfiguration")
    if member(connect, "enabled") is False:
        return
    containers = entries_of(definition, "containerDefinitions")
    known = {name for container in containers for name in texts(entries_of(container, "portMappings"), "name")}
    for service, at in tables(connect, "services", (*path, "serviceConnectConfiguration")):
        name = member(service, "portName")
        if isinstance(name, str) and name not in known:
            said = f"no port mapping of the task definition is called {quoted(name)}{known_names(known)}"
            yield Problem((*at, "portName"), said)
