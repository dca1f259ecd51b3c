"""What the commands share: the options before the command, and the parameters that several take."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ecsplan.core.errors import UsageError

if TYPE_CHECKING:
    from ecsplan.core.clock import Clock
    from ecsplan.core.spec import Spec
    from ecsplan.journal import Store
    from ecsplan.pipeline import Site
    from ecsplan.render.words import Paint

DEFAULT_FILE = "ecsplan.toml"
NARROWEST = 20  # columns that text is broken for


@dataclass(frozen=True, kw_only=True)
class Given:
    """The options that every command shares."""

    file: str | None
    journal: str | None
    region: str | None
    profile: str | None
    color: str
    verbose: bool
    clock: Clock | None = None
    """the machine's own where there is none"""

    def spec(self) -> Spec:
        from ecsplan.pipeline import load

        return load(self.file or DEFAULT_FILE)

    def spec_if_there(self, *, tables: bool = False) -> Spec | None:
        """The spec where one is named or stands in the current folder: a saved plan and the journal need none, and
        of one that is there only what stands at its top, unless `tables` are asked for."""
        from ecsplan.pipeline import load

        return load(self.file or DEFAULT_FILE, tables=tables) if self.file or Path(DEFAULT_FILE).exists() else None

    def store(self, spec: Spec | None) -> Store:
        from ecsplan.journal import open_store
        from ecsplan.site import journal_place

        return open_store(journal_place(spec, self.journal))

    def site(self, spec: Spec | None, app: str | None = None) -> Site:
        from ecsplan.pipeline import connect

        return connect(spec, app=app, region=self.region, profile=self.profile, journal=self.journal, clock=self.clock)

    def paint(self, stream: Any) -> Paint:
        from ecsplan.render.words import ansi, plain

        if self.color == "auto":
            colored = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            return ansi if colored else plain
        return ansi if self.color == "always" else plain


def screen(stream: Any) -> tuple[int, int | None]:
    """Columns to fill, and rows that fit beside what else is said; as many as there are where nobody looks at it."""
    if not stream.isatty():
        return 80, None
    size = shutil.get_terminal_size()
    return min(max(size.columns, 60), 120), max(size.lines, 24) - 6


def fit(text: str, stream: Any) -> str:
    """Text for a stream: no wider than a terminal, as it is where nobody looks at it."""
    if not stream.isatty():
        return text
    from ecsplan.render.words import fitted

    return fitted(text, max(shutil.get_terminal_size().columns, NARROWEST))


class Duration(click.ParamType[int]):
    """Seconds, or `90s`, `15m`, `1h30m`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from ecsplan.core.checks import parse_duration

        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


JSON_OR_TEXT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


def applying(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that applies a plan."""
    for option in (
        click.option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True),
        click.option("--timeout", type=Duration(), help="How long to wait for each rollout and task, e.g. 15m."),
        click.option("--no-wait", is_flag=True, help="Do not wait for rollouts (one-off tasks are waited for)."),
        click.option(
            "--on-failure",
            type=click.Choice(["rollback", "stop"]),
            default="rollback",
            show_default=True,
            help="Put everything back, or leave it where it is.",
        ),
    ):
        command = option(command)
    return command


def app_name(given: Given, spec: Spec | None) -> str:
    """The spec's app; without a spec, the one app that the journal knows."""
    if spec is not None:
        return spec.app
    store = given.store(None)
    apps = store.apps()
    if len(apps) == 1:
        return apps[0]
    known = (
        f"{store.name} knows several apps: {', '.join(apps)}" if apps else f"there is no journal at {store.name} either"
    )
    raise UsageError(f"there is no {DEFAULT_FILE} here, and {known}", hint="Name the spec with -f FILE.")


def quiet(stream: TextIO) -> None:
    """Nobody reads this stream any more: what is still buffered for it goes nowhere, and must not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
