"""What is going to happen, and when: how time passes in the simulator.

Nothing runs in the background. Each operation first lets everything happen that is due by the clock, in order of time
and with that time as its timestamp. So the answers depend on the requests and on the clock alone, not on how often or
how late they are polled. Events are data: ``rollouts.happen`` carries them out on the state that it is given.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

#: The deployment that an event is about: cluster, service, id of the deployment.
Target = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to a deployment, unless that is no longer rolling out when it is due."""

    target: Target


@dataclass(frozen=True, kw_only=True)
class StageEnds(Event):
    """The ``index``-th step of its stages is over. ``began`` is when the first began, without the time at hooks."""

    index: int
    began: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """Tasks that fail one after the other: ``times`` of them within ``seconds`` after ``since``.

    ``number`` counts them from 1. Without ``times`` there is always another one, and ``seconds`` is how long this one
    takes.
    """

    since: float
    seconds: float
    times: int | None
    number: int = 1

    def until(self, at: float) -> float:
        """When the task that starts ``at`` fails."""
        if self.times is None:
            return at + self.seconds
        return self.since + self.seconds * self.number / self.times


@dataclass(frozen=True, kw_only=True)
class TaskFails(Event):
    """One of its tasks stops. ``text`` is the service's event about that, "" for none."""

    text: str
    series: Series


@dataclass(frozen=True, kw_only=True)
class AlarmRings(Event):
    """A CloudWatch alarm goes off."""

    name: str


@dataclass(frozen=True, kw_only=True)
class HookAnswers(Event):
    """The Lambda function of a lifecycle hook answers SUCCEEDED or FAILED."""

    hook: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class HookExpires(Event):
    """The time of a lifecycle hook is over."""

    hook: str


@dataclass(frozen=True, kw_only=True)
class StopTakesEffect(Event):
    """What StopServiceDeployment requested is done; ``back``: it is rolled back."""

    back: bool


class Agenda:
    """Events by due time (epoch seconds). Those due at the same moment happen in the order in which they were added."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Event]] = []
        self._added = 0

    def at(self, when: float, event: Event) -> None:
        heapq.heappush(self._due, (when, self._added, event))
        self._added += 1

    def settle(self, now: float, happen: Callable[[Event, float], None]) -> None:
        """Call ``happen(event, when)`` for each event due at ``now`` or before, also for those that it adds."""
        while self._due and self._due[0][0] <= now:
            when, _, event = heapq.heappop(self._due)
            happen(event, when)
