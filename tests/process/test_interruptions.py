"""Signals to a real process: what was begun ends, nothing new begins, and the journal knows where it stopped."""

from __future__ import annotations

import signal

import pytest

from tests.support.amounts import at_length
from tests.support.processes import started, until
from tests.support.specs import shop
from tests.support.world import World

# Both do the same. SIGINT is sent in other tests too.
SIGNALS = [signal.SIGINT, signal.SIGTERM] if at_length() else [signal.SIGTERM]


@pytest.fixture
def deployed(world: World) -> World:
    world.write(shop())
    world.deploy("v1")
    world.forget()
    return world


def back_to_v1(world: World) -> None:
    """Nothing else is applied before somebody decides; a rollback is such a decision."""
    assert world.run("deploy", "v3", "--yes").code == 7
    world.aws.rollout("COMPLETED")
    world.ok("rollback", "--yes")
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert world.active() == ["web:1"]
    world.deploy("v3")
    assert world.image(world.on("web")) == "web:v3"


@pytest.mark.parametrize("number", SIGNALS)
def test_while_waiting_for_a_rollout(deployed: World, number: signal.Signals) -> None:
    deployed.aws.rollout("NEVER", image="*:v2")
    with started("deploy", "v2", "--yes") as process:
        until(
            lambda: "DescribeServices" in deployed.asked()[-2:] and deployed.sent()[-2:] == ["UpdateService"] * 2,
            "waiting",
        )
        process.send(number)
        code, _, err = process.ended()
    assert code == 130
    assert "Deployment 2 was interrupted" in err
    assert "PutTargets" not in deployed.sent()
    assert deployed.history()[1]["outcome"] == "interrupted"
    back_to_v1(deployed)


def test_while_a_call_is_running(deployed: World) -> None:
    """The call ends and is journaled; the next one is not sent."""
    deployed.aws.fault("RegisterTaskDefinition", "hold")
    with started("deploy", "v2", "--yes") as process:
        until(lambda: deployed.aws.holding, "the registration is held")
        process.send(signal.SIGINT)
        assert process.running.stderr is not None
        while "press Ctrl-C again to stop immediately" not in process.running.stderr.readline():
            pass
        deployed.aws.release()
        code, _, err = process.ended()
    assert code == 130
    assert "registered web:2" in err
    assert deployed.sent() == ["RegisterTaskDefinition"]
    found = deployed.history()[1]
    assert found["outcome"] == "interrupted"
    assert [step["state"] for step in found["steps"]] == ["done", *["planned"] * 4]
    back_to_v1(deployed)


def test_the_second_signal_stops_at_once(deployed: World) -> None:
    """Nobody knows how the running call ended; the journal says that it was begun."""
    deployed.aws.fault("RegisterTaskDefinition", "hold")
    with started("deploy", "v2", "--yes") as process:
        until(lambda: deployed.aws.holding, "the registration is held")
        process.send(signal.SIGINT)
        assert process.running.stderr is not None
        while "press Ctrl-C again to stop immediately" not in process.running.stderr.readline():
            pass
        process.send(signal.SIGINT)
        code, _, _ = process.ended()
    assert code == 130
    deployed.aws.release()
    until(lambda: "RegisterTaskDefinition" in deployed.sent(), "the registration has ended")
    found = deployed.history()[1]
    assert found["outcome"] == "unfinished"
    assert [step["state"] for step in found["steps"]] == ["begun", *["planned"] * 4]
    assert deployed.run("deploy", "v3", "--yes").code == 7


def test_a_process_that_is_killed(deployed: World) -> None:
    """No word of farewell: the lock is free, the journal is readable, and the way back is open."""
    deployed.aws.rollout("NEVER", image="*:v2")
    with started("deploy", "v2", "--yes") as process:
        until(lambda: deployed.sent()[-2:] == ["UpdateService"] * 2, "both services are being updated")
        process.send(signal.SIGKILL)
        process.running.communicate()
    found = deployed.history()[1]
    assert (found["outcome"], found["reason"]) == ("unfinished", "the process was killed")
    back_to_v1(deployed)


@pytest.mark.parametrize("number", SIGNALS)
def test_before_anything_was_sent(deployed: World, number: signal.Signals) -> None:
    deployed.aws.fault("GetCallerIdentity", "hold")
    with started("plan", "v2") as process:
        until(lambda: deployed.aws.holding, "the plan is being made")
        process.send(number)
        deployed.aws.release()
        code, out, err = process.ended()
    assert (code, out) == (130, "")
    assert "interrupted; nothing was changed" in err
    assert deployed.sent() == []
