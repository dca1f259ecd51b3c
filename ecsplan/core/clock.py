"""The machine's own time and chance, where no other is handed in."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time and chance, handed in."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Returns early when someone asks to stop."""

    def random(self) -> float:
        """From 0 up to 1, for jitter."""


class StoppableClock:
    """A clock, and whether someone has asked to stop."""

    def __init__(self, clock: Clock, stop: threading.Event) -> None:
        self._clock, self._stop = clock, stop

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def random(self) -> float:
        return self._clock.random()


def timestamp(clock: Clock) -> str:
    """Now, as ISO 8601 in UTC, in milliseconds."""
    return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SystemClock:
    """The machine's time. A sleep ends early when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def random(self) -> float:
        return random.random()  # noqa: S311  jitter, not a secret
