"""What each deployment of a journal declared, made, found and left. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ecsplan.core.documents import filled, mapped, refs_in, texts_in
from ecsplan.core.model import Action, Address, Change, Doc, Outputs
from ecsplan.journal import Deployment, Outcome
from ecsplan.kinds import kinds_of
from ecsplan.kinds.contract import Kind, Resource

PINNED = re.compile(r"arn:[^:]+:ecs:[^:]*:[^:]*:task-definition/[A-Za-z0-9_-]+:\d+")


def kinds_in(deployments: Sequence[Deployment]) -> dict[Address, Kind]:
    """The kind of every address that the journal names."""
    return {address: kind for deployment in deployments for address, kind in kinds_of(deployment.plan).items()}


def revisions_in(doc: Any) -> frozenset[str]:
    """The ARNs of the revisions that a document names."""
    return frozenset(text for text in texts_in(doc) if PINNED.fullmatch(text))


def reversible(deployment: Deployment, kinds: Mapping[Address, Kind]) -> Iterator[Change]:
    """The changes of a deployment that were begun and can be rolled back. If one was not carried out, the diff with the
    live state drops it."""
    begun = {step.address for step in deployment.plan.steps if step.index in deployment.begun()}
    for change in deployment.plan.changes:
        kind = kinds[change.address]
        if change.address in begun and change.before is not None and kind.compare is not None and not kind.versioned:
            yield change


def left_by(deployment: Deployment, kinds: Mapping[Address, Kind]) -> dict[Address, tuple[Change, Doc]]:
    """Everything that the plan of a deployment covered and that has a state, changed or not: what it declared of it,
    on the revision that it was to leave it on. What was read only is left out."""
    outputs = _outputs(deployment, kinds)
    result = {}
    for change in deployment.plan.changes:
        kind = kinds[change.address]
        if kind.compare is None or kind.versioned or not change.after or declares_nothing(kind, change.after):
            continue
        doc = filled(change.after, outputs)
        if not any(refs_in(doc)):  # a registration that was cut off has left no revision
            result[change.address] = (change, doc)
    return result


def _outputs(deployment: Deployment, kinds: Mapping[Address, Kind]) -> dict[Address, Outputs]:
    """What references to revisions were filled with: those that were there, and those that were registered."""
    made = deployment.outputs()
    kept = {
        change.address: change.outputs
        for change in deployment.plan.changes
        if kinds[change.address].versioned and change.action is Action.KEEP
    }
    return {
        **kept,
        **{
            step.address: made[step.index]
            for step in deployment.plan.steps
            if step.action is Action.CREATE and kinds[step.address].versioned and step.index in made
        },
    }


def own_of_new(deployments: Sequence[Deployment], resources: Sequence[Resource]) -> dict[Address, frozenset[str]]:
    """The versioned resources that no deployment of the journal has left in use, each with the revisions (ARNs) that
    deployments have registered of it even so."""
    known = {
        change.address
        for deployment in deployments
        if not deployment.outcome.left_nothing and deployment.begun()
        for change in deployment.plan.changes
    }
    new = [one.address for one in resources if one.kind.versioned and one.address not in known]
    made = {address: set[str]() for address in new}
    for deployment in deployments:
        outputs = deployment.outputs()
        for step in deployment.plan.steps:
            if step.address in made and step.action is Action.CREATE and step.index in outputs:
                made[step.address] |= set(outputs[step.index].values())
    return {address: frozenset(arns) for address, arns in made.items()}


def declares_nothing(kind: Kind, doc: Doc) -> bool:
    """Does this document name the resource and nothing more?"""
    name = identity_of(kind)
    return name is not None and name(doc) == doc


def identity_of(kind: Kind) -> Callable[[Doc], Doc] | None:
    """`Compare.identity` of a kind with live state."""
    return kind.compare.identity if kind.compare is not None else None


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


def registered_by(deployments: Sequence[Deployment], kinds: Mapping[Address, Kind]) -> list[str]:
    """The ARNs of the revisions that these deployments registered."""
    return [
        arn
        for deployment in deployments
        for outputs in [deployment.outputs()]
        for step in deployment.plan.steps
        if step.action is Action.CREATE and kinds[step.address].versioned
        if (arn := outputs.get(step.index, {}).get("arn"))
    ]


def registered_again(deployments: Sequence[Deployment], kinds: Mapping[Address, Kind]) -> dict[str, str]:
    """By ARN of a revision that was no longer ACTIVE, the one that a rollback registered in its place."""
    return {
        change.pinned: outputs[change.address]["arn"]
        for deployment in deployments
        if deployment.outcome is Outcome.SUCCEEDED
        for outputs in [_outputs(deployment, kinds)]
        for change in deployment.plan.changes
        if change.pinned and change.action is Action.CREATE and "arn" in outputs.get(change.address, {})
    }


def on_newest(doc: Doc, again: Mapping[str, str]) -> Doc:
    """The document with the revision that stands in the place of each that was registered again."""

    def newest(leaf: Any) -> Any:
        seen = set()
        while isinstance(leaf, str) and leaf in again and leaf not in seen:
            seen.add(leaf)
            leaf = again[leaf]
        return leaf

    result: Doc = mapped(doc, newest)
    return result
