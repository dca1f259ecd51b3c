"""Task definitions: registered unless an equal revision can be reused, deregistered when old and unused."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.core.checks import Request
from ecsplan.core.documents import copied
from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Action, Address, Call, Doc, Irreversible, Phase, Ref, Step, Value
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Reader
from ecsplan.core.spec import DEFINITION, Task
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import (
    Calls,
    Change,
    Compare,
    CompileScope,
    Declare,
    Delta,
    Document,
    Kind,
    Live,
    Resource,
    StepDraft,
    Table,
)
from ecsplan.kinds.ecs.request_fields import unknown_fields
from ecsplan.kinds.task_definition import lint
from ecsplan.kinds.task_definition.read import (
    REQUEST,
    arns_of,
    candidate,
    describe,
    family_of,
    listing,
    read,
    read_used,
    revision_of,
    revisions,
    same_family,
)
from ecsplan.kinds.task_definition.rules import RULES, blank_variables

NAME = DEFINITION
BY_ECSPLAN = (
    "set by ecsplan to the task's own revision; leave it out"  # the message if a table declares `taskDefinition`
)
SCALARS = (int, float, bool)  # types of variables' values that `stringify_environment` converts
# Not required by the model, but by AWS: "Container.name should not be null or empty".
_CONTAINER = frozenset({"containerDefinitions[].name", "containerDefinitions[].image"})
TABLE = Table(
    key=DEFINITION,
    single=True,
    request=Request(
        service="ecs",
        operation="register_task_definition",
        required=_CONTAINER,
        filled=_CONTAINER | {"containerDefinitions"},
        lenient={"cpu": (int,), "memory": (int,), "containerDefinitions[].environment[].value": SCALARS},
    ),
)

# botocore does not repeat this one, which is a ClientException.
TOO_MANY_AT_ONCE = "Too many concurrent attempts to create a new revision of the specified family"


def compile_(task: Task, scope: CompileScope) -> tuple[Resource, ...]:
    """RegisterTaskDefinition's parameters with the tag in every image, and numbers as the text that AWS takes."""
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
    return (Resource(kind=KIND, address=address_of(task), task=task.name, doc=doc, keep=task.active_task_count),)


def address_of(task: Task) -> Address:
    return Address.of(NAME, task.family)


def arn_of(task: Task) -> Ref:
    """The revision that the task's services, one-off tasks and targets are on after the deployment."""
    return Ref(address=address_of(task), output="arn")


def stringify_environment(container: Doc) -> None:
    """Converts TOML's numbers and booleans to the text that AWS takes, in place."""
    for variable in container.get("environment") or ():
        value = variable.get("value")
        if isinstance(value, bool):
            variable["value"] = "true" if value else "false"
        elif isinstance(value, int | float):
            variable["value"] = str(value)


# --- comparing and changing ---


def merge(live: Doc, declared: Doc) -> Doc:
    """A revision is replaced whole; only undeclared tags, which others may add to a live one, are kept. If nothing is
    declared, the live revision stays."""
    if not declared:
        return live
    if "tags" in live and "tags" not in declared:
        return {**declared, "tags": live["tags"]}
    return declared


def blockers(resource: Resource, live: Live) -> tuple[str, ...]:
    if resource.pinned and live.wanted is None and not resource.doc:
        return (f"revision {short_arn(resource.pinned)} is no longer known to ECS, nor to the journal",)
    return ()


def steps(delta: Delta) -> tuple[StepDraft, ...]:
    """One registration of what is declared."""
    own = Ref(address=delta.resource.address, output="arn")
    known = [*delta.live.facts.get("active", ()), *arns_of(delta.live)]
    newest = max(known, key=revision_of, default="")
    in_use = delta.candidate.outputs["arn"] if delta.candidate else ""
    than = f", compared with {short_arn(in_use)}" if in_use and in_use != newest else ""
    return (
        StepDraft(
            phase=Phase.REGISTER,
            action=Action.CREATE,
            call=Call(service="ecs", operation="register_task_definition", params=delta.merged_doc),
            undo=Call(service="ecs", operation="deregister_task_definition", params={"taskDefinition": own}),
            changes=delta.change.fields,
            note=f"a new revision, after {short_arn(newest)}{than}" if newest else "the first revision",
            expect={"newest": revision_of(newest)},
        ),
    )


def cleanup(delta: Delta, used: frozenset[str]) -> tuple[StepDraft, ...]:
    """Deregisters what is older than the newest `keep`, or what a rollback reverted, unless it is in use."""
    active: Sequence[str] = delta.live.facts.get("active", ())
    if delta.resource.pinned or delta.resource.retire:
        old = [arn for arn in active if arn in delta.resource.retire]
    elif delta.resource.keep is None:
        old = []
    else:
        # A revision that is about to be registered is the newest of those to keep.
        kept = delta.resource.keep - (delta.change.action is Action.CREATE)
        old = list(active[kept:])
    # If nothing is declared, the revision that was found need not stay.
    kept_one = delta.change.action is Action.KEEP and delta.declared
    target = delta.change.outputs.get("arn") if kept_one else None
    unused = (arn for arn in old if arn not in used and short_arn(arn) not in used and arn != target)
    return tuple(_deregister(arn) for arn in sorted(unused, key=revision_of))


def _deregister(arn: str) -> StepDraft:
    return StepDraft(
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


def recover(reader: Reader, step: Step, call: Call) -> dict[str, str] | None:
    """A registration is recovered from revisions newer than the plan, a deregistration from the revision's status."""
    if call.operation == "deregister_task_definition":
        arn = str(call.params["taskDefinition"])
        (answer,) = reader.fetch([describe(arn)])
        found = candidate(answer)
        return {"arn": arn} if found is None or not found.reusable else None
    (listed,) = revisions(reader, reader.fetch([listing(call.params["family"])]))
    newer = [
        arn
        for arn in sorted(listed, key=revision_of)
        if same_family(arn, call.params["family"]) and revision_of(arn) > step.expect.get("newest", 0)
    ]
    also = unknown_fields(*REQUEST, call.params)
    described = reader.fetch([describe(arn) for arn in newer]) if newer else ()
    usable = [found for answer in described if (found := candidate(answer, also)) and found.reusable]
    # An equal one first, then one that is equal but for variables that ECS may have dropped.
    for assume in (lambda doc, wanted: doc, lambda doc, wanted: blank_variables(doc, wanted, wanted)[0]):
        for found in usable:
            wanted = merge(found.doc, call.params)
            if normal(wanted, RULES) == normal(assume(found.doc, wanted), RULES):
                return dict(found.outputs)
    return None


def subject(call: Call) -> str:
    """The family; "" if the revision is not known yet."""
    arn = call.params.get("taskDefinition", "")
    return str(call.params["family"]) if "family" in call.params else family_of(arn) if isinstance(arn, str) else ""


class Expect(Value, frozen=True, kw_only=True):
    """The number of the newest revision when the plan was made."""

    newest: int = 0


KIND = Kind(
    name=NAME,
    order=0,
    document=Document(rules=RULES),
    declare=Declare(table=TABLE, compile=compile_, lint=lint.problems, cautions=lint.cautions, clashes=lint.clashes),
    compare=Compare(read=read, read_used=read_used, merge=merge, tolerate=blank_variables, versioned=True),
    change=Change(
        writes=frozenset({"ecs:register_task_definition", "ecs:deregister_task_definition"}),
        steps=steps,
        blockers=blockers,
        cleanup=cleanup,
        expect=Expect,
        subject=subject,
    ),
    calls=Calls(accept=accept, recover=recover, retryable=lambda error: TOO_MANY_AT_ONCE in error.message),
)
