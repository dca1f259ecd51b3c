"""Steps, plans and deployments to start from; each call makes new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ecsplan.core.codec import to_json
from ecsplan.core.documents import filled
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Change,
    Doc,
    FieldChange,
    Identity,
    Irreversible,
    Phase,
    Plan,
    Ref,
    Settings,
    Step,
)
from ecsplan.journal import Began, Closed, Deployment, Done, Journal, Opened, Origin, Outcome
from ecsplan.plan.steps import plan_digest

ACCOUNT, REGION = "123456789012", "eu-west-1"
IDENTITY = Identity(account=ACCOUNT, region=REGION)
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/prod"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/events"
START = 1_700_000_000.0
AT = "2023-11-14T22:13:20.000Z"  # START
AS_USUAL = Settings()
ORIGIN = Origin(user="ada", host="ci-7", pid=4711, command="ecsplan deploy v42")


def task_definition_arn(family: str, revision: int) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}"


def revision(family: str = "web") -> Ref:
    """The revision that a plan is about to register."""
    return Ref(address=Address(f"task_definition.{family}"), output="arn")


def ecs(operation: str, **params: Any) -> Call:
    return Call(service="ecs", operation=operation, params=params)


# --- steps: numbered by `plan` ---


def step(phase: Phase, address: str, action: Action, call: Call, undo: Call | Irreversible, **more: Any) -> Step:
    place = Address(address)
    values: dict[str, Any] = {"task": "web", **more}
    return Step(index=0, phase=phase, kind=place.kind, address=place, action=action, call=call, undo=undo, **values)


def register(family: str = "web", *, newest: int = 41, **doc: Any) -> Step:
    container = {"name": "web", "image": f"{family}:v42", "memory": 128}
    made = {"family": family, "containerDefinitions": [container], **doc}
    return step(
        Phase.REGISTER,
        f"task_definition.{family}",
        Action.CREATE,
        ecs("register_task_definition", **made),
        ecs("deregister_task_definition", taskDefinition=revision(family)),
        note=f"new revision of {family}",
        expect={"newest": newest},
    )


def run(name: str = "migrate", *, family: str = "web", count: int = 1, settings: Settings = AS_USUAL) -> Step:
    return step(
        Phase.RUN,
        f"run_task.{family}/{name}",
        Action.RUN,
        ecs("run_task", cluster="prod", taskDefinition=revision(family), count=count, startedBy=name),
        Irreversible(reason="it ran"),
        settings=settings,
        expect={"count": count, "essential": ["web"]},
    )


def update(name: str = "web", *, family: str = "web", old: int = 41, settings: Settings = AS_USUAL) -> Step:
    before = task_definition_arn(family, old)
    return step(
        Phase.UPDATE,
        f"service.prod/{name}",
        Action.UPDATE,
        ecs("update_service", cluster="prod", service=name, taskDefinition=revision(family)),
        ecs("update_service", cluster="prod", service=name, taskDefinition=before),
        changes=(FieldChange(path="taskDefinition", before=before, after=revision(family)),),
        settings=settings,
        expect={"deployment": f"ecs-svc/{name}-0", "previous": before},
    )


def wait(name: str = "web", *, awaits: str = "ecs-svc/web-0", settings: Settings = AS_USUAL) -> Step:
    """For the rollout of a service that is on web:41 already."""
    return step(
        Phase.UPDATE,
        f"service.prod/{name}",
        Action.WAIT,
        ecs("describe_services", cluster="prod", services=[name]),
        Irreversible(reason="nothing was sent"),
        settings=settings,
        note="is still rolling out (1/2 running)",
        expect={"awaits": awaits, "revision": task_definition_arn("web", 41)},
    )


def targets(rule: str = "nightly", *, family: str = "web", ids: Sequence[str] = ("report",), old: int = 41) -> Step:
    def put(arn: object) -> Call:
        ecs = {"TaskDefinitionArn": arn}
        entries = [{"Id": name, "Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": ecs} for name in ids]
        return Call(service="events", operation="put_targets", params={"Rule": rule, "Targets": entries})

    do, undo = put(revision(family)), put(task_definition_arn(family, old))
    return step(Phase.TARGETS, f"event_targets.{rule}", Action.UPDATE, do, undo, note=", ".join(ids))


def retire(family: str = "web", *, number: int = 30) -> Step:
    return step(
        Phase.RETIRE,
        f"task_definition.{family}",
        Action.DELETE,
        ecs("deregister_task_definition", taskDefinition=task_definition_arn(family, number)),
        Irreversible(reason="gone for good"),
        note=f"{family}:{number}",
    )


def whole() -> tuple[Step, ...]:
    """A step of every phase."""
    return (register(), run(), update(), targets(), retire())


# --- plans ---


def plan(*steps: Step, **more: Any) -> Plan:
    """A plan of these steps, numbered as they are given, with a digest that fits."""
    numbered = tuple(replace(one, index=number) for number, one in enumerate(steps, 1))
    values: dict[str, Any] = {
        "app": "shop",
        "tag": "v42",
        "identity": IDENTITY,
        "changed": bool(steps),
        "observed": {one.address: "sha256:1" for one in numbered},
        "changes": (),
        "steps": numbered,
        "summary": {p.value: sum(one.phase is p for one in numbered) for p in Phase if p is not Phase.STOP},
        **more,
    }
    made = Plan(**values)
    return replace(made, digest=plan_digest(made))


def kept(family: str = "web", number: int = 41) -> Change:
    """A revision that is reused."""
    outputs = {"arn": task_definition_arn(family, number)}
    address, after = Address(f"task_definition.{family}"), {"family": family}
    return Change(address=address, task="web", action=Action.KEEP, after=after, outputs=outputs)


def reusing(*steps: Step) -> Plan:
    """A plan of these steps that registers nothing: they use web:41, which is there already."""
    known = {revision().address: {"arn": task_definition_arn("web", 41)}}
    return plan(*(replace(one, call=replace(one.call, params=filled(one.call.params, known))) for one in steps))


def moved(name: str = "web", *, family: str = "web", old: int = 41, **before: Any) -> Change:
    """What a plan says of a service that leaves revision `old`."""
    names: Doc = {"cluster": "prod", "service": name}
    return Change(
        address=Address(f"service.prod/{name}"),
        task=family,
        action=Action.UPDATE,
        before={**names, "taskDefinition": task_definition_arn(family, old), **before},
        after={**names, "taskDefinition": revision(family)},
    )


# --- deployments ---


def deployment(
    number: int,
    made: Plan,
    *,
    begun: Sequence[int] | None = None,
    outputs: dict[int, dict[str, str]] | None = None,
    outcome: Outcome | None = Outcome.SUCCEEDED,
    reason: str = "",
) -> Deployment:
    """A deployment of which the steps `begun` (all, if not said) were carried out; without an outcome it was cut
    off."""
    entries: list[Began | Done | Closed] = []
    for index in [one.index for one in made.steps] if begun is None else begun:
        entries += [
            Began(at=AT, step=index),
            Done(at=AT, step=index, outputs=(outputs or {}).get(index, {})),
        ]
    if outcome is not None:
        entries.append(Closed(at=AT, outcome=outcome, reason=reason))
    return Deployment(opened=Opened(number=number, at=AT, origin=ORIGIN, plan=made), entries=tuple(entries))


def only_planned(journal: Journal, made: Plan | None = None) -> int:
    """The number of a deployment of which the journal has the plan alone, as format 1.0 begins: it may have been cut
    off before its first call."""
    number = (journal.numbers() or [0])[-1] + 1
    opened = Opened(number=number, at=AT, origin=ORIGIN, plan=made or plan(*whole()))
    journal._place.create(number, to_json(opened)).close()
    return number
