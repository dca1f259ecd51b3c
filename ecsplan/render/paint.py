"""Colours, and lines that fit a terminal. Imports nothing heavy: the error boundary needs it too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import click

Paint: TypeAlias = Callable[[str, str], str]
"""(text, name of a colour) -> text"""

WIDTH = 80
SIGNS = {"+": "green", "-": "red", "~": "yellow", ">": "cyan", "=": "dim"}

# Colours, movements of the cursor, titles, and every other character that a terminal would act on.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x1f\x7f-\x9f]")


def plain(text: str, color: str) -> str:
    return text


def ansi(text: str, color: str) -> str:
    """Text in a colour, bold, or dim; "" stays empty."""
    if not text:
        return text
    return click.style(text, **{color: True}) if color in ("bold", "dim") else click.style(text, fg=color)


def printable(text: str) -> str:
    """Text from outside ecsplan without what a terminal would act on; tabs as blanks."""
    return _CONTROL.sub("", text.expandtabs(4))


# --- lines on a terminal ---

_HEAD = re.compile(r"^ *(?:\d+ )?(?:[-+~>=!.] )?")


def fitted(text: str, columns: int) -> str:
    """Text for a terminal of that many columns: long lines are broken between words, and the next rows are indented. A
    word that is too long, such as an ARN, stays whole. The text may hold colours, which `textwrap` would count."""
    return "\n".join(row for line in text.splitlines() for row in _broken(line, columns))


def _broken(line: str, columns: int) -> list[str]:
    seen = printable(line)
    if len(seen) <= columns:
        return [line]
    head = len(seen) - len(_HEAD.sub("", seen, count=1))
    hang = head + 2 if head else 0
    rows = [""]
    for word in re.findall(r" *(?:-> +)?[^ ]+", line):
        if len(printable(rows[-1])) > head and len(printable(rows[-1] + word)) > columns:
            rows.append(" " * hang + word.lstrip(" "))
        else:
            rows[-1] += word
    return rows
