"""What RunTask and PutTargets refuse, and the tags of whatever carries them.

Sources as in `lint_definition`; the limits of targets are those of botocore's EventBridge model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ecsplan.core.checks import Path, Problem, dotted, entries_of, member, quoted, repeats
from ecsplan.spec.lint_definition import integer, on_fargate, storage, tables

MAX_TAGS, MAX_STARTED_BY, MAX_GROUP = 50, 128, 255
MAX_INPUT = 8192  # characters
MOST = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}  # the least are in the model
INPUTS = ("Input", "InputPath", "InputTransformer")
ONE_OF = "declare one of the two, not both"


def problems(task: Any, path: Path) -> Iterator[Problem]:
    """Everything in the requests of a task's table that AWS would refuse, each with its path."""
    yield from _tags(member(task, "task_definition"), (*path, "task_definition"))
    for entry, at in tables(task, "run_tasks", path):
        yield from _run(entry, at)
    for entry, at in tables(task, "update_services", path):
        if (count := integer(member(entry, "desiredCount"))) < 0:
            yield Problem((*at, "desiredCount"), f"must be 0 or more, not {count}")
    for entry, at in tables(task, "events__put_targets", path):
        for target, where in tables(entry, "Targets", at):
            yield from _target(target, where)


def _tags(table: Any, path: Path) -> Iterator[Problem]:
    """BC: each key once, 50 of them, and `aws:` in any case is AWS's own."""
    tags = list(tables(table, "tags", path))
    for key, again, first in repeats((member(tag, "key"), (*at, "key")) for tag, at in tags):
        yield Problem(again, f"{quoted(key)} is the key of {dotted(first[:-1])} too")
    for tag, at in tags:
        for part in ("key", "value"):
            if str(member(tag, part)).lower().startswith("aws:"):
                yield Problem((*at, part), "aws: at the beginning is reserved for AWS itself")
    if len(tags) > MAX_TAGS:
        yield Problem((*path, "tags"), f"{len(tags)} tags are more than the {MAX_TAGS} that AWS takes")


def _run(entry: Any, path: Path) -> Iterator[Problem]:
    """ "Specifying both a launch type and capacity provider strategy is not supported", "Placement constraints are not
    supported with FARGATE launch type"; BC RunTask for the others."""
    launch = member(entry, "launchType")
    if launch and member(entry, "capacityProviderStrategy"):
        yield Problem((*path, "capacityProviderStrategy"), f"goes without launchType; {ONE_OF}")
    for key in ("placementConstraints", "placementStrategy"):
        if launch == "FARGATE" and member(entry, key):
            yield Problem((*path, key), "Fargate has no instances to choose from; leave it out")
    if member(entry, "propagateTags") == "SERVICE":
        said = 'a one-off task belongs to no service; write propagateTags = "TASK_DEFINITION", or leave it out'
        yield Problem((*path, "propagateTags"), said)
    yield from _longer(entry, "startedBy", MAX_STARTED_BY, path)
    yield from storage(member(entry, "overrides"), (*path, "overrides"))
    yield from _tags(entry, path)


def _target(target: Any, path: Path) -> Iterator[Problem]:
    given = [key for key in INPUTS if member(target, key)]
    if len(given) > 1:
        yield Problem((*path, given[1]), f"goes without {given[0]}; a target has one of {', '.join(INPUTS)}")
    yield from _longer(target, "Input", MAX_INPUT, path)
    text = member(target, "Input")
    if isinstance(text, str) and text and not _is_json(text):
        yield Problem((*path, "Input"), "must be JSON; a text is written with quotes of its own, '\"text\"'")
    for key, most in MOST.items():
        if (number := integer(member(member(target, "RetryPolicy"), key))) > most:
            yield Problem((*path, "RetryPolicy", key), f"must be at most {most}, not {number}")
    yield from _ecs(member(target, "EcsParameters"), (*path, "EcsParameters"))


def _ecs(parameters: Any, path: Path) -> Iterator[Problem]:
    if member(parameters, "LaunchType") and member(parameters, "CapacityProviderStrategy"):
        yield Problem((*path, "CapacityProviderStrategy"), f"goes without LaunchType; {ONE_OF}")
    propagate = member(parameters, "PropagateTags")
    if isinstance(propagate, str) and propagate != "TASK_DEFINITION":
        said = "a target can only propagate the tags of the TASK_DEFINITION; write that, or leave it out"
        yield Problem((*path, "PropagateTags"), said)
    yield from _longer(parameters, "Group", MAX_GROUP, path)


def _longer(table: Any, key: str, most: int, path: Path) -> Iterator[Problem]:
    if isinstance(text := member(table, key), str) and len(text) > most:
        yield Problem((*path, key), f"longer than {most} characters, which is the most that AWS takes")


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_constant=_refused)
    except (ValueError, RecursionError):
        return False
    return True


def _refused(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


def cautions(task: Any, path: Path) -> Iterator[Problem]:
    """What AWS takes, and a person would want to know, each with its path."""
    definition = member(task, "task_definition")
    if not isinstance(definition, dict) or not on_fargate(definition):
        return
    if entries_of(definition, "requiresCompatibilities") != ["FARGATE"]:
        return
    for entry, at in tables(task, "run_tasks", path):
        if not (member(entry, "launchType") or member(entry, "capacityProviderStrategy")):
            said = (
                "neither launchType nor capacityProviderStrategy is declared: ECS takes the cluster's default "
                'strategy, and without one EC2, which the task definition does not allow; write launchType = "FARGATE"'
            )
            yield Problem(at, said)
