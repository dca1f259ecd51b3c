"""Why a one-off task has failed: how its tasks stopped, and what their containers wrote last."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.errors import EcsplanError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Reader
from ecsplan.kinds.contract import Progress, Tracked
from ecsplan.kinds.ecs.calls import in_cluster
from ecsplan.kinds.ecs.lookup import Lookup, sources, tails
from ecsplan.kinds.ecs.stopped_tasks import BATCH, failed_containers, grouped, has_stopped, summary_of

MAX_GROUPS = 5  # groups of tasks that are reported
MAX_CONTAINERS = 3  # containers whose log lines are fetched


def diagnose(reader: Reader, tracked: Tracked, progress: Progress) -> Diagnosis:
    """Two round trips: the tasks and their revision, then the log lines. Raises nothing."""
    lookup = Lookup(reader)
    try:
        return _diagnosis(lookup, tracked, progress)
    except EcsplanError as error:  # it concerns all requests
        return Diagnosis(reason=progress.note, unseen=(f"nothing could be looked up: {error.message}",))


def _diagnosis(lookup: Lookup, tracked: Tracked, progress: Progress) -> Diagnosis:
    params = tracked.call.params
    arns = tracked.outputs.get("tasks", "").split()
    if not arns:
        return Diagnosis(reason=progress.note)
    batches = [in_cluster(params.get("cluster"), {"tasks": arns[i : i + BATCH]}) for i in range(0, len(arns), BATCH)]
    definition, *answers = lookup.fetch(
        ("the task definition", definition_of(params.get("taskDefinition"))),
        *(("its tasks", Call(service="ecs", operation="describe_tasks", params=batch)) for batch in batches),
    )
    described = definition.get("taskDefinition", {})
    essential = set(tracked.step.expect.get("essential", ())) or essentials(described)
    tasks = [task for answer in answers for task in answer.get("tasks", ())]
    stopped = [task for task in tasks if has_stopped(task) and not _well(task, essential)]
    groups = grouped(stopped, essential)
    wanted: list[tuple[str, Sequence[Doc]]] = [
        (end.name, group.tasks) for group in groups for end in failed_containers(group)
    ]
    going = [task for task in tasks if task.get("lastStatus") == "RUNNING"] if not groups else []
    if going:  # it timed out: what is it doing?
        wanted = [(name, going) for name in sorted(essential or ())]
    logs = tails(lookup, sources(lookup, described, wanted, MAX_CONTAINERS) if described else ())
    meaning, advice = summary_of(groups[0], logs) if groups else _late(tasks)
    return Diagnosis(
        reason=progress.note,
        meaning=meaning,
        advice=advice,
        tasks=tuple(group.summary for group in groups[:MAX_GROUPS]),
        logs=logs,
        unseen=tuple(lookup.missing),
    )


def _late(tasks: Sequence[Doc]) -> tuple[str, str]:
    """For tasks that have not stopped: what they were doing when the time was over."""
    states = {str(task.get("lastStatus", "UNKNOWN")) for task in tasks}
    if not states:
        return "", ""
    if "RUNNING" in states:
        return "it was still running", "Raise its timeout, or find out what it waits for."
    return f"it never ran: {', '.join(sorted(states))}", "Check its image, its network, and the cluster's capacity."


def _well(task: Doc, essential: Collection[str] | None) -> bool:
    """Did its essential containers end with exit code 0?"""
    codes = [c.get("exitCode") for c in task.get("containers", ()) if essential is None or c.get("name") in essential]
    return bool(codes) and all(code == 0 for code in codes)


def definition_of(revision: object) -> Call:
    return Call(service="ecs", operation="describe_task_definition", params={"taskDefinition": revision})


def essentials(definition: Doc) -> set[str] | None:
    """The essential containers' names; None if the definition is not known."""
    containers = definition.get("containerDefinitions", ())
    return {str(c["name"]) for c in containers if c.get("essential", True)} if containers else None
