"""What a command has put on the screen, without what differs from run to run: for golden files in `deploy/screens`."""

from __future__ import annotations

import re

from tests.support.world import Ran

#: What AWS numbers anew in each run, and when it ran; the first that fits wins.
CHANGING = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"ecs-svc/\d+", "ecs-svc/ID"),
    (r"(service-(?:deployment|revision)/[\w-]+/[\w-]+)/\w+", r"\1/ID"),
    (r"\b[0-9a-f]{32}\b|\b[0-9a-f]{22}\b", "ID"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
)

#: Lines that come in no particular order: steps of a phase are begun at once.
TOGETHER = re.compile(
    r"(?:^ *\d+/\d+ [^\n]*  (?:registered|started|updating|already under way|targets set)[^\n]*\n)+", re.MULTILINE
)


def screen(ran: Ran) -> str:
    """The exit code, then what stood on stderr (progress), then on stdout (results)."""
    return without_changing(f"exit {ran.code}\n{_part('stderr', ran.err)}{_part('stdout', ran.out)}")


def without_changing(text: str) -> str:
    """With a word for whatever differs from run to run."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return TOGETHER.sub(lambda match: "".join(sorted(match[0].splitlines(keepends=True))), text)


def _part(name: str, text: str) -> str:
    return f"--- {name}\n{text.rstrip()}\n" if text.strip() else ""
