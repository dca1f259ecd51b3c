"""Fields, values and stages as lines of text, for all formats for people. The phases' words are in `wording`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecsplan.core.events import Continued, Paced
from ecsplan.core.model import FieldChange, Identity
from ecsplan.core.text import CHANGED, value_text
from ecsplan.render.paint import SIGNS, WIDTH, Paint, plain, printable


def heading(
    app: str, tag: str, identity: Identity, clusters: Sequence[str], paint: Paint = plain, *, before: str = ""
) -> str:
    """Where something is deployed to: `shop v42  account 123456789012, eu-west-1, cluster prod`. As many clusters are
    named as fit."""
    name, where = f"{before}{app} {tag}".rstrip(), f"  {identity.text}"
    room = WIDTH - len(name) - len(where)
    word = ", clusters " if len(clusters) > 1 else ", cluster "
    shown = len(clusters)
    while shown > 1 and len(word + _some(clusters, shown)) > room:
        shown -= 1
    return paint(name, "bold") + where + (word + _some(clusters, shown) if clusters else "")


def _some(names: Sequence[str], shown: int) -> str:
    more = f" and {len(names) - shown} more" if shown < len(names) else ""
    return ", ".join(names[:shown]) + more


def field_lines(change: FieldChange, indent: int, paint: Paint) -> list[str]:
    """One difference, on one line where that fits, else with the values on lines of their own."""
    pad = " " * indent
    sign = "+" if change.before is None else "-" if change.after is None else "~"
    head = f"{pad}{paint(sign, SIGNS[sign])} {change.path}"
    before, after = value_text(change.before), value_text(change.after)
    if after == CHANGED:
        return [f"{head}  {after}"]
    if change.before is None or change.after is None:
        only, equals = (after, " =") if sign == "+" else (before, "")
        if indent + 2 + len(change.path) + len(equals) + 2 + len(only) <= WIDTH:
            return [f"{head}{equals or ' '} {only}"]
        return [f"{head}{equals}", f"{pad}    {only}"]
    line = f"{head}  {before} -> {after}"
    if indent + 2 + len(change.path) + 2 + len(before) + 4 + len(after) <= WIDTH:
        return [line]
    if indent + 4 + len(before) + 4 + len(after) <= WIDTH:
        return [head, f"{pad}    {before} -> {after}"]
    return [head, f"{pad}    {before}", f"{pad} -> {after}"]


# --- text of containers and AWS, on one line ---

_OF_SERVICE = re.compile(r"^\(service [^)]*\) *")
_TASKS = re.compile(r":(?: \(task [^)]*\))+\.?$")
_ROUTINE = re.compile(
    r"has (started|stopped) \d+ .*tasks?|(de)?registered \d+ targets|has begun draining connections|"
    r"has reached a steady state|deployment (completed|in progress)"
)


def one_line(text: str) -> str:
    """Text as a container or AWS wrote it, for one line of a terminal."""
    return printable(re.sub(r"\s*[\r\n]+\s*", " ", text.rstrip()))


def lines_of(text: str) -> list[str]:
    """A text line by line; at least one."""
    return [one_line(line) for line in text.splitlines()] or [""]


def without_service(event: str) -> str:
    """A service's event without the service's name, which is printed before it, and without the task ids at its end."""
    return _TASKS.sub("", _OF_SERVICE.sub("", one_line(event))).rstrip(".")


def is_routine(event: str) -> bool:
    """Is this a service event of any normal rollout?"""
    return _ROUTINE.search(event) is not None


def stage_words(stage: str) -> str:
    """`BAKE_TIME` as people read it."""
    return stage.replace("_", " ").lower()


def seconds_text(seconds: float) -> str:
    """`8s`, `2m05s`, `1h02m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, left = divmod(whole, 60)
    return f"{minutes}m{left:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def paced_text(event: Paced) -> str:
    """Which calls are waiting for AWS's rate limit."""
    return f"{event.call} at AWS's pace: {event.per_second:.3g}/s, {event.waiting} waiting"


def continued_text(event: Continued) -> str:
    """Which hook was continued."""
    return f"{event.address}  continued past {event.stage or 'its hook'} (hook {event.hook})"
