"""What the commands share: the options before and behind the command, and the parameters that several take."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ecsplan.cli.common import NAMES, NO_HINTS, Hints, common_options, common_values
from ecsplan.cli.shared import Shared
from ecsplan.cli.streams import paint_for
from ecsplan.core.checks import parse_duration
from ecsplan.core.clock import Clock, SystemClock
from ecsplan.core.errors import UsageError
from ecsplan.core.spec import DEFAULT_FILE, Spec
from ecsplan.journal import Store, open_store
from ecsplan.redact import Redactor
from ecsplan.render.paint import Paint
from ecsplan.site import Site, connect, journal_place
from ecsplan.spec.load import load

# For click, which would remove the colours where the output is no terminal.
COLORED = {"always": True, "never": False}


@dataclass(frozen=True, kw_only=True)
class CliOptions:
    """The options that every command shares."""

    file: str | None
    journal: str | None
    region: str | None
    profile: str | None
    color: str
    verbose: bool
    clock: Clock | None = None
    """the machine's own where there is none"""
    redactor: Redactor = field(default_factory=Redactor)
    """the one that also cleans the errors of the command"""
    hints: Hints = NO_HINTS
    """repeats the options that were given in every hint that names a command"""

    def now(self) -> float:
        """Seconds since the epoch, by the clock that deployments have."""
        return (self.clock or SystemClock(threading.Event())).now()

    def spec(self) -> Spec:
        return load(Path(self.file or DEFAULT_FILE))

    def spec_if_there(self, *, tables: bool = False) -> Spec | None:
        """The spec where one is named or stands in the current folder; a saved plan and the journal need none. Without
        `tables` only its top is read."""
        if not self.file and not Path(DEFAULT_FILE).exists():
            return None
        return load(Path(self.file or DEFAULT_FILE), tables=tables)

    def store(self, spec: Spec | None) -> Store:
        """Where the journal is kept."""
        return open_store(journal_place(spec, self.journal))

    def site(self, spec: Spec | None, app: str | None = None) -> Site:
        return connect(
            spec,
            app=app,
            region=self.region,
            profile=self.profile,
            journal=self.journal,
            clock=self.clock,
            redactor=self.redactor,
        )

    def paint(self, stream: Any) -> Paint:
        return paint_for(stream, self.color)


def pass_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the options that every command takes, and pass their values to it, as its first argument."""

    def with_options(*args: Any, **kwargs: Any) -> Any:
        context = click.get_current_context()
        behind = {name: kwargs.pop(name, None) for name in NAMES}
        options = context.find_object(CliOptions)
        if options is None:
            shared, root = context.find_object(Shared) or Shared(), context.find_root()
            values = common_values(root, behind)
            shared.redactor, shared.hints, shared.verbose = Redactor(), Hints.of(root, values), values["verbose"]
            options = CliOptions(**values, clock=shared.clock, redactor=shared.redactor, hints=shared.hints)
        context.color = COLORED.get(options.color)
        return context.invoke(command, options, *args, **kwargs)

    return common_options(before=False)(functools.update_wrapper(with_options, command))


class Duration(click.ParamType[int]):
    """Seconds, or `90s`, `15m`, `1h30m`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ASKS = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
# Scripts that answer every question beforehand need not know which commands ask one.
NEVER_ASKS = click.option("-y", "--yes", is_flag=True, hidden=True, expose_value=False, help="There is no question.")
JSON_OR_TEXT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


POLICY = click.Choice(["rollback", "stop"])
FORM = click.option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
TIMEOUT = click.option("--timeout", type=Duration(), help="How long to wait for each rollout and task, e.g. 15m.")
BESIDE = click.option("--beside", is_flag=True, help="Run one-off tasks also beside those that others have started.")


def apply_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that applies a plan."""
    return _apply_options(command, ("text", "jsonl"))


def plan_or_apply_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, of a command that may also only show its plan."""
    return _apply_options(command, ("text", "json", "jsonl"))


def _apply_options(command: Callable[..., Any], formats: Sequence[str]) -> Callable[..., Any]:
    return _all(
        command,
        click.option("--format", "form", type=click.Choice(formats), default="text", show_default=True),
        TIMEOUT,
        click.option(
            "--no-wait",
            "wait",
            flag_value=False,
            default=None,
            type=bool,
            help="Do not wait for rollouts (one-off tasks are waited for).",
        ),
        BESIDE,
        click.option(
            "--on-failure",
            type=POLICY,
            default="rollback",
            show_default=True,
            help="Put everything back, or leave it as it is.",
        ),
    )


def resume_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that continue a deployment; without one, what it was begun with holds."""
    return _all(
        command,
        FORM,
        TIMEOUT,
        click.option("--wait/--no-wait", default=None, help="Wait for rollouts, or not.  [default: as it was begun]"),
        BESIDE,
        click.option("--anyway", is_flag=True, help="Lay the rest over what others have changed since."),
        click.option(
            "--on-failure",
            type=POLICY,
            help="Put everything back, or leave it as it is.  [default: as it was begun]",
        ),
    )


def _all(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in options:
        command = option(command)
    return command


def app_name(options: CliOptions, spec: Spec | None) -> str:
    """The spec's app; without a spec, the one app that the journal knows."""
    if spec is not None:
        return spec.app
    store = options.store(None)
    apps = store.apps()
    if len(apps) == 1:
        return apps[0]
    known = (
        f"{store.name} knows several apps: {', '.join(apps)}" if apps else f"there is no journal at {store.name} either"
    )
    raise UsageError(f"there is no {DEFAULT_FILE} here, and {known}", hint="Name the spec with -f FILE.")
