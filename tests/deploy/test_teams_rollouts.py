"""Rollouts are part of what is compared, each row of the table, on a machine that began none of them.

Each is played on the embedded AWS, and on one that shows neither rollout states nor service deployments.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.support.older import LITTLE, older
from tests.support.paths import SCREENS
from tests.support.runners import Runner, fresh_runner
from tests.support.screens import screen
from tests.support.specs import BREAKER, spec, task
from tests.support.toml import Doc
from tests.support.world import Clock, World

Another = Callable[[World], Runner]
WEB = "service.prod/web"
AWS = ("as it is", "older")
HOOK: Doc = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}


@pytest.fixture(params=AWS)
def another(request: pytest.FixtureRequest) -> Another:
    """A fresh runner, and an AWS that tells it much or little from then on."""

    def fresh(world: World) -> Runner:
        runner = fresh_runner(world)
        if request.param == "older":
            older(world.aws)
        world.forget()
        return runner

    return fresh


@pytest.fixture
def plain(request: pytest.FixtureRequest, another: Another) -> bool:
    """Is it the AWS that tells everything?"""
    return str(request.node.callspec.params["another"]) == "as it is"


def app(*services: str, **members: object) -> Doc:
    made = spec(task(services=services or ("web",)))
    for entry in made["tasks"]["web"]["update_services"]:
        entry.update(members)
    return made


def live(world: World, made: Doc) -> World:
    """v1 is live, and from now on a rollout takes a minute."""
    world.write(made)
    world.deploy("v1")
    world.aws.rollout_seconds = 60.0
    return world


def begun(world: World, tag: str = "v2") -> World:
    """The first machine has begun a rollout, and has not waited for it."""
    world.ok("deploy", tag, "--yes", "--no-wait")
    return world


def notes(runner: Runner, tag: str = "v2") -> list[str]:
    return [step["note"] for step in runner.plan(tag)["steps"]]


# --- rolled out ---


def test_a_service_that_is_rolled_out_is_no_change(world: World, another: Another) -> None:
    begun(live(world, app()))
    world.clock.sleep(120)
    runner = another(world)
    ran = runner.run("plan", "v2", "--detailed-exitcode")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "No changes. The live state matches the spec.")
    assert runner.run("deploy", "v2", "--yes").code == 0
    assert world.sent() == []


@pytest.mark.parametrize("desired", [0, 1, 5])
def test_scaling_is_no_rollout(world: World, another: Another, desired: int) -> None:
    """Fewer or more tasks than desired run for a while: no deployment has begun, so none is waited for."""
    live(world, app())
    runner = another(world)
    world.ecs("UpdateService", cluster="prod", service="web", desiredCount=desired)
    (only,) = world.service("web")["deployments"]
    assert desired < 5 or only["runningCount"] < desired
    assert runner.plan("v1")["changed"] is False


def test_scaled_to_zero_while_it_rolls_out(world: World, another: Another) -> None:
    live(world, app())
    world.ecs("UpdateService", cluster="prod", service="web", desiredCount=0)
    begun(world)
    world.clock.sleep(1)
    runner = another(world)
    assert runner.plan("v2")["changed"] is False


# --- still rolling out ---


def test_a_rollout_that_another_machine_began_is_waited_for(
    world: World, another: Another, plain: bool, golden: Golden
) -> None:
    """Situation 3 of the issue: it was "No changes", exit 0, at once."""
    begun(live(world, app()))
    world.clock.sleep(10)
    runner = another(world)
    planned = runner.run("plan", "v2", "--detailed-exitcode")
    assert planned.code == 2
    assert f"  1 ~ {WEB}  is still rolling out (0/2 running)\n" in planned.out
    assert planned.out.endswith("Plan: 1 to wait for.\n\nSaved. To apply it: ecsplan apply\n")

    began = world.clock.now()
    ran = runner.run("deploy", "v2", "--yes")
    assert ran.code == 0
    assert world.clock.now() - began >= 40
    (settled,) = world.service("web")["deployments"]
    assert settled["runningCount"] == 2
    assert world.sent() == []
    if plain:
        golden(SCREENS / "teams-rollout-planned.txt", screen(planned))
        golden(SCREENS / "teams-rollout-waited-for.txt", screen(ran))
    assert runner.plan("v2")["changed"] is False


def test_the_plan_for_programs(world: World, another: Another) -> None:
    begun(live(world, app()))
    runner = another(world)
    plan = runner.plan("v2")
    assert plan["changed"] is True
    assert plan["summary"] == {"register": 0, "run": 0, "update": 0, "targets": 0, "deregister": 0, "wait": 1}
    (step,) = plan["steps"]
    assert {name: step[name] for name in ("phase", "address", "action", "changes")} == {
        "phase": "update",
        "address": WEB,
        "action": "wait",
        "changes": [],
    }
    assert step["call"] == {
        "type": "call",
        "service": "ecs",
        "operation": "describe_services",
        "params": {"cluster": "prod", "services": ["web"]},
    }
    assert step["undo"] == {
        "type": "irreversible",
        "reason": "nothing was sent: the rollout was under way already",
    }
    (explained,) = [one for one in runner.plan("v2", "--explain")["explanations"] if one["path"] == "rollout"]
    assert (explained["verdict"], explained["before"], explained["after"]) == ("differs", "under way", "succeeded")
    assert "fields that are as declared are not enough" in runner.ok("plan", "v2", "--explain").out


def test_a_plan_asks_for_nothing_more(world: World, another: Another) -> None:
    """DescribeServices shows how a rolling rollout stands."""
    live(world, app())
    runner = another(world)
    runner.plan("v1")
    settled = sorted(world.asked())
    begun(world)
    world.forget()
    assert runner.plan("v2")["changed"] is True
    assert sorted(world.asked()) == settled


@pytest.mark.parametrize("strategy", ["ROLLING", "BLUE_GREEN", "CANARY"])
@pytest.mark.parametrize(
    ("ends", "code", "outcome", "on"),
    [("COMPLETED", 0, "succeeded", "web:2"), ("ROLLED_BACK", 6, "put back", "web:1"), ("FAILED", 7, "failed", "web:2")],
)
def test_how_it_ends_is_judged_like_ones_own(
    world: World, another: Another, strategy: str, ends: str, code: int, outcome: str, on: str
) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": ends != "FAILED"}}
    live(world, app(deploymentConfiguration={"strategy": strategy, **breaker}))
    world.aws.rollout(ends, image="*:v2")
    begun(world)
    world.clock.sleep(10)
    runner = another(world)
    assert notes(runner)[0].startswith("is still rolling out")
    ran = runner.run("deploy", "v2", "--yes", "--timeout", "1h")
    assert (ran.code, runner.history()[-1]["outcome"], world.on("web")) == (code, outcome, on), ran.said
    assert world.sent() == []
    if code == 6:  # not before ECS has gone back
        assert "ECS rolled the service back to web:1" in ran.err
        assert len(world.service("web")["deployments"]) == 1
    if code == 7:
        assert "the rollout failed: " in ran.err
        assert f"Left as it is: {WEB}." in ran.err
        assert "Deploy it again with `ecsplan deploy v2`, or go back with `ecsplan rollback`." in ran.err


@pytest.mark.parametrize(
    ("ends", "name"), [("FAILED", "failed"), ("ROLLED_BACK", "rolled-back"), ("NEVER", "not-finished")]
)
def test_the_reason_and_the_diagnosis(world: World, golden: Golden, ends: str, name: str) -> None:
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.task(failure="OUT_OF_MEMORY", image="*:v2")
    world.aws.rollout(ends, image="*:v2", seconds=60.0)
    begun(world)
    runner = fresh_runner(world)
    ran = runner.run("deploy", "v2", "--yes", "--timeout", "5m")
    assert ran.code == {"FAILED": 7, "ROLLED_BACK": 6, "NEVER": 8}[ends]
    assert "out of memory" in ran.err
    golden(SCREENS / f"teams-rollout-{name}.txt", screen(ran))


def test_a_saved_plan_waits_too_and_is_not_stale_when_the_rollout_has_ended(world: World, another: Another) -> None:
    begun(live(world, app()))
    runner = another(world)
    runner.ok("plan", "v2", "--out", "the.plan")
    world.clock.sleep(20)
    ran = runner.run("apply", "the.plan", "--timeout", "10s")
    assert (ran.code, runner.history()[-1]["outcome"]) == (8, "unfinished")
    world.clock.sleep(120)
    assert runner.run("apply", "the.plan").code == 0
    assert runner.run("apply", "the.plan").code == 4  # it has been applied
    assert world.sent() == []


def test_a_plan_is_stale_when_ecs_has_taken_the_rollout_back(world: World, another: Another) -> None:
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout("ROLLED_BACK", image="*:v2")
    begun(world)
    runner = another(world)
    runner.ok("plan", "v2")
    world.clock.sleep(300)
    ran = runner.run("apply")
    assert ran.code == 4
    assert f"{WEB}: taskDefinition" in ran.err


def test_the_same_revision_deployed_once_more_is_waited_for(world: World, another: Another) -> None:
    """Between the plan and its end somebody starts a deployment of the same: that one decides."""
    begun(live(world, app()))
    runner = another(world)
    runner.ok("plan", "v2")
    world.ecs("UpdateService", cluster="prod", service="web", forceNewDeployment=True)
    began = world.clock.now()
    ran = runner.run("apply")
    assert ran.code == 0, ran.said
    assert world.clock.now() - began >= 60


def test_another_deployment_takes_its_place(world: World, another: Another) -> None:
    """While it is waited for: what somebody else has deployed since is left to them, and named."""
    begun(live(world, app()))
    (theirs,) = world.register()

    class Meddling(Clock):
        def now(self) -> float:
            return world.clock.now()

        def sleep(self, seconds: float) -> None:
            world.clock.sleep(seconds)
            if world.on("web") == "web:2":
                world.ecs("UpdateService", cluster="prod", service="web", taskDefinition=theirs)

    ran = another(world).run("deploy", "v2", "--yes", clock=Meddling())
    assert (ran.code, world.on("web"), world.sent()) == (7, theirs, [])
    assert f"superseded: another deployment put the service on {theirs} (ecs-svc/" in ran.err


@pytest.mark.parametrize("how", ["--no-wait", "wait = false"])
def test_without_waiting_it_is_only_said(world: World, another: Another, how: str) -> None:
    live(world, app())
    world.write(app(wait=False) if how == "wait = false" else app(), seed=False)
    begun(world)
    runner = another(world)
    began = world.clock.now()
    ran = runner.run("deploy", "v2", "--yes", *([how] if how == "--no-wait" else []))
    assert (ran.code, ran.out.splitlines()[-1]) == (
        0, "Deployment 1 succeeded, but ecsplan did not wait for its rollouts.",
    )  # fmt: skip
    assert world.clock.now() - began < 60
    assert runner.plan("v2")["changed"] is True


# --- what is journaled, resumed and put back ---


def test_what_only_waited_is_in_the_journal_and_in_nobodys_way(world: World, another: Another) -> None:
    begun(live(world, app()))
    runner = another(world)
    assert runner.run("deploy", "v2", "--yes", "--timeout", "5s").code == 8
    (deployment,) = runner.history()
    assert (deployment["outcome"], deployment["steps"][0]["action"]) == ("unfinished", "wait")
    assert f"  1 ~ {WEB}  waited for\n" in runner.ok("show", "1").out
    assert runner.run("deploy", "v2", "--yes", "--timeout", "5s").code == 8
    ran = runner.run("resume", "--timeout", "1h")  # waits on
    assert (ran.code, runner.history()[-1]["outcome"]) == (0, "succeeded")
    assert runner.ok("resume").out.startswith("Nothing is under way in account 123456789012, region eu-west-1: ")
    assert world.sent() == []


def test_beside_steps_of_its_own(world: World, another: Another) -> None:
    """What fails of its own is put back; the rollout that it did not begin goes on, and that is said."""
    live(world, app("web", "admin"))
    world.ok("deploy", "v2", "--yes", "--no-wait")
    world.ecs("UpdateService", cluster="prod", service="admin", taskDefinition="web:1")
    world.clock.sleep(5)
    world.aws.rollout("FAILED", service="admin", image="*:v2", seconds=10.0)
    runner = another(world)
    plan = runner.plan("v2")
    assert {step["address"]: step["action"] for step in plan["steps"]} == {
        WEB: "wait", "service.prod/admin": "update",
    }  # fmt: skip
    assert plan["summary"]["update"] == plan["summary"]["wait"] == 1
    ran = runner.run("deploy", "v2", "--yes")
    assert (ran.code, world.on("web"), world.on("admin")) == (6, "web:2", "web:1"), ran.said
    assert f"Not begun by this deployment, and still under way: {WEB}." in ran.err
    assert world.sent() == ["UpdateService", "UpdateService"]


def test_one_that_fails_beside_steps_of_its_own(world: World, another: Another) -> None:
    """What it changed itself is put back; what it did not begin stays, so it is 7; and it is in nobody's way."""
    live(world, app("web", "admin"))
    world.aws.rollout("FAILED", service="web", image="*:v2", seconds=30.0)
    world.ok("deploy", "v2", "--yes", "--no-wait")
    world.ecs("UpdateService", cluster="prod", service="admin", taskDefinition="web:1")
    world.clock.sleep(5)
    runner = another(world)
    ran = runner.run("deploy", "v2", "--yes")
    assert (ran.code, world.on("web"), world.on("admin")) == (7, "web:2", "web:1"), ran.said
    assert f"Left as it is: {WEB}. What else this deployment had changed was put back." in ran.err
    assert runner.history()[-1]["outcome"] == "failed"
    assert runner.ok("resume").out.startswith("Nothing is under way in account 123456789012, region eu-west-1: ")
    world.aws.rollout("COMPLETED")
    assert runner.run("deploy", "v2", "--yes").code == 0
    assert (world.on("web"), world.on("admin")) == ("web:2", "web:2")


@pytest.mark.parametrize(("ends", "codes"), [("COMPLETED", {0}), ("ROLLED_BACK", {6, 7}), ("FAILED", {7, 8})])
def test_an_aws_that_shows_little_at_all(world: World, ends: str, codes: set[int]) -> None:
    """Without states, events and times it cannot always be known why; but what does not run is no success."""
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout(ends, image="*:v2")
    begun(world)
    world.clock.sleep(10)
    runner = fresh_runner(world)
    older(world.aws, *LITTLE)
    assert notes(runner)[0].startswith("is still rolling out (")
    ran = runner.run("deploy", "v2", "--yes")
    assert ran.code in codes, ran.said
    if not ran.code:
        assert runner.plan("v2")["changed"] is False


# --- failed ---


def test_a_failed_rollout_is_deployed_again(world: World, another: Another, plain: bool, golden: Golden) -> None:
    """Situation 2 of the issue: a failed job, run again on a fresh runner, said "No changes", exit 0."""
    live(world, app(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}}))
    world.aws.rollout("FAILED", image="*:v2")
    assert world.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    world.aws.rollout("COMPLETED", image="*:v2")
    runner = another(world)
    planned = runner.run("plan", "v2", "--detailed-exitcode")
    assert planned.code == 2
    assert f"  1 ~ {WEB}  its rollout failed: deploy again\n" in planned.out
    assert f"! {WEB}: " in planned.out
    assert "tasks failed to start; 0/2 running" in planned.out
    ran = runner.run("apply")
    assert (ran.code, world.on("web")) == (0, "web:2"), ran.said
    assert world.sent() == ["UpdateService"]
    assert world.params("UpdateService")[0]["forceNewDeployment"] is True
    assert world.service("web")["deployments"][0]["runningCount"] == 2
    if plain:
        golden(SCREENS / "teams-rollout-failed-before.txt", screen(planned))
        golden(SCREENS / "teams-rollout-deployed-again.txt", screen(ran))


@pytest.mark.parametrize(("ends", "code", "outcome"), [("FAILED", 7, "failed"), ("ROLLED_BACK", 6, "put back")])
def test_one_that_fails_again(world: World, another: Another, ends: str, code: int, outcome: str) -> None:
    """There is nothing to put back: what was before had failed too. ECS may go back to what ran before both."""
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout("FAILED", image="*:v2")
    assert world.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    world.aws.rollout(ends, image="*:v2")
    runner = another(world)
    for number in (1, 2) if ends == "FAILED" else (1,):
        world.forget()
        ran = runner.run("deploy", "v2", "--yes")
        assert (ran.code, runner.history()[-1]["outcome"]) == (code, outcome), ran.said
        assert world.sent() == ["UpdateService"]
        assert runner.history()[-1]["number"] == number
    assert world.on("web") == ("web:1" if code == 6 else "web:2")


def test_a_failed_rollout_with_another_difference(world: World, another: Another) -> None:
    """The number of tasks alone begins no deployment, so it is asked for."""
    live(world, app())
    world.aws.rollout("FAILED", image="*:v2")
    assert world.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    world.aws.rollout("COMPLETED", image="*:v2")
    world.write(app(desiredCount=3), seed=False)
    runner = another(world)
    (step,) = runner.plan("v2")["steps"]
    assert ([one["path"] for one in step["changes"]], step["note"]) == (
        ["desiredCount"], "its rollout failed: deploy again",
    )  # fmt: skip
    assert runner.run("deploy", "v2", "--yes").code == 0
    assert world.service("web")["deployments"][0]["runningCount"] == 3


# --- paused at a hook ---


def test_a_paused_rollout_is_said_and_is_8(world: World, golden: Golden) -> None:
    """Only service deployments show hooks: one request more, where a rollout with hooks is under way."""
    live(world, app())
    world.write(app(deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [HOOK]}), seed=False)
    world.aws.minute_seconds = 60.0
    world.aws.rollout_seconds = 10.0
    begun(world)
    world.clock.sleep(60)
    runner = fresh_runner(world)
    world.forget()
    planned = runner.run("plan", "v2", "--detailed-exitcode")
    assert planned.code == 2
    assert f"  1 ~ {WEB}  is paused at POST_TEST_TRAFFIC_SHIFT\n" in planned.out
    assert "waits until 20" in planned.out
    assert "then ROLLBACK" in planned.out
    assert world.asked().count("DescribeServiceDeployments") == 1
    ran = runner.run("deploy", "v2", "--yes")
    assert (ran.code, world.sent()) == (8, [])
    assert f"{WEB}: paused at POST_TEST_TRAFFIC_SHIFT: hook " in ran.err
    golden(SCREENS / "teams-rollout-paused-planned.txt", screen(planned))
    golden(SCREENS / "teams-rollout-paused.txt", screen(ran))
    assert runner.run("continue").code == 0
    assert world.sent() == ["ContinueServiceDeployment"]
    assert runner.plan("v2")["changed"] is False


def test_where_service_deployments_are_not_shown_a_pause_is_a_rollout(world: World) -> None:
    live(world, app())
    world.write(app(deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [HOOK]}), seed=False)
    world.aws.minute_seconds = 60.0
    begun(world)
    world.clock.sleep(60)
    runner = fresh_runner(world)
    older(world.aws)
    assert notes(runner)[0].startswith("is still rolling out")
    assert runner.run("deploy", "v2", "--yes", "--timeout", "1m").code == 8


# --- rolled back by ECS ---


def test_that_ecs_rolled_it_back_is_said(world: World, another: Another, plain: bool, golden: Golden) -> None:
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout("ROLLED_BACK", image="*:v2")
    begun(world)
    world.clock.sleep(300)
    world.aws.rollout("COMPLETED", image="*:v2")
    runner = another(world)
    planned = runner.run("plan", "v2", "--detailed-exitcode")
    assert planned.code == 2
    assert f"! {WEB}: ECS rolled " in planned.out
    assert "back at 20" in planned.out
    assert ": tasks failed to start" in planned.out
    assert runner.run("deploy", "v2", "--yes").code == 0
    assert world.on("web") == "web:2"
    if plain:
        golden(SCREENS / "teams-rollout-taken-back.txt", screen(planned))


def test_while_ecs_goes_back_its_revision_is_named(world: World) -> None:
    live(world, app(deploymentConfiguration=BREAKER))
    world.aws.rollout("ROLLED_BACK", image="*:v2", seconds=30.0)
    begun(world)
    world.clock.sleep(45)
    runner = fresh_runner(world)
    planned = runner.ok("plan", "v2")
    assert f"! {WEB}: ECS rolled web:2 back at 20" in planned.out
    # What ECS goes back to is waited for, too, where that is what is wanted.
    assert notes(runner, "v1") == ["is still rolling out (0/2 running, 2 pending)"]
    ran = runner.run("deploy", "v1", "--yes")
    assert (ran.code, world.on("web"), len(world.service("web")["deployments"])) == (0, "web:1", 1), ran.said
