"""AWS's pace: what is sent when, by a clock that is handed in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.aws.pacing import NOTICE, RATES, REMINDER, SLOWEST, Meter, Pace, Rate, Turn, poll_interval, rate_of
from ecsplan.core import events
from ecsplan.core.errors import Interrupted
from ecsplan.core.model import Call
from ecsplan.sandbox.rates import RATES as AS_SIMULATED
from tests.unit.builders import ecs
from tests.unit.fakes import FakeClock

UPDATE, REGISTER = ecs("update_service", service="web"), ecs("register_task_definition")
FREE = Call(service="sts", operation="get_caller_identity", params={})


def small(burst: int = 3, per_second: float = 2) -> Meter:
    rate = Rate(operations=frozenset({"ecs:update_service"}), burst=burst, per_second=per_second, source="a test")
    return Meter(rate)


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


def answer(meter: Meter, now: float, *, throttled: bool = False) -> None:
    meter.answered(now, meter.sent(), throttled=throttled)


def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    meter = small(burst=3, per_second=2)
    for _ in range(3):
        assert meter.left(0) == 0
        answer(meter, 0)
    assert meter.left(0) == pytest.approx(0.5)
    assert meter.left(0.4) == pytest.approx(0.1)
    assert meter.left(0.5) == 0


def test_a_request_counts_in_full_until_it_is_answered() -> None:
    """AWS may have counted it a moment ago only, however long ago it was sent."""
    meter = small(burst=1, per_second=1)
    cuts = meter.sent()
    assert meter.left(100) > 0
    meter.answered(100, cuts, throttled=False)
    assert meter.left(100) == pytest.approx(1)
    assert meter.left(101) == 0


def test_a_request_that_was_not_sent_counts_no_longer() -> None:
    meter = small(burst=1)
    meter.sent()
    meter.unsent()
    assert meter.left(0) == 0


def test_after_a_throttled_answer_the_bucket_is_empty_and_fills_more_slowly() -> None:
    meter = small(burst=3, per_second=2)
    answer(meter, 0, throttled=True)
    assert meter.per_second == 1
    assert meter.left(0) == pytest.approx(1)


def test_those_that_were_on_their_way_together_slow_down_once() -> None:
    meter = small(burst=10, per_second=16)
    sent = [meter.sent() for _ in range(8)]
    for cuts in sent:
        meter.answered(0, cuts, throttled=True)
    assert meter.per_second == 8
    answer(meter, 0, throttled=True)
    assert meter.per_second == 4


def test_it_never_comes_to_a_standstill_and_recovers() -> None:
    meter = small(per_second=16)
    for _ in range(50):
        answer(meter, 0, throttled=True)
    assert meter.per_second == 16 * SLOWEST
    for second in range(20):
        answer(meter, second)
    assert meter.per_second == 16


def test_a_clock_that_goes_back_is_no_reason_to_wait_for_it() -> None:
    meter = small(burst=1, per_second=1)
    answer(meter, 1_000)
    assert meter.left(10) <= 1
    assert meter.left(11) == 0


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
    meter, aws, now = small(burst, per_second), Served(burst, per_second), 0.0
    coming: list[tuple[float, str, int]] = []
    sent, let_through = [], []

    def pass_until(moment: float) -> None:
        for at, what, cuts in sorted(one for one in coming if one[0] <= moment):
            if what == "arrives":
                let_through.append(aws.take(at))
            else:
                meter.answered(at, cuts, throttled=False)
        coming[:] = [one for one in coming if one[0] > moment]

    for there, back, gap in delays:
        now += gap
        pass_until(now)
        while seconds := meter.left(now):
            now += seconds
            pass_until(now)
        cuts = meter.sent()
        sent.append(now)
        coming += [(now + there, "arrives", 0), (now + there + back, "answers", cuts)]
    pass_until(float("inf"))
    return sent, let_through


@given(RUNS, st.integers(1, 8), st.sampled_from([1.0, 2.0, 5.0]))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_whoever_is_alone_is_never_throttled(delays: Delays, burst: int, rate: float) -> None:
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


# --- all threads ---


def pace_of(clock: FakeClock, stopped: Callable[[], bool] = lambda: False) -> tuple[Pace, list[events.Event]]:
    told: list[events.Event] = []
    return Pace(clock.now, clock.sleep, stopped, told.append), told


def finished(turn: Turn, *, throttled: bool = False) -> None:
    turn.answered(throttled=throttled)
    turn.over()


def test_fifty_services_are_not_held_up() -> None:
    clock = FakeClock()
    pace, told = pace_of(clock)
    for _ in range(50):
        finished(pace.turn(UPDATE))
    assert (clock.slept, told) == ([], [])
    assert pace.turn_now(UPDATE) is None


def test_what_has_no_row_never_waits() -> None:
    clock = FakeClock()
    pace, _ = pace_of(clock)
    for _ in range(1_000):
        turn = pace.turn_now(FREE)
        assert turn is not None
        finished(turn)
        turn.again()
    assert clock.slept == []


def test_a_repetition_needs_a_turn_of_its_own() -> None:
    clock = FakeClock()
    pace, _ = pace_of(clock)
    for _ in range(19):
        finished(pace.turn(REGISTER))
    turn = pace.turn(REGISTER)
    turn.again()  # the turn is still there
    assert clock.slept == []
    turn.answered(throttled=False)
    turn.again()
    assert sum(clock.slept) == pytest.approx(1)


def test_a_turn_that_was_not_used_is_given_back() -> None:
    clock = FakeClock()
    pace, _ = pace_of(clock)
    for _ in range(100):
        pace.turn(REGISTER).over()
    assert clock.slept == []


def test_throttling_slows_down_everybody_who_waits_for_the_bucket_and_nobody_else() -> None:
    clock = FakeClock()
    pace, _ = pace_of(clock)
    finished(pace.turn(UPDATE), throttled=True)
    assert pace.turn_now(UPDATE) is None
    assert pace.turn_now(REGISTER) is not None
    begun = clock.now()
    finished(pace.turn(UPDATE, announced=True))
    assert clock.now() - begun == pytest.approx(1 / 2.5)


def test_whoever_comes_later_waits_behind() -> None:
    """Also one who need not wait, were nobody before it."""
    clock = FakeClock()
    pace, _ = pace_of(clock)
    for _ in range(20):
        finished(pace.turn(REGISTER))
    assert pace.turn_now(REGISTER) is None
    clock.time += 1_000
    assert pace.turn_now(REGISTER) is None
    finished(pace.turn(REGISTER, announced=True))
    finished(pace.turn(REGISTER, announced=True))
    assert pace.turn_now(REGISTER) is not None


def test_first_come_first_served() -> None:
    """The first thread sleeps; the others came while it did, and follow in that order."""
    clock, came, order = FakeClock(), threading.Event(), []
    pace, _ = pace_of(clock)
    for _ in range(20):
        finished(pace.turn(REGISTER))
    line = pace._line(REGISTER)
    assert line is not None

    def until_all_came() -> None:
        came.wait(10)

    def wait(number: int) -> None:
        finished(pace.turn(REGISTER))
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
    clock, sent, lock = FakeClock(), [], threading.Lock()
    pace, _ = pace_of(clock)

    def work() -> None:
        for _ in range(10):
            turn = pace.turn(REGISTER)
            with lock:
                sent.append(clock.now())
            finished(turn)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sent) == 60
    assert clock.now() - sent[0] >= 60 - 20 - 1


def test_stopping_ends_every_wait_and_needs_none() -> None:
    clock, stop = FakeClock(), threading.Event()
    pace, _ = pace_of(clock, stop.is_set)
    for _ in range(20):
        finished(pace.turn(REGISTER))
    stop.set()
    finished(pace.turn(UPDATE))  # nothing to wait for
    with pytest.raises(Interrupted):
        pace.turn(REGISTER)
    assert pace.turn_now(REGISTER) is None
    with pytest.raises(Interrupted):
        pace.turn(REGISTER, announced=True)
    assert clock.slept == []
    stop.clear()
    clock.time += 5
    assert pace.turn_now(REGISTER) is not None


def test_a_stop_during_a_wait_is_noticed_soon() -> None:
    clock, stop = FakeClock(), threading.Event()
    pace, _ = pace_of(clock, stop.is_set)
    for _ in range(20):
        finished(pace.turn(REGISTER))
    clock.on_sleep = stop.set
    with pytest.raises(Interrupted):
        pace.turn(REGISTER)
    assert len(clock.slept) == 1
    assert clock.slept[0] < 0.5


def test_a_long_wait_is_told_and_told_again_later() -> None:
    clock = FakeClock()
    pace, told = pace_of(clock)
    for _ in range(20):
        finished(pace.turn(REGISTER))
    for _ in range(30):
        assert pace.turn_now(REGISTER) is None
    begun = clock.now()
    times: list[float] = []

    def tell(event: events.Event) -> None:
        told.append(event)
        times.append(clock.now() - begun)

    pace.told = tell
    for _ in range(30):
        finished(pace.turn(REGISTER, announced=True))
    assert told == [
        events.Paced(call="ecs:register_task_definition", per_second=1.0, waiting=waiting) for waiting in (27, 12)
    ]
    assert NOTICE <= times[0] < NOTICE + 1
    assert REMINDER <= times[1] - times[0] < REMINDER + 1


def test_a_short_wait_is_not_told() -> None:
    clock = FakeClock()
    pace, told = pace_of(clock)
    for _ in range(3):
        for _ in range(60):
            finished(pace.turn(UPDATE))
        clock.time += 1_000
    assert told == []


# --- looking again and again ---


@pytest.mark.parametrize(
    ("requests", "usual", "pause"),
    [(0, 0.5, 0.5), (1, 0.5, 0.5), (5, 0.5, 0.5), (5, 5, 5), (10, 0.5, 1), (100, 0.5, 10), (100, 5, 10)],
)
def test_looks_leave_half_of_the_rate_to_others(requests: int, usual: float, pause: float) -> None:
    assert poll_interval([ecs("describe_services", n=n) for n in range(requests)], usual) == pytest.approx(pause)


def test_each_bucket_counts_for_itself_when_looking() -> None:
    looks = [ecs(name) for name in ("describe_services", "describe_tasks") for _ in range(50)]
    assert poll_interval(looks, 0.5) == pytest.approx(5)
    assert poll_interval([FREE] * 1_000, 0.5) == 0.5
