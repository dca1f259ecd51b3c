"""`ecsplan demo`, in a file of its own: it takes as long as a person needs to follow it."""

from __future__ import annotations

import pytest

from tests.support.processes import started
from tests.support.world import World


def test_demo(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole story, with nothing but what is embedded: neither a profile nor an endpoint leads elsewhere."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    with started("demo") as process:
        code, out, _ = process.ended()
    assert code == 0
    for what in ("$ ecsplan plan v1", "No changes.", "$ ecsplan history", "put back", "$ ecsplan rollback --to 1"):
        assert what in out, what
    assert not world.aws.requests
    assert list(world.folder.iterdir()) == []
