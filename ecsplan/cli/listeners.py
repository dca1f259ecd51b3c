"""Who hears of a deployment while it runs: a table on a terminal, lines elsewhere, or a stream of JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ecsplan.cli.options import Given, quiet

if TYPE_CHECKING:
    from ecsplan.core.events import Event
    from ecsplan.render.terminal import Live


@dataclass(frozen=True, kw_only=True)
class Told:
    """`emit` hears the events of a deployment, `say` what is told to people meanwhile; a signal handler may call it.
    After `close` everything is told, and the screen is free for something else."""

    emit: Callable[[Event], None]
    say: Callable[[str], None]
    close: Callable[[], None] = lambda: None


@contextmanager
def listener(given: Given, form: str) -> Iterator[Told]:
    """Who hears of the deployment: people on stderr, or a stream of JSON on stdout. Closed when it is left, whatever
    the reason."""
    say = Saying(err=True)
    if form == "jsonl":
        from ecsplan.render.json import event_json, stream_head

        out = Saying()
        out(stream_head())
        yield Told(emit=lambda event: out(event_json(event)), say=say)
    elif has_screen():
        screen = OnTerminal(given)
        try:
            yield Told(emit=screen.hear, say=screen.say, close=screen.close)
        finally:
            screen.close()
    else:
        from ecsplan.render.lines import Lines

        yield Told(emit=Lines(say, given.paint(sys.stderr)), say=say)


def planning(given: Given) -> Callable[[Event], None]:
    """Who hears of what a plan has to wait for while it is made: people on stderr."""

    def hear(event: Event) -> None:
        from ecsplan.render.lines import Lines

        Lines(Saying(err=True), given.paint(sys.stderr))(event)

    return hear


def has_screen() -> bool:
    """Can stderr show a table? A terminal that is `dumb`, or that nobody has named, cannot."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class OnTerminal:
    """A table from the first event on: where there is nothing to do, nothing is drawn, and nothing imported for it."""

    def __init__(self, given: Given) -> None:
        self._given, self._live = given, None

    _live: Live | None

    def hear(self, event: Event) -> None:
        if self._live is None:
            from ecsplan.render.terminal import Live
            from ecsplan.render.words import ansi

            now = self._given.clock.now if self._given.clock else time.monotonic
            self._live = Live(sys.stderr, now, colored=self._given.paint(sys.stderr) is ansi)
            self._live.start()
        self._live(event)

    def say(self, text: str) -> None:
        live = self._live
        (live.say if live else Saying(err=True))(text)

    def close(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None


class Saying:
    """Lines to a stream for as long as somebody reads it: a deployment goes on when its reader has gone."""

    def __init__(self, *, err: bool = False) -> None:
        self._err, self._heard = err, True

    def __call__(self, line: str) -> None:
        if self._heard:
            try:
                click.echo(line, err=self._err)
            except OSError:
                self._heard = False
                quiet(sys.stderr if self._err else sys.stdout)
