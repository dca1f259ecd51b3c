"""AWS's request rates as rows, and how all threads of a process keep to them together.

AWS counts requests in token buckets per account and region. Others use the same buckets, so what is counted here is a
forecast. A throttled answer shows that it was wrong: the bucket is then empty for all threads, and rests for a moment.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from ecsplan.core import events
from ecsplan.core.errors import Interrupted
from ecsplan.core.model import Call
from ecsplan.core.rates import Rate

# After a throttled answer a bucket owes the tokens of so many seconds, and so many at least. Without that, processes
# that share a bucket send so much that most attempts are throttled, and deployments fail.
REST_SECONDS, REST_TOKENS = 1.5, 4
MOST_RESTS = 4  # from the fourth in a row, a rest is twice as long as the one before, so many times
POLLING = 0.5  # of a rate, for polling what is under way; the rest is for others

SLICE = 0.25  # seconds after which a wait checks whether it has to end
NOTICE, REMINDER = 3.0, 15.0  # seconds of waiting until the first event, and between two events


def _row(operations: str, burst: int, per_second: float) -> Rate:
    source = "ECS, request throttling"
    return Rate(operations=frozenset(operations.split()), burst=burst, per_second=per_second, source=source)


# Of ECS, whose operations several kinds share. A kind brings the rates of other services. Operations without a row are
# not paced.
ECS_RATES: Final = (
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
)
_ROWS: Final[dict[str, Rate]] = {}


def add_rates(rates: Iterable[Rate]) -> None:
    """Pace these operations too; adding a row twice makes no difference."""
    _ROWS.update({operation: rate for rate in rates for operation in rate.operations})


add_rates(ECS_RATES)


def rate_of(call: Call) -> Rate | None:
    """The row of an operation; None if it has none."""
    return _ROWS.get(str(call)) or _ROWS.get(f"{call.service}:*")


def poll_interval(calls: Iterable[Call], usual: float) -> float:
    """Seconds between two polls, so that `calls` take no more than their share of AWS's rates; `usual` at least."""
    counts = Counter(rate for call in calls if (rate := rate_of(call)))
    return max([usual, *(count / (rate.per_second * POLLING) for rate, count in counts.items())])


class TokenBucket:
    """One of AWS's buckets, as this process reckons it. Pure: the time is handed in, in seconds.

    A token begins to come back when its request is answered, because AWS may have taken it at any moment until then.
    So a process that is alone in its account is never throttled, however long its requests are on their way.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._in_flight = 0
        self._missing = 0.0  # tokens of answered requests that have not come back yet
        self._rests = 0  # how often in a row a throttled answer came although the bucket had rested
        self._at = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until a token may be taken; 0 for now. Afterwards there may be more to wait."""
        self._refill(now)
        lacking = self._in_flight + self._missing + 1 - self.rate.burst
        if lacking <= 1e-9:
            return 0.0
        return max(min(lacking, self._missing) / self.rate.per_second, 0.001)

    def take(self) -> None:
        """A request is about to be sent."""
        self._in_flight += 1

    def put_back(self) -> None:
        """It was not sent after all."""
        self._in_flight -= 1

    def answered(self, now: float, *, throttled: bool) -> None:
        """It has an answer. A throttled one shows that the bucket is empty, since others take from it too."""
        self._refill(now)
        self._in_flight -= 1
        if not throttled:
            self._rests = 0
            self._missing += 1
        elif self._missing <= self.rate.burst:  # else it is of the same moment as one before, and rests already
            rest = max(REST_SECONDS * self.rate.per_second, REST_TOKENS)
            self._missing = self.rate.burst + rest * 2 ** min(max(0, self._rests - 2), MOST_RESTS)
            self._rests += 1

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        if self._missing:
            self._missing = max(0.0, self._missing - passed * self.rate.per_second)


class _Line:
    """A bucket and those who wait for it, in order of arrival. Only the first one watches the clock."""

    def __init__(self, rate: Rate) -> None:
        self.bucket = TokenBucket(rate)
        self.changed = threading.Condition()
        self.queue: deque[object] = deque()
        self.waiting = 0  # those in the queue, and those announced for it
        self.empty_since: float | None = None  # when a request last had to wait after one that had not
        self.last_notice = float("-inf")


class Pacer:
    """All buckets, for all threads. Each token that is acquired is released after the answer, or cancelled.

    `stopped` ends all waits; `on_wait` is called with `events.Paced` during long ones.
    """

    def __init__(
        self,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        stopped: Callable[[], bool],
        on_wait: events.Listener = lambda _event: None,
    ) -> None:
        self.on_wait = on_wait
        self._now, self._sleep, self._stopped = now, sleep, stopped
        self._lines: dict[Rate, _Line] = {}
        self._lock = threading.Lock()

    def try_acquire(self, call: Call) -> bool:
        """Acquire without waiting. If that is not possible, the call counts as waiting, so that later ones do not
        overtake it, and has to be followed by `acquire` with `announced`."""
        line = self._line(call)
        if line is None:
            return True
        with line.changed:
            if line.waiting or line.bucket.wait(self._now()):
                line.waiting += 1
                return False
            line.empty_since = None
            line.bucket.take()
        return True

    def acquire(self, call: Call, *, announced: bool = False) -> None:
        """Wait until `call` may be sent, first come first served. Raises Interrupted when all waits have to end."""
        line = self._line(call)
        if line is None:
            return
        me = object()
        with line.changed:
            line.waiting += not announced
            line.queue.append(me)
            line.changed.wait_for(lambda: line.queue[0] is me)
        try:
            self._take(call, line)
        finally:
            with line.changed:
                line.queue.popleft()
                line.waiting -= 1
                line.changed.notify_all()

    def release(self, call: Call, *, throttled: bool) -> None:
        """It was sent, and is answered or lost."""
        if line := self._line(call):
            with line.changed:
                line.bucket.answered(self._now(), throttled=throttled)

    def cancel(self, call: Call) -> None:
        """It was not sent."""
        if line := self._line(call):
            with line.changed:
                line.bucket.put_back()

    def _take(self, call: Call, line: _Line) -> None:
        waited = False
        while True:
            with line.changed:
                seconds = line.bucket.wait(self._now())
                if not seconds:
                    line.empty_since = line.empty_since if waited else None
                    line.bucket.take()
                    return
            waited = True
            if self._stopped():
                raise Interrupted
            self._notify(call, line)
            self._sleep(min(seconds, SLICE))

    def _notify(self, call: Call, line: _Line) -> None:
        now = self._now()
        if line.empty_since is None:
            line.empty_since = now
        if now - line.empty_since < NOTICE or now - line.last_notice < REMINDER:
            return
        line.last_notice = now
        rate = line.bucket.rate
        self.on_wait(events.Paced(call=str(call), per_second=rate.per_second, waiting=line.waiting))

    def _line(self, call: Call) -> _Line | None:
        rate = rate_of(call)
        if rate is None:
            return None
        with self._lock:
            if rate not in self._lines:
                self._lines[rate] = _Line(rate)
            return self._lines[rate]
