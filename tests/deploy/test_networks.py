"""One-off tasks in a VPC, and services that do not go with their new revision, through the command line."""

from __future__ import annotations

from typing import Any

from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import World


def awsvpc(**members: Any) -> Doc:
    made = task(runs=("migrate",), **members)
    made["task_definition"]["networkMode"] = "awsvpc"
    return made


def test_a_migration_runs_in_the_network_of_the_service(world: World) -> None:
    world.write(spec(awsvpc()))
    ran = world.ok("plan", "v1")
    assert "run_task.web/migrate  web: ./manage.py migrate; with the network of service.prod/web" in ran.out
    world.ok("apply")
    (sent,) = world.params("RunTask")
    assert sent["networkConfiguration"] == world.service("web")["networkConfiguration"]
    assert "No changes" in world.ok("plan", "v1").out


def test_without_a_service_to_take_it_from_nothing_is_sent(world: World) -> None:
    world.write(spec(awsvpc(services=())))
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "run_task.web/migrate: the task definition's network mode is awsvpc, so it needs a networkConf" in ran.err
    assert "Nothing was changed." in ran.err
    assert not world.sent()


def test_a_live_load_balancer_needs_its_port_in_the_new_revision(world: World) -> None:
    made = task()
    made["task_definition"]["containerDefinitions"][0]["portMappings"] = [{"containerPort": 80}]
    balancer = {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1"}
    made["update_services"][0]["loadBalancers"] = [{**balancer, "containerName": "web", "containerPort": 80}]
    world.write(spec(made))
    world.deploy("v1")
    del made["update_services"][0]["loadBalancers"]
    made["task_definition"]["containerDefinitions"][0]["portMappings"] = [{"containerPort": 8080}]
    world.write(spec(made), seed=False)
    world.forget()
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 1
    assert "service.prod/web: its load balancer sends to port 80 of container web, which maps no such port" in ran.err
    assert not world.sent()
