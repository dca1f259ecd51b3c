"""From a state that the journal knows to the resources that a rollback restores. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecsplan.core.documents import mapped
from ecsplan.core.model import Address, Change, Doc, Notify, Ref, Settings
from ecsplan.core.text import short_arn
from ecsplan.journal import Deployment
from ecsplan.kinds import task_definition as revisions
from ecsplan.kinds.contract import Kind, Resource
from ecsplan.kinds.task_definition.read import family_of
from ecsplan.plan.rollback.left import (
    identity_of,
    kinds_in,
    known_definitions,
    left_by,
    on_newest,
    registered_again,
    registered_by,
    reversible,
    revisions_in,
)
from ecsplan.plan.rollback.states import State


@dataclass(frozen=True, kw_only=True)
class RollbackState:
    """What a rollback restores: desired resources, the tag that ran then, the deployments that it undoes, where it goes
    back to (`Plan.back_to`), why that may never have run (`Plan.doubts`), and notes for the operator."""

    resources: tuple[Resource, ...]
    tag: str
    undoes: tuple[int, ...] = ()
    back_to: str = ""
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notify: Mapping[str, Notify] | None = None
    spec: str = ""
    """the spec's file of the deployments that are undone, where no spec is at hand"""
    live_is: int | None = None
    """the number of the deployment whose state is live already, although newer ones left others"""


def to_state(
    deployments: Sequence[Deployment],
    state: State,
    *,
    keep: bool,
    leave: frozenset[Address] = frozenset(),
    known: Sequence[Deployment] = (),
) -> RollbackState:
    """Everything that the plan of the state's deployment covered, as that left it, and every field that later ones
    changed, as it was before the first of them. `keep` deregisters nothing. The addresses to `leave` are only read.
    `known` are all that the journal has, where `deployments` are those of one spec."""
    known = known or deployments
    kinds = kinds_in(known)
    numbers = {deployment.number for deployment in known}
    target = next((d for d in deployments if d.number == state.number and not state.found), None)
    later = [d for d in deployments if d.number > state.newest_kept and not d.outcome.left_nothing]
    befores, last = _befores(later, kinds)
    covered = left_by(target, kinds) if target is not None else {}
    docs = {
        **befores,
        **{address: _over(kinds[address], befores.get(address), doc) for address, (_, doc) in covered.items()},
    }
    docs = {address: doc for address, doc in docs.items() if address not in leave}
    again = registered_again(known, kinds)
    docs = {address: on_newest(doc, again) for address, doc in docs.items()}
    others = [deployment for deployment in known if deployment not in deployments]
    theirs = [doc for deployment in others for _, doc in left_by(deployment, kinds).values()]
    in_use = frozenset(arn for doc in (*docs.values(), *theirs) for arn in revisions_in(doc))
    changes = {address: change for address, (change, _) in covered.items()} | last
    readers = later if target is None else [target, *later]
    return RollbackState(
        resources=_resources(
            kinds=kinds,
            docs=docs,
            changes=changes,
            kept_users=_kept_users(readers, kinds, docs),
            registered=[] if keep else [arn for arn in registered_by(later, kinds) if arn not in in_use],
            known=known_definitions(known),
            tasks={change.address: change.task for d in readers for change in d.plan.changes},
            still_rolling=_still_rolling(later, kinds),
        ),
        tag=target.plan.tag if target is not None else "",
        undoes=tuple(deployment.number for deployment in later if deployment.begun()),
        back_to=state.key,
        notes=(
            *_gap_notes(numbers, state),
            *_found_notes(state),
            *(f"left as it is (--leave): {a}" for a in sorted(leave)),
        ),
        notify=deployments[-1].plan.notify if deployments else None,
        spec=next((deployment.plan.spec for deployment in reversed(later)), ""),
    )


def _befores(
    later: Sequence[Deployment], kinds: Mapping[Address, Kind]
) -> tuple[dict[Address, Doc], dict[Address, Change]]:
    """By address, what was there before the first of these deployments, and the newest change."""
    befores: dict[Address, Doc] = {}
    last: dict[Address, Change] = {}
    for deployment in reversed(later):
        for change in reversible(deployment, kinds):
            assert change.before is not None
            befores[change.address] = _over(kinds[change.address], befores.get(change.address), change.before)
            last.setdefault(change.address, change)
    return befores, last


def _over(kind: Kind, newer: Doc | None, older: Doc) -> Doc:
    """Two documents that restore a resource, as one; the older one wins."""
    assert kind.compare is not None
    return older if newer is None else kind.compare.merge_before(newer, older)


def _gap_notes(known: Collection[int], state: State) -> tuple[str, ...]:
    """Deployments missing from the journal: their changes cannot be restored."""
    missing = [str(one) for one in range(state.newest_kept + 1, max(known, default=0)) if one not in known]
    if not missing:
        return ()
    return (
        f"the journal lacks deployment {', '.join(missing)}: what it changed goes back only as far as the others tell",
    )


def _found_notes(state: State) -> tuple[str, ...]:
    if not state.found:
        return ()
    return (
        f"deployment {state.number} found what another journal, or someone by hand, had deployed, and this goes there",
    )


def _kept_users(
    deployments: Sequence[Deployment], kinds: Mapping[Address, Kind], docs: Mapping[Address, Doc]
) -> dict[Address, Change]:
    """What those deployments read, and the rollback does not change. It is read again, so that no revision that it uses
    is deregistered."""
    return {
        change.address: change
        for deployment in deployments
        for change in deployment.plan.changes
        if change.address not in docs and change.after is not None and identity_of(kinds[change.address])
    }


def _still_rolling(later: Sequence[Deployment], kinds: Mapping[Address, Kind]) -> dict[Address, Doc]:
    """The rollouts of the newest of those deployments, which may still be under way: their outputs, and the revision
    before."""
    if not later or later[-1].plan.undoes or later[-1].plan.back_to:
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


def _resources(
    *,
    kinds: Mapping[Address, Kind],
    docs: Mapping[Address, Doc],
    changes: Mapping[Address, Change],
    kept_users: Mapping[Address, Change],
    registered: Sequence[str],
    known: Mapping[str, Doc],
    tasks: Mapping[Address, str],
    still_rolling: Mapping[Address, Doc],
) -> tuple[Resource, ...]:
    """What a rollback restores. `docs` are documents as they were, `changes` the newest change of each address; the
    revisions that were `registered` since are retired, `kept_users` only read. Revisions are pinned by ARN."""
    pins = _pins(docs)
    result = [*_revisions(pins, registered, known, tasks)]
    for address, doc in docs.items():
        change = changes[address]
        # A redeployment, which has no differences, is reverted too if it is still under way.
        again = still_rolling.get(address, {}).get("open", False) and not change.fields
        result.append(
            Resource(
                kind=kinds[address],
                address=address,
                task=change.task,
                doc=_referring(doc, pins),
                settings=Settings(wait=change.settings.wait, timeout=change.settings.timeout, redeploy=again),
                facts={"made": still_rolling[address]} if address in still_rolling else {},
                optional=True,
            )
        )
    for address, change in kept_users.items():
        kind, after = kinds[address], change.after
        if after is not None and (identity := identity_of(kind)):
            result.append(Resource(kind=kind, address=address, task=change.task, doc=identity(after), optional=True))
    return tuple(sorted(result, key=lambda resource: resource.kind.order))


def _pins(docs: Mapping[Address, Doc]) -> dict[str, Address]:
    """The address of each revision that the documents name: the family's, or its own where a family has several."""
    arns = sorted({arn for doc in docs.values() for arn in revisions_in(doc)})
    families = [family_of(arn) for arn in arns]
    return {
        arn: Address.of(revisions.NAME, family_of(arn) if families.count(family_of(arn)) == 1 else short_arn(arn))
        for arn in arns
    }


def _revisions(
    pins: Mapping[str, Address], registered: Sequence[str], known: Mapping[str, Doc], tasks: Mapping[Address, str]
) -> list[Resource]:
    """The pinned revisions; and those that were registered since, to be retired with one of their family."""
    retire = {family: [a for a in registered if family_of(a) == family] for family in map(family_of, registered)}
    result = []
    for arn, address in pins.items():
        old = tuple(dict.fromkeys(retire.pop(family_of(arn), ())))
        task = tasks.get(address, family_of(arn))
        result.append(
            Resource(kind=revisions.KIND, address=address, task=task, doc=known.get(arn, {}), pinned=arn, retire=old)
        )
    for family, arns in sorted(retire.items()):
        address = Address.of(revisions.NAME, family)
        task = tasks.get(address, family)
        result.append(Resource(kind=revisions.KIND, address=address, task=task, doc={}, retire=tuple(arns)))
    return result


def _referring(doc: Doc, pins: Mapping[str, Address]) -> Any:
    """The document with each pinned revision as a reference, since it may have to be registered again."""
    return mapped(
        doc, lambda leaf: Ref(address=pins[leaf], output="arn") if isinstance(leaf, str) and leaf in pins else leaf
    )
