"""What RegisterTaskDefinition refuses of a task definition, and what it takes without the effect that was meant.

BC marks what the documentation strings of botocore's models say; texts in quotes are AWS's own, as users report them.
As in `lint`, any value may stand anywhere: what is malformed is passed over, since other checks tell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ecsplan.core.checks import Path, Problem, dotted, entries_of, member, quoted, repeats
from ecsplan.core.model import Doc
from ecsplan.core.units import cpu_units, mebibytes, whole
from ecsplan.spec import lint_ports

LEAST_MEMORY = 6  # MiB (BC ContainerDefinition.memory)
STORAGE = range(21, 200 + 1)  # GiB (BC EphemeralStorage)
NAME = re.compile("[A-Za-z0-9_-]{1,255}")
VOLUME_TYPES = (
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "host",
    "s3filesVolumeConfiguration",
)
ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")


def problems(definition: Doc, path: Path) -> Iterator[Problem]:
    """Everything that AWS would refuse, each with its path; how many bytes and which sizes, `lint` knows."""
    for container, at in tables(definition, "containerDefinitions", path):
        yield from _name(container, at)
        yield from _memory(container, definition, at)
        yield from _awslogs(container, at)
        yield from _needs_role(container, definition, at)
        yield from _dependencies(container, definition, at)
        yield from _links(container, definition, at)
    yield from lint_ports.problems(definition, path)
    yield from _volumes(definition, path)
    yield from _sums(definition, path)
    yield from _fargate(definition, path)
    yield from storage(definition, path)


def tables(table: Any, key: str, path: Path) -> Iterator[tuple[Any, Path]]:
    """The items of a list below `path`, whatever they are, each with its path."""
    return ((item, (*path, key, index)) for index, item in enumerate(entries_of(table, key)))


def integer(value: Any) -> int:
    """A number; 0 for everything else, since ECS takes a memory or port of 0 as none."""
    return value if type(value) is int else 0


# --- a container ---


def _name(container: Any, path: Path) -> Iterator[Problem]:
    """BC: "Up to 255 letters, numbers, underscores, and hyphens are allowed"."""
    name = member(container, "name")
    if isinstance(name, str) and name and not NAME.fullmatch(name):
        yield Problem((*path, "name"), f"must be 1 to 255 letters, digits, '-' and '_', not {quoted(name)}")


def _memory(container: Any, definition: Doc, path: Path) -> Iterator[Problem]:
    """ "At least one of 'memory' or 'memoryReservation' must be specified", "The 'memory' setting for container 'web'
    is greater than for the task"; the two of them: BC."""
    hard, soft = (member(container, key) for key in ("memory", "memoryReservation"))
    task = mebibytes(definition.get("memory", ""))
    if not isinstance(container, dict):
        return
    # Fargate asks for the task's memory, which is told as such.
    if not (hard or soft or definition.get("memory") or on_fargate(definition)):
        yield Problem((*path, "memory"), "required, unless memoryReservation or the task's memory is declared")
    if integer(hard) and integer(soft) > integer(hard):
        yield Problem((*path, "memoryReservation"), f"must not be more than memory, which is {hard}")
    limit = whole(task)
    if limit is not None and integer(hard) > limit > 0:
        yield Problem((*path, "memory"), f"must not be more than the task's memory, which is {limit} MiB")


def _awslogs(container: Any, path: Path) -> Iterator[Problem]:
    """ "Log driver awslogs requires options: awslogs-region, awslogs-group"."""
    logging = member(container, "logConfiguration")
    if member(logging, "logDriver") != "awslogs":
        return
    for option in ("awslogs-group", "awslogs-region"):
        if not member(member(logging, "options"), option):
            yield Problem((*path, "logConfiguration", "options", option), "required by awslogs, but missing")


def _needs_role(container: Any, definition: Doc, path: Path) -> Iterator[Problem]:
    """ "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'", "Private
    repository authentication requires that the task definition specify a value for executionRoleArn", "Fargate requires
    task definition to have execution role ARN to support ECR images" ("log driver awslogs")."""
    if definition.get("executionRoleArn"):
        return
    needs = [(key, key) for key in ("secrets", "repositoryCredentials") if member(container, key)]
    if on_fargate(definition):
        if member(member(container, "logConfiguration"), "logDriver") == "awslogs":
            needs.append(("logConfiguration", "awslogs on Fargate"))
        if isinstance(image := member(container, "image"), str) and ECR.match(image):
            needs.append(("image", "an ECR image on Fargate"))
    for key, what in needs:
        yield Problem((*path, key), f"the task definition has no executionRoleArn, which {what} cannot do without")


def _dependencies(container: Any, definition: Doc, path: Path) -> Iterator[Problem]:
    """ "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"; HEALTHY "requires
    that the dependent container has health checks configured" (BC). A check of the image itself does not count."""
    others = _by_name(definition)
    for dependency, at in tables(container, "dependsOn", path):
        name, condition = member(dependency, "containerName"), member(dependency, "condition")
        if not isinstance(name, str) or name not in others or name == member(container, "name"):
            continue
        if condition in ("COMPLETE", "SUCCESS") and others[name].get("essential", True):
            said = f"{condition} waits for a container to end, and {quoted(name)} is essential, so that the task ends"
            yield Problem(
                (*at, "condition"), f"{said} with it; give it essential = false, or wait for START or HEALTHY"
            )
        if condition == "HEALTHY" and not others[name].get("healthCheck"):
            yield Problem((*at, "condition"), f"container {quoted(name)} declares no healthCheck to become HEALTHY by")


def _links(container: Any, definition: Doc, path: Path) -> Iterator[Problem]:
    """BC: links name another container, and are "only supported if the network mode is bridge"."""
    known = _by_name(definition)
    for link, at in tables(container, "links", path):
        if definition.get("networkMode") == "awsvpc":
            yield Problem(at, "awsvpc has no links; containers of a task reach each other on localhost")
        elif isinstance(link, str) and link and (name := link.partition(":")[0]) not in known:
            yield Problem(at, f"there is no container {quoted(name)}")


def _by_name(definition: Doc) -> dict[str, Doc]:
    containers = entries_of(definition, "containerDefinitions")
    return {name: container for container in containers if isinstance(name := member(container, "name"), str)}


# --- the task definition ---


def on_fargate(definition: Doc) -> bool:
    return "FARGATE" in entries_of(definition, "requiresCompatibilities")


def _volumes(definition: Doc, path: Path) -> Iterator[Problem]:
    """A volume of several types is a ClientException; mounts name a volume, so that a name has to be one volume's."""
    named = []
    for volume, at in tables(definition, "volumes", path):
        named.append((member(volume, "name"), (*at, "name")))
        types = [key for key in VOLUME_TYPES if member(volume, key) not in (None, {})]
        if len(types) > 1:
            yield Problem(at, f"a volume has one type, and this one has {' and '.join(types)}")
    for name, again, first in repeats(named):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too")


def _sums(definition: Doc, path: Path) -> Iterator[Problem]:
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


def _fargate(definition: Doc, path: Path) -> Iterator[Problem]:
    """ "Fargate only supports network mode 'awsvpc'", "Placement constraints are not supported with FARGATE"."""
    if not on_fargate(definition):
        return
    if definition.get("networkMode") != "awsvpc":
        yield Problem((*path, "networkMode"), 'Fargate needs networkMode = "awsvpc"')
    if definition.get("placementConstraints"):
        yield Problem((*path, "placementConstraints"), "Fargate has no instances to choose from; leave them out")


def storage(table: Any, path: Path) -> Iterator[Problem]:
    """BC EphemeralStorage: 21 to 200 GiB, in a task definition and in overrides."""
    size = member(member(table, "ephemeralStorage"), "sizeInGiB")
    if type(size) is int and size not in STORAGE:
        said = f"must be from {STORAGE[0]} to {STORAGE[-1]} GiB, not {size}; Fargate gives 20 where none is declared"
        yield Problem((*path, "ephemeralStorage", "sizeInGiB"), said)


# --- what AWS takes ---


def cautions(definition: Doc, path: Path) -> Iterator[Problem]:
    """What AWS takes, and a person would want to know, each with its path."""
    for container, at in tables(definition, "containerDefinitions", path):
        for variable, where in tables(container, "environment", at):
            if member(variable, "name") is not None and member(variable, "value") is None:  # seen by aws-actions
                yield Problem(where, 'ECS drops a variable without a value; give it one, if only ""')
        linux = member(container, "linuxParameters")
        if member(linux, "swappiness") is not None and member(linux, "maxSwap") is None:  # BC LinuxParameters
            yield Problem((*at, "linuxParameters", "swappiness"), "ECS ignores it without maxSwap")
        for key in ("memory", "memoryReservation"):
            if 0 < integer(member(container, key)) < LEAST_MEMORY:
                said = f"Docker starts no container with less than {LEAST_MEMORY} MiB of memory"
                yield Problem((*at, key), said)
        if entries_of(member(container, "logConfiguration"), "secretOptions") and not definition.get(
            "executionRoleArn"
        ):
            said = "ECS reads these secrets with the task definition's executionRoleArn, and there is none"
            yield Problem((*at, "logConfiguration", "secretOptions"), said)
    total, limit = total_of(definition, "memory"), whole(mebibytes(definition.get("memory", "")))
    if limit and total > limit:
        # BC: "must be lower than the task memory value"; refusals are known of single containers only.
        said = f"the memory of all containers is {total} MiB together, more than the task's {limit}"
        yield Problem((*path, "memory"), f"{said}; ECS may refuse that, and the task cannot give it to all of them")
