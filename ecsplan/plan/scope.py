"""What a plan covers within its account and region, its clusters and addresses, and whether a spec has any of them.
Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Plan
from ecsplan.core.text import short_arn
from ecsplan.kinds import resource_of
from ecsplan.kinds.contract import Resource


def clusters_of(resources: Iterable[Resource]) -> tuple[str, ...]:
    """The names of the ECS clusters that these resources are in, sorted."""
    return tuple(sorted({cluster for resource in resources for cluster in _cluster(resource)}))


def clusters_touched(plan: Plan) -> tuple[str, ...]:
    """The names of the ECS clusters that a plan touches, sorted; also for a plan of an older ecsplan."""
    return plan.scope.clusters if plan.scope else clusters_of(map(resource_of, plan.changes))


def _cluster(resource: Resource) -> tuple[str, ...]:
    """Of kinds that take the spec's default cluster. Tasks that are stopped have no request, but say where they run."""
    if stops := resource.facts.get("stops"):
        return tuple(short_arn(one["cluster"]) for one in stops)
    inherits = "cluster" in resource.kind.declare.table.inherits
    return (short_arn(resource.doc.get("cluster") or "default"),) if inherits else ()


def refusal(what: str, plan: Plan, made_from: str, file: str, declared: Sequence[Resource]) -> UsageError | None:
    """The error where the spec in `file`, which declares these resources, has none of a plan's addresses. `what` is the
    plan or its deployment, as messages name it; `made_from` is the file of its spec, "" where that is not known."""
    if _overlap(declared, [resource_of(change) for change in plan.changes]):
        return None
    clusters = clusters_touched(plan)
    made = f" was made from {made_from}" if made_from else " does not say from which spec it was made"
    word = "clusters" if len(clusters) > 1 else "cluster"
    touches = f" and is for {word} {', '.join(clusters)}" if clusters else ""
    other = f"-f {shlex.quote(made_from)}" if made_from else "-f FILE"
    return UsageError(
        f"{what}{made}{touches}, and {file} has none of its addresses",
        state="Nothing was changed.",
        hint=f"Name its own spec with {other}, or give each spec an `app` of its own, so that each has a journal.",
    )


def _overlap(declared: Sequence[Resource], planned: Sequence[Resource]) -> bool:
    """Do they have a service or a one-off task of one cluster in common? Rules count where either has none of these,
    since the specs of two clusters may share a rule; and task definitions where either has nothing else. Nothing
    overlaps with everything."""
    for places in (_in_clusters, _places, _addresses):
        one, other = places(declared), places(planned)
        if one and other:
            return not one.isdisjoint(other)
    return True


def _in_clusters(resources: Sequence[Resource]) -> set[str]:
    return _places([resource for resource in resources if _cluster(resource)])


def _places(resources: Sequence[Resource]) -> set[str]:
    return {
        " in ".join((resource.address, *(_cluster(resource) if resource.kind.compare is None else ())))
        for resource in resources
        if not resource.kind.versioned
    }


def _addresses(resources: Sequence[Resource]) -> set[str]:
    return {str(resource.address) for resource in resources}
