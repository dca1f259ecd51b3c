"""Deployments that fail: put back, or stopped where they are; and what can be done from there."""

from __future__ import annotations

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options, Result
from ecsplan.core.errors import UnfinishedError
from ecsplan.journal import Outcome
from tests.support.specs import BREAKER, shop, spec, task
from tests.support.world import World


@pytest.fixture
def deployed(world: World) -> World:
    """v1 is live."""
    world.write(shop())
    world.deploy("v1")
    world.forget()
    return world


def unchanged(world: World) -> None:
    """As v1 left it, and nothing of v2 remains."""
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert world.active() == ["web:1"]


def test_a_failing_migration(deployed: World) -> None:
    ran = deployed.run("deploy", "v2-fail-task", "--yes")
    assert ran.code == 6
    assert "failed and everything was put back: run_task.web/migrate: container web ended with exit code 1" in ran.err
    assert deployed.sent() == ["RegisterTaskDefinition", "RunTask", "DeregisterTaskDefinition"]
    unchanged(deployed)
    steps = {step["address"]: step["state"] for step in deployed.history()[1]["steps"]}
    assert steps == {
        "task_definition.web": "undone",
        "run_task.web/migrate": "failed",
        "service.prod/web": "planned",
        "service.prod/admin": "planned",
        "event_targets.nightly": "planned",
    }


def test_a_failing_migration_of_a_first_deployment(world: World) -> None:
    world.write(shop())
    before = world.service("web"), world.targets("nightly")
    assert world.run("deploy", "v1-fail-task", "--yes").code == 6
    assert (world.service("web"), world.targets("nightly")) == before
    assert world.active() == []


def test_a_failing_rollout_with_circuit_breaker(world: World) -> None:
    """ECS gives up by itself; the service is put back, and so is the other one that had succeeded."""
    made = shop()
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = BREAKER
    world.write(made)
    world.deploy("v1")
    lasting = world.lasting(["web", "admin"])
    world.aws.rollout("ROLLED_BACK", service="web", image="*:v2")
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "service.prod/web: ECS rolled the service back to web:1" in ran.err
    unchanged(world)
    assert world.lasting(["web", "admin"]) == lasting
    assert world.history()[1]["outcome"] == "put back"
    assert world.plan("v1")["changed"] is False


def test_settings_are_put_back_too(world: World) -> None:
    """Whatever the update changed beside the revision; nothing else, and not what others changed meanwhile."""
    world.write(shop())
    world.deploy("v1")
    lasting = world.lasting(["web"])
    made = shop()
    made["tasks"]["web"]["update_services"][0] |= {
        "enableExecuteCommand": True,
        "healthCheckGracePeriodSeconds": 77,
        "deploymentConfiguration": {"maximumPercent": 150, **BREAKER},
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
    }
    world.write(made, seed=False)
    world.aws.rollout("FAILED", image="*:v2")
    assert world.run("deploy", "v2", "--yes").code == 6
    assert world.lasting(["web"]) == lasting
    unchanged(world)


def test_failing_targets(deployed: World) -> None:
    """The last phase fails: services that had rolled out are put back."""
    deployed.aws.fault("PutTargets", "error", code="ManagedRuleException", message="Not yours.")
    ran = deployed.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "Not yours." in ran.err
    unchanged(deployed)
    assert deployed.sent()[-1] == "DeregisterTaskDefinition"


def test_a_failing_registration(deployed: World) -> None:
    deployed.aws.fault("RegisterTaskDefinition", "error", code="ClientException", message="Role is not valid.")
    ran = deployed.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "Role is not valid." in ran.err
    assert deployed.sent() == ["RegisterTaskDefinition"]
    unchanged(deployed)


def test_putting_back_that_fails_stops_part_way(deployed: World) -> None:
    """Said in full: what failed first, and what failed then."""
    deployed.aws.rollout("FAILED", image="*:v2")
    deployed.aws.fault("UpdateService", "error", times=9, skip=2, code="AccessDeniedException", message="Not allowed.")
    ran = deployed.run("deploy", "v2", "--yes")
    assert ran.code == 7
    assert "the rollout failed" in ran.err
    assert "putting things back failed" in ran.err
    assert "Not allowed." in ran.err
    assert deployed.history()[1]["outcome"] == "stopped"


@pytest.fixture
def stopped(deployed: World) -> World:
    """v2 stopped part-way: the services are on it, one of them failing, the targets are not."""
    deployed.aws.rollout("FAILED", service="admin", image="*:v2")
    ran = deployed.run("deploy", "v2", "--yes", "--on-failure", "stop")
    assert ran.code == 7
    assert "Deployment 2 failed and stopped part-way" in ran.err
    assert deployed.on("web") == deployed.on("admin") == "web:2"
    assert deployed.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert deployed.history()[1]["outcome"] == "stopped"
    deployed.aws.rollout("COMPLETED")
    deployed.forget()
    return deployed


@pytest.mark.parametrize("command", [("deploy", "v3", "--yes"), ("apply",)])
def test_after_a_stop_nothing_else_is_applied(stopped: World, command: tuple[str, ...]) -> None:
    if command == ("apply",):
        stopped.ok("plan", "v3")
    ran = stopped.run(*command)
    assert ran.code == 7
    assert "deployment 2 is unfinished" in ran.err
    assert "ecsplan resume" in ran.err
    assert "go back with `ecsplan rollback`, or end it as it is with `ecsplan abandon`." in ran.err
    assert stopped.sent() == []
    assert len(stopped.history()) == 2


@pytest.mark.parametrize("where", [("--to", "1"), ()])
def test_after_a_stop_a_rollback_works(stopped: World, where: tuple[str, ...]) -> None:
    ran = stopped.ok("rollback", *where, "--yes")
    assert "Deployment 3 succeeded." in ran.out
    unchanged(stopped)
    assert stopped.history()[2]["undoes"] == [2]
    stopped.deploy("v3")
    assert stopped.image(stopped.on("web")) == "web:v3"


def test_a_stop_before_anything_was_switched(deployed: World) -> None:
    ran = deployed.run("deploy", "v2-fail-task", "--yes", "--on-failure", "stop")
    assert ran.code == 7
    assert deployed.active() == ["web:2", "web:1"]
    deployed.ok("rollback", "--yes")
    unchanged(deployed)


def test_a_stop_at_the_first_call_is_no_dead_end(deployed: World) -> None:
    """Nothing was done, so there is nothing to put back; and still somebody has to be able to go on."""
    deployed.aws.fault("RegisterTaskDefinition", "error", code="ClientException", message="Role is not valid.")
    assert deployed.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    assert deployed.run("deploy", "v3", "--yes").code == 7
    deployed.ok("rollback", "--yes")
    deployed.deploy("v3")
    assert deployed.image(deployed.on("web")) == "web:v3"


def test_no_wait(deployed: World) -> None:
    """Rollouts are not waited for, migrations are: services may only move once these have ended."""
    deployed.aws.rollout("NEVER", image="*:v2")
    deployed.ok("plan", "v2")
    deployed.forget()
    ran = deployed.ok("apply", "--no-wait")
    assert ran.out == "Deployment 2 succeeded, but ecsplan did not wait for its rollouts.\n"
    operations = [request.operation for request in deployed.aws.requests]
    assert "DescribeTasks" in operations
    assert "DescribeServices" not in operations[operations.index("UpdateService") :]
    assert deployed.pointing("nightly") == {"report": "web:2", "clean": "web:2"}


def test_a_service_that_is_not_to_be_waited_for(world: World) -> None:
    made = spec(task(services=("web", "slow")))
    made["tasks"]["web"]["update_services"][1]["wait"] = False
    world.write(made)
    world.aws.rollout("NEVER", service="slow")
    world.deploy("v1")


def test_a_rollout_that_never_ends(deployed: World) -> None:
    """It is not finished, and not a failure: nothing is put back, and the journal knows."""
    deployed.aws.rollout("NEVER", service="web", image="*:v2")
    ran = deployed.run("deploy", "v2", "--yes", "--timeout", "1s")
    assert ran.code == 8
    assert "Deployment 2 is not finished: service.prod/web: not finished after 1 s" in ran.err
    assert deployed.on("web") == "web:2"
    assert deployed.history()[1]["outcome"] == "unfinished"
    assert deployed.run("deploy", "v3", "--yes").code == 7
    deployed.aws.rollout("COMPLETED")
    deployed.ok("rollback", "--yes")
    unchanged(deployed)


def carried_out(world: World, tag: str, **options: object) -> Result:
    """By the Python API, where waiting takes no time."""
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        made = pipeline.make_plan(site, loaded, tag)
        result = pipeline.run_plan(site, made, options=Options(**options))  # type: ignore[arg-type]
    assert result is not None
    return result


@pytest.mark.parametrize(("declared", "seconds"), [({}, 1800), ({"timeout": "10m"}, 600), ({"timeout": 90}, 90)])
def test_a_migration_that_takes_too_long_has_failed(world: World, declared: dict[str, object], seconds: int) -> None:
    made = shop()
    made["tasks"]["web"]["run_tasks"][0] |= declared
    world.write(made)
    world.aws.task(seconds=86_400)
    result = carried_out(world, "v1")
    assert result.outcome is Outcome.PUT_BACK
    assert "run_task.web/migrate: not finished after" in result.reason
    assert seconds <= sum(world.clock.slept) < seconds + 10
    assert world.on("web") == "sandbox-placeholder:1"


@pytest.mark.parametrize(("declared", "seconds"), [({}, 900), ({"timeout": "1h30m"}, 5400)])
def test_a_rollout_has_its_own_patience(world: World, declared: dict[str, object], seconds: int) -> None:
    made = spec()
    made["tasks"]["web"]["update_services"][0] |= declared
    world.write(made)
    world.aws.rollout("NEVER")
    assert carried_out(world, "v1").outcome is Outcome.UNFINISHED
    assert seconds <= sum(world.clock.slept) < seconds + 10


def test_the_command_line_wins_over_the_spec(world: World) -> None:
    made = spec()
    made["tasks"]["web"]["update_services"][0]["timeout"] = "1h"
    world.write(made)
    world.aws.rollout("NEVER")
    assert carried_out(world, "v1", timeout=60).outcome is Outcome.UNFINISHED
    assert 60 <= sum(world.clock.slept) < 70


def test_a_deployment_of_somebody_else_is_told_apart(world: World) -> None:
    """Superseded is neither done nor rolled back by ECS."""
    world.write(spec())
    world.deploy("v1")
    world.register()
    world.aws.rollout_seconds = 60
    moved: list[object] = []

    def emit(event: object) -> None:
        if getattr(event, "note", "").startswith("rolling out") and not moved:
            moved.append(world.ecs("UpdateService", cluster="prod", service="web", taskDefinition="web:2"))

    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        plan = pipeline.make_plan(site, loaded, "v3")
        result = pipeline.run_plan(site, plan, options=Options(on_failure="stop"), emit=emit)
    assert result is not None
    assert result.outcome is Outcome.SUPERSEDED
    assert "superseded: another deployment put the service on web:2" in result.reason


def test_unfinished_is_an_error_of_its_own(stopped: World) -> None:
    loaded = pipeline.load(stopped.file)
    with stopped.site(loaded) as site:
        made = pipeline.make_plan(site, loaded, "v3")
        with pytest.raises(UnfinishedError) as caught:
            pipeline.run_plan(site, made)
    assert caught.value.exit_code == 7
