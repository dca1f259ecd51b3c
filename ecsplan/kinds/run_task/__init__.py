"""One-off tasks, such as migrations: run on the new revision before anything moves to it, and judged by exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ecsplan.core.checks import Request, boolean, duration, nonempty, plain_name
from ecsplan.core.documents import copied, is_empty
from ecsplan.core.model import Action, Address, Call, Doc, Irreversible, Phase, Ref, Settings
from ecsplan.core.normalize import Rule, Secret
from ecsplan.core.spec import Task
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import (
    Beside,
    Calls,
    Change,
    CompileScope,
    Declare,
    Delta,
    Document,
    Kind,
    Resource,
    Running,
    StepDraft,
    Table,
    Track,
    Tracked,
)
from ecsplan.kinds.ecs.calls import in_cluster, is_revision_unknown_yet
from ecsplan.kinds.ecs.request_fields import has_network
from ecsplan.kinds.ecs.task_diagnosis import diagnose
from ecsplan.kinds.run_task import lint
from ecsplan.kinds.run_task.calls import MARKER, STOP, accept, recover
from ecsplan.kinds.run_task.running import JOINED, joined, running, users
from ecsplan.kinds.run_task.streams import logs_of, streams
from ecsplan.kinds.run_task.track import Expect, Stopping, judge, polls, which
from ecsplan.kinds.task_definition import BY_ECSPLAN, SCALARS, arn_of, stringify_environment

NAME = "run_task"
AT_ONCE = 10  # tasks per RunTask (ECS API reference)
LONGEST_REASON = 255  # of StopTask (ECS API reference)

# A stopped task is described for an hour at least (DescribeTasks), and a client token holds for an hour after its task
# at least ("Ensuring idempotency" in the ECS API reference). Five minutes less, because clocks differ.
EVIDENCE = 3300

RULES: tuple[Rule, ...] = (
    Secret(path="overrides.containerOverrides.*.environment", reason="variables hold passwords"),
)


def _when(value: Any) -> str:
    return nonempty(value) or ("" if value in ("changed", "always") else 'must be "changed" or "always"')


TABLE = Table(
    key=lint.KEY,
    request=Request(
        service="ecs",
        operation="run_task",
        supplied={
            "taskDefinition": BY_ECSPLAN,
            "clientToken": "set by ecsplan, so that a retry never runs the task twice; leave it out",
        },
        filled=frozenset({"cluster"}),
        lenient={"overrides.containerOverrides[].environment[].value": SCALARS},
    ),
    own={"name": plain_name, "timeout": duration, "wait": boolean, "when": _when},
    inherits=("cluster",),
)


def compile_(task: Task, scope: CompileScope) -> tuple[Resource, ...]:
    """One resource per entry, in file order: RunTask's parameters as declared, and the revision."""
    resources = []
    for index, entry in enumerate(task.entries[NAME]):
        # What is empty has no meaning, and AWS rejects some of it: "Tags can not be empty."
        given = {field: value for field, value in copied(entry.params).items() if not is_empty(value)}
        doc = {**given, "taskDefinition": arn_of(task)}
        for override in doc.get("overrides", {}).get("containerOverrides", ()):
            stringify_environment(override)
        resources.append(
            Resource(
                kind=KIND,
                address=Address.of(NAME, f"{task.family}/{lint.name_of(entry.own, index)}"),
                task=task.name,
                doc=doc,
                settings=entry.settings,
                facts=_facts(task.task_definition),
            )
        )
    return tuple(resources)


def _facts(task_definition: Doc) -> Doc:
    """Which containers are judged, and where they log to. Plan and journal hold it, so it is kept short."""
    essential = [c["name"] for c in task_definition["containerDefinitions"] if c.get("essential", True)]
    logs = logs_of(task_definition)
    return {"essential": essential, **({"logs": logs} if logs else {})}


def fill_in(resource: Resource, desired: Doc, others: Mapping[Address, Delta]) -> tuple[Doc, str]:
    """A task that needs a network and declares none gets that of a declared service in its cluster: one of its own task
    of the spec, else the first."""
    if desired.get("networkConfiguration") or not _needs_network(resource, others):
        return desired, ""
    cluster = short_arn(desired.get("cluster") or "default")
    services = [
        other
        for other in others.values()
        if other.change.address.startswith(f"service.{cluster}/") and has_network(other.merged_doc)
    ]
    services.sort(key=lambda other: other.change.task != resource.task)
    if not services:
        return desired, ""
    network = services[0].merged_doc["networkConfiguration"]
    if desired.get("launchType", "FARGATE") != "FARGATE":  # only Fargate takes a public address
        inner = network.get("awsvpcConfiguration", {})
        network = {"awsvpcConfiguration": {k: v for k, v in inner.items() if k != "assignPublicIp"}}
    return {**desired, "networkConfiguration": network}, f"with the network of {services[0].change.address}"


def _needs_network(resource: Resource, others: Mapping[Address, Delta]) -> bool:
    ref = resource.doc.get("taskDefinition")
    definition = others[ref.address].merged_doc if isinstance(ref, Ref) and ref.address in others else {}
    return definition.get("networkMode") == "awsvpc"


def conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """RunTask rejects an awsvpc task without a network."""
    if delta.declared.get("networkConfiguration") or not _needs_network(delta.resource, others):
        return ()
    cluster = short_arn(delta.declared.get("cluster") or "default")
    return (
        f"{delta.change.address}: the task definition's network mode is awsvpc, so it needs a networkConfiguration, "
        f"and the spec declares no service of cluster {cluster} that has one to take",
    )


def steps(delta: Delta) -> tuple[StepDraft, ...]:
    """One RunTask per ten tasks, which is the most that it starts at once; or one StopTask for each that is to stop."""
    if stops := msgspec.convert(delta.resource.facts, Expect).stops:
        return tuple(_stop_draft(delta, one) for one in stops)
    count = delta.declared.get("count", 1)
    said = [_command(delta.declared), delta.change.note]
    if count <= AT_ONCE:
        return (_draft(delta, delta.declared, said, {"count": count}),)
    drafts = []
    for first in range(1, count + 1, AT_ONCE):
        some = min(AT_ONCE, count - first + 1)
        expect = {"count": some, "first": first, "of": count}
        part = which(Expect(count=some, first=first, of=count))
        drafts.append(_draft(delta, {**delta.declared, "count": some}, [*said, part], expect))
    return tuple(drafts)


def _draft(delta: Delta, params: Doc, said: Sequence[str], expect: Doc) -> StepDraft:
    return StepDraft(
        phase=Phase.RUN,
        action=Action.RUN,
        call=Call(service="ecs", operation="run_task", params=params),
        undo=Irreversible(reason="what a task has done cannot be undone by running something else"),
        settings=delta.resource.settings,
        note="; ".join(filter(None, said)),
        expect={**expect, **delta.resource.facts},
    )


def _stop_draft(delta: Delta, one: Stopping) -> StepDraft:
    params = in_cluster(one.cluster, {"task": one.task, "reason": f"{delta.change.address} is rolled back"})
    return StepDraft(
        phase=Phase.STOP,
        action=Action.DELETE,
        call=Call(service="ecs", operation=STOP, params=params),
        undo=Irreversible(reason="a task that was stopped is not started again"),
        settings=delta.resource.settings,
        note=f"stop task {short_arn(one.task)} ({one.revision})",
    )


def stopping(found: Sequence[Running], task: str) -> Resource:
    """What a rollback stops at one address: tasks of the deployments that it undoes. `task` is that of the spec."""
    stops = [{"task": one.task, "cluster": one.cluster, "revision": one.revision} for one in found]
    return Resource(
        kind=KIND,
        address=found[0].address,
        task=task,
        doc={"cluster": found[0].cluster} if found[0].cluster else {},  # a plan names the clusters that it touches
        settings=Settings(when="always"),
        facts={"stops": stops},
        optional=True,
    )


def _command(doc: Doc) -> str:
    """The commands that will run, for people: `web: ./manage.py migrate`."""
    overrides = doc.get("overrides", {}).get("containerOverrides", ())
    parts = [f"{o.get('name', '?')}: {' '.join(o['command'])}" for o in overrides if o.get("command")]
    return "; ".join(parts) or "the containers' own commands"


def stop(tracked: Tracked, why: str) -> tuple[Call, ...]:
    """Stop the tasks: while they run, they could change what is restored. One that another deployment has started is
    left to it."""
    if JOINED in tracked.outputs:
        return ()
    cluster = tracked.call.params.get("cluster")
    return tuple(
        Call(
            service="ecs",
            operation=STOP,
            params=in_cluster(cluster, {"task": arn, "reason": why[:LONGEST_REASON]}),
        )
        for arn in tracked.outputs["tasks"].split()
    )


KIND = Kind(
    name=NAME,
    order=1,
    document=Document(rules=RULES),
    declare=Declare(table=TABLE, compile=compile_, lint=lint.problems, cautions=lint.cautions, clashes=lint.clashes),
    change=Change(
        writes=frozenset({"ecs:run_task", "ecs:stop_task"}),
        steps=steps,
        conflicts=conflicts,
        fill_in=fill_in,
        expect=Expect,
    ),
    calls=Calls(
        accept=accept,
        recover=recover,
        retryable=is_revision_unknown_yet,
        token="clientToken",  # noqa: S106  the name of a parameter
        marker=MARKER,
        evidence=EVIDENCE,
        assumed={"tasks": ""},
    ),
    track=Track(
        polls=polls,
        judge=judge,
        streams=streams,
        diagnose=diagnose,
        stop=stop,
        timeout=1800,
        late_is_failure=True,
    ),
    beside=Beside(running=running, joined=joined, stopping=stopping),
    users=users,
)
