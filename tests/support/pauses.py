"""Clocks on which something happens while a command waits: another machine deploys, or the process is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.support.aws import Aws, Killed
from tests.support.clock import Clock
from tests.support.world import World


class Pausing(Clock):
    """The world's clock. At the pause of this number of the command that goes by it, `act` is called, once."""

    def __init__(self, clock: Clock, act: Callable[[], object], *, at: int = 2) -> None:
        super().__init__()
        self._clock, self._act, self._left = clock, act, at

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self._left -= 1
        if self._left == 0:
            self._act()


def killed() -> None:
    """The process is gone."""
    raise Killed


def interrupted() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def at_request(aws: Aws, operation: str, act: Callable[[], object], *, number: int = 1) -> None:
    """`act` is called, once, when so many requests of this operation have arrived."""
    left = number

    def arrives(incoming: object) -> None:
        nonlocal left
        if getattr(incoming, "headers", {}).get("x-amz-target", "").endswith(f".{operation}"):
            left -= 1
            if left == 0:
                aws.arrives = lambda _incoming: None
                act()

    aws.arrives = arrives


def one_off_tasks(world: World, family: str = "web") -> list[dict[str, object]]:
    """Every task of a family that no service has started, oldest first: its revision, and when it began and its
    containers had ended."""
    found = []
    for task in world.aws.region.tasks.values():
        if task.service is None and task.revision.family == family:
            found.append({
                "revision": f"{family}:{task.revision.number}", "began": task.created_at,
                "ended": task.deprovisioning_at or task.stopped_at, "code": str(task.stop.get("stopCode", "")),
            })  # fmt: skip
    return sorted(found, key=lambda one: float(str(one["began"])))
