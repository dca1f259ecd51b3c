"""The world of the end-to-end tests, in which no pause takes any time: neither ours nor those of botocore; and counting
what was tried, of which `tests/conftest.py` prints the sum at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.deploy.conftest import client, models_read_once, served, world
from tests.support.aws import pausing
from tests.support.world import World

__all__ = ["client", "models_read_once", "served", "world"]


class Points:
    """How many points a test has tried."""

    def __init__(self) -> None:
        self.tried = 0

    def count(self) -> int:
        self.tried += 1
        return self.tried


@pytest.fixture
def points(record_property: Callable[[str, object], None]) -> Iterator[Points]:
    counted = Points()
    yield counted
    record_property("points of the kill matrix", counted.tried)


@pytest.fixture
def resumed(record_property: Callable[[str, object], None]) -> Iterator[Points]:
    """Those after which account and journal were as after no other point before, and which were finished."""
    counted = Points()
    yield counted
    record_property("points of the kill matrix that left something of their own", counted.tried)


@pytest.fixture
def paused(world: World) -> Iterator[list[float]]:
    """The pauses that botocore makes before it sends a request again, in seconds; none of them is waited for."""
    pauses: list[float] = []
    with pausing(pauses.append):
        yield pauses
