"""Counting what was tried; `tests/conftest.py` prints the sum at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest


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
