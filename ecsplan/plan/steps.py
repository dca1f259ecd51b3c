"""Orders the steps of changes into a plan, each with its undo. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ecsplan.core.codec import digest_of, to_data
from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import texts_in
from ecsplan.core.model import Action, Address, Identity, Notify, Phase, Plan, Rollback, Scope, Step
from ecsplan.core.text import short_arn
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
    rollback: Rollback | None = None,
    seen: Mapping[Address, Any] | None = None,
    scope: Scope | UnsetType = UNSET,
    own: Mapping[Address, frozenset[str]] | None = None,
) -> Plan:
    """The plan for these deltas. `own` names what is deployed for the first time, each with the revisions (ARNs) that
    ecsplan has registered of it: no other one is deregistered, and a warning counts them.

    Without a difference it has no steps: cleanup alone is no difference, except in a
    rollback, whose deployment may have registered revisions and switched nothing. Neither does a plan that only waits
    clean up."""
    drafts = [
        (delta, draft)
        for delta in deltas
        if delta.change.action is not Action.KEEP
        for draft in delta.kind.change.steps(delta)
    ]
    if undoes or any(draft.action.changes for _, draft in drafts):
        used = _used_afterwards(deltas)
        old = [(delta, draft) for delta in deltas for draft in delta.kind.change.cleanup(delta, used)]
        drafts += [pair for pair in old if not _is_strange(*pair, own or {})]
        spared = [delta.change.address for delta, draft in old if _is_strange(delta, draft, own or {})]
        warnings = (*warnings, *_spared(spared))
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
        replaces=tuple(replaces) or UNSET,
        rollback=rollback if rollback is not None else UNSET,
        seen=dict(sorted((seen or {}).items())),
        scope=scope,
    )
    return msgspec.structs.replace(plan, digest=plan_digest(plan))


def _is_strange(delta: Delta, draft: StepDraft, own: Mapping[Address, frozenset[str]]) -> bool:
    """Does it deregister what was there before ecsplan deployed it for the first time?"""
    return delta.change.address in own and own[delta.change.address].isdisjoint(texts_in(draft.call.params))


def _spared(addresses: Sequence[Address]) -> Iterator[str]:
    for address, count in Counter(addresses).items():
        revisions = f"{count} older revisions stay" if count > 1 else "1 older revision stays"
        yield f"{address}: {revisions}: ecsplan did not register them, and deploys this family for the first time"


def _summary(steps: Sequence[Step]) -> dict[str, int]:
    """The number of steps in each phase. Those that only wait are counted apart; that, and stopping, is named only
    where there are any."""
    waits = sum(step.action is Action.WAIT for step in steps)
    counted = {p.value: sum(step.phase is p and step.action is not Action.WAIT for step in steps) for p in Phase}
    named = {phase: count for phase, count in counted.items() if count or phase != Phase.STOP.value}
    return named | ({Action.WAIT.value: waits} if waits else {})


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
        if delta.live.rolling and not _is_said(delta) and not _reverts_rollout(delta):
            yield STILL_ROLLING.format(address)
        if delta.change.action is not Action.KEEP:
            yield from delta.kind.change.remarks(delta)
        if delta.change.action is Action.CREATE and found is not None and not found.reusable:
            arn = found.outputs.get("arn", "")
            # Where a rollback goes is registered again, and need not be in use.
            if delta.resource.pinned != arn or arn in _used_now(deltas):
                name = short_arn(arn)
                yield f"{name}, which is in use, is INACTIVE: ECS will not take it back if this deployment fails"
        for doubt in delta.uncertainties:
            yield f"{address}: {doubt}"


def _is_said(delta: Delta) -> bool:
    """Does the change itself say how the rollout stands, or has it failed?"""
    unsettled = delta.live.unsettled
    waits = delta.change.action is Action.WAIT
    return waits or (unsettled is not None and unsettled.status is Status.FAILED)


def _reverts_rollout(delta: Delta) -> bool:
    """Does this change revert a rollout that is still under way?"""
    return delta.change.action.changes and any(
        _is_revert(delta.kind, draft) for draft in delta.kind.change.steps(delta)
    )


def rolling(steps: Iterable[Step], resources: Iterable[Resource], lives: Mapping[Address, Live]) -> list[str]:
    """Warnings about services that the plan changes while they roll out, unless it reverts that: a sentence each."""
    kinds = {resource.address: resource.kind for resource in resources if lives[resource.address].rolling}
    moved = {step.address: step for step in steps if step.address in kinds and step.action.changes}
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


def _used_now(deltas: Sequence[Delta]) -> frozenset[str]:
    """Every text in what is live, among them every revision in use."""
    return frozenset(
        text
        for delta in deltas
        for document in (*(found.doc for found in delta.live.candidates), delta.live.in_use)
        if not delta.kind.versioned
        for text in texts_in(document)
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
