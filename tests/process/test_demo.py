"""`ecsplan demo`: the whole story on a clock on which waiting takes no time, and its beginning as a process."""

from __future__ import annotations

import pytest

from tests.support.amounts import at_length
from tests.support.processes import started
from tests.support.world import Ran, World


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a profile nor an endpoint leads the story elsewhere."""
    monkeypatch.setenv("AWS_PROFILE", "production")


def whole(world: World, ran: Ran) -> None:
    """The whole story, with nothing but what is embedded."""
    assert ran.code == 0
    assert "migrate |   Applying shop.0002... OK\n" in ran.err
    for why in ('relation "shop_order" does not exist', "ImportError: no module named shop"):
        assert f"  | {why}\n" in ran.err or f"  | ProgrammingError: {why}\n" in ran.err, why
    for what in ("$ ecsplan plan v1", "No changes.", "$ ecsplan history", "put back", "$ ecsplan rollback --to 1"):
        assert what in ran.out, what
    assert not world.aws.requests
    assert list(world.folder.iterdir()) == []


def test_demo(world: World) -> None:
    whole(world, world.run("demo"))
    assert sum(world.clock.slept) > 10  # as long as it takes a person to follow it


def test_demo_as_a_process(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as the first deployment; on the machine's own clock the rest takes half a minute."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("demo")))
    with started("demo") as process:
        assert process.running.stdout is not None
        said = ""
        while "$ ecsplan apply" not in said:
            line = process.running.stdout.readline()
            assert line, said
            said += line
    assert "Plan: 1 to register" in said
    assert not world.aws.requests


@pytest.mark.skipif(not at_length(), reason="half a minute; script/soak plays it")
def test_demo_as_a_whole_process(world: World) -> None:
    with started("demo") as process:
        code, out, err = process.ended()
    whole(world, Ran(code=code, out=out, err=err))
