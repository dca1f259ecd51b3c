"""Throttling by itself: AWS's token buckets, by a clock that the tests move."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.common import Rate
from ecsplan.sandbox.rates import RATES, Buckets, rate_of
from tests.sandbox.conftest import Client
from tests.sandbox.helpers import EPOCH, Clock, error_of

ONE_EACH = [(rate, operation) for rate in RATES for operation in sorted(rate.operations)]


def taken(buckets: Buckets, times: int, now: float, operation: str = "UpdateService", region: str = "here") -> int:
    """How many of so many requests are let through."""
    return sum(buckets.take("ecs", operation, region, now) is None for _ in range(times))


@pytest.mark.parametrize(("rate", "operation"), ONE_EACH, ids=lambda value: "" if isinstance(value, Rate) else value)
def test_the_burst_and_then_the_rate(rate: Rate, operation: str) -> None:
    buckets = Buckets()
    name = "PutTargets" if operation == "*" else operation

    def let_through(now: float) -> int:
        return sum(buckets.take(rate.service, name, "here", now) is None for _ in range(rate.burst * 2))

    assert let_through(EPOCH) == rate.burst
    assert let_through(EPOCH) == 0
    assert let_through(EPOCH + 1) == rate.per_second
    assert let_through(EPOCH + 1 + 1 / rate.per_second) == 1
    assert let_through(EPOCH + 10_000) == rate.burst


@given(st.lists(st.floats(0, 3), max_size=150))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_no_window_has_more_than_burst_and_rate(gaps: list[float]) -> None:
    buckets, now, let_through = Buckets(), EPOCH, []
    for gap in gaps:
        now += gap
        if buckets.take("ecs", "RegisterTaskDefinition", "here", now) is None:
            let_through.append(now)
    for first, begin in enumerate(let_through):
        for last in range(first, len(let_through)):
            assert last - first + 1 <= 20 + (let_through[last] - begin) + 1e-3


def test_a_refusal_takes_nothing() -> None:
    buckets = Buckets()
    assert taken(buckets, 1_000, EPOCH) == 50
    assert taken(buckets, 1_000, EPOCH + 1) == 5


def test_operations_of_a_row_share_a_bucket_and_others_have_their_own() -> None:
    buckets = Buckets()
    assert taken(buckets, 20, EPOCH, "RegisterTaskDefinition") == 20
    assert taken(buckets, 1, EPOCH, "DeregisterTaskDefinition") == 0
    assert taken(buckets, 60, EPOCH, "DescribeTaskDefinition") == 50


def test_regions_have_buckets_of_their_own() -> None:
    buckets = Buckets()
    assert taken(buckets, 60, EPOCH, region="here") == 50
    assert taken(buckets, 60, EPOCH, region="there") == 50


def test_what_has_no_row_is_not_limited() -> None:
    assert rate_of("ecs", "CreateCluster") is None
    assert rate_of("sns", "Publish") is None
    assert taken(Buckets(), 5_000, EPOCH, "CreateCluster") == 5_000


def test_time_that_goes_back_fills_nothing() -> None:
    buckets = Buckets()
    assert taken(buckets, 50, EPOCH) == 50
    assert taken(buckets, 1, EPOCH - 100) == 0
    assert taken(buckets, 1, EPOCH - 99.8) == 1


@pytest.fixture
def throttling(aws: Sandbox) -> Sandbox:
    aws.rates = True
    return aws


def asked(ecs: Any, times: int) -> list[str]:
    """What so many requests of a bucket of five are refused with; "" for those that are answered."""
    codes = []
    for _ in range(times):
        try:
            ecs.delete_task_definitions(taskDefinitions=["web:1"])
            codes.append("")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            codes.append(" ".join((str(status), *error_of(error))))
    return codes


THROTTLED = "400 ThrottlingException Rate exceeded"


def test_over_http(throttling: Sandbox, clock: Clock, client: Client) -> None:
    ecs = client("ecs")
    assert asked(ecs, 6) == [""] * 5 + [THROTTLED]
    assert [request.error for request in throttling.requests][-2:] == ["", "ThrottlingException"]
    clock.tick(1)
    assert asked(ecs, 2) == ["", THROTTLED]


def test_it_is_off_unless_asked_for(aws: Sandbox, client: Client) -> None:
    assert asked(client("ecs"), 6) == [""] * 6
    other = Sandbox(rates=True)
    other.rates = False
    other.reset()
    assert other.rates is True


def test_a_fault_that_was_ordered_comes_first_and_takes_no_token(throttling: Sandbox, client: Client) -> None:
    throttling.fault("DeleteTaskDefinitions", "error", times=5, code="ClientException", message="No.")
    assert asked(client("ecs"), 11) == ["400 ClientException No."] * 5 + [""] * 5 + [THROTTLED]


def test_a_reset_fills_the_buckets(throttling: Sandbox, client: Client) -> None:
    assert asked(client("ecs"), 6)[-1] == THROTTLED
    throttling.reset()
    throttling.rates = True
    assert asked(client("ecs"), 5) == [""] * 5
