"""What ecs-task does and its users rely on, each as a test with its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.specs import TOPIC, container, definition, migration, shop, spec, task
from tests.support.toml import Doc
from tests.support.world import ACCOUNT, World


def test_keeps_the_order_of_a_deployment(world: World) -> None:
    world.write(shop(active_task_count=1))
    world.deploy("v1")
    world.forget()
    world.deploy("v2")
    assert world.sent() == [
        "RegisterTaskDefinition",
        "RunTask",
        "UpdateService",
        "UpdateService",
        "PutTargets",
        "DeregisterTaskDefinition",
    ]


def test_keeps_running_one_off_tasks_in_file_order(world: World) -> None:
    names = ["zebra", "apple", "mango"]
    world.write(spec(task(runs=names)))
    world.deploy("v1")
    commands = [p["overrides"]["containerOverrides"][0]["command"][-1] for p in world.params("RunTask")]
    assert commands == names


def test_keeps_handing_extra_keys_through(world: World) -> None:
    """Whatever AWS's request takes may stand in an entry, and arrives as it was written."""
    run = migration(count=2, group="migrations", startedBy="release", enableECSManagedTags=True, tags=[
        {"key": "why", "value": "release"},
    ])  # fmt: skip
    update = {"service": "web", "healthCheckGracePeriodSeconds": 30, "enableExecuteCommand": True, "desiredCount": 3}
    target: Doc = {
        "Id": "report",
        "Input": '{"a": 1}',
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        "EcsParameters": {"TaskCount": 2, "Group": "reports", "PropagateTags": "TASK_DEFINITION"},
    }
    register = definition(
        "web", container(ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 2}]), ipcMode="none",
        tags=[{"key": "team", "value": "shop"}],
    )  # fmt: skip
    made = task(task_definition=register)
    made |= {"run_tasks": [run], "update_services": [update]}
    made["events__put_targets"] = [{"Rule": "nightly", "Targets": [target]}]
    world.write(spec(made))
    world.deploy("v1")

    (sent,) = world.params("RegisterTaskDefinition")
    assert sent == {**register, "containerDefinitions": [{**register["containerDefinitions"][0], "image": "web:v1"}]}
    (sent,) = world.params("RunTask")
    assert {key: sent[key] for key in run if key != "name"} == {k: v for k, v in run.items() if k != "name"}
    assert "name" not in sent
    (sent,) = world.params("UpdateService")
    assert {key: sent[key] for key in update} == update
    (sent,) = world.params("PutTargets")
    assert {key: sent["Targets"][0][key] for key in target if key != "EcsParameters"} == {
        key: value for key, value in target.items() if key != "EcsParameters"
    }
    assert sent["Targets"][0]["EcsParameters"].items() >= target["EcsParameters"].items()


def test_keeps_the_order_of_lists_within_an_entry(world: World) -> None:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-b", "subnet-a"], "securityGroups": ["sg-2", "sg-1"]}}
    fargate = definition(
        "web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512"
    )  # fmt: skip
    made = task(task_definition=fargate)
    made["run_tasks"] = [migration(launchType="FARGATE", networkConfiguration=network)]
    made["update_services"] = [{"service": "web", "networkConfiguration": network}]
    world.write(spec(made))
    world.deploy("v1")
    assert world.params("RunTask")[0]["networkConfiguration"] == network
    assert world.params("UpdateService")[0]["networkConfiguration"] == network


def test_keeps_replacing_the_tag_per_container(world: World) -> None:
    """In every image that asks for it; images without the placeholder, and other braces, are left alone."""
    containers = [
        container("web", image="registry.example.com:5000/shop:{image_tag}", command=["echo", "{image_tag}", "{x}"]),
        container("sidecar", image="shop/sidecar:{image_tag}-slim"),
        container("redis", image="redis:7.4"),
        container("proxy", image="proxy@sha256:" + "a" * 64),
    ]
    world.write(spec(task(task_definition=definition("web", *containers))))
    world.deploy("v1")
    (sent,) = world.params("RegisterTaskDefinition")
    assert [one["image"] for one in sent["containerDefinitions"]] == [
        "registry.example.com:5000/shop:v1",
        "shop/sidecar:v1-slim",
        "redis:7.4",
        "proxy@sha256:" + "a" * 64,
    ]
    assert sent["containerDefinitions"][0]["command"] == ["echo", "{image_tag}", "{x}"]


@pytest.mark.parametrize("tag", ["000", "0123", "1e3", "true", "1.10", "null"])
def test_keeps_a_tag_a_string(world: World, tag: str) -> None:
    world.write(spec())
    world.deploy(tag)
    (sent,) = world.params("RegisterTaskDefinition")
    assert sent["containerDefinitions"][0]["image"] == f"web:{tag}"
    assert world.history()[0]["tag"] == tag


def test_keeps_treating_a_run_task_without_tasks_as_an_error(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    world.forget()
    world.aws.fault("RunTask", "failures", code="RESOURCE:MEMORY", message="no room")
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert "run_task.web/migrate" in ran.err
    assert "0 of 1 tasks could be placed: not enough free memory on any container instance (RESOURCE:MEMORY)" in ran.err
    assert world.sent() == ["RegisterTaskDefinition", "RunTask", "DeregisterTaskDefinition"]
    assert world.on("web") == "web:1"


def test_keeps_asking_for_active_revisions_newest_first(world: World) -> None:
    world.write(spec())
    world.register(times=3)
    world.plan("v1")
    (asked,) = world.params("ListTaskDefinitions")
    assert asked == {"familyPrefix": "web", "status": "ACTIVE", "sort": "DESC"}
    world.deploy("v1")
    assert world.active() == ["web:4", "web:3", "web:2", "web:1"]


def test_keeps_10_revisions(world: World) -> None:
    """The first deployment leaves what it finds; from the second on they are those of ecsplan's family."""
    world.write(spec())
    world.register(times=11)
    world.deploy("v0")
    plan = world.plan("v1")
    assert plan["summary"]["deregister"] == 3
    world.deploy("v1")
    assert world.active() == [f"web:{number}" for number in range(13, 3, -1)]
    assert [p["taskDefinition"].rpartition("/")[2] for p in world.params("DeregisterTaskDefinition")] == [
        "web:1",
        "web:2",
        "web:3",
    ]


@pytest.mark.parametrize("where", ["spec", "task"])
def test_keeps_as_many_revisions_as_it_is_told(world: World, where: str) -> None:
    """A task's own number wins over that of the spec."""
    made = task() | ({"active_task_count": 2} if where == "task" else {})
    world.write(spec(made, active_task_count=7 if where == "task" else 2))
    world.register(times=3)
    world.deploy("v0")
    assert len(world.active()) == 4
    world.deploy("v1")
    assert world.active() == ["web:5", "web:4"]


def test_keeps_one_off_tasks_out_of_a_rollback(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    world.deploy("v2")
    world.forget()
    plan = world.ok("rollback", "--plan")
    assert "run_task" not in plan.out
    world.ok("rollback", "--yes")
    assert "RunTask" not in world.sent()
    assert world.on("web") == "web:1"


def told(world: World) -> list[str]:
    return [message["method"] for message in world.messages()]


def test_keeps_telling_sns_after_each_mutating_call(world: World) -> None:
    """And of none that describes, gets, lists, registers or deregisters."""
    one = task(runs=("migrate",), rules=(("nightly", ("report",)),))
    world.write(spec(one, active_task_count=1, sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    world.forget()
    world.deploy("v2")
    assert world.sent() == [
        "RegisterTaskDefinition", "RunTask", "Publish", "UpdateService", "Publish", "PutTargets", "Publish",
        "DeregisterTaskDefinition", "Publish",
    ]  # fmt: skip
    assert [message["outcome"] for message in world.published()[3:]] == ["succeeded"]  # ecsplan's own, at the end
    assert told(world) == ["run_task", "update_service", "put_targets"]
    assert {params["TargetArn"] for params in world.params("Publish")} == {TOPIC}


def test_keeps_reaching_those_who_subscribed(world: World) -> None:
    sqs, sns = world.client("sqs"), world.client("sns")
    world.write(spec(sns_notification_topic_arn=TOPIC, sns_deployment_message=False))
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:told")
    world.deploy("v1")
    (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    message = json.loads(json.loads(received["Body"])["Message"])
    assert (message["method"], message["input"]["service"]) == ("update_service", "web")


def test_keeps_the_format_of_its_messages(world: World) -> None:
    world.write(shop(sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    messages: dict[str, Any] = {message["method"]: message for message in world.messages()}
    run = messages["run_task"]
    assert set(run) == {"client", "method", "input", "result"}
    assert run["client"] == "ecs"
    assert run["input"]["taskDefinition"].endswith(":task-definition/web:1")
    assert run["result"]["tasks"][0]["lastStatus"]
    assert messages["put_targets"]["client"] == "events"
    assert messages["put_targets"]["result"]["FailedEntryCount"] == 0


def test_keeps_the_blacklist_of_methods(world: World) -> None:
    world.write(shop(sns_notification_topic_arn=TOPIC, notification_method_blacklist_regex="^run_|.*services?$"))
    world.deploy("v1")
    assert told(world) == ["register_task_definition", "put_targets"]


def test_keeps_notification_keys_in_a_task(world: World) -> None:
    """Where they win over those of the spec; an empty topic switches messages off."""
    quiet: Doc = task("quiet", services=("quiet",)) | {"sns_notification_topic_arn": ""}
    world.write(spec(task(), quiet, sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    (message,) = world.messages()
    assert message["input"]["service"] == "web"
