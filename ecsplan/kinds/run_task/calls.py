"""RunTask's answer, and recovering it when it was lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Call, Doc, Step
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.ecs.calls import in_cluster, pages
from ecsplan.kinds.ecs.stopped_tasks import has_stopped
from ecsplan.kinds.run_task.track import BATCH, expected
from ecsplan.kinds.task_definition.read import family_of

MARKER = "startedBy"
STOP = "stop_task"

# Reasons in `failures` ("API failure reasons" in the ECS developer guide), in words.
REASONS = {
    "RESOURCE:CPU": "not enough free CPU on any container instance",
    "RESOURCE:MEMORY": "not enough free memory on any container instance",
    "RESOURCE:PORTS": "a host port that it needs is taken on every container instance",
    "RESOURCE:ENI": "no free network interface on any container instance",
    "RESOURCE:GPU": "no free GPU on any container instance",
    "RESOURCE:DISK": "not enough free disk space on any container instance",
    "RESOURCE:FARGATE": "Fargate has no capacity for it right now",
    "AGENT": "the ECS agent of the container instance is not connected",
    "ATTRIBUTE": "no container instance has an attribute that the task definition needs",
    "LOCATION": "no container instance is in an availability zone that the network configuration names",
    "INACTIVE": "the container instance is no longer registered",
    "MISSING": "there is no such cluster, task definition or container instance",
    "EMPTY CAPACITY PROVIDER": "the capacity provider has no container instances",
}


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """The tasks that were started. Fewer than asked for is a failure, although AWS answers 200."""
    if call.operation == STOP:
        stopped = {"stopped": short_arn(str(call.params["task"]))}
        return {**stopped, "tasks": str(call.params["task"])} if step.call.operation == STOP else stopped
    started = [str(task["taskArn"]) for task in answer.get("tasks", ()) if task.get("taskArn")]
    outputs = {"tasks": " ".join(started)} if started else {}
    wanted = expected(step).count
    failures = answer.get("failures") or ()
    if len(started) < wanted or failures:
        reasons = sorted({_failure(failure) for failure in failures})
        raise RefusedError(
            f"{step.address}: {len(started)} of {wanted} tasks could be placed: "
            + ("; ".join(reasons) or "AWS gave no reason"),
            outputs=outputs,
        )
    return outputs


def _failure(failure: Doc) -> str:
    reason, detail = str(failure.get("reason") or "unknown reason"), failure.get("detail")
    words = REASONS.get(reason)
    return f"{f'{words} ({reason})' if words else reason}{f': {detail}' if detail else ''}"


def recover(reader: Reader, step: Step, call: Call) -> dict[str, str] | None:
    """The tasks that carry this step's mark, running or stopped, if all of them are there.

    They are listed by family and compared here: ListTasks takes `startedBy` as its only filter, and leaves out stopped
    tasks without `desiredStatus`. A mark that the spec declares is not unique to this step and proves nothing. In that
    case, or if tasks are missing, the client token keeps a repeated call harmless: AWS answers it with the existing
    tasks.
    """
    if call.operation == STOP:
        return _stopped(reader, call)
    if MARKER in step.call.params or MARKER not in call.params:
        return None
    cluster, family = call.params.get("cluster"), family_of(str(call.params["taskDefinition"]))
    listings = [list_tasks(cluster, family, status) for status in ("RUNNING", "STOPPED")]
    arns = list(dict.fromkeys(chain.from_iterable(pages(reader, reader.fetch(listings), at="taskArns"))))
    calls = describe_tasks(cluster, arns)
    found = [task for answer in (reader.fetch(calls) if calls else ()) for task in answer.value().get("tasks", ())]
    marked = sorted(
        str(task["taskArn"]) for task in found if task.get("taskArn") and task.get(MARKER) == call.params[MARKER]
    )
    return {"tasks": " ".join(marked)} if len(marked) >= expected(step).count else None


def _stopped(reader: Reader, call: Call) -> dict[str, str] | None:
    """Was the task asked to stop, or has it ended, or been forgotten? To ask once more does no harm."""
    (answer,) = reader.fetch(describe_tasks(call.params.get("cluster"), [str(call.params["task"])]))
    going = [task for task in answer.value().get("tasks", ()) if task.get("desiredStatus") != "STOPPED"]
    task = str(call.params["task"])
    return None if going and not has_stopped(going[0]) else {"stopped": short_arn(task), "tasks": task}


# --- requests ---


def list_tasks(cluster: str | None, family: str, status: str) -> Call:
    """The tasks of a family, of services too, that are to run (`RUNNING`) or to stop, or have stopped (`STOPPED`)."""
    params = in_cluster(cluster, {"family": family, "desiredStatus": status})
    return Call(service="ecs", operation="list_tasks", params=params)


def describe_tasks(cluster: str | None, arns: Sequence[str]) -> list[Call]:
    """A hundred each."""
    batches = [list(arns[i : i + BATCH]) for i in range(0, len(arns), BATCH)]
    return [
        Call(service="ecs", operation="describe_tasks", params=in_cluster(cluster, {"tasks": batch}))
        for batch in batches
    ]
