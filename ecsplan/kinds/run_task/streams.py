"""The log streams that the containers of one-off tasks write to, as far as the task definition shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ecsplan.core.clock import epoch
from ecsplan.core.model import Doc
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Stream, Tracked
from ecsplan.kinds.ecs.stopped_tasks import STOPPED, has_stopped
from ecsplan.kinds.run_task.track import expected

STARTED = ("RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", *STOPPED)
SHOWN = 8  # characters of a task's id that are shown to people


def logs_of(task_definition: Doc) -> dict[str, list[str]]:
    """By container with the awslogs driver: group, region and stream prefix, each "" if it is not declared."""
    found = {}
    for container in task_definition.get("containerDefinitions", ()):
        logging = container.get("logConfiguration") or {}
        options = logging.get("options") or {}
        if logging.get("logDriver") == "awslogs" and options.get("awslogs-group"):
            keys = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
            found[str(container["name"])] = [str(options.get(key, "")) for key in keys]
    return found


def streams(tracked: Tracked, answers: Sequence[Doc]) -> tuple[Stream, ...]:
    """`<prefix>/<container>/<task id>` of each container that has started (awslogs in the ECS developer guide). Without
    a prefix, a stream is named after the container's id on its host, which AWS does not show."""
    logs = _places(tracked)
    return tuple(
        Stream(
            task=task_id,
            container=name,
            source=_source(tracked, task_id, name),
            region=region,
            group=group,
            name=f"{prefix}/{name}/{task_id}" if prefix else "",
            ended=_ended(task),
        )
        for data in answers
        for task in data.get("tasks", ())
        if task.get("taskArn") and task.get("lastStatus") in STARTED
        for task_id in [short_arn(str(task["taskArn"]))]
        for name, (group, region, prefix) in logs.items()
        if _has_started(task, name)
    )


def _places(tracked: Tracked) -> dict[str, list[str]]:
    """The result of `logs_of`, if the plan file still has it in that form."""
    logs = expected(tracked.step).logs
    return {
        str(name): [str(part) for part in where]
        for name, where in logs.items()
        if isinstance(where, list | tuple) and len(where) == 3
    }


def _source(tracked: Tracked, task_id: str, container: str) -> str:
    expect = expected(tracked.step)
    parts = [tracked.address.name.rpartition("/")[2]]
    if len(_places(tracked)) > 1:
        parts.append(container)
    if max(expect.of, expect.count) > 1:
        parts.append(task_id[:SHOWN])
    return " ".join(parts)


def _has_started(task: Doc, name: str) -> bool:
    """A container that never started has no exit code in the end."""
    found = [container for container in task.get("containers", ()) if container.get("name") == name]
    return not has_stopped(task) or any(container.get("exitCode") is not None for container in found)


def _ended(task: Doc) -> float | None:
    """When its containers had stopped; infinite if a stopped task does not show it."""
    at = epoch(task.get("executionStoppedAt") or task.get("stoppedAt"))
    return math.inf if at is None and has_stopped(task) else at
