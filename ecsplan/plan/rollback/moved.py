"""What others have changed since the journal's newest deployment, and a rollback would take back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ecsplan.core.model import Address, Change, Doc, FieldChange, Moved
from ecsplan.journal import Deployment, Outcome
from ecsplan.kinds.contract import Delta, Live, Resource
from ecsplan.plan.diff import diff
from ecsplan.plan.rollback.left import declares_nothing, kinds_in, left_by, revisions_in


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How a deployment left something: one of these documents, or parts of each if it was left part-way. `found` are
    the revisions (ARNs) on which it was before."""

    deployment: int
    docs: tuple[Doc, ...]
    found: frozenset[str] = frozenset()


def moved_since(
    deployments: Sequence[Deployment], deltas: Sequence[Delta], lives: Mapping[Address, Live]
) -> tuple[Moved, ...]:
    """What is not as the journal's newest deployment of it left it, in the order of `deltas`, which are those of the
    rollback: only fields that it would change."""
    known = expected(deployments)
    found = []
    for delta in deltas:
        address = delta.change.address
        if delta.kind.versioned or not delta.change.action.changes or address not in known:
            continue
        touched = {field.path for field in delta.change.fields}
        differences = [_difference(delta, doc, lives) for doc in known[address].docs]
        if _was_taken_back(differences[0], known[address]):
            continue
        apart = [{field.path: field for field in one.change.fields if field.path in touched} for one in differences]
        # Live is `before` of that difference; here it is what the resource was moved to.
        fields = tuple(
            FieldChange(path=path, before=field.after, after=field.before)
            for path, field in apart[0].items()
            if all(path in other for other in apart)
        )
        if fields:
            found.append(Moved(address=address, deployment=known[address].deployment, fields=fields))
    return tuple(found)


def gone(
    deployments: Sequence[Deployment], resources: Sequence[Resource], lives: Mapping[Address, Live]
) -> tuple[Moved, ...]:
    """What a rollback cannot put back, because it was deleted, say: without it the rollback is half of one. No fields
    are named. What is only read does not count."""
    known = expected(deployments)
    return tuple(
        Moved(address=resource.address, deployment=known[resource.address].deployment, fields=())
        for resource in resources
        if resource.optional and resource.address in known and not declares_nothing(resource.kind, resource.doc)
        if resource.kind.change.blockers(resource, lives[resource.address])
    )


def _difference(delta: Delta, doc: Doc, lives: Mapping[Address, Live]) -> Delta:
    left = msgspec.structs.replace(delta.resource, doc=doc, facts={}, optional=True)
    (difference,) = diff([left], lives)
    return difference


def _was_taken_back(difference: Delta, left: Expected) -> bool:
    """Is it back on the revision that it had before the deployment, and does it say that AWS itself took that back?"""
    on = revisions_in([field.before for field in difference.change.fields])
    return bool(on) and on <= left.found and bool(difference.kind.change.remarks(difference))


def expected(deployments: Sequence[Deployment]) -> dict[Address, Expected]:
    """By address, how the journal's newest deployment of it left it. One that was put back left it as it was."""
    kinds = kinds_in(deployments)
    result: dict[Address, Expected] = {}
    for deployment in deployments:
        if deployment.outcome.left_nothing:
            continue
        for address, (change, doc) in left_by(deployment, kinds).items():
            if deployment.outcome is Outcome.SUCCEEDED:
                found = revisions_in(change.before)
                result[address] = Expected(deployment=deployment.number, docs=(doc,), found=found)
            elif address in _begun(deployment):
                docs = (doc, *_earlier(change), *(result[address].docs if address in result else ()))
                result[address] = Expected(deployment=deployment.number, docs=docs)
    return result


def _begun(deployment: Deployment) -> frozenset[Address]:
    begun = deployment.begun()
    return frozenset(step.address for step in deployment.plan.steps if step.index in begun)


def _earlier(change: Change) -> tuple[Doc, ...]:
    return (change.before,) if change.before is not None else ()
