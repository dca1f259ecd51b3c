"""Orders the steps of changes into a plan, each with its undo. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ecsplan.core.codec import digest_of, to_data
from ecsplan.core.documents import texts_in
from ecsplan.core.model import Action, Address, Identity, Notify, Phase, Plan, Step
from ecsplan.kinds.contract import Delta, Kind, Live, Resource, StepDraft
from ecsplan.plan.diff import conflicts

STILL_ROLLING = "{} is still rolling out an earlier deployment"


def plan_of(
    deltas: Sequence[Delta],
    *,
    app: str,
    tag: str,
    identity: Identity,
    observed: Mapping[Address, str],
    base: int = 0,
    warnings: Iterable[str] = (),
    notify: Mapping[str, Notify] | None = None,
    undoes: Sequence[int] = (),
    replaces: Sequence[int] = (),
    seen: Mapping[Address, Any] | None = None,
) -> Plan:
    """The plan for these deltas. Without a difference it has no steps: cleanup alone is no difference, except in a
    rollback, whose deployment may have registered revisions and switched nothing."""
    drafts = [
        (delta, draft)
        for delta in deltas
        if delta.change.action is not Action.KEEP
        for draft in delta.kind.change.steps(delta)
    ]
    if drafts or undoes:
        used = _used_afterwards(deltas)
        drafts += [(delta, draft) for delta in deltas for draft in delta.kind.change.cleanup(delta, used)]
    drafts.sort(key=lambda pair: pair[1].phase.rank)  # stable: within a phase the order of the spec stays
    steps = tuple(_step(number, delta, draft) for number, (delta, draft) in enumerate(drafts, 1))
    plan = Plan(
        app=app,
        tag=tag,
        identity=identity,
        base=base,
        changed=bool(steps),
        observed=dict(sorted(observed.items())),
        changes=tuple(delta.change for delta in deltas),
        steps=steps,
        summary=_summary(steps),
        warnings=tuple(warnings),
        notify=dict(notify or {}),
        undoes=tuple(undoes),
        replaces=tuple(replaces) or msgspec.UNSET,
        seen=dict(sorted((seen or {}).items())),
    )
    return msgspec.structs.replace(plan, digest=plan_digest(plan))


def _summary(steps: Sequence[Step]) -> dict[str, int]:
    """Steps by phase. That something is stopped is rare, and named only then."""
    counts = {phase.value: sum(step.phase is phase for step in steps) for phase in Phase}
    return {phase: count for phase, count in counts.items() if count or phase != Phase.STOP.value}


def plan_digest(plan: Plan) -> str:
    """The digest of everything in the plan but the digest itself."""
    data = to_data(plan)
    data.pop("digest")
    return digest_of(data)


def cautions(deltas: Sequence[Delta]) -> Iterator[str]:
    """Warnings for the operator, a sentence each."""
    others = {delta.change.address: delta for delta in deltas}
    for delta in deltas:
        if delta.resource.optional:  # for others `diff` has raised them
            yield from conflicts(delta, others)
        address, found = delta.change.address, delta.candidate
        if delta.live.rolling and not _reverts_rollout(delta):
            yield STILL_ROLLING.format(address)
        if delta.change.action is Action.CREATE and found is not None and not found.reusable:
            arn = found.outputs.get("arn", "").rpartition("/")[2]
            yield f"{arn}, which is in use, is INACTIVE: ECS will not take it back if this deployment fails"
        for doubt in delta.uncertainties:
            yield f"{address}: {doubt}"


def _reverts_rollout(delta: Delta) -> bool:
    """Does this change revert a rollout that is still under way?"""
    moves = delta.change.action is not Action.KEEP
    return moves and any(_is_revert(delta.kind, draft) for draft in delta.kind.change.steps(delta))


def rolling(steps: Iterable[Step], resources: Iterable[Resource], lives: Mapping[Address, Live]) -> list[str]:
    """Warnings about services that the plan changes while they roll out, unless it reverts that: a sentence each."""
    kinds = {resource.address: resource.kind for resource in resources if lives[resource.address].rolling}
    moved = {step.address: step for step in steps if step.address in kinds}
    return [STILL_ROLLING.format(address) for address, step in moved.items() if not _is_revert(kinds[address], step)]


def _is_revert(kind: Kind, step: Step | StepDraft) -> bool:
    """Does this step revert an earlier rollout that may still be under way?"""
    return kind.revert is not None and kind.revert.started_by(step.expect) is not None


def _step(number: int, delta: Delta, draft: StepDraft) -> Step:
    address = delta.change.address
    return Step(
        index=number,
        phase=draft.phase,
        kind=address.kind,
        address=address,
        action=draft.action,
        changes=draft.changes,
        call=draft.call,
        undo=draft.undo,
        task=delta.change.task,
        note=draft.note,
        settings=draft.settings,
        expect=draft.expect,
    )


def _used_afterwards(deltas: Sequence[Delta]) -> frozenset[str]:
    """Every text in what will be live, among them every revision in use, and what is still draining."""
    return frozenset(
        text
        for delta in deltas
        for document in (delta.merged_doc, delta.live.in_use)
        if not delta.kind.versioned
        for text in texts_in(document)
    )
