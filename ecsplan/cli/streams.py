"""stdout and stderr: how wide they are, whether they are coloured, and lines to a reader that may leave."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from ecsplan.cli.exit import discard
from ecsplan.render.paint import Paint, ansi, fitted, plain

NARROWEST = 20  # columns that text is broken for


def paint_for(stream: Any, color: str) -> Paint:
    """How a stream is coloured. `color` is the option: auto, always or never."""
    if color == "auto":
        colored = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return ansi if colored else plain
    return ansi if color == "always" else plain


def screen(stream: Any) -> tuple[int, int | None]:
    """Columns to fill, and rows that fit beside other output; no limit on rows where the stream is no terminal."""
    if not stream.isatty():
        return 80, None
    size = shutil.get_terminal_size()
    return min(max(size.columns, 60), 120), max(size.lines, 24) - 6


def fit(text: str, stream: Any) -> str:
    """Text for a stream: no wider than a terminal; unchanged where the stream is none."""
    return fitted(text, max(shutil.get_terminal_size().columns, NARROWEST)) if stream.isatty() else text


class LineWriter:
    """Writes lines to stdout or stderr as long as there is a reader: a deployment goes on when its reader has gone."""

    def __init__(self, *, err: bool = False) -> None:
        self._err, self._open = err, True

    def __call__(self, line: str) -> None:
        if self._open:
            try:
                click.echo(line, err=self._err)
            except OSError:
                self._open = False
                discard(sys.stderr if self._err else sys.stdout)
