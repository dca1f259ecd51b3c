"""Faults that are ordered in advance, and which request meets which one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .common import AwsError

KINDS: Final = ("throttle", "error", "drop_before", "drop_after", "hold", "failures", "failed_entries")
#: The operations that can answer with this kind of partial failure.
PARTIAL: Final[Mapping[str, tuple[str, ...]]] = {
    "failures": ("RunTask", "DescribeTasks", "DescribeServices"),
    "failed_entries": ("PutTargets", "RemoveTargets"),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request. ``kind`` is one of KINDS. ``code``, ``message`` and ``status`` are the answer's; what
    is not given is as usual.

    ``count`` is for ``failures``: how many of the tasks are not placed.
    """

    operation: str
    kind: str
    code: str = ""
    message: str = ""
    status: int | None = None
    match: Mapping[str, Any] | None = None
    count: int = 1

    def refusal(self, throttled: AwsError) -> AwsError:
        """The answer to a request that meets ``throttle`` or ``error``. ``throttled`` is the service's own refusal of
        requests that exceed its rate."""
        usual = throttled if self.kind == "throttle" else AwsError("ServerException", "An error that was ordered.")
        return AwsError(self.code or usual.code, self.message or usual.message, self.status or usual.status)


@dataclass
class _Order:
    fault: Fault
    skip: int
    times: int


class Faults:
    """The pending orders. A request meets one fault at most: that of the oldest order that fits."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []
        self._lock = threading.Lock()

    def order(self, fault: Fault, *, times: int, skip: int) -> None:
        """Order ``fault`` for ``times`` fitting requests after the first ``skip``. Raises ValueError."""
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {fault.kind!r}: it must be one of {', '.join(KINDS)}")
        only = PARTIAL.get(fault.kind)
        if only and fault.operation not in (*only, "*"):
            raise ValueError(f"a fault of kind {fault.kind!r} is for {', '.join(only)} only, not for {fault.operation}")
        if fault.count < 1:
            raise ValueError("count must be at least 1")
        if times < 1 or skip < 0:
            raise ValueError("times must be at least 1, and skip at least 0")
        with self._lock:
            self._orders.append(_Order(fault, skip, times))

    def take(self, operation: str, params: Mapping[str, Any]) -> Fault | None:
        """The fault that this request meets, if any. Thread-safe. Every fitting request counts for ``skip``."""
        with self._lock:
            for order in self._orders:
                if not _fits(order.fault, operation, params):
                    continue
                if order.skip:
                    order.skip -= 1
                    continue
                order.times -= 1
                if not order.times:
                    self._orders.remove(order)
                return order.fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()


def _fits(fault: Fault, operation: str, params: Mapping[str, Any]) -> bool:
    if fault.operation not in ("*", operation):
        return False
    only = PARTIAL.get(fault.kind)
    if only and operation not in only:
        return False
    return all(params.get(name) == value for name, value in (fault.match or {}).items())


class Gate:
    """Where held requests wait until they are released."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._generation = 0
        self._abandoned = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many requests are held now."""
        return self._waiting

    def wait(self) -> bool:
        """Block until released. False if the request is to be dropped, as after a reset or a stop."""
        with self._change:
            generation = self._generation
            self._waiting += 1
            self._change.wait_for(lambda: self._generation != generation)
            self._waiting -= 1
            return generation >= self._abandoned

    def release(self, *, abandon: bool = False) -> None:
        with self._change:
            self._generation += 1
            if abandon:
                self._abandoned = self._generation
            self._change.notify_all()
