"""Tasks that have stopped, grouped by how, with words for it. Shared by services and one-off tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from ecsplan.core.clock import epoch
from ecsplan.core.diagnosis import ContainerEnd, LogTail, StoppedTasks, alike
from ecsplan.core.model import Doc
from ecsplan.core.text import short_arn
from ecsplan.kinds.ecs.reasons import Reason, reason_for

# DescribeTasks may show DELETED for a task that has just stopped ("Task lifecycle" in the ECS developer guide).
STOPPED = ("STOPPED", "DELETED")
BATCH = 100  # tasks per DescribeTasks (ECS API reference)
SEE_LOGS = "Its last log lines should show why."


@dataclass(frozen=True, kw_only=True)
class Group:
    """Tasks that stopped in the same way: a summary, the tasks themselves, newest first, and the reason's row."""

    summary: StoppedTasks
    tasks: tuple[Doc, ...]
    words: Reason | None


def has_stopped(task: Doc) -> bool:
    return task.get("lastStatus") in STOPPED


def grouped(tasks: Sequence[Doc], essential: Collection[str] | None) -> tuple[Group, ...]:
    """Newest first. `essential` names the essential containers; if it is None (not known), all count as essential."""
    groups: dict[object, list[Doc]] = {}
    for task in sorted(tasks, key=_when, reverse=True):
        groups.setdefault(_way(task), []).append(task)
    return tuple(_group(some, essential) for some in groups.values())


def _when(task: Doc) -> float:
    return next((at for field in ("stoppedAt", "stoppingAt", "createdAt") if (at := epoch(task.get(field)))), 0.0)


def _way(task: Doc) -> object:
    containers = sorted(
        (str(c.get("name", "")), str(c.get("exitCode", "")), alike(str(c.get("reason", ""))))
        for c in task.get("containers", ())
    )
    return (task.get("stopCode"), alike(str(task.get("stoppedReason", ""))), tuple(containers))


def _group(tasks: Sequence[Doc], essential: Collection[str] | None) -> Group:
    newest = tasks[0]
    reason, code = str(newest.get("stoppedReason") or ""), str(newest.get("stopCode") or "")
    given = [_end(container, essential) for container in newest.get("containers", ())]
    words = reason_for(*(f"{code}: {text}" for text in (reason, *(end.reason for end in given))))
    # Reasons say more than exit codes do, which may only follow from them.
    ends = given if words else [msgspec.structs.replace(end, meaning=_meaning(reason_for(_code(end)))) for end in given]
    ends.sort(key=lambda end: (not end.essential, end.exit_code == 0))
    words = words or next((row for end in ends if end.essential and (row := reason_for(_code(end)))), None)
    summary = StoppedTasks(
        count=len(tasks),
        reason=reason or code or "ECS gave no reason",
        stop_code=code,
        containers=tuple(ends),
        task=short_arn(newest.get("taskArn", "")),
        meaning=_meaning(words),
    )
    return Group(summary=summary, tasks=tuple(tasks), words=words)


def _end(container: Doc, essential: Collection[str] | None) -> ContainerEnd:
    name, code, reason = str(container.get("name", "?")), container.get("exitCode"), str(container.get("reason") or "")
    return ContainerEnd(
        name=name,
        exit_code=code if isinstance(code, int) else None,
        reason=reason,
        meaning=_meaning(reason_for(reason)),
        essential=essential is None or name in essential,
    )


def _meaning(words: Reason | None) -> str:
    return words.meaning if words else ""


def _code(end: ContainerEnd) -> str:
    return "" if end.exit_code is None else f"exit code {end.exit_code}"


def failed_containers(group: Group) -> tuple[ContainerEnd, ...]:
    """Containers that ended with another exit code than 0; if there are none, the essential ones that had started."""
    started = [end for end in group.summary.containers if end.exit_code is not None]
    return tuple(end for end in started if end.exit_code) or tuple(end for end in started if end.essential)


def summary_of(group: Group, logs: Sequence[LogTail]) -> tuple[str, str]:
    """The cause in one line, and what to do about it, given the lines that were found."""
    words, failed = group.words, failed_containers(group)
    ends = failed or tuple(end for end in group.summary.containers if end.reason)
    first = next((end for end in ends if end.essential), ends[0] if ends else None)
    if words:  # of a container, or of the task as a whole
        where = f"container {first.name}: " if first and first.meaning else ""
        code = f" (exit code {first.exit_code})" if first and where and failed else ""
        return f"{where}{words.meaning}{code}", words.advice
    if not failed or first is None:
        return group.summary.reason, ""
    if first.exit_code == 0:
        return f"container {first.name} ended by itself, with exit code 0", ""
    advice = SEE_LOGS if any(log.lines for log in logs) else ""
    return f"container {first.name} ended with exit code {first.exit_code}", advice
