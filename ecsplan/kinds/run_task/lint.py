"""What RunTask rejects, and what it accepts without the intended effect. Sources as in
`kinds/task_definition/lint.py`."""

from __future__ import annotations

from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member, quoted, repeats, tables_of
from ecsplan.core.model import Doc
from ecsplan.core.spec import DEFINITION
from ecsplan.kinds.contract import CompileScope
from ecsplan.kinds.ecs.lint import (
    compact_json,
    container_names,
    known_names,
    longer,
    on_fargate,
    storage,
    tables,
    tags,
    volumes,
)
from ecsplan.kinds.task_definition.sizes import no_such_size

KEY = "run_tasks"
MAX_COUNT = 10_000  # more is a slip, and every ten are a request
MAX_OVERRIDES = 8192  # characters of JSON (ECS API reference, RunTask)
MAX_STARTED_BY = 128


def problems(task: Any, path: Path) -> Problems:
    """Everything in a task's one-off tasks that AWS would reject, each with its path."""
    definition = member(task, DEFINITION)
    names = container_names(definition)
    for entry, at in tables(task, KEY, path):
        yield from _count(entry, at)
        yield from _overrides(entry, names, at)
        yield from _launch(entry, definition, at)
        yield from _request(entry, at)
        yield from volumes(entry, definition, at)


def cautions(task: Any, path: Path, _scope: CompileScope) -> Problems:
    """What AWS accepts and a user should know, each with its path."""
    definition = member(task, DEFINITION)
    if not isinstance(definition, dict) or entries_of(definition, "requiresCompatibilities") != ["FARGATE"]:
        return
    for entry, at in tables(task, KEY, path):
        if not (member(entry, "launchType") or member(entry, "capacityProviderStrategy")):
            said = (
                "neither launchType nor capacityProviderStrategy is declared: ECS takes the cluster's default "
                'strategy, and without one EC2, which the task definition does not allow; write launchType = "FARGATE"'
            )
            yield Problem(at, said)


def clashes(tasks: Doc, cluster: Any) -> Problems:
    """Names are unique within a task."""
    for name, task in tasks.items():
        named = ((name_of(entry, int(path[-1])), (*path, "name")) for path, entry in tables_of({name: task}, KEY))
        for again_name, again, first in repeats(named):
            yield Problem(again, f"{quoted(again_name)} is the name of {dotted(first[:-1])} too")


def name_of(own: Doc, index: int) -> Any:
    """The declared name of a one-off task, or one by its place."""
    return own.get("name", f"task-{index + 1}")


def _count(entry: Any, path: Path) -> Problems:
    count = member(entry, "count")
    if type(count) is int and not 1 <= count <= MAX_COUNT:
        yield Problem((*path, "count"), f"must be from 1 to {MAX_COUNT:,}")


def _overrides(entry: Any, names: set[str], path: Path) -> Problems:
    overrides = member(entry, "overrides")
    for override, at in tables(overrides, "containerOverrides", (*path, "overrides")):
        name = member(override, "name")
        if isinstance(name, str) and names and name not in names:
            said = f"there is no container {quoted(name)} in the task definition{known_names(names)}"
            yield Problem((*at, "name"), said)
    if overrides is not None and len(compact_json(overrides)) > MAX_OVERRIDES:
        yield Problem((*path, "overrides"), f"longer than {MAX_OVERRIDES} characters, which is the most that ECS takes")
    yield from storage(overrides, (*path, "overrides"))


def _launch(entry: Any, definition: Any, path: Path) -> Problems:
    """A task that runs on Fargate needs one of its sizes. A definition that requires Fargate is checked by its own
    lint."""
    sizes = [member(member(entry, "overrides"), key) or member(definition, key) for key in ("cpu", "memory")]
    here = member(entry, "launchType") == "FARGATE" and not on_fargate(definition)
    if here and all(sizes) and (fault := no_such_size(*sizes)):
        yield Problem((*path, "launchType"), fault)


def _request(entry: Any, path: Path) -> Problems:
    """ "Specifying both a launch type and capacity provider strategy is not supported", "Placement constraints are not
    supported with FARGATE launch type"; BC RunTask for the others."""
    launch = member(entry, "launchType")
    if launch and member(entry, "capacityProviderStrategy"):
        said = "goes without launchType; declare one of the two, not both"
        yield Problem((*path, "capacityProviderStrategy"), said)
    for key in ("placementConstraints", "placementStrategy"):
        if launch == "FARGATE" and member(entry, key):
            yield Problem((*path, key), "Fargate has no instances to choose from; leave it out")
    if member(entry, "propagateTags") == "SERVICE":
        said = 'a one-off task belongs to no service; write propagateTags = "TASK_DEFINITION", or leave it out'
        yield Problem((*path, "propagateTags"), said)
    yield from longer(entry, "startedBy", MAX_STARTED_BY, path)
    yield from tags(entry, path)
