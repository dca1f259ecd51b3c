"""What earlier deployments have left: those that are unfinished, which can be abandoned, and one-off tasks that still
run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from ecsplan.apply.state import RunState
from ecsplan.core.clock import timestamp
from ecsplan.core.errors import AwsError, UsageError
from ecsplan.core.model import Address, Phase
from ecsplan.core.text import mark_of, short_arn
from ecsplan.journal import Deployment, Outcome
from ecsplan.journal.find import show
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Beside, Kind, Resource, Running, Wanted
from ecsplan.site import Site


def to_abandon(site: Site, number: int | None = None) -> Deployment | None:
    """The deployment that `abandon` would end: the one that is unfinished, or that of this number. None where nothing
    is unfinished. Raises UsageError for one that has ended or was made from another spec, and where one is unfinished
    in another account or region only; LockedError while a deployment runs."""
    journal = site.journal(site.identity())
    lock = journal.locked(site.origin, timestamp(site.clock)) if site.was_used() else contextlib.nullcontext()
    with lock:
        if number is not None:
            found = show(journal, number)
        else:
            deployments = journal.deployments()
            if not deployments:
                site.check_nothing_open_elsewhere()
            return site.unfinished(deployments)
    site.check_scope(f"deployment {number}", found.plan)
    if found.outcome.ended:
        raise UsageError(f"deployment {number} has ended already: {found.outcome.value}", state="Nothing was changed.")
    return found


def abandon(site: Site, number: int | None = None) -> Deployment | None:
    """End a deployment where it is, without a call to AWS: the journal says who has done so. Otherwise as
    `to_abandon`; the deployment is the one that has ended."""
    left = to_abandon(site, number)
    if left is None:
        return None
    journal, at = site.journal(site.identity()), timestamp(site.clock)
    with journal.locked(site.origin, at):
        found = journal.read(left.number)
        if not found.outcome.ended:
            journal.end(left.number, Outcome.ABANDONED, f"abandoned by {by(site)}", site.origin, at)
        return journal.read(left.number)


def by(site: Site) -> str:
    """The user and machine of this command, for people."""
    return f"{site.origin.user}@{site.origin.host}"


# --- one-off tasks ---


def still_running(site: Site, deployments: Iterable[Deployment], declared: Sequence[Resource] = ()) -> list[Running]:
    """The one-off tasks of these deployments, and of declared resources, that have not stopped, whatever machine has
    started them: found by their marks. One request for each cluster and family, and one for each hundred tasks that run
    there. Raises AwsError for what AWS refuses."""
    looked: dict[str, tuple[Beside, list[Wanted]]] = {}
    for kind, wanted in [*_of_deployments(deployments), *_of_resources(site.app, declared)]:
        if kind.beside is not None:
            looked.setdefault(kind.name, (kind.beside, []))[1].append(wanted)
    reader = site.gateway.poller()
    found = [one for beside, wanted in looked.values() for one in beside.running(reader, _distinct(wanted))]
    return list({one.task: one for one in found}.values())


def _of_deployments(deployments: Iterable[Deployment]) -> Iterator[tuple[Kind, Wanted]]:
    for deployment in deployments:
        state = RunState.replay(deployment)
        for step in deployment.plan.steps:
            if state.kind(step).beside is not None and state.makes(step):
                yield state.kind(step), state.wanted(step)


def _of_resources(app: str, resources: Sequence[Resource]) -> Iterator[tuple[Kind, Wanted]]:
    for one in resources:
        if one.kind.beside is not None:
            yield one.kind, Wanted(address=one.address, marks=(mark_of(app, "", one.address),), params=one.doc)


def _distinct(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Each address once in each cluster, with all its marks; the newest request counts."""
    found: dict[tuple[Address, str], Wanted] = {}
    for one in wanted:
        key = (one.address, short_arn(one.params.get("cluster") or ""))
        marks = (*(found[key].marks if key in found else ()), *one.marks)
        found[key] = Wanted(address=one.address, marks=tuple(dict.fromkeys(marks)), params=one.params)
    return list(found.values())


def left_running(site: Site, deployments: Sequence[Deployment]) -> tuple[str, ...]:
    """Warnings of a plan about one-off tasks that still run, a sentence each: of deployments that came to no good end
    since the newest that did. Nothing is asked where there are none."""
    last = max((d.number for d in deployments if d.outcome is Outcome.SUCCEEDED and not d.plan.undoes), default=0)
    bad = [d for d in deployments if d.number > last and d.outcome not in (Outcome.SUCCEEDED, Outcome.PUT_BACK)]
    begun = [d for d in bad if any(step.phase is Phase.RUN and step.index in d.begun() for step in d.plan.steps)]
    if not begun:
        return ()
    try:
        return tuple(map(running_text, still_running(site, begun)))
    except AwsError as error:
        return (_unpermitted(error),)


def stops(
    site: Site, deployments: Sequence[Deployment], declared: Sequence[Resource] = (), *, keep: bool = False
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """What a rollback has to stop: one-off tasks of these deployments, or of declared resources, that still run; and
    warnings, a sentence each. With `keep` they are only named."""
    try:
        found = still_running(site, deployments, declared)
    except AwsError as error:
        return (), (_unpermitted(error),)
    if keep:
        return (), tuple(map(running_text, found))
    tasks = {change.address: change.task for d in deployments for change in d.plan.changes}
    tasks |= {resource.address: resource.task for resource in declared}
    groups: dict[Address, list[Running]] = {}
    for one in found:
        groups.setdefault(one.address, []).append(one)
    made = []
    for address, group in sorted(groups.items()):
        beside = kind_of(address).beside
        assert beside is not None
        made.append(beside.stopping(group, tasks[address]))
    return tuple(made), ()


def _unpermitted(error: AwsError) -> str:
    """The sentence on a look that the role may not make. Raises any other error: the plan is made again."""
    if "AccessDenied" not in error.code:
        raise error
    return unseen(error)


def unseen(error: AwsError) -> str:
    """For people, in a sentence."""
    return f"could not look for one-off tasks that still run: {error.message}"


def running_text(one: Running) -> str:
    """For people, in a sentence."""
    return f"{one.address} of an earlier deployment still runs: task {short_arn(one.task)} of {one.revision}"
