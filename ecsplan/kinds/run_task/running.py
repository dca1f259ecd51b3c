"""One-off tasks that have not stopped: which of them an earlier deployment, or another machine, has started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecsplan.core.clock import epoch
from ecsplan.core.documents import is_empty
from ecsplan.core.model import Doc, Step
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Running, User, Wanted
from ecsplan.kinds.ecs.calls import pages
from ecsplan.kinds.ecs.stopped_tasks import has_stopped
from ecsplan.kinds.run_task.calls import MARKER, describe_tasks, list_tasks
from ecsplan.kinds.run_task.track import expected

JOINED = "joined"  # an output: the mark of the deployment that has started the tasks
STOPPING = "STOPPED"  # the desired status of a task that ECS has been asked to stop


def running(reader: Reader, wanted: Sequence[Wanted]) -> tuple[Running, ...]:
    """One ListTasks for each cluster and family, and one DescribeTasks for each hundred tasks that it shows: ListTasks
    compares all of `startedBy`, and takes no other filter beside it (ECS API reference), so a mark is compared here by
    its beginning. Raises AwsError for what AWS refuses."""
    places: dict[tuple[str, str], list[Wanted]] = {}
    for one in wanted:
        places.setdefault((short_arn(_cluster(one)), one.address.name.partition("/")[0]), []).append(one)
    groups = [(_cluster(group[0]), family, group) for (_, family), group in places.items()]
    first = reader.fetch([list_tasks(cluster, family, "RUNNING") for cluster, family, _ in groups])
    listed = pages(reader, first, at="taskArns")
    looks = [
        (cluster, group, call)
        for (cluster, _, group), arns in zip(groups, listed, strict=True)
        for call in describe_tasks(cluster, arns)
    ]
    answers = reader.fetch([call for *_, call in looks]) if looks else ()
    found = [
        made
        for (cluster, group, _), answer in zip(looks, answers, strict=True)
        for task in answer.value().get("tasks", ())
        if task.get("taskArn") and not has_stopped(task) and task.get("desiredStatus") != STOPPING
        for one in group
        if (made := _of(one, task, cluster))
    ]
    return tuple(sorted(found, key=lambda one: (one.since, one.task)))


def users(reader: Reader, clusters: Sequence[str], families: Sequence[str]) -> tuple[User, ...]:
    """Every task of these families that has not stopped, of services too. Requests as `running`."""
    places = [(cluster, family) for cluster in clusters for family in families]
    first = reader.fetch([list_tasks(cluster, family, "RUNNING") for cluster, family in places]) if places else ()
    listed = pages(reader, first, at="taskArns")
    calls = [call for (cluster, _), arns in zip(places, listed, strict=True) for call in describe_tasks(cluster, arns)]
    tasks = [one for answer in (reader.fetch(calls) if calls else ()) for one in answer.value().get("tasks", ())]
    return tuple(
        User(name=f"task {short_arn(one.get('taskArn', ''))}", revision=str(one.get("taskDefinitionArn", "")))
        for one in tasks
        if not has_stopped(one)
    )


def _cluster(wanted: Wanted) -> str:
    return str(wanted.params.get("cluster") or "")


def _of(wanted: Wanted, task: Doc, cluster: str) -> Running | None:
    """None for a task of something else: of a service, for example."""
    mark, declared = str(task.get(MARKER) or ""), wanted.params.get(MARKER)
    ran = _overrides(task.get("overrides")) == _overrides(wanted.params.get("overrides"))
    # A mark that the spec declares may be that of other entries too: only their overrides tell them apart.
    ours = mark.startswith(wanted.marks) or bool(declared and mark == declared and ran)
    if not ours:
        return None
    revision = short_arn(task.get("taskDefinitionArn", ""))
    return Running(
        address=wanted.address,
        cluster=cluster,
        task=str(task["taskArn"]),
        mark=mark,
        revision=revision,
        since=epoch(task.get("createdAt")) or 0.0,
        same=ran and revision == short_arn(wanted.params.get("taskDefinition", "")),
    )


def joined(step: Step, found: Sequence[Running]) -> dict[str, str] | None:
    """The outputs of a step that joins as many tasks as it would start: those of one other step, each the same task."""
    marks = dict.fromkeys(one.mark for one in found)
    for mark in marks:
        tasks = [one for one in found if one.mark == mark]
        if len(tasks) == expected(step).count and all(one.same for one in tasks):
            return {"tasks": " ".join(one.task for one in tasks), JOINED: mark}
    return None


def _overrides(value: Any) -> Any:
    """Overrides without what is empty: DescribeTasks names containers that nothing overrides, too (ECS API
    reference). Variables are compared by name, numbers as text."""
    if isinstance(value, Mapping):
        members = {key: _overrides(item) for key, item in value.items()}
        return {key: item for key, item in members.items() if not is_empty(item)}
    if is_empty(value):
        return {}
    if isinstance(value, list | tuple):
        items = [item for item in map(_overrides, value) if not _names_only(item)]
        named = all(isinstance(item, Mapping) and "name" in item for item in items)
        return sorted(items, key=lambda item: str(item["name"])) if named else items
    return str(value)


def _names_only(item: Any) -> bool:
    return is_empty(item) or (isinstance(item, Mapping) and item.keys() == {"name"})
