"""The gateway at AWS's pace, with real clients of botocore and no network."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeAlias

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse

from ecsplan.aws.gateway import ATTEMPTS, ROUNDS, Gateway
from ecsplan.aws.pacing import REST_SECONDS
from ecsplan.core import events
from ecsplan.core.errors import AwsError, Interrupted
from ecsplan.core.model import Call
from tests.unit.builders import REGION, ecs
from tests.unit.fakes import FakeClock

UPDATE, LOOK = ecs("update_service", service="web"), ecs("describe_services", services=["web"])
REGISTER = ecs("register_task_definition", family="web", containerDefinitions=[{"name": "web", "image": "web:1"}])
Answered: TypeAlias = tuple[int, dict[str, str]]
OK: Answered = (200, {})
THROTTLED: Answered = (400, {"__type": "ThrottlingException"})
FAULT: Answered = (500, {"__type": "ServerException"})


class Wire:
    """Answers what botocore would send, and notes when it was sent."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.lock = clock, threading.Lock()
        self.sent: list[float] = []
        self.answers: list[Answered] = []  # the first ones; OK after them
        self.on_send: Callable[[], None] = lambda: None

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        with self.lock:
            self.sent.append(self.clock.now())
            status, document = self.answers.pop(0) if self.answers else OK
        self.on_send()
        raw: Any = SimpleNamespace(stream=lambda **_: iter((json.dumps(document).encode(),)))
        headers: Any = {}
        return AWSResponse(request.url, status, headers, raw)


class Wired(Gateway):
    def __init__(self, wire: Wire, clock: FakeClock, stop: threading.Event) -> None:
        super().__init__(region=REGION, clock=clock, stop=stop)
        self._wire = wire

    def _client(self, service: str, once: bool) -> Any:
        client = super()._client(service, once)
        client.meta.events.register_last("before-send", self._wire, unique_id="wire")
        return client


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody; botocore's own pauses take no time."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def wire(clock: FakeClock) -> Wire:
    return Wire(clock)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def gateway(wire: Wire, clock: FakeClock, stop: threading.Event) -> Iterator[Gateway]:
    with Wired(wire, clock, stop) as made:
        yield made


def test_fifty_updates_go_at_once_and_then_five_a_second(gateway: Gateway, wire: Wire, clock: FakeClock) -> None:
    begun = clock.now()
    for _ in range(50):
        gateway.do(UPDATE)
    assert clock.slept == []
    for _ in range(10):
        gateway.do(UPDATE)
    assert clock.now() - begun == pytest.approx(2)
    assert len(wire.sent) == 60


def test_reads_that_wait_keep_no_thread_from_others(gateway: Gateway, wire: Wire, clock: FakeClock) -> None:
    """300 looks at services, of which AWS takes 100 and then 20 a second; whatever else is asked does not wait."""
    others = threading.Event()

    def until_the_others_are_answered() -> None:
        others.wait(10)

    clock.on_sleep = until_the_others_are_answered
    looks = [gateway.submit(ecs("describe_services", services=[str(number)])) for number in range(300)]
    for number in range(30):
        assert gateway.submit(ecs("describe_task_definition", taskDefinition=str(number))).result(10).error is None
    assert not looks[-1].done()
    others.set()
    assert all(look.result(30).error is None for look in looks)
    assert wire.sent[-1] - wire.sent[0] >= 200 / 20 - 1e-6


def test_what_botocore_repeats_waits_for_its_turn_too(gateway: Gateway, wire: Wire, clock: FakeClock) -> None:
    for _ in range(49):
        gateway.do(UPDATE)
    wire.answers = [FAULT, FAULT]
    gateway.do(UPDATE)
    assert len(wire.sent) == 52
    assert wire.sent[-1] - wire.sent[0] == pytest.approx(0.4)


def test_one_throttled_answer_slows_down_all(gateway: Gateway, wire: Wire, clock: FakeClock) -> None:
    wire.answers = [THROTTLED]
    gateway.do(UPDATE)
    begun = clock.now()
    assert begun - wire.sent[0] == pytest.approx(REST_SECONDS + 1 / 5)
    gateway.do(UPDATE)
    assert clock.now() > begun
    waited = len(clock.slept)
    gateway.do(ecs("run_task", taskDefinition="web"))
    assert len(clock.slept) == waited


def test_a_read_is_asked_again_for_longer_when_it_is_throttled(gateway: Gateway, wire: Wire) -> None:
    wire.answers = [THROTTLED] * (ROUNDS * ATTEMPTS - 1)
    (answer,) = gateway.reader().fetch([LOOK])
    assert answer.error is None
    assert len(wire.sent) == ROUNDS * ATTEMPTS


def test_and_in_the_end_that_is_its_answer(gateway: Gateway, wire: Wire) -> None:
    wire.answers = [THROTTLED] * (ROUNDS * ATTEMPTS)
    (answer,) = gateway.reader().fetch([LOOK])
    assert answer.error is not None
    assert answer.error.code == "ThrottlingException"


def test_a_write_is_not_repeated_any_longer_than_before(gateway: Gateway, wire: Wire) -> None:
    wire.answers = [THROTTLED] * 100
    with pytest.raises(AwsError, match="ThrottlingException"):
        gateway.do(UPDATE)
    with pytest.raises(AwsError, match="ThrottlingException"):
        gateway.do(REGISTER)
    assert len(wire.sent) == ATTEMPTS + 1


def test_what_is_never_sent_takes_nothing(gateway: Gateway, clock: FakeClock) -> None:
    for _ in range(200):
        with pytest.raises(AwsError, match="Parameter validation failed"):
            gateway.do(ecs("update_service", service=1))
    assert clock.slept == []


def test_a_stop_ends_the_wait_of_writes(gateway: Gateway, clock: FakeClock, stop: threading.Event) -> None:
    for _ in range(20):
        gateway.do(REGISTER)
    clock.on_sleep = stop.set
    with pytest.raises(Interrupted):
        gateway.do(REGISTER)
    assert len(clock.slept) == 1


def test_a_stop_ends_the_wait_of_a_repetition(
    gateway: Gateway, wire: Wire, clock: FakeClock, stop: threading.Event
) -> None:
    wire.answers = [THROTTLED] * 100
    clock.on_sleep = stop.set
    with pytest.raises(Interrupted):
        gateway.do(UPDATE)
    assert len(wire.sent) == 1


def test_a_stop_ends_the_wait_of_reads(gateway: Gateway, clock: FakeClock, stop: threading.Event) -> None:
    clock.on_sleep = stop.set
    answers = [gateway.submit(ecs("describe_services", services=[str(number)])) for number in range(200)]
    assert answers[0].result(10).error is None
    with pytest.raises(Interrupted):
        answers[-1].result(10)


def test_closing_ends_every_wait(wire: Wire, clock: FakeClock, stop: threading.Event) -> None:
    """Nobody waits for ever for an answer that is not asked for any more."""
    gateway = Wired(wire, clock, stop)
    sleeping = threading.Event()

    def close() -> None:
        if not sleeping.is_set():
            sleeping.set()
            gateway.close()

    clock.on_sleep = close
    answers = []
    with suppress(AwsError):  # that it is closed already
        for number in range(200):
            answers.append(gateway.submit(ecs("describe_services", services=[str(number)])))
    assert sleeping.wait(10)
    ends = [answer.exception(10) or answer.result(10).error for answer in answers]
    assert all(isinstance(end, None | AwsError | Interrupted | RuntimeError) for end in ends)
    assert ends[-1] is not None


def test_long_waits_are_told(gateway: Gateway) -> None:
    told: list[events.Event] = []
    gateway.listen(told.append)
    for _ in range(30):
        gateway.do(REGISTER)
    (event,) = told
    assert isinstance(event, events.Paced)
    assert (event.call, event.per_second) == ("ecs:register_task_definition", 1.0)


def test_everything_of_eventbridge_shares_a_bucket(gateway: Gateway, wire: Wire) -> None:
    target = {"Id": "one", "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"}
    for _ in range(150):
        gateway.do(Call(service="events", operation="put_targets", params={"Rule": "r", "Targets": [target]}))
        gateway.do(Call(service="events", operation="list_targets_by_rule", params={"Rule": "r"}))
    assert wire.sent[-1] - wire.sent[0] == pytest.approx(5)
