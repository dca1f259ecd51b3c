"""Rollback without a journal: by what AWS itself remembers of the rollouts of each service. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ecsplan.core.documents import refs_in
from ecsplan.core.errors import UsageError
from ecsplan.core.model import Address, Settings
from ecsplan.core.text import short_arn
from ecsplan.journal import Deployment
from ecsplan.kinds.contract import Live, Past, Resource
from ecsplan.kinds.task_definition.read import revision_of, same_family
from ecsplan.plan.rollback.left import identity_of, kinds_in, reversible, revisions_in
from ecsplan.plan.rollback.restore import RollbackState

NAME_ONE = "Name one with --to FAMILY:REV."


def to_revision(
    declared: Sequence[Resource],
    lives: Mapping[Address, Live],
    wanted: str | None,
    *,
    keep: bool,
    pasts: Mapping[Address, Past] | None = None,
    leave: frozenset[Address] = frozenset(),
    undone: Sequence[Deployment] = (),
) -> RollbackState:
    """To `FAMILY:REV`, or for each family to the ACTIVE revision that ran before the one in use.

    `declared` are the spec's resources, `lives` the live state of their addresses, `pasts` what AWS remembers of them.
    Their order of successful rollouts decides. Where AWS knows none, the revision number does, and that is a doubt.
    Only the revision is changed: what the deployments that this undoes (`undone`) changed beside it is a doubt too. The
    addresses to `leave` are only read.
    """
    result, notes, doubts = [], [], []
    families = [resource for resource in declared if resource.kind.versioned]
    if wanted is not None:
        families = [resource for resource in families if resource.doc["family"] == wanted.rpartition(":")[0]]
        if not families:
            raise UsageError(f"{wanted}: no task of the spec has the family {wanted.rpartition(':')[0]!r}")
    for resource in families:
        live = lives[resource.address]
        in_use = live.candidates[0].outputs["arn"] if live.candidates else ""
        to, doubt = (wanted, "") if wanted else _before(resource, in_use, live.facts["active"], declared, pasts or {})
        doubts += [doubt] if doubt else []
        newer = wanted is None or revision_of(in_use) > revision_of(to)
        retire = (in_use,) if in_use and newer and not keep else ()
        result.append(msgspec.structs.replace(resource, doc={}, pinned=to, retire=retire, keep=None))
        notes.append(f"by ECS's own history: {short_arn(in_use) or 'nothing'} -> {short_arn(to)}")
    moved = frozenset(resource.address for resource in result)
    back_to = ", ".join(short_arn(resource.pinned) for resource in result)
    result += [_moved_only(other, moved, leave) for other in declared if _refers_to(other, moved)]
    notes += [f"left as it is (--leave): {address}" for address in sorted(leave)]
    doubts += [f"only revisions go back; of {what} this stays: {', '.join(paths)}" for what, paths in _beside(undone)]
    return RollbackState(
        resources=tuple(sorted(result, key=lambda resource: resource.kind.order)),
        tag="",
        undoes=tuple(deployment.number for deployment in undone),
        back_to=back_to,
        doubts=tuple(doubts),
        notes=tuple(notes),
    )


def _beside(deployments: Sequence[Deployment]) -> Iterator[tuple[Address, list[str]]]:
    """The fields beside the revision that these deployments have changed."""
    kinds = kinds_in(deployments)
    for deployment in deployments:
        for change in reversible(deployment, kinds):
            if paths := [field.path for field in change.fields if not revisions_in(field.before)]:
                yield change.address, paths


def _before(
    resource: Resource, in_use: str, active: Sequence[str], declared: Sequence[Resource], pasts: Mapping[Address, Past]
) -> tuple[str, str]:
    """The revision that a family goes back to, and why it may never have run ("" where it certainly has)."""
    users = [pasts[other.address] for other in declared if other.address in pasts and _is_on(other, resource)]
    earlier = _earlier(users, str(resource.doc["family"]), in_use)
    ran = [arn for arn in earlier if short_arn(arn) in map(short_arn, active)]
    if ran:
        return ran[-1], ""
    to = _lower(resource, in_use, active)
    refused = next((past.refused for past in users if past.refused), "")
    if refused:
        why = refused
    elif not users:
        why = "no service runs this family, and of other uses ECS keeps no record"
    else:
        why = f"ECS remembers no successful rollout of an ACTIVE revision before {short_arn(in_use) or 'this one'}"
    return to, f"whether {short_arn(to)} ever ran is not known: {why}"


def _earlier(users: Sequence[Past], family: str, in_use: str) -> list[str]:
    """The revisions of the family that ran before the one in use, oldest first. One that was gone back from does not
    count: where a revision comes again, those after its first time were left. Nor does one that never rolled out well
    in one of the services."""
    rollouts = [
        ran
        for past in users
        for ran in reversed(past.rollouts)
        if ran.well and same_family(ran.revision, family)
        if ran.revision == in_use or not any(user.never_well(ran.revision) for user in users)
    ]
    trail: list[str] = []
    for ran in sorted(rollouts, key=lambda one: one.began or 0.0):
        if ran.revision in trail:
            del trail[trail.index(ran.revision) + 1 :]
        else:
            trail.append(ran.revision)
    return trail[: trail.index(in_use)] if in_use in trail else trail


def _lower(resource: Resource, in_use: str, active: Sequence[str]) -> str:
    """The ACTIVE revision with the next lower number."""
    number = revision_of(in_use)
    older = [arn for arn in active if revision_of(arn) < number]
    if not older:
        raise UsageError(
            f"{resource.address}: there is no ACTIVE revision before {short_arn(in_use) or 'the first'} to go back to",
            hint=NAME_ONE,
        )
    return max(older, key=revision_of)


def _is_on(resource: Resource, definition: Resource) -> bool:
    return any(ref.address == definition.address for ref in refs_in(resource.doc))


def _refers_to(resource: Resource, addresses: frozenset[Address]) -> bool:
    return identity_of(resource.kind) is not None and any(ref.address in addresses for ref in refs_in(resource.doc))


def _moved_only(resource: Resource, addresses: frozenset[Address], leave: frozenset[Address]) -> Resource:
    """The service or targets with only the revision declared; with nothing declared where it is to be left."""
    settings = Settings(wait=resource.settings.wait, timeout=resource.settings.timeout)
    compare = resource.kind.compare
    doc = compare.revision_only(resource.doc, addresses) if compare and compare.revision_only else resource.doc
    identity = identity_of(resource.kind)
    if resource.address in leave and identity is not None:
        doc = identity(resource.doc)
    return msgspec.structs.replace(resource, doc=doc, settings=settings)
