"""At AWS's pace: how often each operation may be sent, and how all threads of a process keep to it together.

AWS counts requests in token buckets per account and region. Others use the same ones, so what is counted here is a
forecast. When AWS throttles, it was wrong: the bucket then counts as empty for everybody who waits for it, and they go
on more slowly until requests are answered again.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ecsplan.core import events
from ecsplan.core.errors import Interrupted
from ecsplan.core.model import Call

SLOWEST = 1 / 16  # of the documented rate, however often AWS throttles
RECOVERY = 0.1  # of it, regained with every answer
LOOKS = 0.5  # of it, for looking again and again at what is under way; the rest is for everybody else

SLICE = 0.25  # seconds after which a wait looks whether it is still wanted
NOTICE, REMINDER = 3.0, 15.0  # seconds of waiting in line after which that is said, and said again


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Operations that share a bucket: at most `burst` at once, `per_second` on the average."""

    operations: frozenset[str]
    burst: int
    per_second: float
    source: str


def _row(operations: str, burst: int, per_second: float, source: str = "ECS, request throttling") -> Rate:
    return Rate(operations=frozenset(operations.split()), burst=burst, per_second=per_second, source=source)


# "service:operation", or "service:*" for all that have no row of their own. What is not here is not paced.
RATES: Final = (
    _row("ecs:register_task_definition ecs:deregister_task_definition", 20, 1),
    _row("ecs:describe_task_definition ecs:list_task_definitions", 50, 20),
    _row("ecs:delete_task_definitions", 5, 1),
    _row("ecs:update_service", 50, 5),
    _row("ecs:describe_services ecs:list_services", 100, 20),
    _row("ecs:run_task ecs:stop_task", 100, 40),
    _row("ecs:describe_tasks ecs:list_tasks", 100, 20),
    _row("ecs:describe_service_deployments ecs:list_service_deployments", 50, 20),
    _row("ecs:describe_service_revisions", 50, 20),
    _row("ecs:describe_clusters", 50, 20),
    _row("ecs:tag_resource", 20, 10),
    # It names no burst, so a second's worth is taken.
    _row("events:*", 50, 50, "EventBridge, quotas: everything but PutEvents"),
)
_ROWS: Final = {operation: rate for rate in RATES for operation in rate.operations}


def rate_of(call: Call) -> Rate | None:
    """The row of an operation; None where there is none."""
    return _ROWS.get(str(call)) or _ROWS.get(f"{call.service}:*")


def poll_interval(calls: Iterable[Call], usual: float) -> float:
    """Seconds until the same calls may be sent again without taking more than their share of what AWS allows."""
    counts = Counter(rate for call in calls if (rate := rate_of(call)))
    return max([usual, *(count / (rate.per_second * LOOKS) for rate, count in counts.items())])


class Meter:
    """One bucket, as far as this process can tell. Pure: the moment is handed in, in seconds.

    A request counts in full until its answer is there, and only then begins to be forgotten: AWS may have counted it at
    any moment between. So a process that is alone is never throttled, however long requests are on their way.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.cuts = 0
        self._under_way = 0
        self._answered = 0.0  # as many as AWS has not forgotten yet
        self._share = 1.0
        self._at = float("-inf")

    @property
    def per_second(self) -> float:
        """The pace that is kept now."""
        return self.rate.per_second * self._share

    def left(self, now: float) -> float:
        """Seconds until one more may be sent; 0 for now. More may be needed when they are over."""
        self._forget(now)
        over = self._under_way + self._answered + 1 - self.rate.burst
        if over <= 1e-9:
            return 0.0
        return max(min(over, self._answered) / self.per_second, 0.001)

    def sent(self) -> int:
        """One more is on its way; what `answered` has to be told about it."""
        self._under_way += 1
        return self.cuts

    def answered(self, now: float, cuts: int, *, throttled: bool) -> None:
        """AWS has let one through, or throttled it. Those that were on their way together slow down once."""
        self._forget(now)
        self._under_way -= 1
        if not throttled:
            self._answered += 1
            self._share = min(1.0, self._share + RECOVERY)
            return
        self._answered = float(self.rate.burst)
        if cuts == self.cuts:
            self._share = max(self._share / 2, SLOWEST)
            self.cuts += 1

    def unsent(self) -> None:
        """One that was on its way was not sent after all."""
        self._under_way -= 1

    def _forget(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        if self._answered:
            self._answered = max(0.0, self._answered - passed * self.per_second)


class _Line:
    """Who waits for a bucket, in order of arrival; only the first one looks at the clock."""

    def __init__(self, rate: Rate) -> None:
        self.meter = Meter(rate)
        self.changed = threading.Condition()
        self.queue: deque[object] = deque()
        self.announced = 0
        self.dry: float | None = None  # since when nobody could go at once
        self.said = float("-inf")


class Turn:
    """The right to send one request, until it is answered; then `again` waits for another one."""

    def __init__(self, pace: Pace, call: Call, line: _Line | None) -> None:
        self._pace, self._call, self._line = pace, call, line
        self._cuts: int | None = None

    def now(self) -> bool:
        """Begin without waiting, if nobody waits and AWS has room."""
        line = self._line
        if line is not None:
            with line.changed:
                if line.queue or line.announced or line.meter.left(self._pace.now()):
                    line.announced += 1
                    return False
                line.dry = None
                self._cuts = line.meter.sent()
        return True

    def again(self) -> None:
        """Before a repetition: waits in line like any other request, unless this turn was not used yet."""
        if self._line is not None and self._cuts is None:
            self._cuts = self._pace.wait(self._call, self._line)

    def answered(self, *, throttled: bool) -> None:
        if self._line is not None and self._cuts is not None:
            with self._line.changed:
                self._line.meter.answered(self._pace.now(), self._cuts, throttled=throttled)
            self._cuts = None

    def over(self) -> None:
        """Nothing more is sent; a turn that was not used is given back."""
        if self._line is not None and self._cuts is not None:
            with self._line.changed:
                self._line.meter.unsent()
            self._cuts = None


class Pace:
    """All buckets, for all threads. `stopped` tells that nobody wants to wait any more; `told` hears of long waits."""

    def __init__(
        self,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        stopped: Callable[[], bool],
        told: events.Listener = lambda _event: None,
    ) -> None:
        self.now, self._sleep, self._stopped, self.told = now, sleep, stopped, told
        self._lines: dict[Rate, _Line] = {}
        self._lock = threading.Lock()

    def turn_now(self, call: Call) -> Turn | None:
        """A turn that can be had without waiting. None: it counts as waiting until `turn` with `announced`."""
        turn = Turn(self, call, self._line(call))
        return turn if turn.now() else None

    def turn(self, call: Call, *, announced: bool = False) -> Turn:
        """Waits in line; raises StoppingError when that is no longer wanted."""
        line = self._line(call)
        turn = Turn(self, call, line)
        if line is not None:
            try:
                turn.again()
            finally:
                with line.changed:
                    line.announced -= announced
        return turn

    def wait(self, call: Call, line: _Line) -> int:
        """Until `call` may be sent, first come first served; it counts as sent then."""
        me = object()
        with line.changed:
            line.queue.append(me)
            line.changed.wait_for(lambda: line.queue[0] is me)
        waited = False
        try:
            while True:
                with line.changed:
                    seconds = line.meter.left(self.now())
                    if not seconds:
                        line.dry = line.dry if waited else None
                        return line.meter.sent()
                waited = True
                if self._stopped():
                    raise Interrupted
                self._tell(call, line)
                self._sleep(min(seconds, SLICE))
        finally:
            with line.changed:
                line.queue.popleft()
                line.changed.notify_all()

    def _tell(self, call: Call, line: _Line) -> None:
        now = self.now()
        if line.dry is None:
            line.dry = now
        if now - line.dry < NOTICE or now - line.said < REMINDER:
            return
        line.said = now
        waiting = max(len(line.queue), line.announced)
        self.told(events.Paced(call=str(call), per_second=line.meter.per_second, waiting=waiting))

    def _line(self, call: Call) -> _Line | None:
        rate = rate_of(call)
        if rate is None:
            return None
        with self._lock:
            if rate not in self._lines:
                self._lines[rate] = _Line(rate)
            return self._lines[rate]
