"""Rollback: makes desired resources of the journal, or of ECS's own revision history. Pure.

They go through `diff` and `steps` like any other desired state. So only what differs from the live state is changed,
it is shown and journaled, and it can itself be rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ecsplan.core.documents import mapped, refs_in, texts_in
from ecsplan.core.errors import UsageError
from ecsplan.core.model import Action, Address, Call, Change, Doc, Notify, Ref, Settings
from ecsplan.core.text import short_arn
from ecsplan.journal import Deployment, Outcome
from ecsplan.kinds import kinds_of
from ecsplan.kinds import task_definition as revisions
from ecsplan.kinds.contract import Kind, Live, Resource
from ecsplan.kinds.task_definition.read import family_of, revision_of

PINNED = re.compile(r"arn:[^:]+:ecs:[^:]*:[^:]*:task-definition/[A-Za-z0-9_-]+:\d+")


@dataclass(frozen=True, kw_only=True)
class RollbackState:
    """What a rollback restores: desired resources, the tag that ran then, the deployments that it undoes, and notes for
    the operator."""

    resources: tuple[Resource, ...]
    tag: str
    undoes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    notify: Mapping[str, Notify] | None = None


def default_number(deployments: Sequence[Deployment]) -> int:
    """The number to roll back to if none is given: the one before the newest deployment that changed something. An
    unfinished rollback is continued: undoing it would restore what it was rolling back from."""
    numbers = [0, *(deployment.number for deployment in deployments)]
    for deployment in reversed(deployments):
        if not deployment.outcome.left_nothing and (_changed(deployment) or _is_open(deployment)):
            before = deployment.number - 1 if deployment.outcome.ended else deployment.rollback_target
            return max(number for number in numbers if number <= before)
    raise UsageError("there is nothing to roll back: no deployment in the journal has changed anything")


def _changed(deployment: Deployment) -> bool:
    """Has it begun a change that can be rolled back? A one-off task or a redeployment is not such a change."""
    begun = [step for step in deployment.plan.steps if step.index in deployment.begun()]
    return any(isinstance(step.undo, Call) and (step.changes or step.action is not Action.UPDATE) for step in begun)


def _is_open(deployment: Deployment) -> bool:
    """Is it unfinished, with something begun? A rollback must not skip it: that would undo more than was asked for."""
    return not deployment.outcome.ended and bool(deployment.begun())


def to_deployment(deployments: Sequence[Deployment], number: int, *, keep: bool) -> RollbackState:
    """Every address that the deployments after `number` changed, as it was before the first of them. 0 is before all
    deployments."""
    known = {deployment.number: deployment for deployment in deployments}
    if number != 0 and number not in known:
        have = f"it has {min(known)} to {max(known)}" if known else "it is empty"
        raise UsageError(f"there is no deployment {number} in the journal: {have}")
    kinds = _kinds(deployments)
    later = [d for d in deployments if d.number > number and not d.outcome.left_nothing]
    befores: dict[Address, Doc] = {}
    last: dict[Address, Change] = {}
    for deployment in reversed(later):
        for change in _reversible(deployment, kinds):
            compare, newer = kinds[change.address].compare, befores.get(change.address)
            assert compare is not None
            assert change.before is not None
            befores[change.address] = compare.merge_before(newer, change.before) if newer else change.before
            last.setdefault(change.address, change)
    tasks = {change.address: change.task for d in later for change in d.plan.changes}
    return RollbackState(
        resources=_resources(
            kinds=kinds,
            befores=befores,
            last=last,
            kept_users=_kept_users(later, kinds, befores),
            registered=[] if keep else _registered(later, kinds),
            known=known_definitions(deployments),
            tasks=tasks,
            still_rolling=_still_rolling(later, kinds),
        ),
        tag=_tag(deployments, number),
        undoes=tuple(deployment.number for deployment in later if deployment.begun()),
        notes=_gap_notes(known, number),
        notify=deployments[-1].plan.notify if deployments else None,
    )


def _kinds(deployments: Sequence[Deployment]) -> dict[Address, Kind]:
    """The kind of every address that the journal names."""
    return {address: kind for deployment in deployments for address, kind in kinds_of(deployment.plan).items()}


def _gap_notes(known: Mapping[int, Deployment], number: int) -> tuple[str, ...]:
    """Deployments missing from the journal: their changes cannot be restored."""
    missing = [str(one) for one in range(number + 1, max(known, default=0)) if one not in known]
    if not missing:
        return ()
    return (
        f"the journal lacks deployment {', '.join(missing)}: what it changed goes back only as far as the others tell",
    )


def _tag(deployments: Sequence[Deployment], number: int) -> str:
    """The tag that ran after deployment `number`: that of the newest deployment up to it that succeeded."""
    tags = [d.plan.tag for d in deployments if d.number <= number and d.outcome is Outcome.SUCCEEDED]
    return tags[-1] if tags else ""


def _reversible(deployment: Deployment, kinds: Mapping[Address, Kind]) -> Iterator[Change]:
    """The changes of a deployment that were begun and can be rolled back. If one was not carried out, the diff with the
    live state drops it."""
    begun = {step.address for step in deployment.plan.steps if step.index in deployment.begun()}
    for change in deployment.plan.changes:
        kind = kinds[change.address]
        if change.address in begun and change.before is not None and kind.compare is not None and not kind.versioned:
            yield change


def _kept_users(
    later: Sequence[Deployment], kinds: Mapping[Address, Kind], befores: Mapping[Address, Doc]
) -> dict[Address, Change]:
    """What those deployments read and did not change. It is read again, so that no revision that it uses is
    deregistered."""
    return {
        change.address: change
        for deployment in later
        for change in deployment.plan.changes
        if change.address not in befores and change.after is not None and _identity(kinds[change.address])
    }


def _registered(later: Sequence[Deployment], kinds: Mapping[Address, Kind]) -> list[str]:
    """The ARNs of the revisions that those deployments registered."""
    return [
        arn
        for deployment in later
        for step in deployment.plan.steps
        if step.action is Action.CREATE and kinds[step.address].versioned
        if (arn := deployment.outputs().get(step.index, {}).get("arn"))
    ]


def _still_rolling(later: Sequence[Deployment], kinds: Mapping[Address, Kind]) -> dict[Address, Doc]:
    """The rollouts of the newest of those deployments, which may still be under way: their outputs, and the revision
    before."""
    if not later or later[-1].plan.undoes:
        return {}
    outputs = later[-1].outputs()
    return {
        step.address: {
            **outputs[step.index],
            "previous": step.expect.get("previous", ""),
            "open": not later[-1].outcome.ended,
        }
        for step in later[-1].plan.steps
        if step.index in outputs and not kinds[step.address].versioned
    }


def known_definitions(deployments: Sequence[Deployment]) -> dict[str, Doc]:
    """The task definitions that the journal holds, by ARN: as they were registered, or else as ECS answered them."""
    known: dict[str, Doc] = {}
    for deployment in deployments:
        outputs, kinds = deployment.outputs(), kinds_of(deployment.plan)
        for change in deployment.plan.changes:
            if kinds[change.address].versioned and change.before and "arn" in change.outputs:
                known.setdefault(change.outputs["arn"], change.before)
        for step in deployment.plan.steps:
            if step.action is Action.CREATE and kinds[step.address].versioned and step.index in outputs:
                known[outputs[step.index].get("arn", "")] = step.call.params
    return known


def _resources(
    *,
    kinds: Mapping[Address, Kind],
    befores: Mapping[Address, Doc],
    last: Mapping[Address, Change],
    kept_users: Mapping[Address, Change],
    registered: Sequence[str],
    known: Mapping[str, Doc],
    tasks: Mapping[Address, str],
    still_rolling: Mapping[Address, Doc],
) -> tuple[Resource, ...]:
    """What a rollback restores. `befores` are documents as they were, `last` the newest change of each address; the
    revisions that were `registered` since are retired, `kept_users` only read. Revisions are pinned by ARN."""
    arns = sorted({text for doc in befores.values() for text in texts_in(doc) if PINNED.fullmatch(text)})
    families = [family_of(arn) for arn in arns]
    pins = {
        arn: Address.of(
            revisions.NAME,
            family_of(arn) if families.count(family_of(arn)) == 1 else short_arn(arn),
        )
        for arn in arns
    }
    retire = {family: [a for a in registered if family_of(a) == family] for family in map(family_of, registered)}
    result = []
    for arn, address in pins.items():
        old = tuple(dict.fromkeys(retire.pop(family_of(arn), ())))
        task = tasks.get(address, family_of(arn))
        result.append(
            Resource(kind=revisions.KIND, address=address, task=task, doc=known.get(arn, {}), pinned=arn, retire=old)
        )
    for family, old_arns in sorted(retire.items()):
        address = Address.of(revisions.NAME, family)
        result.append(
            Resource(
                kind=revisions.KIND,
                address=address,
                task=tasks.get(address, family),
                doc={},
                retire=tuple(old_arns),
            )
        )
    for address, doc in befores.items():
        change = last[address]
        # A redeployment, which has no differences, is reverted too if it is still under way.
        again = still_rolling.get(address, {}).get("open", False) and not change.fields
        settings = Settings(wait=change.settings.wait, timeout=change.settings.timeout, redeploy=again)
        facts = {"made": still_rolling[address]} if address in still_rolling else {}
        result.append(
            Resource(
                kind=kinds[address],
                address=address,
                task=change.task,
                doc=_referring(doc, pins),
                settings=settings,
                facts=facts,
                optional=True,
            )
        )
    for address, change in kept_users.items():
        kind, after = kinds[address], change.after
        if after is not None and (identity := _identity(kind)):
            result.append(Resource(kind=kind, address=address, task=change.task, doc=identity(after), optional=True))
    return tuple(sorted(result, key=lambda resource: resource.kind.order))


def _identity(kind: Kind) -> Callable[[Doc], Doc] | None:
    return kind.compare.identity if kind.compare is not None else None


def _referring(doc: Doc, pins: Mapping[str, Address]) -> Any:
    """The document with each pinned revision as a reference, since it may have to be registered again."""
    return mapped(
        doc, lambda leaf: Ref(address=pins[leaf], output="arn") if isinstance(leaf, str) and leaf in pins else leaf
    )


# --- without a journal ---


def to_revision(
    declared: Sequence[Resource], lives: Mapping[Address, Live], wanted: str | None, *, keep: bool
) -> RollbackState:
    """A rollback by ECS's own history: to `FAMILY:REV`, or for each family to the ACTIVE revision before the one in
    use.

    `declared` are the spec's resources, `lives` the live state of their addresses. Only the revision is changed.
    """
    result, notes = [], []
    families = [resource for resource in declared if resource.kind.versioned]
    if wanted is not None:
        families = [resource for resource in families if resource.doc["family"] == wanted.rpartition(":")[0]]
        if not families:
            raise UsageError(f"{wanted}: no task of the spec has the family {wanted.rpartition(':')[0]!r}")
    for resource in families:
        live = lives[resource.address]
        in_use = live.candidates[0].outputs["arn"] if live.candidates else ""
        to = wanted or _previous(resource, in_use, live.facts["active"])
        newer = revision_of(in_use) > revision_of(to)
        retire = (in_use,) if newer and not keep else ()
        result.append(msgspec.structs.replace(resource, doc={}, pinned=to, retire=retire, keep=None))
        notes.append(f"by ECS's own history: {short_arn(in_use) or 'nothing'} -> {short_arn(to)}")
    moved = frozenset(resource.address for resource in result)
    result += [_moved_only(other, moved) for other in declared if _refers_to(other, moved)]
    ordered = sorted(result, key=lambda resource: resource.kind.order)
    return RollbackState(resources=tuple(ordered), tag="", notes=tuple(notes))


def _previous(resource: Resource, in_use: str, active: Sequence[str]) -> str:
    number = revision_of(in_use)
    older = [arn for arn in active if revision_of(arn) < number]
    if not older:
        raise UsageError(
            f"{resource.address}: there is no ACTIVE revision before {short_arn(in_use) or 'the first'} to go back to",
            hint="Name one with --to FAMILY:REV.",
        )
    return max(older, key=revision_of)


def _refers_to(resource: Resource, addresses: frozenset[Address]) -> bool:
    return _identity(resource.kind) is not None and any(ref.address in addresses for ref in refs_in(resource.doc))


def _moved_only(resource: Resource, addresses: frozenset[Address]) -> Resource:
    """The service or targets with only the revision declared."""
    settings = Settings(wait=resource.settings.wait, timeout=resource.settings.timeout)
    compare = resource.kind.compare
    doc = compare.revision_only(resource.doc, addresses) if compare and compare.revision_only else resource.doc
    return msgspec.structs.replace(resource, doc=doc, settings=settings)
