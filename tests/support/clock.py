"""Time that passes when somebody sleeps, and only then; and the time of all processes."""

from __future__ import annotations

import threading
import time

EPOCH = 1_700_000_000.0


class Clock:
    """Shared by the embedded AWS and the executor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.time = EPOCH
        self.slept: list[float] = []

    def __getstate__(self) -> float:
        return self.time

    def __setstate__(self, now: float) -> None:
        """A copy starts at the same moment and has not slept."""
        self.__init__()  # type: ignore[misc]
        self.time = now

    def now(self) -> float:
        with self._lock:
            return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds

    def random(self) -> float:
        return 0.5


class RealClock(Clock):
    """That of the machine, which other processes go by as well."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class AheadClock(RealClock):
    """That of the machine; what sleeps by it does not wait, but puts it ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0
        """seconds, negative where it is behind"""

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class HastyClock(RealClock):
    """That of the machine, by which pauses are a twentieth as long."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)
