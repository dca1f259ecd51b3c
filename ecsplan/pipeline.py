"""The stages in order, and the Python API: what the commands do, from Python.

    from ecsplan import pipeline

    spec = pipeline.load("ecsplan.toml")
    with pipeline.connect(spec) as site:
        plan = pipeline.make_plan(site, spec, "v42")
        print(pipeline.text(plan))
        result = pipeline.run_plan(site, plan)

Every error is a `pipeline.EcsplanError`, which says what happened and what state that leaves. A deployment
that fails is no exception: its `Result` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ecsplan.apply import deploy
from ecsplan.apply.deploy import Options, Ports, Result
from ecsplan.apply.notify import announcer, notifier, notifying
from ecsplan.apply.redacted import redacted_ports, redacted_result
from ecsplan.apply.state import RunState
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock, timestamp
from ecsplan.core.errors import EcsplanError, StaleError, UnfinishedError, UsageError
from ecsplan.core.model import Address, Phase, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, Journal, Outcome, Writer, waiting
from ecsplan.journal.find import history, journals, show
from ecsplan.kinds import resource_of
from ecsplan.kinds.contract import Delta, Live
from ecsplan.leftovers import abandon, to_abandon
from ecsplan.plan.compile import compile_spec, notifications, warnings_of
from ecsplan.plan.explain import Explanation, explain
from ecsplan.plan.read import read
from ecsplan.plan.stale import planning_again, rest_is_stale, stale
from ecsplan.plan.steps import rolling
from ecsplan.planning import UnderWay, check_agreed, in_words, plan_for, under_way, undo
from ecsplan.redact import mask_plan
from ecsplan.render.text import plan_text
from ecsplan.site import Site, connect, journal_root
from ecsplan.spec.load import load as _load

__all__ = [
    "EcsplanError", "Options", "Outcome", "Result", "Site", "UnderWay", "abandon", "check_agreed", "connect",
    "explained_plan", "go_on", "history", "journal_root", "journals", "load", "make_plan", "obstacle", "resume",
    "run_plan", "show", "text", "to_abandon", "under_way", "undo",
]  # fmt: skip

# The phases whose steps are held against what is live before a deployment goes on.
HELD = (Phase.REGISTER, Phase.UPDATE, Phase.TARGETS)


def load(path: str | Path, *, tables: bool = True) -> Spec:
    """Read and check a spec. Raises SpecError with all its faults, and UsageError if there is no such file. Without
    `tables` only its top is read: where it deploys to, and where the journal is."""
    return _load(Path(path), tables=tables)


# --- planning ---


def make_plan(
    site: Site,
    spec: Spec,
    tag: str,
    *,
    redeploy: bool = False,
    replace: bool = False,
    emit: events.Listener = lambda _event: None,
) -> Plan:
    """Plan what has to change so that AWS matches the spec with this tag. Changes nothing. With `replace`, what is
    unfinished ends as superseded when the plan is applied. `emit` gets an event when requests wait for AWS's rate
    limits."""
    site.gateway.listen(emit)
    return _planned(site, spec, tag, redeploy=redeploy, replace=replace)[0]


def explained_plan(
    site: Site, spec: Spec, tag: str, *, redeploy: bool = False, emit: events.Listener = lambda _event: None
) -> tuple[Plan, tuple[Explanation, ...]]:
    """The same plan, and how fields were compared: those that differ, that are equal only by a rule, or that are left
    alone. Secrets in the explanations are masked."""
    site.gateway.listen(emit)
    plan, deltas = _planned(site, spec, tag, redeploy=redeploy)
    return plan, explain(deltas)


def _planned(
    site: Site, spec: Spec, tag: str, *, redeploy: bool, replace: bool = False
) -> tuple[Plan, tuple[Delta, ...]]:
    now = site.clock.now()
    return plan_for(
        site,
        compile_spec(spec, tag, redeploy=redeploy, now=now),
        tag=tag,
        spec=site.store.spec_name(spec.file),
        warnings=warnings_of(spec, tag, now=now),
        notify=notifications(spec),
        replace=replace,
    )


# --- applying ---


def check_free(site: Site, plan: Plan) -> None:
    """Raises what `run_plan` would raise because of other deployments. Call it before asking for confirmation."""
    journal = site.journal(site.identity())
    with journal.locked(site.origin, timestamp(site.clock)):
        _check_history(site, journal, plan)


def obstacle(site: Site, plan: Plan) -> EcsplanError | None:
    """The error that `run_plan` would raise now because of an unfinished deployment; None if none is in the way."""
    try:
        _check_history(site, site.journal(site.identity()), plan)
    except (UnfinishedError, UsageError) as error:
        return error
    return None


def run_plan(
    site: Site,
    plan: Plan,
    *,
    options: Options | None = None,
    onwards: bool = False,
    emit: Callable[[events.Event], None] = lambda _event: None,
) -> Result | None:
    """Apply a plan, exactly. None if it changes nothing. `onwards` is for a plan that only waits: rollouts that are
    paused at a hook are continued.

    Raises StaleError if AWS has changed since it was made or it was applied before, LockedError while another
    deployment runs, UnfinishedError while an earlier one is unfinished; in all these cases nothing was changed. The
    result says how the deployment went.
    """
    site.gateway.listen(emit)
    site.check_scope("the plan", plan)
    identity = site.identity()
    if identity != plan.identity:
        raise StaleError(
            f"the plan is for account {plan.identity.account} in {plan.identity.region}, "
            f"and this is account {identity.account} in {identity.region}",
            state="Nothing was changed.",
        )
    journal = site.journal(identity)
    at = timestamp(site.clock)
    site.redactor.learn(plan)
    with journal.locked(site.origin, at):
        left = _check_history(site, journal, plan)
        looked = site.clock.now()
        warnings, lives = _check_fresh(site, plan)
        for warning in warnings:
            emit(events.Warned(message=warning))
        # A rollback without steps still marks the unfinished deployment as rolled back.
        if not plan.steps and (left is None or left.number in (plan.replaces or ())):
            _end_replaced(site, journal, plan, "what was planned instead of it is live")
            for number in plan.replaces or ():
                emit(events.Warned(message=f"deployment {number} has ended as superseded"))
            return None

        def replace(number: int) -> None:
            _end_replaced(site, journal, plan, f"deployment {number} was begun in its place")

        chosen = options or deploy.Options()
        writer = journal.open(plan, site.origin, at, chosen.chosen, replace)
        try:
            key = writer.deployment_key

            def work(ports: Ports) -> Result:
                if onwards:
                    return deploy.continue_(Deployment(opened=writer.opened), ports, chosen)
                return deploy.apply(plan, writer.number, ports, chosen, key=key, looked=looked, lives=lives)

            return _run(site, plan, journal, writer, emit, work)
        finally:
            writer.close()


def _end_replaced(site: Site, journal: Journal, plan: Plan, reason: str) -> None:
    for number in plan.replaces or ():
        if not journal.read(number).outcome.ended:
            journal.end(number, Outcome.SUPERSEDED, reason, site.origin, timestamp(site.clock))


def resume(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Finish the deployment that was killed, stopped, paused or not finished, or wait on where the newest one only
    waited. None if there is none.

    Steps that are done are not repeated. Steps that began but have no end are looked up in AWS. A deployment that was
    rolling back continues to do so. Raises LockedError while a deployment runs.
    """

    return _resumed(site, deploy.resume, options, emit, "ecsplan resume")


def go_on(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Continue the rollouts of the unfinished deployment that are paused at lifecycle hooks, then finish it as `resume`
    does. None if no deployment is unfinished. Raises LockedError while a deployment runs."""
    return _resumed(site, deploy.continue_, options, emit, "ecsplan continue")


def _resumed(
    site: Site,
    work: Callable[[Deployment, Ports, Options], Result],
    options: Options | None,
    emit: Callable[[events.Event], None],
    command: str,
) -> Result | None:
    site.gateway.listen(emit)
    journal = site.journal(site.identity())
    if not site.was_used():
        site.check_nothing_open_elsewhere()
        return None
    with journal.locked(site.origin, timestamp(site.clock)):
        deployments = journal.deployments()
        left = waiting(site.own(deployments)) or site.unfinished(deployments)
        if left is None:
            if not deployments:
                site.check_nothing_open_elsewhere()
            return None
        chosen = options or deploy.Options()
        site.redactor.learn(left.plan)
        if not chosen.anyway:
            _check_rest(site, left, command)
        writer = journal.reopen(left.number)
        try:
            return _run(site, left.plan, journal, writer, emit, lambda ports: work(left, ports, chosen))
        finally:
            writer.close()


def _run(
    site: Site, plan: Plan, journal: Journal, writer: Writer, emit: events.Listener, work: Callable[[Ports], Result]
) -> Result:
    """Run a deployment of this plan, whose secrets the site's redactor knows: nothing that leaves it shows them."""
    redactor, write = site.redactor, site.gateway.do
    listener = redactor.listener(emit)
    announce = announcer(plan.notify, partial(journal.read, writer.number), site.clock, write, listener)
    ports = Ports(
        read=site.gateway.poller(),
        write=write,
        journal=writer,
        clock=StoppableClock(site.clock, site.stop),
        emit=notifying(emit, notifier(plan.notify, write, listener), announce),
    )
    return redacted_result(work(redacted_ports(ports, redactor)), redactor)


def _check_history(site: Site, journal: Journal, plan: Plan) -> Deployment | None:
    """The unfinished deployment that this plan undoes, if there is one. Raises if the plan may not be applied now."""
    deployments = journal.deployments()
    ended = (*plan.undoes, *(plan.replaces or ()))
    for deployment in deployments:
        if deployment.number in ended:
            site.check_scope(f"deployment {deployment.number}", deployment.plan)
    left = site.unfinished(deployments)
    if left is not None and left.number not in ended:
        paused = " (`ecsplan continue` if it is paused at a hook)" if left.outcome is Outcome.UNFINISHED else ""
        raise UnfinishedError(
            in_words(left),
            state="Nothing was changed.",
            hint=f"Finish it with `ecsplan resume`{paused}, go back with `ecsplan rollback`, or end it as it is with "
            "`ecsplan abandon`.",
        )
    for deployment in deployments:
        # A deployment that was killed before its first call has applied nothing.
        if deployment.plan.digest == plan.digest and (deployment.begun() or deployment.outcome.ended):
            raise StaleError(
                f"this plan was applied already: it was deployment {deployment.number}, "
                f"which ended {deployment.outcome.value}",
                state="Nothing was changed.",
                hint=f"Make a new plan: {planning_again(plan)}",
            )
    return left


def _check_fresh(site: Site, plan: Plan) -> tuple[list[str], Mapping[Address, Live]]:
    """Read everything again. Raises StaleError if something has changed; returns warnings, a sentence each, and what is
    live."""
    resources = [resource_of(change) for change in plan.changes]
    lives = read(site.gateway.reader(), resources)
    if error := stale(plan, resources, lives, site.redactor):
        raise error
    return rolling(plan.steps, resources, lives), lives


def _check_rest(site: Site, left: Deployment, command: str) -> None:
    """Hold every step that was not begun against what is live. Raises StaleError if something has moved. What goes back
    looks at that itself."""
    state = RunState.replay(left)
    if left.rolling_back or state.superseded():
        return
    waiting_ones = [step for step in state.plan.steps if step.phase in HELD and state.is_pending(step)]
    whole = any(step.phase is Phase.REGISTER for step in waiting_ones)
    wanted = {step.address for step in waiting_ones}
    resources = [resource_of(change) for change in state.plan.changes if whole or change.address in wanted]
    if not waiting_ones:
        return
    lives = read(site.gateway.reader(), resources)
    if error := rest_is_stale(state.plan, left.number, waiting_ones, lives, state.outputs, site.redactor, command):
        raise error


# --- reading ---


def text(plan: Plan) -> str:
    """The plan for people, secrets masked."""
    return plan_text(mask_plan(plan))
