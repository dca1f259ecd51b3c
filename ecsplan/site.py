"""Where a spec is deployed to, and what is used for it: credentials, journal, clock."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType

from ecsplan.aws.gateway import Gateway
from ecsplan.core.checks import plain_name
from ecsplan.core.clock import Clock, SystemClock
from ecsplan.core.errors import EcsplanError, UsageError
from ecsplan.core.model import Identity, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, Journal, Origin, Store, all_unfinished, open_store, unfinished
from ecsplan.journal.find import journals
from ecsplan.kinds.contract import Resource
from ecsplan.plan.compile import compile_spec
from ecsplan.plan.scope import refusal
from ecsplan.redact import Redactor
from ecsplan.spec.load import load

DEFAULT_FOLDER = ".ecsplan"
GO_THERE = "Choose other credentials (--profile, AWS_PROFILE) or another region (--region)"
ANY_TAG = "any"  # addresses do not depend on it


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a spec is deployed to, and what is used for it. Make it with `connect`; use it as a context manager."""

    app: str
    store: Store
    gateway: Gateway
    origin: Origin
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    account: str | None = None
    spec: Spec | None = None
    """what is planned and applied here has addresses of this spec; perhaps only its top was read"""
    redactor: Redactor = field(default_factory=Redactor)
    """knows the secrets of what is planned and applied here"""

    def __enter__(self) -> Site:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.gateway.close()

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
        return Journal(self.store, self.app, identity)

    def check_scope(self, what: str, plan: Plan) -> None:
        """Raises UsageError where the site's spec has none of the addresses of a plan: another spec of the app made it.
        `what` is the plan or its deployment, as messages name it."""
        if error := self._refusal(what, plan):
            raise error

    def own(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        """Those that have addresses of the site's spec; without a spec, all. The others were made from other specs of
        the app, beside the same journal: this one neither goes back to them, nor goes on with them, nor ends them."""
        return [one for one in deployments if self._refusal("", one.plan) is None]

    def unfinished(self, deployments: Sequence[Deployment]) -> Deployment | None:
        """The newest deployment of the site's spec that is unfinished. Raises UsageError where only those of other
        specs are: one deployment at a time is made beside one journal."""
        left = all_unfinished(deployments)
        if own := self.own(left):
            return own[0]
        if left:
            self.check_scope(f"deployment {left[0].number}, which is unfinished,", left[0].plan)
        return None

    def _refusal(self, what: str, plan: Plan) -> UsageError | None:
        spec = self.spec
        if spec is None or plan.spec == self.store.spec_name(spec.file):
            return None  # addresses of one spec may all have been renamed since
        made_from = self.store.spec_file(plan.spec) if plan.spec else ""
        return refusal(what, plan, made_from, spec.file, self._declared)

    @cached_property
    def _declared(self) -> tuple[Resource, ...]:
        """What the site's spec declares."""
        assert self.spec is not None
        spec = self.spec if self.spec.tasks else load(Path(self.spec.file))
        return tuple(compile_spec(spec, ANY_TAG))

    def check_deployed_here(self) -> None:
        """Raises UsageError where the app was deployed to other accounts or regions, and never to this one: without a
        journal, a rollback would move what another app may have deployed here."""
        if others := self._elsewhere():
            raise UsageError(
                f"{self._never_here()}, but to {', and to '.join(journal.identity.text for journal in others)}",
                state="Nothing was changed.",
                hint=f"{GO_THERE}, or name a revision that is here: ecsplan rollback --to FAMILY:REV",
            )

    def was_used(self) -> bool:
        """Has any command that changes something been given for the app in this account and region? Without, there is
        nothing to lock; and a lock would leave an empty journal."""
        return self.identity() in self.store.identities(self.app)

    def check_nothing_open_elsewhere(self) -> None:
        """Raises UsageError where a deployment is unfinished in another account or region. Call it where this one has
        no deployment at all."""
        for journal in self._elsewhere():
            if left := unfinished(journal.deployments()):
                state = "running" if left.running else f"unfinished: {left.reason}"
                raise UsageError(
                    f"{self._never_here()}; in {journal.identity.text}, deployment {left.number} is {state}",
                    state="Nothing was changed.",
                    hint=f"{GO_THERE}.",
                )

    def _never_here(self) -> str:
        return f"{self.app} was never deployed to {self.identity().text}, as far as {self.store.name} knows"

    def _elsewhere(self) -> list[Journal]:
        """The journals of the app in other accounts and regions, where something was deployed."""
        here = self.identity()
        return [one for one in journals(self.store, self.app) if one.identity != here]


def connect(
    spec: Spec | None = None,
    *,
    app: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    journal: str | Path | None = None,
    clock: Clock | None = None,
    redactor: Redactor | None = None,
) -> Site:
    """Where to deploy. Arguments win over the spec; without either, boto3's own settings count, and AWS_REGION, which
    boto3 does not read, where these name no region. The journal is `.ecsplan` beside the spec, or in the current folder
    without one. `redactor` learns the secrets of what is planned
    and applied here, so that its `clean` takes them out of an error. Nothing is sent yet. Raises UsageError for an app
    without a usable name, and for a journal that no store can keep."""
    name = app or (spec.app if spec else None)
    if name is None:
        raise UsageError("neither a spec nor the name of an app was given")
    if fault := plain_name(name):
        raise UsageError(f"the name of the app {fault}")
    store = open_store(journal_place(spec, journal))
    stop = threading.Event()
    clock = clock or SystemClock(stop)
    gateway = Gateway(
        region=region or (spec.region if spec else None),
        fallback_region=os.environ.get("AWS_REGION"),
        profile=profile or (spec.profile if spec else None),
        assume_role=spec.assume_role if spec else None,
        clock=clock,
        stop=stop,
    )
    return Site(
        app=name,
        store=store,
        gateway=gateway,
        origin=whoami(),
        clock=clock,
        stop=stop,
        account=spec.account if spec else None,
        spec=spec,
        redactor=redactor or Redactor(),
    )


def journal_place(spec: Spec | None, journal: str | Path | None) -> str:
    """Where the journal is kept, as `open_store` takes it: `journal`, or `.ecsplan` beside the spec."""
    if journal is not None:
        return os.fspath(journal)
    return os.fspath((Path(spec.file).parent if spec else Path()) / DEFAULT_FOLDER)


def journal_root(spec: Spec | None, journal: str | Path | None) -> Path:
    """The same as a path, for a journal that is a folder."""
    return Path(journal_place(spec, journal))


def whoami() -> Origin:
    """The user, machine, process and command, for the journal and the lock."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return Origin(user=user, host=socket.gethostname(), pid=os.getpid(), command=command)
