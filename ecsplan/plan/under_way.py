"""What is under way of the resources of a spec, or of a deployment, by this journal or not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import filled
from ecsplan.core.model import Address, Settings
from ecsplan.journal import Deployment
from ecsplan.kinds import resource_of
from ecsplan.kinds.contract import Live, Resource
from ecsplan.plan.read import referenced_values


def that_roll_out(resources: Sequence[Resource]) -> tuple[Resource, ...]:
    """Those whose changes take time in AWS, with only their revision declared."""
    return tuple(
        msgspec.structs.replace(
            resource,
            doc=compare.revision_only(resource.doc, frozenset(one.address for one in resources)),
            settings=Settings(timeout=resource.settings.timeout),
            facts={},
            optional=True,
        )
        for resource in resources
        if (compare := resource.kind.compare) and compare.revision_only and resource.kind.revert is not None
    )


def of_deployment(deployment: Deployment) -> tuple[Resource, ...]:
    """The resources that a deployment's plan declares."""
    return tuple(resource_of(change) for change in deployment.plan.changes if change.after)


def as_they_are(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> tuple[Resource, ...]:
    """Those that AWS is rolling out, or that are paused, each on the revision that it is on."""
    return tuple(
        _on_live(resource, lives[resource.address])
        for resource in resources
        if _status(lives[resource.address]) in (Status.UNDER_WAY, Status.PAUSED)
    )


def _on_live(resource: Resource, live: Live) -> Resource:
    found = live.candidates[0].doc
    values = {ref.address: {ref.output: value} for ref, value in referenced_values(resource.kind, resource.doc, found)}
    return msgspec.structs.replace(resource, doc=filled(resource.doc, values))


def with_status(resources: Sequence[Resource], lives: Mapping[Address, Live], status: Status) -> tuple[Address, ...]:
    """The addresses of those whose last change stands like this."""
    return tuple(resource.address for resource in resources if _status(lives[resource.address]) is status)


def _status(live: Live) -> Status | None:
    return live.unsettled.status if live.candidates and live.unsettled is not None else None
