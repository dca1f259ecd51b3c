"""What shows a revision that is about to be deregistered, declared or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from ecsplan.core.documents import texts_in
from ecsplan.core.model import Plan
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds import kinds, resource_of
from ecsplan.kinds.contract import User
from ecsplan.plan.read import read
from ecsplan.plan.scope import clusters_touched


def users(reader: Reader, plan: Plan, revisions: Collection[str]) -> Mapping[str, str]:
    """By revision (ARN), the first thing that shows it, for people: any service or running task of the plan's clusters,
    and what the plan declares. All kinds are asked at once, two dependent round trips and further pages. Raises
    AwsError for what AWS refuses."""
    clusters = clusters_touched(plan)
    families = sorted({short_arn(arn).rpartition(":")[0] for arn in revisions})
    # A service says more than one of its tasks.
    asked = [kind.users for kind in reversed(kinds()) if kind.users is not None]
    resources = [resource_of(change) for change in plan.changes]
    declared = [
        one for one in resources if one.kind.compare is not None and not one.kind.versioned and one.kind.users is None
    ]
    pool = ThreadPoolExecutor(max_workers=len(asked) + 1, thread_name_prefix="in-use")
    try:
        looks = [pool.submit(look, reader, clusters, families) for look in asked]
        found = [
            User(name=address, revision=text)
            for address, live in read(reader, declared).items()
            for candidate in live.candidates
            for text in texts_in(candidate.doc)
        ]
        found += [user for look in looks for user in look.result()]
    finally:
        pool.shutdown(wait=False)  # an interrupt must not wait for throttled requests
    shown: dict[str, str] = {}
    for user in found:
        shown.setdefault(short_arn(user.revision), user.name)
    return {arn: shown[short_arn(arn)] for arn in revisions if short_arn(arn) in shown}
