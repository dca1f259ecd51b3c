"""What RegisterTaskDefinition rejects of a task definition, and what it accepts without the intended effect.

BC marks what the documentation strings of botocore's models say; texts in quotes are AWS's own, as users report them.
"""

from __future__ import annotations

from typing import Any

from ecsplan.core.checks import (
    Path,
    Problem,
    Problems,
    dotted,
    entries_of,
    matching,
    member,
    quoted,
    repeats,
)
from ecsplan.core.model import Doc
from ecsplan.core.spec import DEFINITION
from ecsplan.kinds.contract import CompileScope
from ecsplan.kinds.ecs.lint import compact_json, integer, on_fargate, storage, tables, tags, texts
from ecsplan.kinds.task_definition import lint_containers, lint_ports
from ecsplan.kinds.task_definition.sizes import cpu_units, mebibytes, no_such_size, whole

MAX_BYTES = 64 * 1024  # of JSON (ECS quotas)
VOLUME_TYPES = (
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "host",
    "s3filesVolumeConfiguration",
)
_family = matching("[A-Za-z0-9_-]{1,255}", "be 1 to 255 letters, digits, '_' and '-'")


def problems(task: Any, path: Path) -> Problems:
    """Everything in a task's definition that AWS would reject, each with its path."""
    definition, at = member(task, DEFINITION), (*path, DEFINITION)
    yield from tags(definition, at)
    if not isinstance(definition, dict):
        return
    if isinstance(family := member(definition, "family"), str) and (fault := _family(family)):
        yield Problem((*at, "family"), fault)
    yield from _containers(definition, (*at, "containerDefinitions"))
    yield from lint_containers.problems(definition, at)
    yield from lint_ports.problems(definition, at)
    yield from _volumes(definition, at)
    yield from _sums(definition, at)
    yield from _fargate(definition, at)
    yield from storage(definition, at)
    if len(compact_json(definition).encode(errors="replace")) > MAX_BYTES:
        yield Problem(at, f"larger than {MAX_BYTES} bytes, which is the most that ECS takes")


def cautions(task: Any, path: Path, _scope: CompileScope) -> Problems:
    """What AWS accepts of a task's definition and a user should know, each with its path."""
    definition, at = member(task, DEFINITION), (*path, DEFINITION)
    if not isinstance(definition, dict):
        return
    yield from lint_containers.cautions(definition, at)
    total, limit = total_of(definition, "memory"), whole(mebibytes(definition.get("memory", "")))
    if limit and total > limit:
        # BC: "must be lower than the task memory value"; rejections are known of single containers only.
        said = f"the memory of all containers is {total} MiB together, more than the task's {limit}"
        yield Problem((*at, "memory"), f"{said}; ECS may refuse that, and the task cannot give it to all of them")
    yield from lint_ports.cautions(definition, at)


def clashes(tasks: Doc, cluster: Any) -> Problems:
    """A family belongs to one task: two would register each other's revisions over and over."""
    families = (
        (member(member(task, DEFINITION), "family"), ("tasks", name, DEFINITION, "family"))
        for name, task in tasks.items()
    )
    for family, again, first in repeats(families):
        yield Problem(again, f"{quoted(family)} is the family of {dotted(first[:2])} too; a family belongs to one task")


def _containers(definition: Doc, path: Path) -> Problems:
    entries = entries_of(definition, "containerDefinitions")
    for name, again, first in repeats((member(it, "name"), (*path, n, "name")) for n, it in enumerate(entries)):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too")
    containers = [container for container in entries if isinstance(container, dict)]
    if containers and not any(container.get("essential", True) for container in containers):
        yield Problem(path, "at least one container must be essential")
    yield from _circles(containers, path)


def _circles(containers: list[Doc], path: Path) -> Problems:
    """Containers that wait for each other never start."""
    needs = {
        name: texts(entries_of(container, "dependsOn"), "containerName")
        for container in containers
        if isinstance(name := container.get("name"), str)
    }
    settled: set[str] = set()
    while ready := {name for name in needs if name not in settled and needs[name] & needs.keys() <= settled}:
        settled |= ready
    if waiting := sorted(needs.keys() - settled):
        yield Problem(path, f"dependsOn has a cycle, so that these never start: {', '.join(waiting)}")


def _volumes(definition: Doc, path: Path) -> Problems:
    """A volume of several types is a ClientException. Mounts name a volume, so names are unique."""
    named = []
    for volume, at in tables(definition, "volumes", path):
        named.append((member(volume, "name"), (*at, "name")))
        types = [key for key in VOLUME_TYPES if member(volume, key) not in (None, {})]
        if len(types) > 1:
            yield Problem(at, f"a volume has one type, and this one has {' and '.join(types)}")
    for name, again, first in repeats(named):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too")


def _sums(definition: Doc, path: Path) -> Problems:
    """ "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'", and of their
    'memoryReservation' than its 'memory'. For 'memory' see `cautions`."""
    sizes = (
        ("cpu", "cpu", cpu_units(definition.get("cpu", ""))),
        ("memoryReservation", "memory", mebibytes(definition.get("memory", ""))),
    )
    for key, of_task, size in sizes:
        total, limit = total_of(definition, key), whole(size)
        if limit and total > limit:
            said = f"the {key} of all containers is {total} together, more than the task's {of_task} of {limit}"
            yield Problem((*path, of_task), said)


def total_of(definition: Doc, key: str) -> int:
    return sum(integer(member(container, key)) for container in entries_of(definition, "containerDefinitions"))


def _fargate(definition: Doc, path: Path) -> Problems:
    """ "Fargate only supports network mode 'awsvpc'", "Placement constraints are not supported with FARGATE"."""
    if fault := _fargate_size(definition):
        yield Problem(path, fault)
    if not on_fargate(definition):
        return
    if definition.get("networkMode") != "awsvpc":
        yield Problem((*path, "networkMode"), 'Fargate needs networkMode = "awsvpc"')
    if definition.get("placementConstraints"):
        yield Problem((*path, "placementConstraints"), "Fargate has no instances to choose from; leave them out")


def _fargate_size(definition: Doc) -> str:
    """Why Fargate has no such size; "" if it has, or if the task does not ask for Fargate."""
    if not on_fargate(definition):
        return ""
    cpu, memory = definition.get("cpu"), definition.get("memory")
    if cpu is None or memory is None:
        return "Fargate needs both cpu and memory of the task"
    return no_such_size(cpu, memory)
