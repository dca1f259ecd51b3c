"""Defects of ecs-task in deploying, each as a test that it is not repeated."""

from __future__ import annotations

import pytest

from ecsplan import pipeline
from ecsplan.journal import Outcome
from tests.support.specs import BREAKER, container, definition, migration, shop, spec, task
from tests.support.world import World


def put(world: World) -> list[set[str]]:
    """The Ids of each PutTargets."""
    return [{target["Id"] for target in params["Targets"]} for params in world.params("PutTargets")]


def test_does_not_register_or_restart_when_nothing_changed(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    before = world.service("web")
    world.forget()
    ran = world.deploy("v1")
    assert "No changes." in ran.out
    assert world.sent() == []
    assert world.active() == ["web:1"]
    assert world.service("web")["deployments"] == before["deployments"]
    assert [one["number"] for one in world.history()] == [1]


def test_does_not_move_services_while_the_migration_runs(world: World) -> None:
    """The services' first request comes after the look that saw the migration end."""
    world.aws.task(seconds=60)
    loaded = world.write(shop())
    assert loaded is not None
    with world.site(loaded) as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    operations = [request.operation for request in world.aws.requests]
    started, first_update = operations.index("RunTask"), operations.index("UpdateService")
    assert operations[started + 1 : first_update].count("DescribeTasks") > 3
    assert sum(world.clock.slept) >= 60


def test_does_not_ignore_the_exit_code_of_a_migration(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    world.forget()
    world.aws.task(exit_code=3)
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "container web ended with exit code 3" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "RunTask", "DeregisterTaskDefinition"]
    assert world.on("web") == "web:1"
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert world.active() == ["web:1"]


def test_does_not_take_the_exit_code_of_a_container_that_is_not_essential(world: World) -> None:
    containers = [container("web"), container("agent", essential=False)]
    world.write(spec(task(task_definition=definition("web", *containers)) | {"run_tasks": [migration()]}))
    world.aws.task(exit_codes={"web": 0, "agent": 137})
    world.deploy("v1")
    world.aws.task(exit_codes={"web": 9, "agent": 0})
    assert world.run("deploy", "v2", "--yes").code == 6


def test_does_not_take_a_task_that_never_started_for_a_success(world: World) -> None:
    world.write(shop())
    world.aws.task(started=False, reason="CannotPullContainerError: no such image")
    ran = world.run("deploy", "v1", "--yes")
    assert ran.code == 6
    assert "CannotPullContainerError: no such image" in ran.err
    assert world.on("web") == "sandbox-placeholder:1"


def test_does_not_hide_why_ecs_rolled_back(world: World) -> None:
    loaded = world.write(spec())
    assert loaded is not None
    world.deploy("v1")
    world.aws.rollout_seconds = 30
    world.aws.rollout("ROLLED_BACK", seconds=60, image="*:v2", reason="the new tasks never became healthy")
    with world.site(loaded) as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v2"))
    assert result is not None
    assert result.outcome is Outcome.PUT_BACK
    assert "the new tasks never became healthy" in result.reason
    assert world.on("web") == "web:1"


@pytest.mark.parametrize("ends", ["FAILED", "ROLLED_BACK"])
def test_does_not_exit_0_when_the_rollout_fails(world: World, ends: str) -> None:
    world.write(shop())
    world.deploy("v1")
    world.aws.rollout(ends, image="*:v2")
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert {"FAILED": "the rollout failed", "ROLLED_BACK": "ECS rolled the service back to web:1"}[ends] in ran.err
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


def test_does_not_leave_one_service_new_and_one_old(world: World) -> None:
    """The second of two services fails: the first is put back too, the targets never move, and there is a record."""
    world.write(shop())
    world.deploy("v1")
    lasting, targets = world.lasting(["web", "admin"]), world.targets("nightly")
    world.aws.rollout("FAILED", service="admin", image="*:v2")
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "service.prod/admin" in ran.err
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.lasting(["web", "admin"]) == lasting
    assert world.targets("nightly") == targets
    assert world.active() == ["web:1"]
    record = world.history()[1]
    assert (record["number"], record["tag"], record["outcome"]) == (2, "v2", "put back")
    assert "service.prod/admin" in record["reason"]
    assert world.plan("v1")["changed"] is False


def test_does_not_leave_a_refused_update_half_way(world: World) -> None:
    """AWS says no to the second UpdateService: the first is undone."""
    world.write(shop())
    world.deploy("v1")
    message = "The role cannot be assumed."
    world.aws.fault("UpdateService", "error", code="InvalidParameterException", message=message, match={
        "service": "admin",
    })  # fmt: skip
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert message in ran.err
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.history()[1]["outcome"] == "put back"


def test_does_not_set_only_the_first_target(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    world.deploy("v2")
    assert world.pointing("nightly") == {"report": "web:2", "clean": "web:2"}


def test_does_not_send_targets_that_stay_as_they_are(world: World) -> None:
    """Other targets of the rule are left alone, and not even sent."""
    world.write(shop())
    other = {"Id": "other", "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:tell"}
    world.client("events").put_targets(Rule="nightly", Targets=[other])
    world.forget()
    world.deploy("v1")
    assert put(world) == [{"report", "clean"}]
    assert world.targets("nightly")["other"] == other


def test_does_not_ignore_failed_entries(world: World) -> None:
    """What EventBridge did not take is sent again, and it alone."""
    world.write(shop())
    world.aws.fault("PutTargets", "failed_entries", code="ConcurrentModificationException", message="busy")
    world.deploy("v1")
    assert [len(ids) for ids in put(world)] == [2, 1]
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


def test_does_not_call_failed_entries_a_success(world: World) -> None:
    loaded = world.write(shop())
    assert loaded is not None
    with world.site(loaded) as site:
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
        world.aws.fault("PutTargets", "failed_entries", times=8, code="InternalException", message="no luck")
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v2"))
    assert result is not None
    assert result.outcome is Outcome.PUT_BACK
    assert "InternalException: no luck" in result.reason
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert world.on("web") == "web:1"


def test_does_not_find_a_target_without_ecs_parameters_after_the_services_moved(world: World) -> None:
    world.write(shop())
    world.client("events").put_targets(
        Rule="nightly", Targets=[{"Id": "clean", "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:clean"}]
    )
    world.forget()
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "event_targets.nightly" in ran.err
    assert "target clean does not run an ECS task" in ran.err
    assert world.run("deploy", "v1", "--yes").code == 1
    assert world.sent() == []


def test_does_not_deploy_the_first_tag_twice_in_one_process(world: World) -> None:
    """The spec is not edited by a deployment: the second tag is another deployment."""
    loaded = world.write(spec())
    assert loaded is not None
    with world.site(loaded) as site:
        for tag in ("v1", "v2"):
            pipeline.run_plan(site, pipeline.make_plan(site, loaded, tag))
            assert world.image(world.on("web")) == f"web:{tag}"
    assert world.active() == ["web:2", "web:1"]


def test_does_not_restart_a_service_for_its_circuit_breaker_twice(world: World) -> None:
    """A declared block that AWS fills in is no difference the second time."""
    world.write(spec(task() | {"update_services": [{"service": "web", "deploymentConfiguration": BREAKER}]}))
    world.deploy("v1")
    assert world.run("plan", "v1", "--detailed-exitcode").code == 0
