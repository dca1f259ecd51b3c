"""One-off tasks, such as migrations: run on the new revision before anything is switched to it, and judged by exit
code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecsplan.errors import RefusedError
from ecsplan.kinds.base import Ask, Delta, Draft, Kind, Look, Progress, Scope, Waiting, short_arn
from ecsplan.kinds.service import NAME as SERVICE
from ecsplan.kinds.service_fit import has_network
from ecsplan.kinds.task_definition import arn_of, family_of, stringify_environment
from ecsplan.kinds.task_diagnosis import diagnose
from ecsplan.model import Action, Address, Call, Doc, Irreversible, Phase, Ref, Resource, Step, copied
from ecsplan.normalize import Rule, Secret, is_empty
from ecsplan.spec import Task

NAME = "run_task"
BATCH = 100  # tasks per DescribeTasks (ECS API reference)
MARK = "startedBy"

# A stopped task is described for an hour at least (DescribeTasks), and a client token holds for an hour after its task
# at least ("Ensuring idempotency" in the ECS API reference). Five minutes less, because clocks differ.
KEPT = 3300

RULES: tuple[Rule, ...] = (
    Secret(path="overrides.containerOverrides.*.environment", reason="variables hold passwords"),
)


def compile_(task: Task, scope: Scope) -> tuple[Resource, ...]:
    """One resource per entry, in file order: RunTask's parameters as declared, and the revision."""
    resources = []
    for entry in task.run_tasks:
        # What is empty says nothing, and some of it is refused: "Tags can not be empty."
        given = {field: value for field, value in copied(entry.params).items() if not is_empty(value)}
        doc = {**given, "taskDefinition": arn_of(task)}
        for override in doc.get("overrides", {}).get("containerOverrides", ()):
            stringify_environment(override)
        resources.append(
            Resource(
                address=Address.of(NAME, f"{task.family}/{entry.name}"),
                task=task.name,
                doc=doc,
                settings=entry.settings,
                facts={"essential": _essential(task.task_definition)},
            )
        )
    return tuple(resources)


def _essential(task_definition: Doc) -> list[str]:
    return [c["name"] for c in task_definition["containerDefinitions"] if c.get("essential", True)]


def complete(resource: Resource, desired: Doc, others: Mapping[Address, Delta]) -> tuple[Doc, str]:
    """Without a network of its own, a task that needs one gets that of a declared service of the same cluster: one of
    its own task of the spec, else the first."""
    if desired.get("networkConfiguration") or not _needs_network(resource, others):
        return desired, ""
    cluster = short_arn(desired.get("cluster") or "default")
    services = [
        other
        for other in others.values()
        if other.change.address.startswith(f"{SERVICE}.{cluster}/") and has_network(other.wanted)
    ]
    services.sort(key=lambda other: other.change.task != resource.task)
    if not services:
        return desired, ""
    network = services[0].wanted["networkConfiguration"]
    if desired.get("launchType", "FARGATE") != "FARGATE":  # a public address goes with Fargate only
        inner = network.get("awsvpcConfiguration", {})
        network = {"awsvpcConfiguration": {k: v for k, v in inner.items() if k != "assignPublicIp"}}
    return {**desired, "networkConfiguration": network}, f"with the network of {services[0].change.address}"


def _needs_network(resource: Resource, others: Mapping[Address, Delta]) -> bool:
    ref = resource.doc.get("taskDefinition")
    definition = others[ref.address].wanted if isinstance(ref, Ref) and ref.address in others else {}
    return definition.get("networkMode") == "awsvpc"


def conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """RunTask refuses an awsvpc task without a network."""
    if delta.desired.get("networkConfiguration") or not _needs_network(delta.resource, others):
        return ()
    cluster = short_arn(delta.desired.get("cluster") or "default")
    return (
        f"{delta.change.address}: the task definition's network mode is awsvpc, so it needs a networkConfiguration, "
        f"and the spec declares no service of cluster {cluster} that has one to take",
    )


def steps(delta: Delta) -> tuple[Draft, ...]:
    return (
        Draft(
            phase=Phase.RUN,
            action=Action.RUN,
            call=Call(service="ecs", operation="run_task", params=delta.desired),
            undo=Irreversible(reason="what a task has done cannot be undone by running something else"),
            settings=delta.resource.settings,
            note="; ".join(filter(None, (_command(delta.desired), delta.change.note))),
            expect={"count": delta.desired.get("count", 1), **delta.resource.facts},
        ),
    )


def _command(doc: Doc) -> str:
    """What will run, as a person would say it: `web: ./manage.py migrate`."""
    overrides = doc.get("overrides", {}).get("containerOverrides", ())
    parts = [f"{o.get('name', '?')}: {' '.join(o['command'])}" for o in overrides if o.get("command")]
    return "; ".join(parts) or "the containers' own commands"


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """The tasks that were started; fewer than asked for is a failure, though AWS answers 200."""
    if call.operation == "stop_task":
        return {}
    started = [str(task["taskArn"]) for task in answer.get("tasks", ()) if task.get("taskArn")]
    wanted = step.expect.get("count", 1)
    if len(started) < wanted:
        reasons = sorted({_failure(failure) for failure in answer.get("failures", ())})
        raise RefusedError(
            f"{step.address}: {len(started)} of {wanted} tasks could be placed: "
            + ("; ".join(reasons) or "AWS gave no reason"),
            state=f"Started and left running: {', '.join(short_arn(arn) for arn in started)}" if started else "",
        )
    return {"tasks": " ".join(started)}


def _failure(failure: Doc) -> str:
    detail = failure.get("detail")
    return f"{failure.get('reason', 'unknown reason')}{f' ({detail})' if detail else ''}"


def reconcile(ask: Ask, step: Step, call: Call) -> dict[str, str] | None:
    """The tasks that carry this step's mark, running or stopped.

    They are listed by family and compared here: ListTasks takes `startedBy` as its only filter, and without
    `desiredStatus` it leaves out stopped tasks. A mark that the spec declares is not this step's own and proves
    nothing; then the client token alone keeps a repeated call harmless, for as long as it holds.
    """
    if MARK in step.call.params or MARK not in call.params:
        return None
    cluster = {field: call.params[field] for field in ("cluster",) if field in call.params}
    arns = _listed(ask, {**cluster, "family": family_of(str(call.params["taskDefinition"]))})
    batches = [arns[i : i + BATCH] for i in range(0, len(arns), BATCH)]
    calls = [Call(service="ecs", operation="describe_tasks", params={**cluster, "tasks": some}) for some in batches]
    found = [task for answer in (ask.many(calls) if calls else ()) for task in answer.value().get("tasks", ())]
    mine = sorted(str(task["taskArn"]) for task in found if task.get(MARK) == call.params[MARK])
    wanted = step.expect.get("count", 1)
    if mine and len(mine) < wanted:
        raise RefusedError(f"{step.address}: {len(mine)} of {wanted} tasks were started")
    return {"tasks": " ".join(mine)} if mine else None


def _listed(ask: Ask, params: Doc) -> list[str]:
    """The ARNs of a family's tasks, those that run and those that have stopped; both listings page by page."""
    arns: dict[str, None] = {}
    pending: list[Doc] = [{**params, "desiredStatus": status} for status in ("RUNNING", "STOPPED")]
    seen = set[str]()
    while pending:
        answers = ask.many([Call(service="ecs", operation="list_tasks", params=one) for one in pending])
        pending = []
        for answer in answers:
            data = answer.value()
            arns |= dict.fromkeys(data.get("taskArns", ()))
            token = data.get("nextToken")
            if token and token not in seen:  # a page that names itself as the next one would never end
                seen.add(token)
                pending.append({**answer.call.params, "nextToken": token})
    return list(arns)


def abandon(waiting: Waiting) -> tuple[Call, ...]:
    """A task that has run out of time is stopped: what is put back would not be, with it still at work."""
    cluster = waiting.call.params.get("cluster")
    reason = f"{waiting.address} did not end in time"
    return tuple(
        Call(
            service="ecs",
            operation="stop_task",
            params={**({"cluster": cluster} if cluster else {}), "task": arn, "reason": reason[:255]},
        )
        for arn in waiting.outputs["tasks"].split()
    )


def watch(waiting: Sequence[Waiting]) -> tuple[Look, ...]:
    looks = []
    for one in waiting:
        arns = one.outputs["tasks"].split()
        cluster = one.call.params.get("cluster")
        for i in range(0, len(arns), BATCH):
            params: Doc = {"tasks": arns[i : i + BATCH]}
            call = Call(
                service="ecs", operation="describe_tasks", params={"cluster": cluster, **params} if cluster else params
            )
            looks.append(Look(call=call, steps=(one.step.index,)))
    return tuple(looks)


def progress(waiting: Waiting, answers: Sequence[Doc]) -> Progress:
    """Done when every task has stopped; ok when every essential container ended with exit code 0."""
    tasks = [task for data in answers for task in data.get("tasks", ())]
    wanted = len(waiting.outputs["tasks"].split())
    if not wanted:
        return Progress(done=True, note="taken for done")
    if len(tasks) < wanted:
        if waiting.old:
            return Progress(done=True, ok=False, forgotten=True, note="ECS no longer knows the task, nor how it ended")
        # A stopped task is described for an hour, so one that is not there is one that ECS does not show yet.
        return Progress(done=False, note="waiting for ECS to show the task")
    states = [str(task.get("lastStatus", "UNKNOWN")) for task in tasks]
    if any(state != "STOPPED" for state in states):
        return Progress(done=False, note=", ".join(sorted(set(states))).lower())
    problems = [problem for task in tasks if (problem := _problem(task, waiting.step.expect.get("essential", ())))]
    if problems:
        return Progress(done=True, ok=False, note="; ".join(dict.fromkeys(problems)))
    return Progress(done=True, note="exit code 0")


def _problem(task: Doc, essential: Sequence[str]) -> str:
    """Why a stopped task has failed; empty if it has not."""
    why = str(task.get("stoppedReason") or task.get("stopCode") or "ECS gave no reason").rstrip(".")
    containers = [c for c in task.get("containers", ()) if c.get("name") in essential]
    if not containers:
        return f"no essential container was seen: {why}"
    for container in containers:
        code, detail = container.get("exitCode"), container.get("reason")
        if code is None:
            return f"container {container['name']} never started: {detail or why}"
        if code != 0:
            return f"container {container['name']} ended with exit code {code}: {detail or why}"
    return ""


KIND = Kind(
    name=NAME,
    rank=1,
    rules=RULES,
    writes=frozenset({"ecs:run_task"}),
    shape="ecs:run_task",
    expects={"count": int, "essential": list},
    compile=compile_,
    complete=complete,
    conflicts=conflicts,
    steps=steps,
    accept=accept,
    reconcile=reconcile,
    kept=KEPT,
    watch=watch,
    progress=progress,
    diagnose=diagnose,
    ephemeral=True,
    token="clientToken",  # noqa: S106  a parameter's name, not a secret
    mark=MARK,
    abandon=abandon,
    late_is_failure=True,
    timeout=1800,
)
