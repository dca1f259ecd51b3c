"""What is going to happen, and when: the sandbox's only notion of time passing.

Nothing runs in the background. Every operation first settles what has become due by the clock, in order of time and
with that time as its timestamp, so that what a caller sees depends on the requests made and on the clock alone: it does
not matter how often, or how late, somebody looked in between.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[float], None]


class Agenda:
    """Actions by due time (epoch seconds); those due at the same moment happen in the order they were put in."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Action]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Action) -> None:
        """Have ``action(when)`` happen at ``when``; an action may put further ones in."""
        heapq.heappush(self._due, (when, next(self._order), action))

    def settle(self, now: float, before: Action) -> None:
        """Let everything happen that is due at ``now`` or before; ``before(when)`` is called ahead of each action."""
        while self._due and self._due[0][0] <= now:
            when, _, action = heapq.heappop(self._due)
            before(when)
            action(when)
