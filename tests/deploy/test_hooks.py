"""PAUSE hooks: a deployment that waits for somebody, let go on or taken back."""

from __future__ import annotations

import pytest

from tests.conftest import Golden
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import Ran, World

FIRST, SECOND = "POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"


def pausing(*stages: str, strategy: str = "BLUE_GREEN", services: tuple[str, ...] = ("web",), **hook: object) -> Doc:
    made = spec(task(services=services))
    hooks = [{"targetType": "PAUSE", "lifecycleStages": [stage], **hook} for stage in stages]
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = {
        "strategy": strategy,
        "lifecycleHooks": hooks,
    }
    return made


@pytest.fixture
def live(world: World) -> World:
    """v1 is live; a rollout takes ten seconds, and what its hooks call a minute takes one."""
    world.write(spec(task(services=("web", "admin"))))
    world.deploy("v1")
    world.aws.rollout_seconds = 10.0
    world.aws.minute_seconds = 1.0
    world.forget()
    return world


def run(world: World, *arguments: str) -> Ran:
    return world.run(*arguments)


def paused(world: World, made: Doc) -> Ran:
    world.write(made, seed=False)
    ran = run(world, "deploy", "v2", "--yes")
    assert ran.code == 8, ran.said
    world.forget()
    return ran


def outcome(world: World, number: int = 2) -> str:
    return str(world.history()[number - 1]["outcome"])


def test_it_ends_with_8_and_goes_on_when_somebody_says_so(live: World, golden: Golden) -> None:
    """Once for each of the hooks that wait one after the other."""
    ran = paused(live, pausing(FIRST, SECOND))
    assert f"service.prod/web: paused at {FIRST}: hook " in ran.err
    assert "then ROLLBACK" in ran.err
    assert "`ecsplan continue`" in ran.err
    assert outcome(live) == "unfinished"
    golden(SCREENS / "paused.txt", screen(ran))

    again = run(live, "resume")
    assert (again.code, live.sent()) == (8, [])
    assert f"paused at {FIRST}" in again.err
    golden(SCREENS / "paused-resumed.txt", screen(again))

    second = run(live, "continue")
    assert (second.code, live.sent()) == (8, ["ContinueServiceDeployment"])
    assert f"paused at {SECOND}" in second.err
    assert live.params("ContinueServiceDeployment")[0]["action"] == "CONTINUE"
    golden(SCREENS / "paused-continued.txt", screen(second))

    last = run(live, "continue")
    assert (last.code, live.on("web"), outcome(live)) == (0, "web:2", "succeeded")
    assert live.sent() == ["ContinueServiceDeployment"] * 2
    assert [step["state"] for step in live.history()[1]["steps"]] == ["done", "done"]


def test_everything_else_ends_first(live: World) -> None:
    live.aws.rollout("COMPLETED", service="admin", seconds=60.0)
    started = live.clock.time
    ran = paused(live, pausing(FIRST, services=("web", "admin")))
    assert live.clock.time - started >= 60
    assert "service.prod/admin  rolled out" in ran.err
    assert "Still under way: service.prod/web." in ran.err


def test_a_rolling_rollout_pauses_too(live: World) -> None:
    paused(live, pausing("POST_SCALE_UP", strategy="ROLLING"))
    assert run(live, "continue").code == 0
    assert live.on("web") == "web:2"


def test_the_way_back(live: World, golden: Golden) -> None:
    """ECS takes it back; no update is sent over it."""
    paused(live, pausing(FIRST))
    ran = run(live, "rollback", "--yes")
    assert (ran.code, live.on("web")) == (0, "web:1")
    assert live.params("ContinueServiceDeployment")[0]["action"] == "ROLLBACK"
    # The hook itself is no part of what ECS takes back.
    assert live.sent() == ["ContinueServiceDeployment", "UpdateService", "DeregisterTaskDefinition"]
    assert live.params("UpdateService")[0].keys() == {"cluster", "service", "deploymentConfiguration"}
    assert len(live.service("web")["deployments"]) == 1
    golden(SCREENS / "paused-rolled-back.txt", screen(ran))


@pytest.mark.parametrize(("action", "code", "on"), [("CONTINUE", 0, "web:2"), ("ROLLBACK", 6, "web:1")])
def test_a_hook_whose_time_ran_out(live: World, action: str, code: int, on: str) -> None:
    """What it did then is found; that nothing waits any more is said."""
    paused(live, pausing(FIRST, timeoutConfiguration={"timeoutInMinutes": 30, "action": action}))
    live.clock.sleep(60)
    ran = run(live, "continue")
    assert (ran.code, live.on("web")) == (code, on)
    assert "no rollout is paused at a hook" in ran.err
    assert "ContinueServiceDeployment" not in live.sent()


def test_a_hook_that_refuses_still_waits(live: World) -> None:
    paused(live, pausing(FIRST))
    live.aws.fault("ContinueServiceDeployment", "error", code="AccessDeniedException", message="Not allowed.", times=9)
    ran = run(live, "continue")
    assert (ran.code, outcome(live)) == (8, "unfinished")
    assert "Not allowed." in ran.err
    assert f"paused at {FIRST}" in ran.err


def test_nothing_to_continue(live: World) -> None:
    ran = run(live, "continue", "--yes")
    assert (ran.code, live.sent()) == (0, [])
    assert ran.out == (
        "Nothing is under way in account 123456789012, region eu-west-1: no deployment is unfinished in .ecsplan, "
        "and no rollout in AWS (service.prod/web, service.prod/admin).\n"
    )


def test_a_lost_answer_is_looked_up(live: World) -> None:
    paused(live, pausing(FIRST))
    live.aws.fault("ContinueServiceDeployment", "drop_after")
    assert run(live, "continue").code == 0
    assert live.on("web") == "web:2"


def test_a_redeployment_that_waits_can_be_taken_back(live: World) -> None:
    """There is no difference to go back from, only a rollout; and nothing older is undone with it."""
    made = pausing(FIRST)
    live.aws.minute_seconds = 60.0
    live.write(made, seed=False)
    assert run(live, "deploy", "v1", "--yes").code == 0  # the hook itself starts no rollout
    live.ok("plan", "v1", "--redeploy")
    assert run(live, "apply").code == 8
    live.forget()
    ran = run(live, "rollback", "--yes")
    assert (ran.code, live.sent()) == (0, ["ContinueServiceDeployment"])
    assert outcome(live, 4) == "succeeded"
    assert live.plan("v1")["changed"] is False


def test_what_waits_at_a_hook_is_named_beside_what_is_late(live: World) -> None:
    """And so is what lets it go on, whatever the others do."""
    live.write(pausing(FIRST, services=("web", "admin")), seed=False)
    live.aws.rollout("NEVER", service="admin")
    ran = run(live, "deploy", "v2", "--yes", "--timeout", "1m")
    assert (ran.code, outcome(live)) == (8, "unfinished")
    assert f"service.prod/web: not finished after 60 s: paused at {FIRST}: hook " in ran.err
    assert "service.prod/admin: not finished after 60 s: rolling out, 0/2 running" in ran.err
    assert "Continue it with `ecsplan continue`, or go back with `ecsplan rollback`." in ran.err
