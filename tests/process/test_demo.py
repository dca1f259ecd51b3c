"""`ecsplan demo`, in a file of its own: it takes as long as a person needs to follow it."""

from __future__ import annotations

import pytest

from tests.support.processes import started
from tests.support.world import World


def test_demo(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole story, with nothing but what is embedded: neither a profile nor an endpoint leads elsewhere."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    with started("demo") as process:
        code, out, err = process.ended()
    assert code == 0
    assert "migrate |   Applying shop.0002... OK\n" in err
    for why in ('relation "shop_order" does not exist', "ImportError: no module named shop"):
        assert f"  | {why}\n" in err or f"  | ProgrammingError: {why}\n" in err, why
    for what in ("$ ecsplan plan v1", "No changes.", "$ ecsplan history", "put back", "$ ecsplan rollback --to 1"):
        assert what in out, what
    assert not world.aws.requests
    assert list(world.folder.iterdir()) == []
