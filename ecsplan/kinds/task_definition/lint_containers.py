"""What RegisterTaskDefinition rejects of containers, and what it accepts without the intended effect.

BC marks what the documentation strings of botocore's models say; texts in quotes are AWS's own, as users report them.
"""

from __future__ import annotations

import re
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member, quoted, repeats
from ecsplan.core.model import Doc
from ecsplan.kinds.ecs.lint import (
    container_names,
    containers_by_name,
    integer,
    known_names,
    on_fargate,
    tables,
    texts,
)
from ecsplan.kinds.task_definition.sizes import mebibytes, whole

LEAST_MEMORY = 6  # MiB (BC ContainerDefinition.memory)
NAME = re.compile("[A-Za-z0-9_-]{1,255}")
ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")


def problems(definition: Doc, path: Path) -> Problems:
    """What AWS would reject of single containers, each with its path."""
    names, volumes = container_names(definition), texts(entries_of(definition, "volumes"), "name")
    for container, at in tables(definition, "containerDefinitions", path):
        yield from _name(container, at)
        yield from _memory(container, definition, at)
        yield from _environment(container, at)
        yield from _awslogs(container, at)
        yield from _needs_role(container, definition, at)
        yield from _references(container, "mountPoints", "sourceVolume", volumes, "volume", at)
        yield from _references(container, "volumesFrom", "sourceContainer", names, "container", at)
        yield from _references(container, "dependsOn", "containerName", names, "container", at)
        yield from _dependencies(container, definition, at)
        yield from _links(container, definition, at)


def cautions(definition: Doc, path: Path) -> Problems:
    """What AWS accepts of single containers and a user should know, each with its path."""
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


def _name(container: Any, path: Path) -> Problems:
    """BC: "Up to 255 letters, numbers, underscores, and hyphens are allowed"."""
    name = member(container, "name")
    if isinstance(name, str) and name and not NAME.fullmatch(name):
        yield Problem((*path, "name"), f"must be 1 to 255 letters, digits, '-' and '_', not {quoted(name)}")


def _memory(container: Any, definition: Doc, path: Path) -> Problems:
    """ "At least one of 'memory' or 'memoryReservation' must be specified", "The 'memory' setting for container 'web'
    is greater than for the task"; the two of them: BC."""
    hard, soft = (member(container, key) for key in ("memory", "memoryReservation"))
    task = mebibytes(definition.get("memory", ""))
    if not isinstance(container, dict):
        return
    # Fargate asks for the task's memory, which has a problem of its own.
    if not (hard or soft or definition.get("memory") or on_fargate(definition)):
        yield Problem((*path, "memory"), "required, unless memoryReservation or the task's memory is declared")
    if integer(hard) and integer(soft) > integer(hard):
        yield Problem((*path, "memoryReservation"), f"must not be more than memory, which is {hard}")
    limit = whole(task)
    if limit is not None and integer(hard) > limit > 0:
        yield Problem((*path, "memory"), f"must not be more than the task's memory, which is {limit} MiB")


def _awslogs(container: Any, path: Path) -> Problems:
    """ "Log driver awslogs requires options: awslogs-region, awslogs-group"."""
    logging = member(container, "logConfiguration")
    if member(logging, "logDriver") != "awslogs":
        return
    for option in ("awslogs-group", "awslogs-region"):
        if not member(member(logging, "options"), option):
            yield Problem((*path, "logConfiguration", "options", option), "required by awslogs, but missing")


def _needs_role(container: Any, definition: Doc, path: Path) -> Problems:
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


def _dependencies(container: Any, definition: Doc, path: Path) -> Problems:
    """ "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"; HEALTHY "requires
    that the dependent container has health checks configured" (BC). A check of the image itself does not count."""
    others = containers_by_name(definition)
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


def _links(container: Any, definition: Doc, path: Path) -> Problems:
    """BC: links name another container, and are "only supported if the network mode is bridge"."""
    known = containers_by_name(definition)
    for link, at in tables(container, "links", path):
        if definition.get("networkMode") == "awsvpc":
            yield Problem(at, "awsvpc has no links; containers of a task reach each other on localhost")
        elif isinstance(link, str) and link and (name := link.partition(":")[0]) not in known:
            yield Problem(at, f"there is no container {quoted(name)}")


def _environment(container: Any, path: Path) -> Problems:
    """ECS accepts a variable that is declared twice, without documenting which one counts. It rejects such secrets."""
    variables = [(member(v, "name"), (*at, "name")) for v, at in tables(container, "environment", path)]
    secrets = [(member(s, "name"), (*at, "name")) for s, at in tables(container, "secrets", path)]
    for name, again, first in repeats(variables):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too; declare the variable once")
    for name, again, first in repeats(secrets):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too; declare the secret once")
    known = {name for name, _ in variables if isinstance(name, str)}
    for name, where in secrets:
        if isinstance(name, str) and name in known:
            yield Problem(where, f"{quoted(name)} is a variable in environment too; ECS refuses a name in both")


def _references(container: Any, key: str, field: str, known: set[str], what: str, path: Path) -> Problems:
    """References by name to what the same task definition declares."""
    for item, at in tables(container, key, path):
        name = member(item, field)
        if isinstance(name, str) and name not in known:
            yield Problem((*at, field), f"there is no {what} {quoted(name)}{known_names(known)}")
