"""RunTask's answer, and recovering it when it was lost."""

from __future__ import annotations

from itertools import chain

from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Call, Doc, Step
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.ecs.calls import in_cluster, pages
from ecsplan.kinds.run_task.track import BATCH, expected
from ecsplan.kinds.task_definition.read import family_of

MARKER = "startedBy"

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
    if call.operation == "stop_task":
        return {"stopped": short_arn(str(call.params["task"]))}
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
    if MARKER in step.call.params or MARKER not in call.params:
        return None
    cluster = call.params.get("cluster")
    family = in_cluster(cluster, {"family": family_of(str(call.params["taskDefinition"]))})
    listings = [
        Call(service="ecs", operation="list_tasks", params={**family, "desiredStatus": status})
        for status in ("RUNNING", "STOPPED")
    ]
    arns = list(dict.fromkeys(chain.from_iterable(pages(reader, reader.fetch(listings), at="taskArns"))))
    batches = [in_cluster(cluster, {"tasks": arns[i : i + BATCH]}) for i in range(0, len(arns), BATCH)]
    calls = [Call(service="ecs", operation="describe_tasks", params=batch) for batch in batches]
    found = [task for answer in (reader.fetch(calls) if calls else ()) for task in answer.value().get("tasks", ())]
    marked = sorted(
        str(task["taskArn"]) for task in found if task.get("taskArn") and task.get(MARKER) == call.params[MARKER]
    )
    return {"tasks": " ".join(marked)} if len(marked) >= expected(step).count else None
