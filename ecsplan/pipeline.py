"""The stages in order, and the Python API: what the commands do, from Python.

    from ecsplan import pipeline

    spec = pipeline.load("ecsplan.toml")
    with pipeline.connect(spec) as site:
        plan = pipeline.make_plan(site, spec, "v42")
        print(pipeline.text(plan))
        result = pipeline.run_plan(site, plan)

Everything raises `ecsplan.errors.EcsplanError`, which says what happened and what state it leaves; a deployment that
fails is no exception but a `Result` that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ecsplan.apply import deploy
from ecsplan.apply.deploy import Options, Ports, Result
from ecsplan.apply.notify import announcer, notifier, notifying
from ecsplan.apply.redacted import redacted_ports, redacted_result
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock, timestamp
from ecsplan.core.errors import StaleError, UnfinishedError, UsageError
from ecsplan.core.model import Notify, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Damaged, Deployment, Journal, Outcome, Store, Writer, open_store, unfinished
from ecsplan.kinds.contract import Resource
from ecsplan.redact import Redactor, hiding, secrets_of
from ecsplan.site import Site, connect, journal_root
from ecsplan.spec.load import load as _load

if TYPE_CHECKING:
    from ecsplan.kinds.contract import Delta
    from ecsplan.plan.explain import Explanation
    from ecsplan.plan.rollback import RollbackState

__all__ = [
    "Site", "connect", "explained_plan", "go_on", "history", "journal_root", "load", "make_plan", "run_plan", "show",
    "text", "undo",
]  # fmt: skip


def load(path: str | Path, *, tables: bool = True) -> Spec:
    """A spec, checked; raises SpecError with all its faults, and UsageError where there is no such file. Without
    `tables` only what stands at its top is read: where it deploys to, and where the journal is."""
    return _load(Path(path), tables=tables)


# --- planning ---


def make_plan(
    site: Site, spec: Spec, tag: str, *, redeploy: bool = False, emit: events.Listener = lambda _event: None
) -> Plan:
    """What would have to be done so that the spec, with this tag, is what runs. Nothing is changed. `emit` hears of
    waits for AWS's pace."""
    site.gateway.listen(emit)
    return _planned(site, spec, tag, redeploy=redeploy)[0]


def explained_plan(
    site: Site, spec: Spec, tag: str, *, redeploy: bool = False, emit: events.Listener = lambda _event: None
) -> tuple[Plan, tuple[Explanation, ...]]:
    """The same plan, and why it shows what it shows: every field that differs, that is equal only by a rule, or that is
    left alone. Secrets in the explanations are masked."""
    from ecsplan.plan.explain import explain

    site.gateway.listen(emit)
    plan, deltas = _planned(site, spec, tag, redeploy=redeploy)
    return plan, explain(deltas)


def _planned(site: Site, spec: Spec, tag: str, *, redeploy: bool) -> tuple[Plan, tuple[Delta, ...]]:
    from ecsplan.plan.compile import compile_spec, notifications, warnings_of
    from ecsplan.redact import hiding, secrets_in

    resources = compile_spec(spec, tag, redeploy=redeploy)
    with hiding(secrets_in(resources)):
        return _plan(site, resources, tag=tag, warnings=warnings_of(spec, tag), notify=notifications(spec))


def _plan(
    site: Site,
    resources: Sequence[Resource],
    *,
    tag: str,
    warnings: Sequence[str] = (),
    notify: Mapping[str, Notify],
    undoes: Sequence[int] = (),
) -> tuple[Plan, tuple[Delta, ...]]:
    from concurrent.futures import ThreadPoolExecutor

    from ecsplan.plan.read import fingerprints, read, seen

    site.gateway.identity()  # asked for at the same time as everything else
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
    try:
        reading = pool.submit(read, site.gateway.reader(), resources)
        identity = site.identity()  # the wrong account explains whatever else went wrong, so it is told first
        # Meanwhile the answers of everything else are on their way.
        from ecsplan.plan.diff import diff, without_impossible
        from ecsplan.plan.rollback import known_definitions
        from ecsplan.plan.steps import cautions, plan_of

        lives = reading.result()
    finally:
        pool.shutdown(wait=False)  # whoever interrupts this does not wait for AWS's pace
    journal = site.journal(identity)
    deployments = journal.deployments()
    left = unfinished(deployments)
    open_ones = [_left(left)] if left and not undoes else []
    resources, left_out = without_impossible(resources, lives)
    deltas = diff(resources, lives, known_definitions(deployments))
    plan = plan_of(
        deltas,
        app=site.app,
        tag=tag,
        identity=identity,
        observed=fingerprints(resources, lives),
        seen=seen(resources, lives),
        base=(journal.numbers() or [0])[-1],
        warnings=(*warnings, *open_ones, *left_out, *cautions(deltas)),
        notify=notify,
        undoes=undoes,
    )
    return plan, deltas


def undo(
    site: Site,
    spec: Spec | None = None,
    *,
    to: str | None = None,
    keep: bool = False,
    emit: events.Listener = lambda _event: None,
) -> Plan:
    """The way back: to deployment `to` (a number), to a revision (`FAMILY:REV`), or, without `to`, to before the newest
    deployment that changed something. Without a journal it goes by ECS's own revision history, for which the spec is
    needed."""
    from ecsplan.plan import rollback

    if to is not None and not re.fullmatch(r"[0-9]{1,9}|[A-Za-z0-9_-]+:[0-9]{1,9}", to):
        raise UsageError(f"--to takes a deployment's number or FAMILY:REV, not {to!r}")
    site.gateway.listen(emit)
    deployments = site.journal(site.identity()).deployments() if to is None or ":" not in to else ()
    if to is None and deployments:
        back = rollback.to_deployment(deployments, rollback.target(deployments), keep=keep)
    elif to is None or ":" in to:
        back = _by_history(site, spec, to, keep=keep)
    else:
        back = rollback.to_deployment(deployments, int(to), keep=keep)
    from ecsplan.plan.compile import notifications
    from ecsplan.redact import hiding, secrets_in

    notify = (notifications(spec) if spec else None) or back.notify or {}
    with hiding(secrets_in(back.resources)):
        return _plan(site, back.resources, tag=back.tag, warnings=back.notes, notify=notify, undoes=back.undoes)[0]


def _by_history(site: Site, spec: Spec | None, to: str | None, *, keep: bool) -> RollbackState:
    from ecsplan.plan import rollback
    from ecsplan.plan.compile import compile_spec
    from ecsplan.plan.read import read

    if spec is not None and not spec.tasks:
        spec = load(spec.file)  # only its top was read so far
    if spec is None:
        raise UsageError(
            "without a journal a rollback needs the spec, to know which services to move", hint="Name it with -f FILE."
        )
    # The tag plays no part: only which families, services and targets there are.
    resources = compile_spec(spec, "rollback")
    site.identity()
    return rollback.to_revision(resources, read(site.gateway.reader(), resources), to, keep=keep)


# --- applying ---


def check_free(site: Site, plan: Plan) -> None:
    """Raises what `run_plan` would raise because of other deployments, for whoever asks a person first."""
    journal = site.journal(site.identity())
    with journal.locked(site.origin, timestamp(site.clock)):
        _check_history(journal, plan)


def run_plan(
    site: Site,
    plan: Plan,
    *,
    options: Options | None = None,
    emit: Callable[[events.Event], None] = lambda _event: None,
) -> Result | None:
    """Carry out a plan, exactly. None where it changes nothing.

    Raises StaleError when what it was made from has moved or it was applied before, LockedError while another
    deployment runs, UnfinishedError while an earlier one was left part-way; then nothing was changed. How the
    deployment itself went is in the result.
    """
    site.gateway.listen(emit)
    identity = site.identity()
    if identity != plan.identity:
        raise StaleError(
            f"the plan is for account {plan.identity.account} in {plan.identity.region}, "
            f"and this is account {identity.account} in {identity.region}",
            state="Nothing was changed.",
        )
    journal = site.journal(identity)
    at = timestamp(site.clock)
    with journal.locked(site.origin, at):
        left = _check_history(journal, plan)
        for warning in _check_fresh(site, plan):
            emit(events.Warned(message=warning))
        # A rollback that finds everything in place already still settles the deployment that was left part-way.
        if not plan.steps and left is None:
            return None
        writer = journal.open(plan, site.origin, at)
        try:
            chosen, key = options or deploy.Options(), writer.deployment_key

            def work(ports: Ports) -> Result:
                return deploy.apply(plan, writer.number, ports, chosen, key=key)

            return _run(site, plan, journal, writer, emit, work)
        finally:
            writer.close()


def resume(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Finish the deployment that was cut off, stopped, paused or not finished. None where there is none.

    Steps that were done are not done again; of one that was begun and has no end, AWS is asked whether it was carried
    out. A deployment that was putting things back goes on with that. Raises LockedError while a deployment runs.
    """

    return _resumed(site, deploy.resume, options, emit)


def go_on(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Let the rollouts of the unfinished deployment go on that are paused at lifecycle hooks, then finish it as
    `resume` does. None where no deployment was left part-way. Raises LockedError while a deployment runs."""
    return _resumed(site, deploy.continue_, options, emit)


def _resumed(
    site: Site,
    work: Callable[[Deployment, Ports, Options], Result],
    options: Options | None,
    emit: Callable[[events.Event], None],
) -> Result | None:
    site.gateway.listen(emit)
    journal = site.journal(site.identity())
    with journal.locked(site.origin, timestamp(site.clock)):
        left = unfinished(journal.deployments())
        if left is None:
            return None
        writer = journal.reopen(left.number)
        try:
            chosen = options or deploy.Options()
            return _run(site, left.plan, journal, writer, emit, lambda ports: work(left, ports, chosen))
        finally:
            writer.close()


def _run(
    site: Site, plan: Plan, journal: Journal, writer: Writer, emit: events.Listener, work: Callable[[Ports], Result]
) -> Result:
    """Run a deployment of this plan. Secrets are taken out of all that leaves it."""
    redactor, write = Redactor(), site.gateway.do
    redactor.learn(plan)
    listener = redactor.listener(emit)
    announce = announcer(plan.notify, partial(journal.read, writer.number), site.clock, write, listener)
    ports = Ports(
        read=site.gateway.poller(),
        write=write,
        journal=writer,
        clock=StoppableClock(site.clock, site.stop),
        emit=notifying(listener, notifier(plan.notify, write, listener), announce),
    )
    with hiding(secrets_of(plan)):
        return redacted_result(work(redacted_ports(ports, redactor)), redactor)


def _check_history(journal: Journal, plan: Plan) -> Deployment | None:
    """The deployment that was left part-way and that this plan undoes, if there is one."""
    deployments = journal.deployments()
    left = unfinished(deployments)
    if left is not None and left.number not in plan.undoes:
        paused = " (`ecsplan continue` where it waits at a hook)" if left.outcome is Outcome.UNFINISHED else ""
        raise UnfinishedError(
            _left(left),
            state="Nothing was changed.",
            hint=f"Finish it with `ecsplan resume`{paused}, or go back with `ecsplan rollback`.",
        )
    for deployment in deployments:
        # One that was cut off before its first call has applied nothing.
        if deployment.plan.digest == plan.digest and (deployment.begun() or deployment.outcome.ended):
            raise StaleError(
                f"this plan was applied already: it was deployment {deployment.number}, "
                f"which ended {deployment.outcome.value}",
                state="Nothing was changed.",
                hint="Make a new plan: ecsplan plan TAG",
            )
    return left


def _left(left: Deployment) -> str:
    if left.running:
        return f"deployment {left.number} is running"
    return f"deployment {left.number} was left part-way: {left.reason}"


def _check_fresh(site: Site, plan: Plan) -> list[str]:
    """Read the same things again: if one has moved, nothing of the plan is carried out. What a person should know all
    the same, a sentence each."""
    from ecsplan.kinds import resource_of
    from ecsplan.plan.read import read
    from ecsplan.plan.stale import stale
    from ecsplan.plan.steps import rolling

    resources = [resource_of(change) for change in plan.changes]
    lives = read(site.gateway.reader(), resources)
    if error := stale(plan, resources, lives):
        raise error
    return rolling(plan.steps, resources, lives)


# --- looking ---


def journals(
    where: Store | str | Path, app: str, *, account: str | None = None, region: str | None = None
) -> list[Journal]:
    """The journals of an app, one for each account and region; `where` is a store, or the place of one. Nothing is sent
    to AWS."""
    store = open_store(where) if isinstance(where, str | Path) else where
    return [
        Journal(store, app, identity)
        for identity in store.identities(app)
        if account in (None, identity.account) and region in (None, identity.region)
    ]


def history(journal: Journal) -> list[Deployment | Damaged]:
    """Every deployment, oldest first. One that cannot be read stands as Damaged in its place."""
    return journal.all()


def show(journal: Journal, number: int) -> Deployment:
    """One deployment; raises UsageError if there is none of that number."""
    if number not in journal.numbers():
        raise UsageError(f"there is no deployment {number} in {journal.name}")
    return journal.read(number)


def text(plan: Plan) -> str:
    """The plan for people, secrets masked."""
    from ecsplan.redact import mask_plan
    from ecsplan.render.text import plan_text

    return plan_text(mask_plan(plan))
