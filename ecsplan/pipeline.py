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

from ecsplan.core import events
from ecsplan.core.errors import JournalError, StaleError, UnfinishedError, UsageError
from ecsplan.core.model import Identity, Notify, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Damaged, Deployment, Journal, Outcome, unfinished
from ecsplan.journal.writer import Writer
from ecsplan.kinds.contract import Resource
from ecsplan.site import Site, connect, journal_root
from ecsplan.spec.load import load as _load

if TYPE_CHECKING:
    from ecsplan.apply.engine import Options, Result
    from ecsplan.apply.send import Ports
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
    from ecsplan.apply.send import timestamp

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
    from ecsplan.apply import engine as executor
    from ecsplan.apply.send import timestamp
    from ecsplan.redact import hiding, secrets_of

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
    with hiding(secrets_of(plan)), journal.locked(site.origin, at):
        left = _check_history(journal, plan)
        for warning in _check_fresh(site, plan):
            emit(events.Warned(message=warning))
        # A rollback that finds everything in place already still settles the deployment that was left part-way.
        if not plan.steps and left is None:
            return None
        writer = journal.open(plan, site.origin, at)
        try:
            ports = _ports(site, plan, journal, writer, emit)
            return executor.apply(plan, writer.number, ports, options or executor.Options(), once=writer.once)
        finally:
            writer.close()


def resume(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Finish the deployment that was cut off, stopped, paused or not finished. None where there is none.

    Steps that were done are not done again; of one that was begun and has no end, AWS is asked whether it was carried
    out. A deployment that was putting things back goes on with that. Raises LockedError while a deployment runs.
    """
    from ecsplan.apply import engine as executor

    return _taken_up(site, executor.resume, options, emit)


def go_on(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Let the rollouts of the unfinished deployment go on that are paused at lifecycle hooks, then finish it as
    `resume` does. None where no deployment was left part-way. Raises LockedError while a deployment runs."""
    from ecsplan.apply import resume as continuing

    return _taken_up(site, continuing.go_on, options, emit)


def _taken_up(
    site: Site,
    work: Callable[[Deployment, Ports, Options], Result],
    options: Options | None,
    emit: Callable[[events.Event], None],
) -> Result | None:
    from ecsplan.apply.engine import Options
    from ecsplan.apply.send import timestamp
    from ecsplan.redact import hiding, secrets_of

    site.gateway.listen(emit)
    journal = site.journal(site.identity())
    with journal.locked(site.origin, timestamp(site.clock)):
        left = unfinished(journal.deployments())
        if left is None:
            return None
        writer = journal.reopen(left.number)
        try:
            with hiding(secrets_of(left.plan)):
                return work(left, _ports(site, left.plan, journal, writer, emit), options or Options())
        finally:
            writer.close()


def _ports(site: Site, plan: Plan, journal: Journal, writer: Writer, emit: Callable[[events.Event], None]) -> Ports:
    from ecsplan.apply.notify import announcer, notifier
    from ecsplan.apply.send import Ports
    from ecsplan.aws.errors import is_throttled
    from ecsplan.redact import cleaned, scrub, secrets_of

    clean = partial(scrub, secrets=secrets_of(plan))
    listener = cleaned(emit, clean)
    return Ports(
        ask=site.gateway.poller(),
        do=site.gateway.do,
        log=writer,
        clock=site.clock,
        emit=listener,
        told=notifier(plan.notify, site.gateway.do, listener),
        ended=announcer(plan.notify, partial(journal.read, writer.number), site.clock, site.gateway.do, listener),
        later=is_throttled,
        stop=site.stop,
        clean=clean,
    )


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
        if deployment.plan.digest == plan.digest and (deployment.touched() or deployment.outcome.ended):
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


def journals(root: Path, app: str, *, account: str | None = None, region: str | None = None) -> list[Journal]:
    """The journals of an app, a folder per account and region; nothing is sent to find them."""
    try:
        names = sorted(path.name for path in (root / app).iterdir() if path.is_dir())
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise JournalError(f"the journal {root / app} cannot be read: {error.strerror}") from error
    found = [name.partition("-") for name in names if name.partition("-")[2]]
    return [
        Journal(root, app, Identity(account=number, region=place))
        for number, _, place in found
        if account in (None, number) and region in (None, place)
    ]


def history(journal: Journal) -> list[Deployment | Damaged]:
    """Every deployment, oldest first; what cannot be read takes its place and hides no other."""
    return journal.all()


def show(journal: Journal, number: int) -> Deployment:
    """One deployment; raises UsageError if there is none of that number."""
    if number not in journal.numbers():
        raise UsageError(f"there is no deployment {number} in {journal.folder}")
    return journal.read(number)


def text(plan: Plan) -> str:
    """The plan for people, secrets masked."""
    from ecsplan.redact import mask_plan
    from ecsplan.render.text import plan_text

    return plan_text(mask_plan(plan))
