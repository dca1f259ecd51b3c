"""Defects of ecs-task in going back and cleaning up, each as a test that it is not repeated."""

from __future__ import annotations

import pytest

from ecsplan import pipeline
from ecsplan.journal import Outcome
from tests.support.specs import shop, spec, task
from tests.support.world import World, short


def test_does_not_deregister_before_the_services_have_moved(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    world.deploy("v2")
    world.forget()
    world.ok("rollback", "--yes")
    assert world.sent() == ["UpdateService", "UpdateService", "PutTargets", "DeregisterTaskDefinition"]


def test_does_not_deregister_the_only_revision(world: World) -> None:
    """With a single revision and nothing to go back to, a rollback without a journal says so and does nothing."""
    world.write(spec())
    world.deploy("v1")
    world.forget()
    ran = world.run("--journal", "elsewhere", "rollback", "--yes")
    assert ran.code == 3
    assert "no ACTIVE revision before web:1" in ran.err
    assert world.sent() == []
    assert world.statuses() == {"web:1": "ACTIVE"}


def test_does_not_go_one_further_back_when_run_again_after_a_failure(world: World) -> None:
    """A rollback that failed is repeated, not continued: it ends where it was to end the first time."""
    world.write(spec())
    for tag in ("v1", "v2", "v3"):
        world.deploy(tag)
    world.aws.rollout("FAILED", image="*:v2")
    assert world.run("rollback", "--yes").code == 6
    assert world.on("web") == "web:3"
    world.aws.rollout("COMPLETED")
    world.ok("rollback", "--yes")
    assert world.image(world.on("web")) == "web:v2"


def test_does_not_go_back_to_the_revision_of_a_failed_migration(world: World) -> None:
    """Deployment 2 failed; back from 3 is to what 1 deployed."""
    world.write(shop())
    world.deploy("v1")
    world.aws.task(exit_code=1, image="*:v2")
    assert world.run("deploy", "v2", "--yes").code == 6
    world.deploy("v3")
    world.ok("rollback", "--yes")
    assert world.image(world.on("web")) == "web:v1"
    assert world.statuses() == {"web:1": "ACTIVE", "web:2": "INACTIVE", "web:3": "INACTIVE"}


def test_does_not_consider_100_revisions_at_most(world: World) -> None:
    world.write(spec())
    world.register(times=149)
    world.deploy("v0")
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert world.active() == [f"web:{number}" for number in range(151, 141, -1)]


def test_does_not_deregister_revisions_in_use(world: World) -> None:
    """Whatever a service or a target of the spec is on stays, however old it is."""
    made = task("web", services=("web", "admin"), rules=(("nightly", ("report",)), ("weekly", ("clean",))))
    made["events__put_targets"][1]["Targets"][0]["EcsParameters"] = {
        "TaskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1"
    }
    world.write(spec(made))
    world.register(times=13)
    world.deploy("v0")
    world.deploy("v1")
    assert world.pointing("weekly") == {"clean": "web:1"}
    assert world.active() == [*[f"web:{number}" for number in range(15, 5, -1)], "web:1"]


def test_does_not_deregister_what_a_target_of_the_rule_is_on_undeclared(world: World) -> None:
    """A target that the spec does not name stays on its revision, and the revision stays."""
    world.write(spec(task(rules=(("nightly", ("report",)),)), active_task_count=1))
    (old,) = world.register()
    target = world.targets("nightly")["report"]
    target["Id"] = "other"
    target["EcsParameters"]["TaskDefinitionArn"] = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{old}"
    world.client("events").put_targets(Rule="nightly", Targets=[target])
    world.deploy("v1")
    world.deploy("v2")
    assert world.pointing("nightly") == {"report": "web:3", "other": "web:1"}
    assert world.active() == ["web:3", "web:1"]


def test_does_not_deregister_the_revision_just_deployed(world: World) -> None:
    world.write(spec(active_task_count=1))
    for tag in ("v1", "v2", "v3"):
        world.deploy(tag)
    assert world.active() == ["web:3"]
    assert world.on("web") == "web:3"


@pytest.mark.parametrize("where", ["spec", "task"])
@pytest.mark.parametrize("count", [0, -1])
def test_does_not_take_an_active_task_count_below_one(world: World, where: str, count: int) -> None:
    extra = {"active_task_count": count}
    world.write(spec(task() | (extra if where == "task" else {}), **(extra if where == "spec" else {})), seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 3
    assert "active_task_count: must be at least 1" in ran.err
    assert not world.aws.requests


def test_does_not_turn_a_throttled_clean_up_into_a_failure(world: World) -> None:
    """The deployment has succeeded by then: exit 0, and a warning that names what stayed."""
    world.write(spec(active_task_count=1))
    loaded = pipeline.load(world.file)
    warnings: list[str] = []
    with world.site(loaded) as site:
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
        world.aws.fault("DeregisterTaskDefinition", "error", times=99, code="ServerException", message="Not today.")
        result = pipeline.run_plan(
            site,
            pipeline.make_plan(site, loaded, "v2"),
            emit=lambda event: warnings.append(getattr(event, "message", "")),
        )
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert any("web:1" in text and "Not today." in text for text in warnings)
    assert world.active() == ["web:2", "web:1"]


def test_does_not_exit_1_for_a_clean_up_that_is_refused(world: World) -> None:
    world.write(spec(active_task_count=1))
    world.deploy("v1")
    world.aws.fault("DeregisterTaskDefinition", "error", code="AccessDeniedException", message="Not allowed.")
    ran = world.deploy("v2")
    assert "Deployment 2 succeeded." in ran.out
    assert "! web:1 was not deregistered" in ran.err
    assert "Not allowed." in ran.err
    assert world.history()[1]["outcome"] == "succeeded"


def test_does_not_give_up_on_a_throttled_clean_up(world: World) -> None:
    world.write(spec(active_task_count=1))
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
        world.aws.fault("DeregisterTaskDefinition", "throttle", times=2)
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v2"))
    assert world.active() == ["web:2"]
    deregistered = {short(params["taskDefinition"]) for params in world.params("DeregisterTaskDefinition")}
    assert deregistered == {"web:1"}
