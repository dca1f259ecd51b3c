"""The requests that set and remove EventBridge targets, and what their answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Action, Address, Call, Doc, FieldChange, Phase, Step
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Reader
from ecsplan.kinds.contract import Delta, StepDraft
from ecsplan.kinds.ecs.request_fields import missing
from ecsplan.kinds.event_targets.read import by_id, listing, names_of, rule_is_missing, targets_of
from ecsplan.kinds.event_targets.rules import RULES

BATCH = 10  # entries per PutTargets or RemoveTargets call (EventBridge quotas)
ABSENT = "absent"  # in a rollback's document: Ids of targets that did not exist before


def steps(delta: Delta) -> tuple[StepDraft, ...]:
    """PutTargets for changed and new targets, RemoveTargets for those to be removed; others are not sent."""
    assert delta.candidate is not None
    old, new = by_id(delta.current.normal), by_id(delta.merged.normal)
    raw, wanted = by_id(delta.candidate.doc), by_id(delta.merged_doc)
    changed = [name for name in wanted if name in old and new[name] != old[name]]
    created = [name for name in wanted if name not in old]
    gone = [name for name in delta.resource.doc.get(ABSENT, ()) if name in old]
    names = names_of(delta.resource.doc)

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
    """Required members that changed targets lack. Their revision is not checked, since it may not be known yet."""
    old = by_id(delta.current.normal)
    changed = [name for name, target in by_id(delta.merged.normal).items() if old.get(name) != target]
    wanted, names = by_id(delta.merged_doc), names_of(delta.resource.doc)
    found = {name: missing("events", "put_targets", {**names, "Targets": [wanted[name]]}, delta) for name in changed}
    return tuple(said.replace("Targets[0]", f"targets.{name}", 1) for name, all_ in found.items() for said in all_)


def _sendable(target: Doc) -> Doc:
    """The target without an empty PropagateTags, which means that nothing is propagated, and which EventBridge
    rejects."""
    parameters = target.get("EcsParameters", {})
    if parameters.get("PropagateTags") != "":
        return target
    return {**target, "EcsParameters": {k: v for k, v in parameters.items() if k != "PropagateTags"}}


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[i : i + BATCH] for i in range(0, len(ids), BATCH)]


def _draft(delta: Delta, action: Action, ids: Sequence[str], do: Call, undo: Call) -> StepDraft:
    return StepDraft(
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
    """No outputs. Entries that failed are an error although AWS answers 200; only they are repeated. A target that was
    to be removed and is not there is no failure: botocore repeats a request whose answer was lost."""
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


def recover(reader: Reader, step: Step, call: Call) -> dict[str, str] | None:
    """Are all targets of a PutTargets live as it would leave them, or all of a RemoveTargets gone?"""
    (first,) = reader.fetch([listing(call.params)])
    if rule_is_missing(first):
        return None
    (targets,) = targets_of(reader, [first])
    live = by_id({"Targets": targets})
    if "Targets" not in call.params:
        return None if live.keys() & set(call.params["Ids"]) else {}
    put = by_id(normal({"Targets": call.params["Targets"]}, RULES))
    now = by_id(normal({"Targets": [target for name, target in live.items() if name in put]}, RULES))
    return {} if now == put else None


def _only(call: Call, ids: set[Any]) -> Call:
    """The same call with these targets only."""
    params = dict(call.params)
    if "Targets" in params:
        params["Targets"] = [target for target in params["Targets"] if target["Id"] in ids]
    else:
        params["Ids"] = [name for name in params["Ids"] if name in ids]
    return Call(service=call.service, operation=call.operation, params=params)
