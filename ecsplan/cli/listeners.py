"""Where the events of a deployment go: a table on a terminal, lines elsewhere, or a stream of JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecsplan.cli.options import CliOptions
from ecsplan.cli.streams import LineWriter, fit
from ecsplan.core.events import DeploymentStarted, Event
from ecsplan.render.json import event_json, stream_head
from ecsplan.render.lines import Lines
from ecsplan.render.paint import ansi
from ecsplan.render.words import heading

if TYPE_CHECKING:
    from ecsplan.render.terminal import TerminalTable


@dataclass(frozen=True, kw_only=True)
class Listener:
    """`emit` takes the events of a deployment, `say` other lines for people; a signal handler may call it. After
    `close` everything is written, and the screen is free for something else."""

    emit: Callable[[Event], None]
    say: Callable[[str], None]
    close: Callable[[], None] = lambda: None


@contextmanager
def listener(options: CliOptions, form: str, *, heads: bool = False) -> Iterator[Listener]:
    """A table or lines on stderr, or a stream of JSON on stdout. Always closed at the end. With `heads`, table and
    lines begin with where the deployment acts."""
    say = LineWriter(err=True)
    if form == "jsonl":
        out = LineWriter()
        out(stream_head())
        yield Listener(emit=lambda event: out(event_json(event)), say=say)
    elif has_screen():
        screen = OnTerminal(options)
        try:
            yield Listener(emit=_headed(screen.handle, screen.say, options, heads), say=screen.say, close=screen.close)
        finally:
            screen.close()
    else:
        yield Listener(emit=_headed(Lines(say, options.paint(sys.stderr)), say, options, heads), say=say)


def _headed(
    handle: Callable[[Event], None], say: Callable[[str], None], options: CliOptions, heads: bool
) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        if heads and isinstance(event, DeploymentStarted) and event.identity is not None:
            paint = options.paint(sys.stderr)
            say(fit(heading(event.app, event.tag, event.identity, event.clusters, paint), sys.stderr))
        handle(event)

    return emit


def planning_listener(options: CliOptions) -> Callable[[Event], None]:
    """Reports throttling waits during planning on stderr."""
    return Lines(LineWriter(err=True), options.paint(sys.stderr))


def has_screen() -> bool:
    """Can stderr show a table? A terminal that is `dumb`, or has no name, cannot."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class OnTerminal:
    """A table from the first event on: without one nothing is drawn, and rich is not imported."""

    def __init__(self, options: CliOptions) -> None:
        self._options = options
        self._table: TerminalTable | None = None

    def handle(self, event: Event) -> None:
        if self._table is None:
            from ecsplan.render.terminal import TerminalTable  # the importer of rich

            now = self._options.clock.now if self._options.clock else time.monotonic
            self._table = TerminalTable(sys.stderr, now, colored=self._options.paint(sys.stderr) is ansi)
            self._table.start()
        self._table(event)

    def say(self, text: str) -> None:
        table = self._table
        (table.say if table else LineWriter(err=True))(text)

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None
