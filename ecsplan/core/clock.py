"""Time and chance: the machine's own, where no other is handed in, and the times in AWS's answers."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from typing import Any, Protocol


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


# --- times in AWS's answers: datetimes out of its SDK, numbers over the wire, texts in JSON ---


def epoch(at: Any) -> float | None:
    """In epoch seconds, by AWS's clock, not by this machine's; None where it is no time."""
    if isinstance(at, datetime):
        return at.timestamp()
    if isinstance(at, int | float):
        return float(at)
    try:
        return datetime.fromisoformat(at).timestamp()
    except (TypeError, ValueError):
        return None


def iso(at: Any) -> str:
    """ISO 8601 in UTC, to the second; "" where it is no time."""
    seconds = epoch(at)
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
