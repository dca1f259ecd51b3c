"""The beginning and the edges: nothing there yet, almost nothing declared, a great deal there."""

from __future__ import annotations

import pytest

from ecsplan import pipeline
from tests.support.specs import ROLE, container, definition, shop, spec, task
from tests.support.world import World


def test_a_family_without_a_revision(world: World) -> None:
    world.write(shop())
    plan = world.plan("v1")
    first = plan["steps"][0]
    assert (first["phase"], first["action"]) == ("register", "create")
    changes = {change["path"]: (change["before"], change["after"]) for change in first["changes"]}
    assert changes["containers.web.image"] == (None, "web:v1")
    world.deploy("v1")
    assert world.on("web") == world.on("admin") == "web:1"
    assert world.active() == ["web:1"]


def test_the_first_plan_shows_everything_that_is_declared(world: World) -> None:
    one = container(
        portMappings=[{"containerPort": 8080, "protocol": "tcp"}],
        mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}],
        environment=[{"name": "MODE", "value": "live"}],
        secrets=[{"name": "DSN", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/dsn"}],
    )
    world.write(spec(task(task_definition=definition("web", one, executionRoleArn=ROLE, volumes=[{"name": "data"}]))))
    text = world.ok("plan", "v1").out
    for what in ("8080", "/data", 'MODE = "live"', "parameter/dsn"):
        assert what in text, what


def test_a_port_that_is_added_is_shown(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    world.write(spec(task(task_definition=definition("web", container(portMappings=[{"containerPort": 9090}])))))
    (register, _) = world.plan("v1")["steps"]
    assert any("9090" in change["path"] + str(change["after"]) for change in register["changes"]), register["changes"]


def test_a_spec_without_services(world: World) -> None:
    """A family that only others use: registered, and nothing else."""
    world.write(spec(task(services=())))
    world.deploy("v1")
    assert world.sent() == ["RegisterTaskDefinition"]
    assert world.run("plan", "v1", "--detailed-exitcode").code == 0
    world.deploy("v2")
    assert world.active() == ["web:2", "web:1"]


def test_a_spec_with_nothing_but_one_off_tasks(world: World) -> None:
    world.write(spec(task(services=(), runs=("import",))))
    world.deploy("v1")
    assert world.sent() == ["RegisterTaskDefinition", "RunTask"]
    world.forget()
    assert "No changes." in world.deploy("v1").out
    assert world.sent() == []


def test_a_one_off_task_that_always_runs(world: World) -> None:
    made = task(services=(), runs=("import",))
    made["run_tasks"][0]["when"] = "always"
    world.write(spec(made))
    world.deploy("v1")
    world.forget()
    world.deploy("v1")
    assert world.sent() == ["RunTask"]


def test_a_rule_with_two_targets(world: World) -> None:
    world.write(spec(task(services=(), rules=(("nightly", ("report", "clean")),))))
    kept = world.kept("nightly")
    world.deploy("v1")
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}
    assert world.kept("nightly") == kept
    assert world.sent().count("PutTargets") == 1
    assert world.run("plan", "v1", "--detailed-exitcode").code == 0


def test_a_rule_of_another_bus(world: World) -> None:
    made = task(services=())
    made["events__put_targets"] = [{"Rule": "orders", "EventBusName": "shop", "Targets": [{"Id": "a"}, {"Id": "b"}]}]
    world.write(spec(made))
    world.deploy("v1")
    targets = world.targets("orders", "shop")
    assert all(one["EcsParameters"]["TaskDefinitionArn"].endswith("/web:1") for one in targets.values())


def test_a_target_that_is_not_there_yet_is_made(world: World) -> None:
    world.write(spec(task(services=(), rules=(("nightly", ("report",)),))))
    report = world.targets("nightly")["report"]
    new = {"Id": "extra", "Arn": report["Arn"], "RoleArn": report["RoleArn"], "Input": '{"extra": true}'}
    made = task(services=(), rules=(("nightly", ("report",)),))
    made["events__put_targets"][0]["Targets"].append(new)
    world.write(spec(made), seed=False)
    world.deploy("v1")
    assert world.pointing("nightly") == {"report": "web:1", "extra": "web:1"}
    assert world.targets("nightly")["extra"].items() >= new.items()
    assert world.run("plan", "v1", "--detailed-exitcode").code == 0


def test_a_target_that_cannot_be_made_is_found_while_planning(world: World) -> None:
    world.write(spec(task(services=(), rules=(("nightly", ("report",)),))))
    world.write(spec(task(services=(), rules=(("nightly", ("report", "extra")),))), seed=False)
    ran = world.run("deploy", "v1", "--yes")
    assert ran.code == 1
    assert "there is no target extra yet; to make one, declare its Arn and RoleArn too" in ran.err
    assert world.sent() == []


def test_a_family_with_150_revisions(world: World) -> None:
    """Pages are followed to their end; what is registered is one more than the newest; the second deployment cleans up
    141."""
    world.write(shop())
    world.register(times=149)
    ran = world.ok("deploy", "first", "--yes")
    assert "! task_definition.web: 140 older revisions stay: " in ran.out
    assert len(world.active()) == 150
    world.ok("deploy", "v0", "--yes")  # AWS's pace takes two minutes
    world.forget()
    plan = world.plan("v1")
    assert plan["summary"]["deregister"] == 1
    assert world.asked().count("ListTaskDefinitions") == 1
    world.ok("deploy", "v1", "--yes")
    assert world.on("web") == "web:152"
    assert world.active() == [f"web:{number}" for number in range(152, 142, -1)]


def test_all_pages_of_a_family_are_read(world: World) -> None:
    world.write(spec(active_task_count=120))
    world.register(times=149)
    world.deploy("v0")
    world.forget()
    plan = world.plan("v1")
    assert plan["summary"]["deregister"] == 31
    assert world.asked().count("ListTaskDefinitions") == 2


def test_an_equal_revision_is_used_again(world: World) -> None:
    """Somebody registered it already: nothing is registered twice."""
    world.write(spec())
    world.register(image="web:v1")
    world.deploy("v1")
    assert world.sent() == ["UpdateService"]
    assert world.on("web") == "web:1"


def test_other_families_that_begin_alike_are_left_alone(world: World) -> None:
    world.write(spec(active_task_count=1))
    world.register("web-worker", times=3)
    world.register("web", times=1)
    world.deploy("v0")
    world.deploy("v1")
    assert world.active("web") == ["web:3"]
    assert len(world.active("web-worker")) == 3


@pytest.mark.parametrize("command", [("plan", "v1"), ("deploy", "v1", "--yes")])
def test_a_service_that_does_not_exist(world: World, command: tuple[str, ...]) -> None:
    world.write(spec())
    world.write(spec(task(services=("web", "nobody"))), seed=False)
    ran = world.run(*command)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "error: this cannot be planned in account 123456789012, region eu-west-1:",
        "  service.prod/nobody: there is no service nobody in cluster prod; "
        "services are created elsewhere, ecsplan only deploys to them",
        "Nothing was changed.",
    ]
    assert ran.out == ""
    assert world.sent() == []
    assert not (world.folder / ".ecsplan" / "shop" / "plan.json").exists()


def test_everything_that_does_not_exist_is_told_at_once(world: World) -> None:
    other = task("other", services=("gone",), rules=(("yearly", ("report",)),))
    other["update_services"][0]["cluster"] = "nowhere"
    world.write(spec(task(services=("nobody",)), other), seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 1
    for address in ("service.prod/nobody", "service.nowhere/gone", "event_targets.yearly"):
        assert f"  {address}: there is no" in ran.err
    assert world.sent() == []


def test_several_tasks_go_through_each_phase_together(world: World) -> None:
    """No service is switched before every migration of every task has succeeded."""
    first, second = task("a", services=("a",), runs=("migrate",)), task("b", services=("b",), runs=("index",))
    world.write(spec(first, second))
    world.deploy("v1")
    assert world.sent() == [*["RegisterTaskDefinition"] * 2, *["RunTask"] * 2, *["UpdateService"] * 2]
    world.forget()
    world.aws.task(exit_code=1, command="*index")
    assert world.run("deploy", "v2", "--yes").code == 6
    assert "UpdateService" not in world.sent()
    assert (world.on("a"), world.on("b")) == ("a:1", "b:1")
    assert (world.active("a"), world.active("b")) == (["a:1"], ["b:1"])


def test_many_services_are_updated_at_once(world: World) -> None:
    """All requests are sent before the first rollout is waited for."""
    names = [f"web-{number}" for number in range(25)]
    world.write(spec(task(services=names)))
    world.aws.rollout_seconds = 60
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        plan = pipeline.make_plan(site, loaded, "v1")
        world.forget()
        assert pipeline.run_plan(site, plan) is not None
    operations = [request.operation for request in world.aws.requests]
    last_update = len(operations) - 1 - operations[::-1].index("UpdateService")
    looks = operations[last_update + 1 :]
    assert "DescribeServices" not in operations[operations.index("UpdateService") : last_update]
    assert looks.count("DescribeServices") % 3 == 0  # ten services per request
    assert {world.on(name) for name in names} == {"web:1"}
