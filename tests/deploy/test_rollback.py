"""Going back with a journal: to a deployment, to before all, from a rollback; and what is left alone on the way."""

from __future__ import annotations

import re

import pytest

from tests.support.specs import BREAKER, container, definition, shop, spec, task
from tests.support.world import World


@pytest.fixture
def deployed(world: World) -> World:
    """Two deployments of the whole shop: v1 and v2."""
    world.write(shop())
    world.deploy("v1")
    world.deploy("v2")
    world.forget()
    return world


def test_undoes_the_first_deployment(world: World) -> None:
    """`--to 0` is before all: services and targets are where they were found, and the family has no ACTIVE revision."""
    world.write(shop())
    services = {name: world.service(name)["taskDefinition"] for name in ("web", "admin")}
    lasting, targets = world.lasting(services), world.targets("nightly")
    world.deploy("v1")
    world.ok("rollback", "--to", "0", "--yes")
    assert {name: world.service(name)["taskDefinition"] for name in services} == services
    assert world.lasting(services) == lasting
    assert world.targets("nightly") == targets
    assert world.statuses() == {"web:1": "INACTIVE"}
    assert world.history()[1]["undoes"] == [1]


def test_without_to_goes_to_before_the_newest_deployment(deployed: World) -> None:
    deployed.ok("rollback", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v1"
    assert deployed.history()[2]["undoes"] == [2]


def test_without_to_passes_over_deployments_that_were_put_back(deployed: World) -> None:
    deployed.aws.task(exit_code=1)
    assert deployed.run("deploy", "v3", "--yes").code == 6
    deployed.ok("rollback", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v1"


def test_forward_again_by_the_number(deployed: World) -> None:
    """The revision that was deregistered is registered anew, since none becomes ACTIVE twice."""
    deployed.ok("rollback", "--yes")
    assert deployed.statuses() == {"web:1": "ACTIVE", "web:2": "INACTIVE"}
    deployed.ok("rollback", "--to", "2", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v2"
    assert deployed.on("web") == deployed.on("admin") == "web:3"
    assert deployed.pointing("nightly") == {"report": "web:3", "clean": "web:3"}
    assert deployed.plan("v2")["changed"] is False
    assert [one["undoes"] for one in deployed.history()] == [[], [], [2], [3]]


def test_plan_only_shows(deployed: World) -> None:
    ran = deployed.ok("rollback", "--to", "1", "--plan")
    assert 'containers.web.image  "web:v2" -> "web:v1"' in ran.out
    assert "taskDefinition  web:2 -> web:1" in ran.out
    assert "deregister web:2" in ran.out
    assert re.search(r"^Plan: 2 to update, 1 to .*, 1 to deregister\.$", ran.out, re.MULTILINE)
    assert deployed.sent() == []
    assert len(deployed.history()) == 2


def test_shows_the_plan_before_it_is_carried_out(deployed: World) -> None:
    shown = deployed.ok("rollback", "--plan").out
    assert deployed.ok("rollback", "--yes").out.startswith(shown)


def test_keep_leaves_the_revision_active(deployed: World) -> None:
    deployed.ok("rollback", "--keep", "--yes")
    assert deployed.on("web") == "web:1"
    assert deployed.active() == ["web:2", "web:1"]
    assert "DeregisterTaskDefinition" not in deployed.sent()


def test_to_a_revision(deployed: World) -> None:
    deployed.deploy("v3")
    deployed.ok("rollback", "--to", "web:1", "--yes")
    assert deployed.on("web") == deployed.on("admin") == "web:1"
    assert deployed.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


@pytest.mark.parametrize(
    ("to", "code", "message"),
    [
        ("7", 3, "there is no deployment 7 in the journal: it has 1 to 2"),
        ("-1", 3, "--to takes a deployment's number, a tag or FAMILY:REV, not '-1'"),
        ("latest", 3, "no deployment of latest in the journal has succeeded"),
        ("web:x", 3, "--to takes a deployment's number, a tag or FAMILY:REV, not 'web:x'"),
        ("other:1", 3, "no task of the spec has the family 'other'"),
        ("web:99", 1, "web:99"),
    ],
)
def test_to_nowhere(deployed: World, to: str, code: int, message: str) -> None:
    ran = deployed.run("rollback", f"--to={to}", "--yes")
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert deployed.sent() == []


def test_over_several_deployments_at_once(deployed: World) -> None:
    """What any of the deployments since then changed goes back to where the first of them found it."""
    deployed.write(shop(tasks={}) | spec(_declaring(healthCheckGracePeriodSeconds=30)), seed=False)
    deployed.deploy("v3")
    deployed.write(shop(tasks={}) | spec(_declaring(healthCheckGracePeriodSeconds=90)), seed=False)
    deployed.deploy("v4")
    assert deployed.service("web")["healthCheckGracePeriodSeconds"] == 90
    deployed.ok("rollback", "--to", "1", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v1"
    assert deployed.service("web")["healthCheckGracePeriodSeconds"] == 0
    assert deployed.active() == ["web:1"]
    assert deployed.history()[-1]["undoes"] == [2, 3, 4]


def _declaring(**members: object) -> dict[str, object]:
    made = task("web", services=("web", "admin"), runs=("migrate",), rules=(("nightly", ("report", "clean")),))
    made["update_services"][0] |= members
    return made


def test_only_what_a_deployment_changed_is_put_back(world: World) -> None:
    """Declared and changed: put back. Changed by hand meanwhile and not by the deployment: left."""
    world.write(spec())
    world.deploy("v1")
    made = task()
    made["update_services"][0] |= {"enableExecuteCommand": True, "deploymentConfiguration": BREAKER}
    world.write(spec(made), seed=False)
    world.deploy("v2")
    world.ecs("UpdateService", cluster="prod", service="web", desiredCount=7, propagateTags="SERVICE")
    by_hand = {"maximumPercent": 150, "minimumHealthyPercent": 50, **BREAKER}
    world.ecs("UpdateService", cluster="prod", service="web", deploymentConfiguration=by_hand)
    world.ok("rollback", "--yes")
    service = world.service("web")
    assert service["enableExecuteCommand"] is False
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is False
    assert (service["desiredCount"], service["propagateTags"]) == (7, "SERVICE")
    assert service["deploymentConfiguration"]["maximumPercent"] == 150
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 50


def test_targets_that_a_deployment_made_are_removed(world: World) -> None:
    world.write(spec(task(rules=(("nightly", ("report",)),))))
    world.deploy("v1")
    report = world.targets("nightly")["report"]
    made = task(rules=(("nightly", ("report",)),))
    made["events__put_targets"][0]["Targets"].append(
        {"Id": "extra", "Arn": report["Arn"], "RoleArn": report["RoleArn"]}
    )
    world.write(spec(made), seed=False)
    world.deploy("v2")
    assert set(world.targets("nightly")) == {"report", "extra"}
    world.ok("rollback", "--yes")
    assert world.targets("nightly") == {"report": report}
    world.ok("rollback", "--to", "2", "--yes")
    assert set(world.targets("nightly")) == {"report", "extra"}


def test_a_revision_deregistered_by_hand_is_registered_again(deployed: World) -> None:
    deployed.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    deployed.ok("rollback", "--yes")
    assert deployed.sent()[0] == "RegisterTaskDefinition"
    assert deployed.on("web") == deployed.on("admin") == "web:3"
    assert deployed.image("web:3") == "web:v1"
    assert deployed.pointing("nightly") == {"report": "web:3", "clean": "web:3"}


def test_a_revision_deleted_by_hand_is_registered_from_the_journal(deployed: World) -> None:
    """ECS no longer knows what it was; the journal does."""
    deployed.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    deployed.ecs("DeleteTaskDefinitions", taskDefinitions=["web:1"])
    deployed.ok("rollback", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v1"


def test_a_revision_that_something_else_uses_by_now_stays(deployed: World) -> None:
    """A service of the spec that was moved to it by hand."""
    third = task("web", services=("web", "admin", "third"), rules=(("nightly", ("report", "clean")),))
    deployed.write(spec(third))
    deployed.ecs("UpdateService", cluster="prod", service="third", taskDefinition="web:2")
    deployed.write(shop(), seed=False)
    deployed.deploy("v3")
    deployed.ok("rollback", "--to", "2", "--yes")
    assert deployed.on("third") == deployed.on("web") == "web:2"
    assert deployed.statuses()["web:2"] == "ACTIVE"


def test_nothing_to_do_when_it_is_there_already(deployed: World) -> None:
    """Moved back by hand in the meantime, the services need nothing."""
    for name in ("web", "admin"):
        deployed.ecs("UpdateService", cluster="prod", service=name, taskDefinition="web:1")
    targets = [
        target | {"EcsParameters": target["EcsParameters"] | {"TaskDefinitionArn": _arn("web:1")}}
        for target in deployed.targets("nightly").values()
    ]
    deployed.client("events").put_targets(Rule="nightly", Targets=targets)
    deployed.forget()
    ran = deployed.ok("rollback", "--to", "1", "--keep", "--yes")
    assert "No changes." in ran.out
    assert deployed.sent() == []


def _arn(revision: str) -> str:
    return f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{revision}"


def test_nothing_to_roll_back(world: World) -> None:
    """The only deployment was put back already."""
    world.write(shop())
    world.aws.task(exit_code=1)
    assert world.run("deploy", "v1", "--yes").code == 6
    world.forget()
    ran = world.run("rollback", "--yes")
    assert ran.code == 3
    assert "there is nothing to roll back" in ran.err
    assert world.sent() == []


def test_needs_no_spec(deployed: World) -> None:
    """The journal knows enough: the app, the services, the revisions."""
    deployed.file.unlink()
    deployed.ok("rollback", "--yes")
    assert deployed.on("web") == "web:1"
    assert deployed.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


def test_a_container_that_was_added_is_gone_again(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    world.write(spec(task(task_definition=definition("web", container("web"), container("agent")))), seed=False)
    world.deploy("v1")
    world.ok("rollback", "--yes")
    assert world.on("web") == "web:1"
    world.write(spec(), seed=False)
    assert world.plan("v1")["changed"] is False


def test_waits_for_the_way_back(deployed: World) -> None:
    """A rollback whose rollout fails is put back too, like any deployment."""
    deployed.aws.rollout("FAILED", image="*:v1")
    ran = deployed.run("rollback", "--yes")
    assert ran.code == 6
    assert deployed.on("web") == deployed.on("admin") == "web:2"
    assert deployed.statuses()["web:2"] == "ACTIVE"
    assert deployed.history()[2]["outcome"] == "put back"


def test_a_service_that_was_deleted_meanwhile_is_left_out_where_that_is_agreed(deployed: World) -> None:
    """What would be put back may be gone: without it a rollback is half of one, so it is asked for."""
    deployed.client("ecs").delete_service(cluster="prod", service="admin", force=True)
    refused = deployed.run("rollback", "--yes")
    assert refused.code == 4
    assert "service.prod/admin, since deployment 2: it is gone, or cannot be changed now" in refused.err
    assert deployed.on("web") == "web:2"
    ran = deployed.ok("rollback", "--yes", "--over")
    assert "left out: service.prod/admin" in ran.out
    assert deployed.on("web") == "web:1"
    assert deployed.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


@pytest.mark.parametrize("drifted", [False, True])
def test_of_two_tasks_on_one_rule_only_the_one_that_moves_runs_its_migration(world: World, drifted: bool) -> None:
    still = task("a", services=(), runs=("migrate",), rules=(("nightly", ("one",)),))
    still["task_definition"]["containerDefinitions"][0]["image"] = "fixed:1"
    moving = task("b", services=(), runs=("migrate",), rules=(("nightly", ("two",)),))
    world.write(spec(still, moving))
    world.deploy("v1")
    if drifted:
        before = [*world.targets("nightly").values()]
        world.deploy("v2")
        world.client("events").put_targets(Rule="nightly", Targets=before)
    steps = [(step["phase"], step["address"]) for step in world.plan("v2")["steps"]]
    assert ("run", "run_task.b/migrate") in steps
    assert ("run", "run_task.a/migrate") not in steps
