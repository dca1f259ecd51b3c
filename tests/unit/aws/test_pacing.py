"""AWS's request rates: what is sent when, by a clock that is handed in."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.aws.pacing import (
    ECS_RATES,
    NOTICE,
    REMINDER,
    REST_SECONDS,
    REST_TOKENS,
    Pacer,
    TokenBucket,
    poll_interval,
    rate_of,
)
from ecsplan.core import events
from ecsplan.core.errors import Interrupted
from ecsplan.core.model import Call
from ecsplan.core.rates import Rate
from ecsplan.kinds import kinds
from ecsplan.sandbox.rates import RATES as AS_SIMULATED
from tests.unit.builders import ecs
from tests.unit.fakes import FakeClock

UPDATE, REGISTER = ecs("update_service", service="web"), ecs("register_task_definition")
RATES = (*ECS_RATES, *(rate for kind in kinds() for rate in kind.rates))
FREE = Call(service="sts", operation="get_caller_identity", params={})


def small(burst: int = 3, per_second: float = 2) -> TokenBucket:
    rate = Rate(operations=frozenset({"ecs:update_service"}), burst=burst, per_second=per_second, source="a test")
    return TokenBucket(rate)


# --- the rows ---


def test_the_rows_are_those_that_the_simulator_was_given() -> None:
    """Two readings of one table."""

    def snake(name: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

    ours = {(rate.operations, rate.burst, rate.per_second) for rate in RATES}
    theirs = {
        (frozenset(f"{rate.service}:{snake(name)}" for name in rate.operations), rate.burst, rate.per_second)
        for rate in AS_SIMULATED
    }
    assert ours == theirs


def test_each_operation_has_one_row() -> None:
    named = [operation for rate in RATES for operation in rate.operations]
    assert len(named) == len(set(named))
    assert all(rate.source for rate in RATES)


def test_a_row_is_found_by_operation_or_by_service() -> None:
    assert rate_of(UPDATE) is not rate_of(REGISTER)
    assert rate_of(REGISTER) is rate_of(ecs("deregister_task_definition"))
    events_ = [Call(service="events", operation=name, params={}) for name in ("put_targets", "list_targets_by_rule")]
    assert rate_of(events_[0]) is rate_of(events_[1]) is not None
    assert rate_of(FREE) is None
    assert rate_of(ecs("create_cluster")) is None


# --- one bucket ---


def answer(bucket: TokenBucket, now: float, *, throttled: bool = False) -> None:
    bucket.take()
    bucket.answered(now, throttled=throttled)


def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    bucket = small(burst=3, per_second=2)
    for _ in range(3):
        assert bucket.wait(0) == 0
        answer(bucket, 0)
    assert bucket.wait(0) == pytest.approx(0.5)
    assert bucket.wait(0.4) == pytest.approx(0.1)
    assert bucket.wait(0.5) == 0


def test_a_request_counts_in_full_until_it_is_answered() -> None:
    """AWS may have counted it a moment ago only, however long ago it was sent."""
    bucket = small(burst=1, per_second=1)
    bucket.take()
    assert bucket.wait(100) > 0
    bucket.answered(100, throttled=False)
    assert bucket.wait(100) == pytest.approx(1)
    assert bucket.wait(101) == 0


def test_a_request_that_was_not_sent_counts_no_longer() -> None:
    bucket = small(burst=1)
    bucket.take()
    bucket.put_back()
    assert bucket.wait(0) == 0


def test_after_a_throttled_answer_the_bucket_is_empty_and_rests() -> None:
    for rate in (2.0, 20.0):
        rest = max(REST_SECONDS, REST_TOKENS / rate)
        bucket = small(burst=3, per_second=rate)
        answer(bucket, 0, throttled=True)
        assert bucket.wait(0) == pytest.approx(rest + 1 / rate)
        assert bucket.wait(rest) == pytest.approx(1 / rate)
        assert bucket.wait(rest + 1 / rate) == 0


def test_requests_that_were_on_their_way_together_slow_it_down_once() -> None:
    bucket = small(burst=10, per_second=16)
    for _ in range(8):
        bucket.take()
    for _ in range(8):
        bucket.answered(0, throttled=True)
    assert bucket.wait(0) == pytest.approx(REST_SECONDS + 1 / 16)


def test_it_never_comes_to_a_standstill_and_recovers() -> None:
    bucket = small(burst=3, per_second=16)
    for _ in range(50):
        answer(bucket, 0, throttled=True)
    assert bucket.wait(0) == pytest.approx(REST_SECONDS + 1 / 16)
    for _ in range(3):  # a full burst again
        assert bucket.wait(10) == 0
        answer(bucket, 10)
    assert bucket.wait(10) > 0


def test_a_clock_that_goes_back_is_no_reason_to_wait_for_it() -> None:
    bucket = small(burst=1, per_second=1)
    answer(bucket, 1_000)
    assert bucket.wait(10) <= 1
    assert bucket.wait(11) == 0


@dataclass
class Served:
    """AWS's own bucket, and requests that take their time on both ways."""

    burst: int
    per_second: float
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, now: float) -> bool:
        self.level = min(self.burst, self.level + (now - self.at) * self.per_second)
        self.at = now
        if self.level < 1 - 1e-6:
            return False
        self.level -= 1
        return True


Delays: TypeAlias = list[tuple[float, float, float]]
DELAYS = st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 2))
RUNS = st.lists(DELAYS, min_size=1, max_size=60)


def play(delays: Delays, burst: int, per_second: float) -> tuple[list[float], list[bool]]:
    """When each request is sent that waits for its turn after a gap, and whether AWS lets it through; each takes so
    long to arrive, and its answer so long to come back."""
    bucket, aws, now = small(burst, per_second), Served(burst, per_second), 0.0
    coming: list[tuple[float, str]] = []
    sent, let_through = [], []

    def pass_until(moment: float) -> None:
        for at, what in sorted(one for one in coming if one[0] <= moment):
            if what == "arrives":
                let_through.append(aws.take(at))
            else:
                bucket.answered(at, throttled=False)
        coming[:] = [one for one in coming if one[0] > moment]

    for there, back, gap in delays:
        now += gap
        pass_until(now)
        while seconds := bucket.wait(now):
            now += seconds
            pass_until(now)
        bucket.take()
        sent.append(now)
        coming += [(now + there, "arrives"), (now + there + back, "answers")]
    pass_until(float("inf"))
    return sent, let_through


@given(RUNS, st.integers(1, 8), st.sampled_from([1.0, 2.0, 5.0]))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_a_process_that_is_alone_is_never_throttled(delays: Delays, burst: int, rate: float) -> None:
    """However long requests and answers are on their way, and in whatever order they arrive."""
    assert all(play(delays, burst, rate)[1])


@given(RUNS, st.integers(1, 8), st.sampled_from([1.0, 2.0, 5.0]))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_no_window_has_more_than_burst_and_rate(delays: Delays, burst: int, rate: float) -> None:
    sent = play(delays, burst, rate)[0]
    for first, begin in enumerate(sent):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + (sent[last] - begin) * rate + 1e-6


def test_the_pace_is_not_below_the_rate() -> None:
    """50 at once, and then every request as soon as AWS has a token for it."""
    sent = play([(0.0, 0.05, 0.0)] * 150, 50, 20.0)[0]
    assert sent[-1] == pytest.approx(0.05 + 100 / 20, abs=0.2)


def share(rate: Rate, processes: int) -> tuple[int, float]:
    """Processes that take from one bucket, each twice what its burst gives: how often in a row a request is throttled,
    and when the last one is let through."""
    aws, buckets = Served(rate.burst, rate.per_second), [TokenBucket(rate) for _ in range(processes)]
    left, tries, worst, now = [2 * rate.burst] * processes, [0] * processes, 0, 0.0
    coming = [(number * 0.01, number) for number in range(processes)]
    while coming:
        now, number = heapq.heappop(coming)
        bucket = buckets[number]
        if seconds := bucket.wait(now):
            heapq.heappush(coming, (now + seconds, number))
            continue
        bucket.take()
        let_through = aws.take(now)
        bucket.answered(now, throttled=not let_through)
        left[number] -= let_through
        tries[number] = 0 if let_through else tries[number] + 1
        worst = max(worst, tries[number])
        if left[number]:
            heapq.heappush(coming, (now + min(0.05, processes / rate.per_second / 2), number))
    return worst, now


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: min(rate.operations))
def test_processes_that_share_a_bucket_all_get_on(rate: Rate) -> None:
    """RegisterTaskDefinition has 8 attempts, a read 15. And AWS's rate is used: nothing is lost by waiting."""
    worst, last = share(rate, 4)
    assert worst < (8 if rate is rate_of(REGISTER) else 15)
    assert last < 1.1 * (4 * 2 * rate.burst - rate.burst) / rate.per_second + 1


# --- all threads ---


def pacer_of(clock: FakeClock, stopped: Callable[[], bool] = lambda: False) -> tuple[Pacer, list[events.Event]]:
    heard: list[events.Event] = []
    return Pacer(clock.now, clock.sleep, stopped, heard.append), heard


def sent(pacer: Pacer, call: Call, *, announced: bool = False, throttled: bool = False) -> None:
    pacer.acquire(call, announced=announced)
    pacer.release(call, throttled=throttled)


def test_fifty_services_are_not_held_up() -> None:
    clock = FakeClock()
    pacer, heard = pacer_of(clock)
    for _ in range(50):
        sent(pacer, UPDATE)
    assert (clock.slept, heard) == ([], [])
    assert not pacer.try_acquire(UPDATE)


def test_a_call_without_a_row_never_waits() -> None:
    clock = FakeClock()
    pacer, _ = pacer_of(clock)
    for _ in range(1_000):
        assert pacer.try_acquire(FREE)
        pacer.release(FREE, throttled=True)
        sent(pacer, FREE)
        pacer.cancel(FREE)
    assert clock.slept == []


def test_a_token_that_was_not_used_is_put_back() -> None:
    clock = FakeClock()
    pacer, _ = pacer_of(clock)
    for _ in range(100):
        pacer.acquire(REGISTER)
        pacer.cancel(REGISTER)
    assert clock.slept == []


def test_throttling_slows_down_all_that_wait_for_the_bucket_and_no_others() -> None:
    clock = FakeClock()
    pacer, _ = pacer_of(clock)
    sent(pacer, UPDATE, throttled=True)
    assert not pacer.try_acquire(UPDATE)
    assert pacer.try_acquire(REGISTER)
    begun = clock.now()
    sent(pacer, UPDATE, announced=True)
    assert clock.now() - begun == pytest.approx(REST_SECONDS + 1 / 5)


def test_later_calls_wait_behind_earlier_ones() -> None:
    """Also a call that would not have to wait if no other did."""
    clock = FakeClock()
    pacer, _ = pacer_of(clock)
    for _ in range(20):
        sent(pacer, REGISTER)
    assert not pacer.try_acquire(REGISTER)
    clock.time += 1_000
    assert not pacer.try_acquire(REGISTER)
    sent(pacer, REGISTER, announced=True)
    sent(pacer, REGISTER, announced=True)
    assert pacer.try_acquire(REGISTER)


def test_first_come_first_served() -> None:
    """The first thread sleeps; the others came while it did, and follow in that order."""
    clock, came, order = FakeClock(), threading.Event(), []
    pacer, _ = pacer_of(clock)
    for _ in range(20):
        sent(pacer, REGISTER)
    line = pacer._line(REGISTER)
    assert line is not None

    def until_all_came() -> None:
        came.wait(10)

    def wait(number: int) -> None:
        sent(pacer, REGISTER)
        order.append(number)

    clock.on_sleep = until_all_came
    threads = [threading.Thread(target=wait, args=(number,)) for number in range(6)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(line.queue) <= number:
            pass
    came.set()
    for thread in threads:
        thread.join(10)
    assert order == list(range(6))


def test_many_threads_never_take_more_than_there_is() -> None:
    clock, times, lock = FakeClock(), [], threading.Lock()
    pacer, _ = pacer_of(clock)

    def work() -> None:
        for _ in range(10):
            pacer.acquire(REGISTER)
            with lock:
                times.append(clock.now())
            pacer.release(REGISTER, throttled=False)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(times) == 60
    assert clock.now() - times[0] >= 60 - 20 - 1


def test_stopping_ends_every_wait_and_needs_none() -> None:
    clock, stop = FakeClock(), threading.Event()
    pacer, _ = pacer_of(clock, stop.is_set)
    for _ in range(20):
        sent(pacer, REGISTER)
    stop.set()
    sent(pacer, UPDATE)  # nothing to wait for
    with pytest.raises(Interrupted):
        pacer.acquire(REGISTER)
    assert not pacer.try_acquire(REGISTER)
    with pytest.raises(Interrupted):
        pacer.acquire(REGISTER, announced=True)
    assert clock.slept == []
    stop.clear()
    clock.time += 5
    assert pacer.try_acquire(REGISTER)


def test_a_stop_during_a_wait_is_noticed_soon() -> None:
    clock, stop = FakeClock(), threading.Event()
    pacer, _ = pacer_of(clock, stop.is_set)
    for _ in range(20):
        sent(pacer, REGISTER)
    clock.on_sleep = stop.set
    with pytest.raises(Interrupted):
        pacer.acquire(REGISTER)
    assert len(clock.slept) == 1
    assert clock.slept[0] < 0.5


def test_a_long_wait_is_reported_and_reported_again_later() -> None:
    clock = FakeClock()
    pacer, heard = pacer_of(clock)
    for _ in range(20):
        sent(pacer, REGISTER)
    for _ in range(30):
        assert not pacer.try_acquire(REGISTER)
    begun = clock.now()
    times: list[float] = []

    def listen(event: events.Event) -> None:
        heard.append(event)
        times.append(clock.now() - begun)

    pacer.on_wait = listen
    for _ in range(30):
        sent(pacer, REGISTER, announced=True)
    assert heard == [
        events.Paced(call="ecs:register_task_definition", per_second=1.0, waiting=waiting) for waiting in (27, 12)
    ]
    assert NOTICE <= times[0] < NOTICE + 1
    assert REMINDER <= times[1] - times[0] < REMINDER + 1


def test_a_short_wait_is_not_reported() -> None:
    clock = FakeClock()
    pacer, heard = pacer_of(clock)
    for _ in range(3):
        for _ in range(60):
            sent(pacer, UPDATE)
        clock.time += 1_000
    assert heard == []


# --- polling ---


@pytest.mark.parametrize(
    ("requests", "usual", "pause"),
    [(0, 0.5, 0.5), (1, 0.5, 0.5), (5, 0.5, 0.5), (5, 5, 5), (10, 0.5, 1), (100, 0.5, 10), (100, 5, 10)],
)
def test_polls_leave_half_of_the_rate_to_others(requests: int, usual: float, pause: float) -> None:
    assert poll_interval([ecs("describe_services", n=n) for n in range(requests)], usual) == pytest.approx(pause)


def test_each_bucket_counts_for_itself_when_polling() -> None:
    looks = [ecs(name) for name in ("describe_services", "describe_tasks") for _ in range(50)]
    assert poll_interval(looks, 0.5) == pytest.approx(5)
    assert poll_interval([FREE] * 1_000, 0.5) == 0.5
