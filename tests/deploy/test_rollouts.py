"""What becomes of a service, each outcome by its name and its exit code: how rollouts end."""

from __future__ import annotations

import pytest

from tests.conftest import Golden
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import BREAKER, definition, spec, task
from tests.support.toml import Doc
from tests.support.world import Clock, Ran, World

STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")
LISTS = ("ListServiceDeployments", "DescribeServiceDeployments")


def app(*services: str, **members: object) -> Doc:
    """An app whose services have these members."""
    made = spec(task(services=services or ("web",)))
    for entry in made["tasks"]["web"]["update_services"]:
        entry.update(members)
    return made


def shifting(strategy: str, **members: object) -> Doc:
    return app(deploymentConfiguration={"strategy": strategy, **members})


def live(world: World, made: Doc) -> World:
    """v1 is live, and from now on a rollout takes ten seconds."""
    world.write(made)
    world.deploy("v1")
    world.aws.rollout_seconds = 10.0
    world.forget()
    return world


def deployed(world: World, tag: str = "v2", *options: str) -> Ran:
    return world.run("deploy", tag, "--yes", *options)


def deny(world: World, *operations: str) -> None:
    for operation in operations:
        world.aws.fault(operation, "error", code="AccessDeniedException", message="Not allowed.", times=999)


def outcome(world: World) -> str:
    return str(world.history()[-1]["outcome"])


# --- succeeded ---


def test_succeeded(world: World, golden: Golden) -> None:
    ran = deployed(live(world, app()))
    assert (ran.code, world.on("web"), outcome(world)) == (0, "web:2", "succeeded")
    assert "service.prod/web  rolled out, 2/2 running" in ran.err
    golden(SCREENS / "rollout-succeeded.txt", screen(ran))


def test_scaled_to_zero(world: World, golden: Golden) -> None:
    live(world, app())
    world.ecs("UpdateService", cluster="prod", service="web", desiredCount=0)
    ran = deployed(world)
    assert (ran.code, world.on("web")) == (0, "web:2")
    assert "rolled out, and nothing runs: the desired count is 0" in ran.err
    golden(SCREENS / "rollout-scaled-to-zero.txt", screen(ran))


def test_a_daemon(world: World, golden: Golden) -> None:
    world.write(spec(task(services=("agent",))), seed=False)
    world.ecs("CreateCluster", clusterName="prod")
    (first,) = world.register(name="agent")
    world.ecs(
        "CreateService", cluster="prod", serviceName="agent", taskDefinition=first, schedulingStrategy="DAEMON",
        launchType="EC2",
    )  # fmt: skip
    world.aws.rollout_seconds = 10.0
    ran = deployed(world)
    assert (ran.code, world.on("agent")) == (0, "web:2")
    assert "rolled out, 2/2 running, one on each instance" in ran.err
    golden(SCREENS / "rollout-daemon.txt", screen(ran))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_traffic_is_shifted(world: World, golden: Golden, strategy: str) -> None:
    live(world, shifting(strategy, bakeTimeInMinutes=8))
    world.aws.minute_seconds = 2.0
    ran = deployed(world)
    assert (ran.code, world.on("web")) == (0, "web:2")
    assert "BAKE_TIME, 100 % of traffic" in ran.err
    golden(SCREENS / f"rollout-{strategy.lower()}.txt", screen(ran))


def test_traffic_is_shifted_where_nobody_may_look_at_it(world: World) -> None:
    """The services' own deployments tell when it has ended."""
    live(world, shifting("BLUE_GREEN", bakeTimeInMinutes=1))
    world.aws.minute_seconds = 2.0
    deny(world, *LISTS)
    started = world.clock.time
    ran = deployed(world)
    assert (ran.code, world.on("web")) == (0, "web:2")
    assert world.clock.time - started > 10


# --- failed ---


def test_failed_where_it_is(world: World, golden: Golden) -> None:
    """Without rollback by ECS: the service is put back by an update."""
    live(world, app())
    world.aws.rollout("FAILED", image="*:v2")
    ran = deployed(world)
    assert (ran.code, world.on("web"), outcome(world)) == (6, "web:1", "put back")
    assert "the rollout failed: ECS deployment circuit breaker: tasks failed to start" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "UpdateService", "UpdateService", "DeregisterTaskDefinition"]
    golden(SCREENS / "rollout-failed.txt", screen(ran))


def test_rolled_back_by_the_circuit_breaker(world: World, golden: Golden) -> None:
    """ECS is on its way back by itself: that is waited for, and no second deployment is started."""
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout("ROLLED_BACK", image="*:v2")
    ran = deployed(world)
    assert (ran.code, world.on("web"), outcome(world)) == (6, "web:1", "put back")
    assert "ECS rolled the service back to web:1: ECS deployment circuit breaker: tasks failed to start" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "UpdateService", "DeregisterTaskDefinition"]
    (back,) = world.service("web")["deployments"]
    assert back["rolloutState"] == "COMPLETED"
    golden(SCREENS / "rollout-rolled-back.txt", screen(ran))


NETWORK: Doc = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


@pytest.mark.parametrize(
    ("what", "strategy", "denied"),
    [
        ("force", "ROLLING", ()),
        ("network", "ROLLING", LISTS),
        ("force", "BLUE_GREEN", LISTS),
        ("network", "BLUE_GREEN", ()),
    ],
)
def test_rolled_back_on_the_same_revision(world: World, what: str, strategy: str, denied: tuple[str, ...]) -> None:
    """Nothing of the revision tells a rollback from a success then: only whose deployment it is."""
    made = app(networkConfiguration=NETWORK, deploymentConfiguration={"strategy": strategy, **BREAKER})
    made["tasks"]["web"]["task_definition"] = definition(networkMode="awsvpc")
    live(world, made)
    before = world.lasting(["web"])
    world.aws.rollout("ROLLED_BACK")
    deny(world, *denied)
    if what == "network":
        made["tasks"]["web"]["update_services"][0]["networkConfiguration"] = {
            "awsvpcConfiguration": {"subnets": ["subnet-2"], "securityGroups": ["sg-1"]}
        }
        world.write(made, seed=False)
    world.ok("plan", "v1", *(["--redeploy"] if what == "force" else []))
    ran = world.run("apply")
    assert (ran.code, outcome(world)) == (6, "put back")
    assert "ECS rolled the service back to web:1" in ran.err
    assert world.sent() == ["UpdateService"]
    assert world.lasting(["web"]) == before


@pytest.mark.parametrize("denied", [(), LISTS])
def test_rolled_back_by_an_alarm(world: World, golden: Golden, denied: tuple[str, ...]) -> None:
    alarms = {"alarmNames": ["web-5xx"], "enable": True, "rollback": True}
    live(world, shifting("CANARY", bakeTimeInMinutes=1, alarms=alarms))
    world.aws.minute_seconds = 2.0
    world.aws.alarm("web-5xx", stage="BAKE_TIME")
    deny(world, *denied)
    ran = deployed(world)
    assert (ran.code, world.on("web"), outcome(world)) == (6, "web:1", "put back")
    assert "ECS rolled the service back to web:1" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "UpdateService", "DeregisterTaskDefinition"]
    if not denied:
        golden(SCREENS / "rollout-alarm.txt", screen(ran))


# --- somebody else ---


@pytest.mark.parametrize("strategy", ["ROLLING", "BLUE_GREEN"])
def test_superseded(world: World, golden: Golden, strategy: str) -> None:
    """Neither done nor rolled back: what somebody else has deployed is left to them, and named."""
    live(world, shifting(strategy))
    (theirs,) = world.register()

    class Meddling(Clock):
        """Somebody else deploys as soon as time passes."""

        def now(self) -> float:
            return world.clock.now()

        def sleep(self, seconds: float) -> None:
            world.clock.sleep(seconds)
            if world.on("web") == "web:3":
                world.ecs("UpdateService", cluster="prod", service="web", taskDefinition=theirs)

    ran = world.run("deploy", "v3", "--yes", clock=Meddling())
    assert (ran.code, world.on("web"), outcome(world)) == (7, "web:2", "superseded")
    assert "superseded: another deployment put the service on web:2 (ecs-svc/" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "UpdateService"]
    if strategy == "ROLLING":
        golden(SCREENS / "rollout-superseded.txt", screen(ran))


# --- not finished ---


def test_timed_out(world: World, golden: Golden) -> None:
    """It says how far it is and what it met last."""
    live(world, app())
    world.aws.rollout("NEVER", image="*:v2", unplaced="no container instance met all of its requirements.")
    ran = deployed(world, "v2", "--timeout", "1m")
    assert (ran.code, world.on("web"), outcome(world)) == (8, "web:2", "unfinished")
    assert "not finished after 60 s: rolling out, 0/2 running" in ran.err
    assert "the newest event: was unable to place a task because no container instance met" in ran.err
    golden(SCREENS / "rollout-timed-out.txt", screen(ran))


# --- how it is waited for ---


def test_forty_services_take_four_requests_a_look(world: World) -> None:
    names = [f"s{number:02}" for number in range(40)]
    world.write(spec(task(services=names)))
    world.aws.rollout_seconds = 2.0
    assert deployed(world, "v1").code == 0
    looks = [request.params["services"] for request in world.aws.requests if request.operation == "DescribeServices"]
    polls = looks[8:]  # after those of planning, and of the look before applying
    assert len(polls) % 4 == 0
    for first in range(0, len(polls), 4):
        assert sorted(name for part in polls[first : first + 4] for name in part) == names
    assert not set(LISTS) & set(world.asked())


def test_the_end_is_noticed_within_one_look(world: World) -> None:
    live(world, app())
    world.aws.rollout("COMPLETED", seconds=100.0)
    world.clock.slept.clear()
    started = world.clock.time
    assert deployed(world).code == 0
    assert 100 <= world.clock.time - started <= 100 + world.clock.slept[-1]
    assert max(world.clock.slept) <= 5


# --- a rollout that is under way already ---


@pytest.mark.parametrize("strategy", ["ROLLING", "BLUE_GREEN"])
def test_a_rollout_that_is_under_way_is_said_before_another_begins(world: World, strategy: str) -> None:
    live(world, shifting(strategy))
    world.ok("plan", "v2")
    said = "service.prod/web is still rolling out an earlier deployment"
    world.ecs("UpdateService", cluster="prod", service="web", forceNewDeployment=True)
    ran = world.run("apply")
    assert ran.code == 0
    assert ran.err.splitlines()[1] == f"! {said}"
    world.ecs("UpdateService", cluster="prod", service="web", forceNewDeployment=True)
    assert f"! {said}" in world.ok("plan", "v3").out
