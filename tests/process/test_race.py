"""Two of one app at the same moment, as real processes: one deploys; the other is refused, or comes after it."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecsplan.core.model import Identity
from ecsplan.journal import Began, Closed, Deployment, Journal, Outcome, open_store
from tests.support.amounts import amount, figure
from tests.support.racing import Raced, Starter, starter
from tests.support.specs import shop
from tests.support.world import ACCOUNT, REGION, World

ROUNDS = amount("RACES", 8)
LATENCY = 0.004  # seconds that every request takes, so that there is something to run into


@pytest.fixture
def start(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    world.write(shop())
    world.deploy("v0")
    world.aws.latency = LATENCY
    with starter(tmp_path_factory.mktemp("said")) as made:
        yield made


def journal(world: World) -> list[Deployment]:
    """Every deployment, from files that have to be whole: no line of one deployment in another's."""
    one = Journal(open_store(Path(world.folder) / ".ecsplan"), "shop", Identity(account=ACCOUNT, region=REGION))
    return [one.read(number) for number in one.numbers()]


def whole(deployment: Deployment) -> None:
    """One process wrote it, from its first line to its last; each step began and ended once."""
    *steps, last = deployment.entries
    assert isinstance(last, Closed)
    assert deployment.outcome is Outcome.SUCCEEDED
    assert sorted(deployment.states()) == sorted(entry.step for entry in steps if isinstance(entry, Began))
    assert len(steps) == 2 * len(deployment.plan.steps)
    assert set(deployment.states().values()) == {"done"}


def refused(loser: Raced, winner: Raced, command: str) -> None:
    """Nothing was done, and it is said by whom, from where, since when, with which command."""
    if loser.code == 5:
        named = re.escape(f"{getpass.getuser()}@{socket.gethostname()}, process {winner.pid}, 'ecsplan {command}'")
        assert re.search(rf"another deployment of shop is running: {named}, since 20\S+Z\n", loser.err), loser.err
    else:
        assert loser.code == 4, loser
        assert re.search(r"this plan was applied already: it was deployment \d+|the plan is stale", loser.err)
    assert "Nothing was changed." in loser.err
    assert loser.out == ""


def test_of_one_plan(start: Starter, world: World) -> None:
    """Whoever comes second is refused while the first runs, and afterwards, since the plan was applied."""
    codes = []
    for number in range(1, ROUNDS + 1):
        world.ok("plan", f"v{number}")
        world.forget()
        both = start.race(["apply"], ["apply"], apart=0.007 * (number % 20))
        assert "Traceback" not in both[0].err + both[1].err
        winner, loser = sorted(both, key=lambda one: one.code)
        assert winner.code == 0, both
        refused(loser, winner, "apply")
        codes.append(loser.code)
        sent = sorted(one for one in world.sent() if one != "DeregisterTaskDefinition")  # the clean-up, in the end
        assert sent == ["PutTargets", "RegisterTaskDefinition", "RunTask", "UpdateService", "UpdateService"]
        deployments = journal(world)
        assert len(deployments) == number + 1
        whole(deployments[-1])
        assert deployments[-1].opened.origin.pid == winner.pid
    figure(
        f"race: {ROUNDS} rounds of one plan: {codes.count(5)} refused by the lock, {codes.count(4)} as applied already"
    )
    assert 5 in codes


def test_of_two_tags(start: Starter, world: World) -> None:
    """One deployment each, or none for whoever ran into the other."""
    ended = []
    for number in range(1, ROUNDS // 4 + 1):
        before = len(journal(world))
        commands = [["deploy", f"{name}{number}", "--yes"] for name in "ab"]
        both = start.race(*commands, apart=0.02 * number)
        succeeded = [one for one in both if one.code == 0]
        assert succeeded, both
        for one, other, command in ((both[0], both[1], commands[1]), (both[1], both[0], commands[0])):
            if one.code != 0:
                refused_by(one, other, command)
        deployments = journal(world)
        assert len(deployments) == before + len(succeeded)
        for deployment in deployments[before:]:
            whole(deployment)
        assert {d.opened.origin.pid for d in deployments[before:]} == {one.pid for one in succeeded}
        assert world.image(world.on("web")) == world.image(world.on("admin")) == f"web:{deployments[-1].plan.tag}"
        ended.append(tuple(one.code for one in both))
    figure(f"race: {len(ended)} rounds of two tags, exit codes {sorted(set(ended))}")


def refused_by(loser: Raced, winner: Raced, command: list[str]) -> None:
    """As `refused`, but the plan has been shown by then."""
    assert loser.code in (4, 5), loser
    if loser.code == 5:
        assert f"process {winner.pid}, 'ecsplan {' '.join(command)}'" in loser.err
    assert "Nothing was changed." in loser.err
    assert "Traceback" not in loser.err
