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

import getpass
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ecsplan import events
from ecsplan.clock import SystemClock
from ecsplan.errors import AwsError, EcsplanError, JournalError, StaleError, UnfinishedError, UsageError
from ecsplan.journal import Damaged, Deployment, Journal, Writer, unfinished
from ecsplan.lock import Origin
from ecsplan.model import Identity, Plan, Resource
from ecsplan.spec import Spec
from ecsplan.spec import load as _load
from ecsplan.spec_checks import plain_name

if TYPE_CHECKING:
    from ecsplan.aws import Gateway
    from ecsplan.executor import Options, Result
    from ecsplan.rollback import Back
    from ecsplan.sending import Ports
    from ecsplan.waiting import Clock

__all__ = [
    "Site", "connect", "history", "load", "make_plan", "run_plan", "show", "text", "undo",
]  # fmt: skip

DEFAULT_FOLDER = ".ecsplan"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a spec is deployed to, and what is used for it. Make it with `connect`; use it as a context manager."""

    app: str
    root: Path
    gateway: Gateway
    origin: Origin
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    account: str | None = None

    def __enter__(self) -> Site:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.gateway.close()

    @property
    def plan_path(self) -> Path:
        return self.root / self.app / "plan.json"

    def identity(self) -> Identity:
        """The account and region; raises if it is not the account that the spec asks for."""
        identity = self.gateway.identity().result()
        if self.account is not None and identity.account != self.account:
            raise EcsplanError(
                f"these credentials are of account {identity.account}, and the spec is for account {self.account}",
                state="Nothing was changed.",
                hint="Choose other credentials, with --profile or AWS_PROFILE.",
            )
        return identity

    def journal(self, identity: Identity) -> Journal:
        return Journal(self.root, self.app, identity)


def load(path: str | Path, *, tables: bool = True) -> Spec:
    """A spec, checked; raises SpecError with all its faults, and UsageError where there is no such file. Without
    `tables` only what stands at its top is read: where it deploys to, and where the journal is."""
    return _load(Path(path), tables=tables)


def connect(
    spec: Spec | None = None,
    *,
    app: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    journal: str | Path | None = None,
    clock: Clock | None = None,
) -> Site:
    """Where to deploy. Arguments win over the spec; without either, boto3's own settings count. The journal is
    `.ecsplan` beside the spec, or in the current folder without one. Nothing is sent yet."""
    from ecsplan.aws import Gateway

    name = app or (spec.app if spec else None)
    if name is None:
        raise UsageError("neither a spec nor the name of an app was given")
    if fault := plain_name(name):
        raise UsageError(f"the name of the app {fault}")
    stop = threading.Event()
    gateway = Gateway(
        region=region or (spec.region if spec else None),
        profile=profile or (spec.profile if spec else None),
        assume_role=spec.assume_role if spec else None,
    )
    return Site(
        app=name,
        root=journal_root(spec, journal),
        gateway=gateway,
        origin=whoami(),
        clock=clock or SystemClock(stop),
        stop=stop,
        account=spec.account if spec else None,
    )


def journal_root(spec: Spec | None, journal: str | Path | None) -> Path:
    if journal is not None:
        return Path(journal)
    return (Path(spec.file).parent if spec else Path()) / DEFAULT_FOLDER


def whoami() -> Origin:
    """Who runs this, as the journal and the lock tell it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return Origin(user=user, host=socket.gethostname(), pid=os.getpid(), command=command)


# --- planning ---


def make_plan(site: Site, spec: Spec, tag: str, *, redeploy: bool = False) -> Plan:
    """What would have to be done so that the spec, with this tag, is what runs. Nothing is changed."""
    from ecsplan.compiler import compile_spec, notifications, tag_warnings

    resources = compile_spec(spec, tag, redeploy=redeploy)
    return _plan(site, resources, tag=tag, warnings=tag_warnings(spec, tag), notify=notifications(spec))


def _plan(site: Site, resources: Sequence[Resource], **more: object) -> Plan:
    from ecsplan.redact import hiding, secrets_in

    with hiding(secrets_in(resources)):
        return _planned(site, resources, **more)  # type: ignore[arg-type]


def _planned(
    site: Site, resources: Sequence[Resource], *, tag: str, warnings: Sequence[str] = (), **more: object
) -> Plan:
    from ecsplan.diff import diff, possible
    from ecsplan.live import observed, read, seen
    from ecsplan.planner import cautions, plan_of

    site.gateway.identity()  # asked for at the same time as everything else
    failure: AwsError | None = None
    try:
        lives = read(site.gateway.reader(), resources)
    except AwsError as error:
        failure = error
    identity = site.identity()  # the wrong account explains whatever else went wrong, so it is told first
    if failure is not None:
        raise failure
    journal = site.journal(identity)
    left = unfinished(journal.deployments())
    going_on = not more.get("undoes")
    open_ones = [f"deployment {left.number} was left part-way: {left.reason}"] if left and going_on else []
    resources, left_out = possible(resources, lives)
    deltas = diff(resources, lives)
    return plan_of(
        deltas,
        app=site.app,
        tag=tag,
        identity=identity,
        observed=observed(resources, lives),
        seen=seen(resources, lives),
        base=(journal.numbers() or [0])[-1],
        warnings=(*warnings, *open_ones, *left_out, *cautions(deltas)),
        **more,  # type: ignore[arg-type]  # notify and undoes, as plan_of takes them
    )


def undo(site: Site, spec: Spec | None = None, *, to: str | None = None, keep: bool = False) -> Plan:
    """The way back: to deployment `to` (a number), to a revision (`FAMILY:REV`), or, without `to`, to before the newest
    deployment that changed something. Without a journal it goes by ECS's own revision history, for which the spec is
    needed."""
    from ecsplan import rollback

    if to is not None and not re.fullmatch(r"[0-9]{1,9}|[A-Za-z0-9_-]+:[0-9]{1,9}", to):
        raise UsageError(f"--to takes a deployment's number or FAMILY:REV, not {to!r}")
    deployments = site.journal(site.identity()).deployments() if to is None or ":" not in to else ()
    if to is None and deployments:
        back = rollback.to_deployment(deployments, rollback.target(deployments), keep=keep)
    elif to is None or ":" in to:
        back = _by_history(site, spec, to, keep=keep)
    else:
        back = rollback.to_deployment(deployments, int(to), keep=keep)
    from ecsplan.compiler import notifications

    notify = (notifications(spec) if spec else None) or back.notify or {}
    return _plan(site, back.resources, tag=back.tag, warnings=back.notes, notify=notify, undoes=back.undoes)


def _by_history(site: Site, spec: Spec | None, to: str | None, *, keep: bool) -> Back:
    from ecsplan import rollback
    from ecsplan.compiler import compile_spec
    from ecsplan.live import read

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
    from ecsplan import executor
    from ecsplan.redact import hiding, secrets_of
    from ecsplan.sending import timestamp

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
        _check_fresh(site, plan)
        # A rollback that finds everything in place already still settles the deployment that was left part-way.
        if not plan.steps and left is None:
            return None
        writer = journal.open(plan, site.origin, at)
        try:
            ports = _ports(site, plan, writer, emit)
            return executor.apply(plan, writer.number, ports, options or executor.Options())
        finally:
            writer.close()


def resume(
    site: Site, *, options: Options | None = None, emit: Callable[[events.Event], None] = lambda _event: None
) -> Result | None:
    """Finish the deployment that was cut off, stopped or not finished. None where there is none.

    Steps that were done are not done again; of one that was begun and has no end, AWS is asked whether it was carried
    out. A deployment that was putting things back goes on with that. Raises LockedError while a deployment runs.
    """
    from ecsplan import executor
    from ecsplan.redact import hiding, secrets_of
    from ecsplan.sending import timestamp

    journal = site.journal(site.identity())
    with journal.locked(site.origin, timestamp(site.clock)):
        left = unfinished(journal.deployments())
        if left is None:
            return None
        writer = journal.reopen(left.number)
        try:
            with hiding(secrets_of(left.plan)):
                return executor.resume(left, _ports(site, left.plan, writer, emit), options or executor.Options())
        finally:
            writer.close()


def _ports(site: Site, plan: Plan, writer: Writer, emit: Callable[[events.Event], None]) -> Ports:
    from ecsplan.aws import is_throttled
    from ecsplan.notify import notifier
    from ecsplan.redact import cleaned, scrub, secrets_of
    from ecsplan.sending import Ports

    clean = partial(scrub, secrets=secrets_of(plan))
    listener = cleaned(emit, clean)
    return Ports(
        ask=site.gateway.poller(),
        do=site.gateway.do,
        log=writer,
        clock=site.clock,
        emit=listener,
        told=notifier(plan.notify, site.gateway.do, listener),
        later=is_throttled,
        stop=site.stop,
        clean=clean,
    )


def _check_history(journal: Journal, plan: Plan) -> Deployment | None:
    """The deployment that was left part-way and that this plan undoes, if there is one."""
    deployments = journal.deployments()
    left = unfinished(deployments)
    if left is not None and left.number not in plan.undoes:
        raise UnfinishedError(
            f"deployment {left.number} was left part-way: {left.reason}",
            state="Nothing was changed.",
            hint=f"Finish it with `ecsplan resume`, or go back with `ecsplan rollback --to {left.back_to}`.",
        )
    for deployment in deployments:
        if deployment.plan.digest == plan.digest:
            raise StaleError(
                f"this plan was applied already: it was deployment {deployment.number}, "
                f"which ended {deployment.outcome.value}",
                state="Nothing was changed.",
                hint="Make a new plan: ecsplan plan TAG",
            )
    return left


def _check_fresh(site: Site, plan: Plan) -> None:
    """Read the same things again: if one has moved, nothing of the plan is carried out."""
    from ecsplan.live import read
    from ecsplan.staleness import stale

    resources = [change.resource for change in plan.changes]
    if error := stale(plan, resources, read(site.gateway.reader(), resources)):
        raise error


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
