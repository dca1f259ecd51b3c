"""The events of a service: those of one rollout, grouped where they say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ecsplan.core.diagnosis import ServiceEvent, alike
from ecsplan.core.model import Doc
from ecsplan.kinds.ecs.reasons import Reason, explain
from ecsplan.kinds.ecs.times import epoch, iso

MOST = 8  # that are told of

# What ECS says of every rollout; beside anything else it tells nothing.
ROUTINE = re.compile(
    r"has (started|stopped) \d+ (running )?tasks|(de)?registered \d+ (targets|instances) in"
    r"|has begun draining connections|has reached a steady state|deployment completed|^rolling back to"
)
_NAME = re.compile(r"^\(service [^)]*\) (?:\(instance [^)]*\) )?")


def events_since(events: Sequence[Doc], began: float | None) -> tuple[ServiceEvent, ...]:
    """Newest first, `MOST` at most. Without a beginning: all that are shown."""
    since = list(_since(events, began))
    telling = [event for event in since if not ROUTINE.search(_text(event))] or since
    groups: dict[str, list[Doc]] = {}
    for event in telling:
        groups.setdefault(alike(_text(event)), []).append(event)
    return tuple(
        ServiceEvent(text=_text(some[0]), count=len(some), at=iso(some[0].get("createdAt")))
        for some in list(groups.values())[:MOST]
    )


def explained(events: Sequence[Doc], began: float | None) -> Reason | None:
    """What the newest event that has words for it means."""
    return next((words for event in _since(events, began) if (words := explain(_text(event)))), None)


def _since(events: Sequence[Doc], began: float | None) -> Iterator[Doc]:
    """ECS answers the newest event first."""
    return (event for event in events if began is None or (epoch(event.get("createdAt")) or began) >= began)


def _text(event: Doc) -> str:
    return _NAME.sub("", str(event.get("message", ""))).rstrip(".")
