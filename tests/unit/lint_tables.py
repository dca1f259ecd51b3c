"""Tables of a task that lint is tested with: sound where a test does not say otherwise."""

from __future__ import annotations

from typing import Any

from ecsplan.core.checks import Path, Problems, dotted
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import CompileScope
from tests.support.specs import ROLE

DEFINITION = "task_definition"
CONTAINERS = "task_definition.containerDefinitions"


def problems(table: Any, path: Path) -> Problems:
    """What all kinds find wrong in a task's table."""
    return (problem for kind in kinds() for problem in kind.declare.lint(table, path))


def cautions(table: Any, path: Path, now: float = 0.0) -> Problems:
    """What all kinds would have a person know of a task's table."""
    scope = CompileScope(tag="v1", now=now)
    return (problem for kind in kinds() for problem in kind.declare.cautions(table, path, scope))


def task(*containers: dict[str, Any], entry: dict[str, Any] | None = None, **definition: Any) -> dict[str, Any]:
    """A task of the spec: containers `c0`, `c1`, … with these members, and members of the task definition."""
    declared = [
        {"name": f"c{i}", "image": "img", "memory": 64, **container} for i, container in enumerate(containers or ({},))
    ]
    made = {"family": "web", "executionRoleArn": ROLE, "containerDefinitions": declared, **definition}
    return {DEFINITION: made, **(entry or {})}


def said(table: Any) -> list[tuple[str, str]]:
    """The faults in it, as path and sentence."""
    return [(dotted(problem.path), problem.message) for problem in problems(table, ())]


def warned(table: Any, now: float = 0.0) -> list[tuple[str, str]]:
    """The cautions about it, as path and sentence; it has no fault."""
    assert said(table) == []
    return [(dotted(problem.path), problem.message) for problem in cautions(table, (), now)]


def fargate(cpu: Any, memory: Any, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task that asks for Fargate; None leaves a size out."""
    sizes = {"cpu": cpu, "memory": memory}
    given = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc"}
    given |= {k: v for k, v in sizes.items() if v is not None}
    return task(*containers, **given | more)
