"""The plans: for a spec, back, and for what is under way already. Nothing is changed; `pipeline` is the API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ecsplan.core import events
from ecsplan.core.diagnosis import Status
from ecsplan.core.errors import PlanningError, UsageError
from ecsplan.core.model import Address, Notify, Phase, Plan, Rollback, Scope
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, all_unfinished, unfinished
from ecsplan.kinds.contract import Delta, Resource
from ecsplan.leftovers import left_running, stops
from ecsplan.plan import rollback
from ecsplan.plan.compile import compile_spec, notifications
from ecsplan.plan.diff import diff, without_impossible
from ecsplan.plan.read import fingerprints, observed_state, read
from ecsplan.plan.rollback import RollbackState, by_others, gone, known_definitions, moved_since
from ecsplan.plan.scope import clusters_of
from ecsplan.plan.steps import cautions, plan_of
from ecsplan.plan.under_way import as_they_are, of_deployment, that_roll_out, with_status
from ecsplan.redact import mask_plan
from ecsplan.render.rollback import not_agreed
from ecsplan.site import Site
from ecsplan.spec.load import load


def plan_for(
    site: Site,
    resources: Sequence[Resource],
    *,
    tag: str,
    spec: str,
    warnings: Sequence[str] = (),
    notify: Mapping[str, Notify],
    back: RollbackState | None = None,
    replace: bool = False,
) -> tuple[Plan, tuple[Delta, ...]]:
    """The plan that brings these resources about, and what differs. `spec` is the spec's file, as the store names it;
    `back` is there for a rollback. With `replace`, what is unfinished ends when the plan is applied."""
    site.redactor.learn_documents((resource.address, resource.doc) for resource in resources)
    site.gateway.identity()  # asked for at the same time as everything else
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
    try:
        reading = pool.submit(read, site.gateway.reader(), resources)
        identity = site.identity()  # first: the wrong account explains any other error
        lives = reading.result()
    finally:
        pool.shutdown(wait=False)  # an interruption does not wait for AWS's rate limit
    journal = site.journal(identity)
    deployments = journal.deployments()
    own, left = site.own(deployments), unfinished(deployments)
    in_the_way = left is not None and not (back and back.undoes)
    open_ones = [f"{in_words(left)}; no plan can be applied before it has ended"] if left and in_the_way else []
    replaced = []
    if replace and site.unfinished(deployments):
        replaced = [one.number for one in site.own(all_unfinished(deployments))]
        open_ones = [f"deployment {number} is unfinished; it ends when this one begins" for number in replaced]
    running = () if back else left_running(site, own)
    try:
        resources, left_out = without_impossible(resources, lives)
        deltas = diff(resources, lives, known_definitions(deployments))
    except PlanningError as error:
        # What is not there is often looked for in the wrong place.
        where = f"account {identity.account}, region {identity.region}"
        raise PlanningError(error.faults, where=where) from None
    going_back = None
    if back is not None:
        moved = by_others(site.gateway.reader(), moved_since(_as_live(own, back), deltas, lives), deltas)
        moved += gone(own, back.resources, lives)
        going_back = Rollback(back_to=back.back_to, moved=moved, doubts=back.doubts)
    plan = plan_of(
        deltas,
        app=site.app,
        tag=tag,
        identity=identity,
        observed=fingerprints(resources, lives),
        seen=observed_state(resources, lives),
        scope=Scope(spec=spec, clusters=clusters_of(resources)),
        own=None if back else rollback.own_of_new(deployments, resources),
        base=(journal.numbers() or [0])[-1],
        warnings=(*warnings, *open_ones, *running, *left_out, *cautions(deltas)),
        notify=notify,
        undoes=back.undoes if back else (),
        replaces=replaced,
        rollback=going_back,
    )
    return plan, deltas


def _as_live(deployments: Sequence[Deployment], back: RollbackState) -> Sequence[Deployment]:
    """The deployments that what is live is compared with."""
    return deployments if back.live_is is None else [one for one in deployments if one.number <= back.live_is]


# --- back ---


def undo(
    site: Site,
    spec: Spec | None = None,
    *,
    to: str | None = None,
    keep: bool = False,
    leave: bool = False,
    keep_running: bool = False,
    emit: events.Listener = lambda _event: None,
) -> Plan:
    """Plan a rollback: to what deployment `to` (a number) left, or the newest of a tag that succeeded; to a revision
    (`FAMILY:REV`); or, without `to`, to the newest state before the one in effect. Without a journal it goes by what
    ECS remembers, and needs the spec.

    What others have changed since the journal's newest deployment is in `Plan.moved`: the plan takes it back, or with
    `leave` leaves it as it is. Call `check_agreed` before such a plan is applied.

    One-off tasks that still run are stopped; with `keep_running` they are only named.

    Where other specs of the app are deployed beside the same journal, only the deployments of the site's spec count.
    Raises UsageError where `to` names another's, where the journal has no other, or where another's is unfinished.
    """
    site.gateway.listen(emit)
    by_revision = rollback.is_revision(to)
    known = site.journal(site.identity()).deployments()
    site.unfinished(known)
    deployments = site.own(known)
    if not known and not by_revision:
        site.check_deployed_here()
    for deployment in reversed(known):
        if str(deployment.number) == to or (not deployments and not by_revision):
            site.check_scope(f"deployment {deployment.number}", deployment.plan)
    state = None if by_revision else rollback.state_of(deployments, to)
    declared = compile_spec(_whole(spec), "any") if spec is not None and not deployments else ()
    tasks = stops(site, deployments, declared, keep=keep_running)
    make = partial(_undoing, site, spec, tasks=tasks)
    restored: Callable[..., RollbackState]
    if state is None:
        undoes = () if by_revision else rollback.undone_by_history(deployments)
        undone = [one for one in deployments if one.number in undoes]
        restored = _by_history(site, spec, to, keep=keep, undone=undone)
    elif to is None:
        restored = _to_the_newest(site, deployments, known, make, keep=keep)
    else:
        restored = partial(rollback.to_state, deployments, state, known=known, keep=keep)
    back = restored(leave=frozenset())
    made = make(back)
    if leave and made.moved:
        made = make(restored(leave=frozenset(moved.address for moved in made.moved)))
    return made


def _to_the_newest(
    site: Site,
    deployments: Sequence[Deployment],
    all_known: Sequence[Deployment],
    make: Callable[[RollbackState], Plan],
    *,
    keep: bool,
) -> Callable[..., RollbackState]:
    """To the newest state that is good: passed over are those on a revision that failed, and those that live is in
    already, because others have gone back there. `all_known` are those of other specs too."""
    notes: list[str] = []
    live_is, first = None, None
    for state in rollback.default_states(deployments):
        to_it = partial(rollback.to_state, deployments, state, known=all_known, keep=keep)
        back = to_it(leave=frozenset())
        known = rollback.pasts(site.gateway.reader(), back.resources)
        if failed := rollback.failed_there(back.resources, known):
            notes.append(f"passed over: what deployment {state.number} left or found, since {', '.join(failed)}")
            continue
        result = partial(_with, to_it, tuple(notes), live_is)
        if unfinished(deployments) is not None or rollback.taken_back(known) or _differs(make(back)):
            return result
        first = first or result
        notes.append(f"passed over: what deployment {state.number} left, since live is that already")
        live_is = state.number if not state.found else live_is
    if first is None:
        raise UsageError(
            f"there is no state to go back to that is known to be good: {'; '.join(notes)}",
            hint="To go to one of them nevertheless, name it: ecsplan rollback --to N",
        )
    return first


def _with(
    restored: Callable[..., RollbackState], notes: tuple[str, ...], live_is: int | None, *, leave: frozenset[Address]
) -> RollbackState:
    back = restored(leave=leave)
    return dataclasses.replace(back, notes=(*notes, *back.notes), live_is=live_is)


def _differs(plan: Plan) -> bool:
    """Does it change more than to clean up?"""
    return any(step.action.changes and step.phase not in (Phase.RETIRE, Phase.STOP) for step in plan.steps)


def _undoing(
    site: Site, spec: Spec | None, back: RollbackState, tasks: tuple[tuple[Resource, ...], tuple[str, ...]]
) -> Plan:
    notify = (notifications(spec) if spec else None) or back.notify or {}
    name = site.store.spec_name(spec.file) if spec else back.spec
    (stopped, running), resources = tasks, back.resources
    notes = (*back.notes, *running)
    return plan_for(site, (*resources, *stopped), tag=back.tag, spec=name, warnings=notes, notify=notify, back=back)[0]


def _whole(spec: Spec) -> Spec:
    """Where only its top was read so far, all of it."""
    return spec if spec.tasks else load(Path(spec.file))


def _by_history(
    site: Site, spec: Spec | None, to: str | None, *, keep: bool, undone: Sequence[Deployment]
) -> Callable[..., RollbackState]:
    if spec is None:
        raise UsageError(
            "without a journal a rollback needs the spec, to know which services to move", hint="Name it with -f FILE."
        )
    # The tag plays no part: only which families, services and targets there are.
    resources = compile_spec(_whole(spec), "rollback")
    site.identity()
    lives = read(site.gateway.reader(), resources)
    known = rollback.pasts(site.gateway.reader(), resources) if to is None else {}
    return partial(rollback.to_revision, resources, lives, to, keep=keep, pasts=known, undone=undone)


def check_agreed(plan: Plan) -> None:
    """Raises StaleError if a rollback takes back what others have changed, or goes to what may never have run: a person
    has to agree to that."""
    if error := not_agreed(mask_plan(plan)):
        raise error


# --- what is under way ---


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """What AWS has under way of the services that were looked at, also what others began: a plan that only waits for
    it, the addresses of the rollouts that are paused at a hook, and of those that have failed."""

    looked_at: tuple[Address, ...]
    plan: Plan | None
    paused: tuple[Address, ...] = ()
    failed: tuple[Address, ...] = ()


def under_way(site: Site, spec: Spec | None = None, *, emit: events.Listener = lambda _event: None) -> UnderWay:
    """Look at the services of the spec, or without one at those of the journal's newest deployment. `plan` is None
    where nothing is under way; apply it with `run_plan`, with `onwards` where something is paused."""
    site.gateway.listen(emit)
    deployments = site.journal(site.identity()).deployments()
    if spec is not None:
        declared = compile_spec(_whole(spec), "any")  # addresses do not depend on the tag
    else:
        declared = of_deployment(deployments[-1]) if deployments else ()
    resources = that_roll_out(declared)
    lives = read(site.gateway.reader(), resources)
    waited_for = as_they_are(resources, lives)
    made = None
    if waited_for:
        name = site.store.spec_name(spec.file) if spec else deployments[-1].plan.spec
        notify = notifications(spec) if spec else {}
        made = plan_for(site, waited_for, tag="", spec=name, notify=notify)[0]
    return UnderWay(
        looked_at=tuple(resource.address for resource in resources),
        plan=made if made is not None and made.only_waits else None,
        paused=with_status(resources, lives, Status.PAUSED),
        failed=with_status(resources, lives, Status.FAILED),
    )


def in_words(left: Deployment) -> str:
    """A deployment that has not ended, in words."""
    if left.running:
        return f"deployment {left.number} is running"
    return f"deployment {left.number} is unfinished: {left.reason}"
