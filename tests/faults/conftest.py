"""The world of the end-to-end tests, in which no pause takes any time: neither ours nor those of botocore."""

from __future__ import annotations

from types import SimpleNamespace

import botocore.endpoint
import pytest

from tests.e2e.conftest import client, models_read_once, served, world

__all__ = ["client", "models_read_once", "served", "world"]


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that botocore makes before it sends a request again, in seconds; none of them is waited for."""
    pauses: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=pauses.append))
    return pauses
