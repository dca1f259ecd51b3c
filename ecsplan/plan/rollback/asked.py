"""What AWS is asked for a rollback, beside the live state: what it remembers of the rollouts of each resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecsplan.core.documents import refs_in
from ecsplan.core.model import Address, Moved
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds import by_kind
from ecsplan.kinds.contract import Delta, Past, Resource
from ecsplan.plan.rollback.left import revisions_in


def pasts(reader: Reader, resources: Sequence[Resource]) -> dict[Address, Past]:
    """By address, for the kinds of which AWS remembers anything."""
    groups = by_kind(resources, lambda resource: resource.kind)
    asked = [(kind.compare.past, group) for kind, group in groups if kind.compare and kind.compare.past]
    return {past.address: past for ask, group in asked for past in ask(reader, group)}


def by_others(reader: Reader, moved: Sequence[Moved], deltas: Sequence[Delta]) -> tuple[Moved, ...]:
    """Those that AWS itself has not taken back, from the revision on which the journal's deployment had left them."""
    resources = {delta.change.address: delta.resource for delta in deltas}
    known = pasts(reader, [resources[one.address] for one in moved])
    return tuple(one for one in moved if one.address not in known or not _taken_back(one, known[one.address]))


def _taken_back(moved: Moved, past: Past) -> bool:
    left = revisions_in([field.before for field in moved.fields])
    return bool(past.rollouts) and past.rollouts[0].taken_back and past.rollouts[0].revision in left


def failed_there(resources: Sequence[Resource], known: Mapping[Address, Past]) -> tuple[str, ...]:
    """Of the services that these resources put on a revision, those where it never rolled out well, a phrase each."""
    pinned = {resource.address: resource.pinned for resource in resources if resource.pinned}
    return tuple(
        f"{short_arn(pinned[ref.address])} failed in {resource.address}"
        for resource in resources
        if resource.address in known
        for ref in refs_in(resource.doc)
        if ref.address in pinned and known[resource.address].never_well(pinned[ref.address])
    )


def taken_back(known: Mapping[Address, Past]) -> bool:
    """Has AWS itself taken back the newest rollout of any of them?"""
    return any(past.rollouts and past.rollouts[0].taken_back for past in known.values())
