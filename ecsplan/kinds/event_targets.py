"""EventBridge targets: pointed at a revision, with everything else about them kept as it is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecsplan.errors import RefusedError
from ecsplan.kinds.base import Answer, Ask, Delta, Draft, Kind, Scope, layered, overlay, replaced
from ecsplan.kinds.complete import missing
from ecsplan.kinds.event_targets_rules import RULES
from ecsplan.kinds.newer import beyond, free_form, known
from ecsplan.kinds.task_definition import arn_of
from ecsplan.model import Action, Address, Call, Candidate, Doc, FieldChange, Live, Phase, Ref, Resource, Step, copied
from ecsplan.normalize import Form, is_empty, normal
from ecsplan.spec import Task

NAME = "event_targets"
BATCH = 10  # entries per PutTargets or RemoveTargets call (EventBridge quotas)
ABSENT = "absent"  # in a rollback's document: Ids of targets that were not there before


def compile_(task: Task, scope: Scope) -> tuple[Resource, ...]:
    """One resource per rule: the declared part of its targets, each on the revision unless it declares its own."""
    return tuple(
        Resource(
            address=Address.of(NAME, rule_name(entry.params)), task=task.name, doc=_pinned(entry.params, arn_of(task))
        )
        for entry in task.put_targets
    )


def join(first: Doc, second: Doc) -> Doc:
    """A rule of which two tasks declare targets: they are set with one call, since EventBridge refuses two at once."""
    return {**first, "Targets": [*first["Targets"], *second["Targets"]]}


def _pinned(params: Doc, arn: Ref) -> Doc:
    doc: Doc = copied(params)
    for target in doc["Targets"]:
        target.setdefault("EcsParameters", {}).setdefault("TaskDefinitionArn", arn)
    return doc


def rule_name(params: Mapping[str, Any]) -> str:
    """The rule's name, after its bus where that is not the default one."""
    given = str(params.get("EventBusName") or "default")
    bus = given.partition(":event-bus/")[2] or given
    return str(params["Rule"]) if bus == "default" else f"{bus}/{params['Rule']}"


# --- reading ---


def read(ask: Ask, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """All targets of all rules at once; a rule that two tasks declare is asked for once."""
    answers = ask.many([_list(resource.doc) for resource in resources])
    return tuple(_live(ask, resource, answer) for resource, answer in zip(resources, answers, strict=True))


def _names(doc: Doc) -> Doc:
    return {field: doc[field] for field in ("Rule", "EventBusName") if field in doc}


def _list(doc: Doc) -> Call:
    return Call(service="events", operation="list_targets_by_rule", params=_names(doc))


def _live(ask: Ask, resource: Resource, first: Answer) -> Live:
    if first.error and first.error.code == "ResourceNotFoundException":
        return Live(address=resource.address, observed="missing")
    targets = _all_pages(ask, first)
    request = ("events", "put_targets")
    doc = known(*request, {**_names(resource.doc), "Targets": targets}, beyond(*request, resource.doc))
    observed = normal(doc, RULES)
    found = Candidate(doc=doc, outputs={}, normal=observed)
    return Live(address=resource.address, candidates=(found,), observed=observed)


def _all_pages(ask: Ask, answer: Answer) -> list[Doc]:
    data = answer.value()
    targets, seen = list(data.get("Targets", ())), set[str]()
    # A page that names itself as the next one would never end.
    while (token := data.get("NextToken")) and token not in seen:
        seen.add(token)
        call = Call(
            service="events",
            operation="list_targets_by_rule",
            params={**answer.call.params, "NextToken": token},
        )
        (following,) = ask.many([call])
        data = following.value()
        targets.extend(data.get("Targets", ()))
    return list({target["Id"]: target for target in targets if "Id" in target}.values())


# --- comparing and changing ---

# Of these EventBridge takes one at most (EventBridge API reference, Target and EcsParameters).
INPUTS = frozenset({"Input", "InputPath", "InputTransformer"})
CAPACITY = frozenset({"LaunchType", "CapacityProviderStrategy"})


def merge(live: Doc, declared: Doc) -> Doc:
    """PutTargets replaces a target whole: the declared members over the live ones, less what these exclude, and other
    targets as they are."""
    gone = set(declared.get(ABSENT, ()))
    targets = {target["Id"]: target for target in live.get("Targets", ()) if target["Id"] not in gone}
    for target in declared["Targets"]:
        targets[target["Id"]] = overlay(targets.get(target["Id"], {}), _instead(target), _maps())
    return {**_names(declared), "Targets": list(targets.values())}


def _instead(declared: Doc) -> Doc:
    """What is declared of a target, with None for every member that it excludes."""
    result = _only_one(declared, INPUTS)
    if isinstance(parameters := result.get("EcsParameters"), Mapping):
        result["EcsParameters"] = _only_one(parameters, CAPACITY)
    return result


def _only_one(declared: Mapping[str, Any], group: frozenset[str]) -> Doc:
    given = {name for name in group if not is_empty(declared.get(name))}
    return {**dict.fromkeys(group if given else ()), **declared}


def _maps() -> frozenset[str]:
    return free_form("events", "put_targets")


def before(found: Form, wanted: Form, declared: Doc) -> Doc:
    """The declared members of changed targets at their live values, and the Ids of targets that are not there yet."""
    old, new, raw = _by_id(found.normal), _by_id(wanted.normal), _by_id(found.doc)
    targets = []
    for target in declared["Targets"]:
        name = target["Id"]
        if name in old and (values := replaced(old[name], new[name], _instead(target), raw[name], _maps())):
            targets.append({"Id": name, **values})
    targets += [raw[name] for name in declared.get(ABSENT, ()) if name in raw]
    created = [target["Id"] for target in declared["Targets"] if target["Id"] not in old]
    return {**_names(declared), "Targets": targets, **({ABSENT: created} if created else {})}


def _by_id(doc: Doc) -> dict[str, Doc]:
    return {target["Id"]: target for target in doc.get("Targets", ())}


def older(newer: Doc, older: Doc) -> Doc:
    """Of two documents that put targets back, both: the older one wins, also on whether a target was there at all."""
    targets = _by_id(newer)
    for target in older["Targets"]:
        targets[target["Id"]] = layered(targets.get(target["Id"], {}), target, _maps())
    gone = set(older.get(ABSENT, ()))
    gone |= {name for name in newer.get(ABSENT, ()) if name not in _by_id(older)}
    kept = [target for name, target in targets.items() if name not in gone]
    return {**_names(newer), "Targets": kept, **({ABSENT: sorted(gone)} if gone else {})}


def revision_only(doc: Doc, addresses: frozenset[Address]) -> Doc:
    revisions = {target["Id"]: target["EcsParameters"]["TaskDefinitionArn"] for target in doc["Targets"]}
    targets = [
        {"Id": name, "EcsParameters": {"TaskDefinitionArn": ref}}
        for name, ref in revisions.items()
        if isinstance(ref, Ref) and ref.address in addresses
    ]
    return {**_names(doc), "Targets": targets}


def plan_faults(resource: Resource, live: Live) -> tuple[str, ...]:
    if not live.candidates:
        return (
            f"{resource.address}: there is no such rule; rules are created elsewhere, ecsplan only sets their targets",
        )
    found = _by_id(live.candidates[0].doc)
    return tuple(fault for target in resource.doc["Targets"] if (fault := _fault(resource.address, target, found)))


def _fault(address: Address, target: Doc, found: Mapping[str, Doc]) -> str:
    name = target["Id"]
    if name in found and "EcsParameters" not in found[name] and "Arn" not in target:
        return f"{address}: target {name} does not run an ECS task, it is {found[name].get('Arn')}"
    missing = [field for field in ("Arn", "RoleArn") if field not in target]
    if name not in found and missing:
        return f"{address}: there is no target {name} yet; to make one, declare its {' and '.join(missing)} too"
    return ""


def steps(delta: Delta) -> tuple[Draft, ...]:
    """PutTargets for targets that change and for new ones, RemoveTargets for those to go; others are not sent."""
    assert delta.found is not None
    old, new = _by_id(delta.before.normal), _by_id(delta.after.normal)
    raw, wanted = _by_id(delta.found.doc), _by_id(delta.wanted)
    changed = [name for name in wanted if name in old and new[name] != old[name]]
    created = [name for name in wanted if name not in old]
    gone = [name for name in delta.resource.doc.get(ABSENT, ()) if name in old]
    names = _names(delta.resource.doc)

    def put(ids: Sequence[str], targets: Mapping[str, Doc]) -> Call:
        params = {**names, "Targets": [_sendable(targets[i]) for i in ids]}
        return Call(service="events", operation="put_targets", params=params)

    def remove(ids: Sequence[str]) -> Call:
        return Call(service="events", operation="remove_targets", params={**names, "Ids": list(ids)})

    drafts = []
    for ids in _batches(changed):
        drafts.append(_draft(delta, Action.UPDATE, ids, put(ids, wanted), put(ids, raw)))
    for ids in _batches(created):
        drafts.append(_draft(delta, Action.CREATE, ids, put(ids, wanted), remove(ids)))
    for ids in _batches(gone):
        drafts.append(_draft(delta, Action.DELETE, ids, remove(ids), put(ids, raw)))
    return tuple(drafts)


def refused(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """What a target that changes would have to have; of its revision, which may not be known yet, nothing is asked."""
    old = _by_id(delta.before.normal)
    changed = [name for name, target in _by_id(delta.after.normal).items() if old.get(name) != target]
    wanted, names = _by_id(delta.wanted), _names(delta.resource.doc)
    found = {name: missing("events", "put_targets", {**names, "Targets": [wanted[name]]}, delta) for name in changed}
    return tuple(said.replace("Targets[0]", f"targets.{name}", 1) for name, all_ in found.items() for said in all_)


def _sendable(target: Doc) -> Doc:
    """The target without an empty PropagateTags: it says that nothing is propagated, and EventBridge refuses it."""
    parameters = target.get("EcsParameters", {})
    if parameters.get("PropagateTags") != "":
        return target
    return {**target, "EcsParameters": {k: v for k, v in parameters.items() if k != "PropagateTags"}}


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[i : i + BATCH] for i in range(0, len(ids), BATCH)]


def _draft(delta: Delta, action: Action, ids: Sequence[str], do: Call, undo: Call) -> Draft:
    return Draft(
        phase=Phase.TARGETS,
        action=action,
        call=do,
        undo=undo,
        changes=tuple(field for field in delta.change.fields if _concerns(field, ids)),
        note=", ".join(ids),
    )


def _concerns(field: FieldChange, ids: Sequence[str]) -> bool:
    return any(field.path == f"targets.{name}" or field.path.startswith(f"targets.{name}.") for name in ids)


def accept(step: Step, call: Call, answer: Doc) -> dict[str, str]:
    """Nothing to pass on; entries that failed are an error although AWS answers 200, and only they are worth
    repeating. A target that was to go and is not there is no failure: botocore repeats a request whose answer was
    lost."""
    entries = list(answer.get("FailedEntries", ()))
    gone = {"ResourceNotFoundException"} if call.operation == "remove_targets" else set()
    failed = [entry for entry in entries if entry.get("ErrorCode") not in gone]
    count = answer.get("FailedEntryCount", len(entries)) - (len(entries) - len(failed))
    if count <= 0 and not failed:
        return {}
    ids = {entry.get("TargetId") for entry in failed}
    reasons = [f"{e.get('TargetId')}: {e.get('ErrorCode')}: {e.get('ErrorMessage')}" for e in failed]
    known = bool(ids) and None not in ids
    raise RefusedError(
        f"{step.address}: EventBridge did not take {count} of the targets: " + "; ".join(reasons),
        again=_only(call, ids) if known else None,
    )


def reconcile(ask: Ask, step: Step, call: Call) -> dict[str, str] | None:
    """Are all targets of a PutTargets live as it would leave them, or all of a RemoveTargets gone?"""
    (first,) = ask.many([_list(call.params)])
    if first.error and first.error.code == "ResourceNotFoundException":
        return None  # the rule itself is gone
    live = _by_id({"Targets": _all_pages(ask, first)})
    if "Targets" not in call.params:
        return None if live.keys() & set(call.params["Ids"]) else {}
    put = _by_id(normal({"Targets": call.params["Targets"]}, RULES))
    now = _by_id(normal({"Targets": [target for name, target in live.items() if name in put]}, RULES))
    return {} if now == put else None


def _only(call: Call, ids: set[Any]) -> Call:
    """The same call with only those targets."""
    params = dict(call.params)
    if "Targets" in params:
        params["Targets"] = [target for target in params["Targets"] if target["Id"] in ids]
    else:
        params["Ids"] = [name for name in params["Ids"] if name in ids]
    return Call(service=call.service, operation=call.operation, params=params)


KIND = Kind(
    name=NAME,
    rank=3,
    rules=RULES,
    writes=frozenset({"events:put_targets", "events:remove_targets"}),
    shape="events:put_targets",
    required=frozenset({"Rule", "Targets[].Id"}),
    compile=compile_,
    read=read,
    merge=merge,
    before=before,
    older=older,
    revision_only=revision_only,
    join=join,
    concerns=lambda call: rule_name(call.params),
    names=lambda doc: {**_names(doc), "Targets": []},
    plan_faults=plan_faults,
    conflicts=refused,
    steps=steps,
    accept=accept,
    reconcile=reconcile,
)
