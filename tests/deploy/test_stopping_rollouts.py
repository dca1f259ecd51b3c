"""Rollouts that are under way when something is put back: stopped by ECS itself, not deployed over."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Golden
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import Clock, Ran, World

DENIED = ("StopServiceDeployment", "DescribeServiceDeployments", "ListServiceDeployments")


def app(**members: object) -> Doc:
    made = spec(task(services=("web", "admin")))
    made["tasks"]["web"]["update_services"][0].update(members)
    return made


@pytest.fixture
def live(world: World) -> World:
    """v1 is live, and a rollout takes ten seconds."""
    world.write(app())
    world.deploy("v1")
    world.aws.rollout_seconds = 10.0
    world.forget()
    return world


def run(world: World, *arguments: str) -> Ran:
    return world.run(*arguments)


def settled(world: World) -> list[str]:
    """Where the services are, once nothing is on its way any more."""
    for name in ("web", "admin"):
        (only,) = world.service(name)["deployments"]
        assert only["rolloutState"] == "COMPLETED"
    return [world.on("web"), world.on("admin")]


def under_way(world: World, made: Doc | None = None) -> None:
    """v2 has not come to its end."""
    if made:
        world.write(made, seed=False)
    world.aws.rollout("NEVER", service="web", image="*:v2")
    assert run(world, "deploy", "v2", "--yes", "--timeout", "30s").code == 8
    world.forget()


def test_what_is_still_rolling_out_when_another_fails_is_stopped(live: World) -> None:
    live.aws.rollout("NEVER", service="web", image="*:v2")
    live.aws.rollout("FAILED", service="admin", image="*:v2", seconds=20.0)
    ran = run(live, "deploy", "v2", "--yes")
    assert (ran.code, settled(live)) == (6, ["web:1", "web:1"])
    assert [params["service"] for params in live.params("UpdateService")[2:]] == ["admin"]
    (stop,) = live.params("StopServiceDeployment")
    assert stop["stopType"] == "ROLLBACK"
    assert "/web/" in stop["serviceDeploymentArn"]


def test_a_rollback_of_what_is_under_way(live: World, golden: Golden) -> None:
    under_way(live)
    live.aws.rollout("COMPLETED")
    ran = run(live, "rollback", "--yes")
    assert (ran.code, settled(live)) == (0, ["web:1", "web:1"])
    assert "ECS rolls back the rollout that is in progress" in ran.out
    assert len(live.params("StopServiceDeployment")) == 1
    assert [params["service"] for params in live.params("UpdateService")] == ["admin"]
    assert live.active() == ["web:1"]
    assert live.plan("v1")["changed"] is False
    golden(SCREENS / "stopped-rollback.txt", screen(ran))


def test_what_is_no_part_of_a_rollout_is_put_back_afterwards(live: World) -> None:
    """The desired count is the service's own; ECS does not take it back."""
    under_way(live, app(desiredCount=4))
    assert run(live, "rollback", "--yes").code == 0
    assert settled(live) == ["web:1", "web:1"]
    assert live.service("web")["desiredCount"] == 2
    sent = [params for params in live.params("UpdateService") if params["service"] == "web"]
    assert sent == [{"cluster": "prod", "service": "web", "desiredCount": 2}]
    assert live.sent().index("StopServiceDeployment") < len(live.sent()) - 2


@pytest.mark.parametrize("denied", [DENIED, DENIED[:1]])
def test_without_permission_to_stop_it_is_put_back_by_an_update(live: World, denied: tuple[str, ...]) -> None:
    under_way(live)
    live.aws.rollout("COMPLETED")
    for operation in denied:
        live.aws.fault(operation, "error", code="AccessDeniedException", message="Not allowed.", times=99)
    ran = run(live, "rollback", "--yes")
    assert (ran.code, settled(live)) == (0, ["web:1", "web:1"])
    assert sorted(params["service"] for params in live.params("UpdateService")) == ["admin", "web"]


def test_a_rollout_that_ended_just_before_it_was_to_be_stopped(live: World) -> None:
    under_way(live)
    live.aws.rollout("COMPLETED")
    live.aws.fault("StopServiceDeployment", "error", code="ConflictException", message="It is SUCCESSFUL.")
    ran = run(live, "rollback", "--yes")
    assert (ran.code, settled(live)) == (0, ["web:1", "web:1"])
    assert "It is SUCCESSFUL.; ecsplan reverts it with an update" in ran.err


def test_a_stop_whose_answer_is_lost_is_sent_once(live: World) -> None:
    under_way(live)
    live.aws.stop_seconds = 5.0
    live.aws.fault("StopServiceDeployment", "drop_after", times=5)
    assert run(live, "rollback", "--yes").code == 0
    assert settled(live) == ["web:1", "web:1"]
    assert "web" not in [params["service"] for params in live.params("UpdateService")]


def test_a_rollback_goes_further_than_ecs_would(live: World) -> None:
    """To before deployment 1, over what ECS would go back to: that is one update, and no stop."""
    under_way(live)
    live.aws.rollout("COMPLETED")
    assert run(live, "rollback", "--to", "0", "--yes").code == 0
    assert settled(live) == ["sandbox-placeholder:1", "sandbox-placeholder:1"]
    assert "StopServiceDeployment" not in live.sent()


def test_an_interrupted_wait_says_what_there_is_to_do(live: World) -> None:
    """Also where a service waits at a hook meanwhile."""
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    live.write(app(deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [hook]}), seed=False)
    live.aws.minute_seconds = 60.0
    live.aws.rollout("NEVER", service="admin", image="*:v2")

    class Impatient(Clock):
        """Somebody presses Ctrl-C after a minute."""

        def now(self) -> float:
            return live.clock.now()

        def sleep(self, seconds: float) -> None:
            before = live.clock.now()
            live.clock.sleep(seconds)
            if before < began + 60 <= live.clock.now():
                signal.raise_signal(signal.SIGINT)

    began = live.clock.now()
    ran = live.run("deploy", "v2", "--yes", clock=Impatient())
    assert (ran.code, live.history()[1]["outcome"]) == (130, "interrupted")
    assert "Paused at a hook: service.prod/web." in ran.err
    for command in ("continue", "rollback", "resume"):
        assert f"`ecsplan {command}`" in ran.err
