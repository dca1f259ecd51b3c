"""Task definitions: registered when no equal revision is there to reuse, deregistered when old and unused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ecsplan.errors import AwsError, RefusedError
from ecsplan.kinds.base import Answer, Ask, Delta, Draft, Kind, Scope, short_arn
from ecsplan.kinds.newer import beyond, known
from ecsplan.kinds.task_definition_rules import RULES, blank_variables
from ecsplan.model import (
    Action,
    Address,
    Call,
    Candidate,
    Doc,
    Irreversible,
    Live,
    Phase,
    Ref,
    Resource,
    Step,
    copied,
)
from ecsplan.normalize import normal
from ecsplan.spec import Task

NAME = "task_definition"

# Members of an answer that its request does not take are left out: the ARN, the status, and what AWS adds to answers.
REQUEST = ("ecs", "register_task_definition")


def compile_(task: Task, scope: Scope) -> tuple[Resource, ...]:
    """RegisterTaskDefinition's parameters with the tag in every image, and numbers where AWS wants text."""
    doc = copied(task.task_definition)
    for field in ("cpu", "memory"):
        if isinstance(doc.get(field), int):
            doc[field] = str(doc[field])
    for container in doc["containerDefinitions"]:
        if isinstance(container.get("image"), str):
            container["image"] = container["image"].replace("{image_tag}", scope.tag)
        stringify_environment(container)
    if not doc.get("tags"):
        # ClientException "Tags can not be empty." (aws-actions issue tracker)
        doc.pop("tags", None)
    return (Resource(address=address_of(task), task=task.name, doc=doc, keep=task.active_task_count),)


def address_of(task: Task) -> Address:
    return Address.of(NAME, task.family)


def arn_of(task: Task) -> Ref:
    """The revision that a task's services, one-off tasks and targets are on after the deployment."""
    return Ref(address=address_of(task), output="arn")


def stringify_environment(container: Doc) -> None:
    """TOML's numbers and booleans as the text that AWS takes, in place."""
    for variable in container.get("environment") or ():
        value = variable.get("value")
        if isinstance(value, bool):
            variable["value"] = "true" if value else "false"
        elif isinstance(value, int | float):
            variable["value"] = str(value)


# --- reading ---


def read(ask: Ask, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """Per family the newest ACTIVE revision and the ARNs of all ACTIVE ones; and the pinned one, where there is one."""
    calls = [call for resource in resources for call in (_describe(family(resource)), _list(family(resource)))]
    pins = [_describe(resource.pinned) for resource in resources if resource.pinned]
    answers = ask.many([*calls, *pins])
    described, listed = answers[0 : len(calls) : 2], _all_pages(ask, answers[1 : len(calls) : 2])
    pinned = iter(answers[len(calls) :])
    return tuple(
        _live(resource, newest, arns, next(pinned) if resource.pinned else None)
        for resource, newest, arns in zip(resources, described, listed, strict=True)
    )


def read_used(ask: Ask, lives: Sequence[Live], used: Mapping[Address, Sequence[str]]) -> tuple[Live, ...]:
    """The revisions in use come before the newest: an equal one in use means that nothing has to move."""
    wanted = {
        live.address: [
            arn
            for arn in dict.fromkeys(used.get(live.address, ()))
            if same_family(arn, live.facts["family"]) and arn not in _arns(live)
        ]
        for live in lives
    }
    calls = [_describe(arn) for arns in wanted.values() for arn in arns]
    answers = iter(ask.many(calls) if calls else ())
    return tuple(
        _in_order(live, [next(answers) for _ in wanted[live.address]], set(used.get(live.address, ())))
        for live in lives
    )


def _in_order(live: Live, more: Sequence[Answer], in_use: set[str]) -> Live:
    """The revisions in use first, which differences are shown against; then the pinned one, then the newest."""
    found = [
        *live.candidates,
        *(candidate for answer in more if (candidate := _candidate(answer, live.facts.get("beyond", frozenset())))),
    ]
    pinned = live.facts["pinned"]
    found.sort(key=lambda one: (one.outputs["arn"] not in in_use, short_arn(one.outputs["arn"]) != short_arn(pinned)))
    statuses = {short_arn(one.outputs["arn"]): one.reusable for one in found}
    # All else about a revision stays as it was registered.
    tags = {short_arn(one.outputs["arn"]): _tags(one) for one in found if one.doc.get("tags")}
    return Live(
        address=live.address,
        candidates=tuple(found),
        wanted=live.wanted,
        observed={"active": live.observed, "known": statuses, **({"tagged": tags} if tags else {})},
        facts=live.facts,
    )


def _tags(found: Candidate) -> Doc:
    return {str(tag.get("key")): tag.get("value") for tag in found.doc["tags"]}


def family(resource: Resource) -> str:
    """The family by name: the declared one, that of a pinned revision, or the address's own."""
    return str(resource.doc.get("family") or (resource.pinned and family_of(resource.pinned)) or resource.address.name)


def family_of(arn: str) -> str:
    return short_arn(arn).rpartition(":")[0]


def revision_of(arn: str) -> int:
    number = arn.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def same_family(arn: str, family: str) -> bool:
    return ":task-definition/" in arn and family_of(arn) == family


def _describe(name: str) -> Call:
    return Call(
        service="ecs", operation="describe_task_definition", params={"taskDefinition": name, "include": ["TAGS"]}
    )


def _list(family: str) -> Call:
    return Call(
        service="ecs",
        operation="list_task_definitions",
        params={"familyPrefix": family, "status": "ACTIVE", "sort": "DESC"},
    )


def _all_pages(ask: Ask, first: Sequence[Answer]) -> list[list[str]]:
    """The ARNs of each listing; further pages of all listings are asked for together."""
    arns: list[list[str]] = [list(answer.value().get("taskDefinitionArns", ())) for answer in first]
    open_pages = {i: answer for i, answer in enumerate(first) if answer.value().get("nextToken")}
    seen: set[tuple[int, str]] = set()
    while open_pages:
        calls = {}
        for i, answer in open_pages.items():
            token = str(answer.value()["nextToken"])
            if (i, token) not in seen:  # a page that names itself as the next one would never end
                seen.add((i, token))
                calls[i] = Call(
                    service="ecs",
                    operation="list_task_definitions",
                    params={**answer.call.params, "nextToken": token},
                )
        answers = dict(zip(calls, ask.many(list(calls.values())), strict=True)) if calls else {}
        for i, answer in answers.items():
            arns[i].extend(answer.value().get("taskDefinitionArns", ()))
        open_pages = {i: answer for i, answer in answers.items() if answer.value().get("nextToken")}
    return arns


def _live(resource: Resource, newest: Answer, listed: Iterable[str], pinned: Answer | None) -> Live:
    name = family(resource)
    active = sorted({arn for arn in listed if same_family(arn, name)}, key=revision_of, reverse=True)
    also = beyond(*REQUEST, resource.doc)
    found = _candidate(newest, also)
    if found is None and active:
        newest.value()  # there are revisions, so the refusal means something else: no permission, for example
    pin = _candidate(pinned, also) if pinned else None
    both = {one.outputs["arn"]: one for one in (pin, found) if one}
    return Live(
        address=resource.address,
        candidates=tuple(both.values()),
        wanted=pin.doc if pin else None,
        observed=[short_arn(arn) for arn in active],
        facts={"family": name, "active": active, "pinned": resource.pinned} | ({"beyond": also} if also else {}),
    )


def _candidate(answer: Answer, also: frozenset[str] = frozenset()) -> Candidate | None:
    if answer.error is not None:
        if answer.error.code in ("ClientException", "InvalidParameterException"):
            return None  # "Unable to describe task definition."
        raise answer.error
    described = answer.value()
    doc = dict(described.get("taskDefinition") or {})
    if "taskDefinitionArn" not in doc:
        call = answer.call
        raise AwsError(f"{call}: the answer names no revision", service=call.service, operation=call.operation)
    # AWS's own tags cannot be sent back.
    if tags := [tag for tag in described.get("tags", ()) if not str(tag.get("key", "")).startswith("aws:")]:
        doc["tags"] = tags
    outputs = {"arn": str(doc["taskDefinitionArn"])}
    return Candidate(
        doc=known(*REQUEST, doc, also),
        outputs=outputs,
        reusable=doc.get("status", "ACTIVE") == "ACTIVE",
    )


def _arns(live: Live) -> set[str]:
    return {found.outputs["arn"] for found in live.candidates}


# --- comparing and changing ---


def merge(live: Doc, declared: Doc) -> Doc:
    """A revision is replaced whole; only tags, which others may add to a live one, are left alone where undeclared.
    Where nothing is declared at all, the live revision stays."""
    if not declared:
        return live
    if "tags" in live and "tags" not in declared:
        return {**declared, "tags": live["tags"]}
    return declared


def plan_faults(resource: Resource, live: Live) -> tuple[str, ...]:
    if resource.pinned and live.wanted is None and not resource.doc:
        return (f"revision {short_arn(resource.pinned)} is no longer known to ECS, nor to the journal",)
    return ()


def steps(delta: Delta) -> tuple[Draft, ...]:
    """One registration; what is sent is what was declared."""
    own = Ref(address=delta.resource.address, output="arn")
    known = [*delta.live.facts.get("active", ()), *_arns(delta.live)]
    newest = max(known, key=revision_of, default="")
    in_use = delta.found.outputs["arn"] if delta.found else ""
    than = f", compared with {short_arn(in_use)}" if in_use and in_use != newest else ""
    return (
        Draft(
            phase=Phase.REGISTER,
            action=Action.CREATE,
            call=Call(service="ecs", operation="register_task_definition", params=delta.wanted),
            undo=Call(service="ecs", operation="deregister_task_definition", params={"taskDefinition": own}),
            changes=delta.change.fields,
            note=f"a new revision, after {short_arn(newest)}{than}" if newest else "the first revision",
            expect={"newest": revision_of(newest)},
        ),
    )


def retire(delta: Delta, used: frozenset[str]) -> tuple[Draft, ...]:
    """Deregister what is older than the newest `keep`, or what a rollback went back from, unless something uses it."""
    active: Sequence[str] = delta.live.facts.get("active", ())
    if delta.resource.pinned or delta.resource.retire:
        old = [arn for arn in active if arn in delta.resource.retire]
    elif delta.resource.keep is None:
        old = []
    else:
        # A revision that is about to be registered is the newest of those to keep.
        kept = delta.resource.keep - (delta.change.action is Action.CREATE)
        old = list(active[kept:])
    # Where nothing is declared, what was found is not meant to stay.
    kept_one = delta.change.action is Action.KEEP and delta.desired
    target = delta.change.outputs.get("arn") if kept_one else None
    return tuple(_deregister(arn) for arn in sorted(old, key=revision_of) if arn not in used and arn != target)


def _deregister(arn: str) -> Draft:
    return Draft(
        phase=Phase.RETIRE,
        action=Action.DELETE,
        call=Call(service="ecs", operation="deregister_task_definition", params={"taskDefinition": arn}),
        undo=Irreversible(reason="a deregistered revision does not become ACTIVE again; a rollback registers it anew"),
        note=short_arn(arn),
    )


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """The ARN of the revision that was registered or deregistered."""
    arn = answer.get("taskDefinition", {}).get("taskDefinitionArn")
    if not isinstance(arn, str):
        raise RefusedError(f"{step.address}: {call} was answered without the revision's ARN")
    return {"arn": arn}


def reconcile(ask: Ask, step: Step, call: Call) -> dict[str, str] | None:
    """A registration is looked for among revisions newer than the plan; a deregistration by the revision's status."""
    if call.operation == "deregister_task_definition":
        arn = str(call.params["taskDefinition"])
        (answer,) = ask.many([_describe(arn)])
        found = _candidate(answer)
        return {"arn": arn} if found is None or not found.reusable else None
    (listed,) = _all_pages(ask, ask.many([_list(call.params["family"])]))
    newer = [
        arn
        for arn in sorted(listed, key=revision_of)
        if same_family(arn, call.params["family"]) and revision_of(arn) > step.expect.get("newest", 0)
    ]
    also = beyond(*REQUEST, call.params)
    described = ask.many([_describe(arn) for arn in newer]) if newer else ()
    usable = [found for answer in described if (found := _candidate(answer, also)) and found.reusable]
    # An exactly equal one first; else one that is equal but for variables that ECS may have dropped.
    for assume in (lambda doc, wanted: doc, lambda doc, wanted: blank_variables(doc, wanted, wanted)[0]):
        for found in usable:
            wanted = merge(found.doc, call.params)
            if normal(wanted, RULES) == normal(assume(found.doc, wanted), RULES):
                return dict(found.outputs)
    return None


def concerns(call: Call) -> str:
    """The family; "" for a revision that is not known yet."""
    arn = call.params.get("taskDefinition", "")
    return str(call.params["family"]) if "family" in call.params else family_of(arn) if isinstance(arn, str) else ""


KIND = Kind(
    name=NAME,
    rank=0,
    rules=RULES,
    writes=frozenset({"ecs:register_task_definition", "ecs:deregister_task_definition"}),
    shape="ecs:register_task_definition",
    expects={"newest": int},
    compile=compile_,
    read=read,
    read_used=read_used,
    merge=merge,
    doubtful=blank_variables,
    plan_faults=plan_faults,
    steps=steps,
    retire=retire,
    accept=accept,
    reconcile=reconcile,
    versioned=True,
    concerns=concerns,
)
