"""The machine's own time and chance, where no other is handed in."""

from __future__ import annotations

import random
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time and chance, handed in."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Returns early when a stop is requested."""

    def random(self) -> float:
        """From 0 up to 1, for jitter."""


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
