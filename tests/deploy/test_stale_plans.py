"""A plan is applied to what it was made for, once, or not at all: exit 4, naming what moved, nothing changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from ecsplan.plan import file as planfile
from ecsplan.plan.steps import plan_digest
from tests.support.specs import shop
from tests.support.world import World


@pytest.fixture
def planned(world: World) -> World:
    """v1 is live; a plan for v2 is saved."""
    world.write(shop())
    world.deploy("v1")
    world.ok("plan", "v2")
    world.forget()
    return world


#: A target's members, each of which is not there any more.
GONE = [
    f"event_targets.nightly: targets.clean.{member} -> none"
    for member in (
        'Arn "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"',
        "EcsParameters.EnableECSManagedTags false",
        "EcsParameters.EnableExecuteCommand false",
        "EcsParameters.TaskCount 1",
        "EcsParameters.TaskDefinitionArn web:1",
        r'Input "{\"seeded\":\"kept\"}"',
        'RoleArn "arn:aws:iam::123456789012:role/events"',
    )
]


def stale(world: World, *what: str, fields: Sequence[str]) -> None:
    """Refused as a whole, and not because of anything else; `fields` are the lines that say what has changed."""
    world.forget()
    ran = world.run("apply")
    assert (ran.code, ran.out) == (4, ""), ran.said
    assert f"since it was made, this has changed: {', '.join(what)}\n" in ran.err
    told, nothing, rest = ran.err.partition(f"{', '.join(what)}\n")[2].partition("Nothing was changed.")
    assert told.splitlines() == [f"  {line}" for line in fields]
    assert nothing
    assert "ecsplan plan v2" in rest
    assert world.sent() == []
    assert len(world.history()) == 1


def fresh(world: World) -> None:
    world.ok("apply")
    assert world.image(world.on("web")) == "web:v2"


def test_a_new_revision_in_the_family(planned: World) -> None:
    planned.register()
    stale(
        planned,
        "task_definition.web",
        fields=["task_definition.web: active +web:2", "task_definition.web: known.web:2 none -> true"],
    )


def test_tags_of_the_revision_in_use(planned: World) -> None:
    """They are kept where the spec declares none, so a new revision would have the old ones."""
    arn = planned.ecs("DescribeTaskDefinition", taskDefinition="web:1")["taskDefinition"]["taskDefinitionArn"]
    planned.ecs("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "shop"}])
    stale(planned, "task_definition.web", fields=['task_definition.web: tagged.web:1.team none -> "shop"'])
    planned.ok("plan", "v2")
    planned.ecs("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "core"}])
    stale(planned, "task_definition.web", fields=['task_definition.web: tagged.web:1.team "shop" -> "core"'])


def test_a_deregistered_revision(world: World) -> None:
    """Not one that anything uses: an old one, which the plan would have kept."""
    world.write(shop())
    world.register()
    world.deploy("v1")
    world.ok("plan", "v2")
    world.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    stale(world, "task_definition.web", fields=["task_definition.web: active -web:1"])


def test_the_revision_in_use_was_deregistered(planned: World) -> None:
    planned.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    stale(
        planned,
        "task_definition.web",
        fields=["task_definition.web: active -web:1", "task_definition.web: known.web:1 true -> false"],
    )


def test_a_service_was_moved(planned: World) -> None:
    planned.ecs("UpdateService", cluster="prod", service="admin", taskDefinition="sandbox-placeholder:1")
    stale(planned, "service.prod/admin", fields=["service.prod/admin: taskDefinition web:1 -> sandbox-placeholder:1"])


def test_services_were_changed(planned: World) -> None:
    planned.ecs("UpdateService", cluster="prod", service="web", healthCheckGracePeriodSeconds=9)
    planned.ecs("UpdateService", cluster="prod", service="admin", enableExecuteCommand=True)
    stale(
        planned,
        "service.prod/admin",
        "service.prod/web",
        fields=[
            "service.prod/admin: enableExecuteCommand false -> true",
            "service.prod/web: healthCheckGracePeriodSeconds 0 -> 9",
        ],
    )


def test_a_service_is_gone(planned: World) -> None:
    planned.ecs("DeleteService", cluster="prod", service="web", force=True)
    stale(planned, "service.prod/web", fields=['service.prod/web: status "ACTIVE" -> "INACTIVE"'])


def test_a_target_was_changed(planned: World) -> None:
    target = planned.targets("nightly")["clean"] | {"Input": '{"by": "hand"}'}
    planned.client("events").put_targets(Rule="nightly", Targets=[target])
    stale(
        planned,
        "event_targets.nightly",
        fields=['event_targets.nightly: targets.clean.Input "{\\"seeded\\":\\"kept\\"}" -> "{\\"by\\":\\"hand\\"}"'],
    )


def test_a_target_was_removed(planned: World) -> None:
    planned.client("events").remove_targets(Rule="nightly", Ids=["clean"])
    stale(planned, "event_targets.nightly", fields=GONE)


def test_the_rule_is_gone(planned: World) -> None:
    events = planned.client("events")
    events.remove_targets(Rule="nightly", Ids=["clean", "report"])
    events.delete_rule(Name="nightly")
    stale(planned, "event_targets.nightly", fields=["event_targets.nightly: it is missing now"])


def test_not_by_autoscaling(planned: World) -> None:
    """A count that is not declared is somebody else's; so are events and the numbers of tasks."""
    planned.ecs("UpdateService", cluster="prod", service="web", desiredCount=7)
    fresh(planned)
    assert planned.service("web")["desiredCount"] == 7


def test_by_a_declared_count(world: World) -> None:
    made = shop()
    made["tasks"]["web"]["update_services"][0]["desiredCount"] = 2
    world.write(made)
    world.deploy("v1")
    world.ok("plan", "v2")
    world.ecs("UpdateService", cluster="prod", service="web", desiredCount=7)
    stale(world, "service.prod/web", fields=["service.prod/web: desiredCount 2 -> 7"])


def test_not_by_a_restart(planned: World) -> None:
    planned.ecs("UpdateService", cluster="prod", service="web", forceNewDeployment=True)
    fresh(planned)


def test_not_by_a_revision_of_another_family(planned: World) -> None:
    planned.register("web-worker")
    planned.register("webs")
    fresh(planned)


def test_not_by_time(planned: World) -> None:
    planned.clock.sleep(86_400)
    fresh(planned)


def test_not_by_targets_in_another_order(planned: World) -> None:
    targets = planned.targets("nightly")
    events = planned.client("events")
    events.remove_targets(Rule="nightly", Ids=list(targets))
    for target in reversed(targets.values()):
        events.put_targets(Rule="nightly", Targets=[target])
    fresh(planned)


def test_is_applied_once(planned: World) -> None:
    """Also where the world has come back to what the plan was made for."""
    planned.ok("apply")
    planned.forget()
    ran = planned.run("apply")
    assert (ran.code, ran.out) == (4, "")
    assert "this plan was applied already: it was deployment 2, which ended succeeded" in ran.err
    assert planned.sent() == []


def test_is_not_applied_again_after_it_failed(planned: World) -> None:
    planned.aws.task(exit_code=1)
    assert planned.run("apply").code == 6
    planned.aws.task(exit_code=0)
    ran = planned.run("apply")
    assert ran.code == 4
    assert "it was deployment 2, which ended put back" in ran.err


def test_for_another_region(planned: World) -> None:
    ran = planned.run("--region", "us-east-1", "apply")
    assert (ran.code, ran.out) == (4, "")
    assert "the plan is for account 123456789012 in eu-west-1" in ran.err
    assert "us-east-1" in ran.err
    assert planned.sent() == []


def test_names_the_deployment_that_came_between(planned: World) -> None:
    planned.ok("plan", "v3", "--out", "v3.plan")
    planned.ok("apply")
    planned.forget()
    ran = planned.run("apply", "v3.plan")
    assert ran.code == 4
    assert "task_definition.web" in ran.err
    assert planned.sent() == []


def test_a_refused_plan_can_be_made_again(planned: World) -> None:
    planned.register()
    assert planned.run("apply").code == 4
    planned.ok("plan", "v2")
    fresh(planned)


def test_secrets_are_not_named(planned: World) -> None:
    target = planned.targets("nightly")["clean"] | {"Input": '{"password": "hunter2-hunter2"}'}
    planned.client("events").put_targets(Rule="nightly", Targets=[target])
    ran = planned.run("apply")
    assert ran.code == 4
    assert "event_targets.nightly: targets.clean.Input " in ran.err
    assert "hunter2" not in ran.said


def test_a_plan_of_an_older_ecsplan_names_the_addresses(planned: World) -> None:
    """It does not hold what it had seen, only the digests."""
    made = planfile.load(planned.folder / ".ecsplan" / "shop" / "plan.json")
    older = msgspec.structs.replace(made, seen={})
    planfile.save(msgspec.structs.replace(older, digest=plan_digest(older)), planned.folder / "older.plan")
    planned.register()
    ran = planned.run("apply", "older.plan")
    assert ran.code == 4
    assert "this has changed: task_definition.web\nNothing was changed." in ran.err
