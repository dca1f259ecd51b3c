"""What AWS would refuse half-way through a deployment, found offline before anything is sent.

Works on a task's table as it stands in the file, whatever else is wrong with it: what is malformed is told by other
checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ecsplan.core.checks import Path, Problem, dotted, entries_of, member, quoted, repeats
from ecsplan.core.model import Doc
from ecsplan.core.units import cpu_units, mebibytes, whole
from ecsplan.spec import lint_definition, lint_ports, lint_requests

MAX_OVERRIDES = 8192  # characters of JSON (ECS API reference, RunTask)
MAX_DEFINITION = 64 * 1024  # bytes of JSON (ECS quotas)

# CPU units: the sizes of memory in MiB that Fargate has for them (ECS API reference, RegisterTaskDefinition).
FARGATE: dict[int, range] = {
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
SMALLEST = (512, 1024, 2048)  # MiB, for 256 CPU units


def problems(task: Any, path: Path) -> Iterator[Problem]:
    """Everything in a task's table that AWS would refuse later, each with its path."""
    definition = member(task, "task_definition")
    at = (*path, "task_definition")
    if isinstance(definition, dict):
        yield from _definition(definition, at)
        yield from lint_definition.problems(definition, at)
    yield from lint_requests.problems(task, path)
    names = _names(definition)
    for index, entry in enumerate(entries_of(task, "run_tasks")):
        yield from _overrides(entry, names, (*path, "run_tasks", index))
        yield from _launch(entry, definition, (*path, "run_tasks", index))
        yield from _volumes(entry, definition, (*path, "run_tasks", index))
    for index, entry in enumerate(entries_of(task, "update_services")):
        at = (*path, "update_services", index)
        for key in ("loadBalancers", "serviceRegistries"):
            yield from _ports(entry, key, definition, at)
        yield from _port_names(entry, definition, at)
        yield from _volumes(entry, definition, at)


def cautions(task: Any, path: Path) -> Iterator[Problem]:
    """What AWS would take and a person would want to know, each with its path."""
    definition = member(task, "task_definition")
    if isinstance(definition, dict):
        yield from lint_definition.cautions(definition, (*path, "task_definition"))
        yield from lint_ports.cautions(definition, (*path, "task_definition"))
    yield from lint_requests.cautions(task, path)


def _definition(definition: Doc, path: Path) -> Iterator[Problem]:
    containers = [c for c in entries_of(definition, "containerDefinitions") if isinstance(c, dict)]
    at = (*path, "containerDefinitions")
    if containers and not any(container.get("essential", True) for container in containers):
        yield Problem(at, "at least one container must be essential")
    names = _names(definition)
    volumes = _texts(entries_of(definition, "volumes"), "name")
    for index, container in enumerate(entries_of(definition, "containerDefinitions")):
        yield from _environment(container, (*at, index))
        yield from _named(container, "mountPoints", "sourceVolume", volumes, "volume", (*at, index))
        yield from _named(container, "volumesFrom", "sourceContainer", names, "container", (*at, index))
        yield from _named(container, "dependsOn", "containerName", names, "container", (*at, index))
    yield from _circles(containers, at)
    if fault := _fargate(definition):
        yield Problem(path, fault)
    if len(_json(definition).encode(errors="replace")) > MAX_DEFINITION:
        yield Problem(path, f"larger than {MAX_DEFINITION} bytes, which is the most that ECS takes")


def _environment(container: Any, path: Path) -> Iterator[Problem]:
    """ECS takes a variable that is declared twice, and which one counts is not documented; secrets it refuses."""
    variables = [(member(v, "name"), (*path, "environment", i, "name")) for i, v in _items(container, "environment")]
    secrets = [(member(s, "name"), (*path, "secrets", i, "name")) for i, s in _items(container, "secrets")]
    for name, again, first in repeats(variables):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too; declare the variable once")
    for name, again, first in repeats(secrets):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too; declare the secret once")
    known = {name for name, _ in variables if isinstance(name, str)}
    for name, where in secrets:
        if isinstance(name, str) and name in known:
            yield Problem(where, f"{quoted(name)} is a variable in environment too; ECS refuses a name in both")


def _named(container: Any, key: str, field: str, known: set[str], what: str, path: Path) -> Iterator[Problem]:
    """References by name to what the same task definition declares."""
    for index, item in _items(container, key):
        name = member(item, field)
        if isinstance(name, str) and name not in known:
            yield Problem((*path, key, index, field), f"there is no {what} {quoted(name)}{_instead(known)}")


def _instead(known: set[str]) -> str:
    return f"; there is {', '.join(sorted(known))}" if known else ""


def _circles(containers: list[Doc], path: Path) -> Iterator[Problem]:
    """Containers that wait for each other never start."""
    needs = {
        name: _texts(entries_of(container, "dependsOn"), "containerName")
        for container in containers
        if isinstance(name := container.get("name"), str)
    }
    settled: set[str] = set()
    while ready := {name for name in needs if name not in settled and needs[name] & needs.keys() <= settled}:
        settled |= ready
    if waiting := sorted(needs.keys() - settled):
        yield Problem(path, f"dependsOn goes in a circle, so that these never start: {', '.join(waiting)}")


def _fargate(definition: Doc) -> str:
    """Why Fargate has no such size; "" where it has, or where the task does not ask for Fargate."""
    if "FARGATE" not in entries_of(definition, "requiresCompatibilities"):
        return ""
    cpu, memory = definition.get("cpu"), definition.get("memory")
    if cpu is None or memory is None:
        return "Fargate needs both cpu and memory of the task"
    return _no_size(cpu, memory)


def _no_size(cpu: Any, memory: Any) -> str:
    """Why Fargate has no task of this size; "" where it has."""
    units, size = whole(cpu_units(cpu)), whole(mebibytes(memory))
    if units is None or size is None:
        return f"Fargate has no size of cpu {cpu_units(cpu)} and memory {mebibytes(memory)}"
    sizes = SMALLEST if units == 256 else FARGATE.get(units, ())
    if size in sizes:
        return ""
    if not sizes:
        return f"Fargate has no cpu of {units} units; it has 256, {_listed(FARGATE)}"
    steps = f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}" if isinstance(sizes, range) else _listed(sizes)
    return f"Fargate has no memory of {size} MiB for {units} CPU units; it has {steps}"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _overrides(entry: Any, names: set[str], path: Path) -> Iterator[Problem]:
    overrides = member(entry, "overrides")
    for index, override in _items(overrides, "containerOverrides"):
        name = member(override, "name")
        if isinstance(name, str) and names and name not in names:
            said = f"there is no container {quoted(name)} in the task definition{_instead(names)}"
            yield Problem((*path, "overrides", "containerOverrides", index, "name"), said)
    if overrides is not None and len(_json(overrides)) > MAX_OVERRIDES:
        yield Problem((*path, "overrides"), f"longer than {MAX_OVERRIDES} characters, which is the most that ECS takes")


def _launch(entry: Any, definition: Any, path: Path) -> Iterator[Problem]:
    """A task that is run on Fargate has one of its sizes too; what requires Fargate is told as such."""
    sizes = [member(member(entry, "overrides"), key) or member(definition, key) for key in ("cpu", "memory")]
    required = "FARGATE" in entries_of(definition, "requiresCompatibilities")
    if member(entry, "launchType") == "FARGATE" and all(sizes) and not required and (fault := _no_size(*sizes)):
        yield Problem((*path, "launchType"), fault)


def _ports(entry: Any, key: str, definition: Any, path: Path) -> Iterator[Problem]:
    """The container and port that a load balancer or a registry sends to have to be in the task definition."""
    containers = {
        name: container
        for container in entries_of(definition, "containerDefinitions")
        if isinstance(name := member(container, "name"), str)
    }
    for index, item in _items(entry, key):
        at, name, port = (*path, key, index), member(item, "containerName"), member(item, "containerPort")
        if not isinstance(name, str):
            continue
        if name not in containers:
            yield Problem(
                (*at, "containerName"),
                f"there is no container {quoted(name)} in the task definition{_instead(set(containers))}",
            )
        elif type(port) is int and not maps_port(containers[name], port):
            yield Problem((*at, "containerPort"), f"container {quoted(name)} maps no port {port}")


def _port_names(entry: Any, definition: Any, path: Path) -> Iterator[Problem]:
    """Service Connect goes by the names of port mappings (BC ServiceConnectService.portName)."""
    connect = member(entry, "serviceConnectConfiguration")
    if member(connect, "enabled") is False:
        return
    containers = entries_of(definition, "containerDefinitions")
    known = {name for container in containers for name in _texts(entries_of(container, "portMappings"), "name")}
    for index, service in _items(connect, "services"):
        name = member(service, "portName")
        if isinstance(name, str) and name not in known:
            yield Problem(
                (*path, "serviceConnectConfiguration", "services", index, "portName"),
                f"no port mapping of the task definition is called {quoted(name)}{_instead(known)}",
            )


def _volumes(entry: Any, definition: Any, path: Path) -> Iterator[Problem]:
    """What is configured at launch is a volume of the task definition (BC ServiceVolumeConfiguration.name)."""
    known = _texts(entries_of(definition, "volumes"), "name")
    for index, volume in _items(entry, "volumeConfigurations"):
        name = member(volume, "name")
        if isinstance(name, str) and name not in known:
            said = f"there is no volume {quoted(name)} in the task definition{_instead(known)}"
            yield Problem((*path, "volumeConfigurations", index, "name"), said)


def maps_port(container: Doc, port: int) -> bool:
    for mapping in entries_of(container, "portMappings"):
        low, _, high = str(member(mapping, "containerPortRange") or "").partition("-")
        if member(mapping, "containerPort") == port or (
            (first := whole(low)) is not None and (last := whole(high)) is not None and first <= port <= last
        ):
            return True
    return False


def _names(definition: Any) -> set[str]:
    return _texts(entries_of(definition, "containerDefinitions"), "name")


def _texts(items: list[Any], key: str) -> set[str]:
    return {name for item in items if isinstance(name := member(item, key), str)}


def _items(table: Any, key: str) -> Iterator[tuple[int, Any]]:
    return enumerate(entries_of(table, key))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False)
