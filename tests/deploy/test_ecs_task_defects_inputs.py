"""Defects of ecs-task in what it reads and tells, each as a test that it is not repeated."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime

import pytest

from tests.support.specs import TOPIC, container, definition, shop, spec, task
from tests.support.world import World


def test_does_not_lose_dates_in_messages(world: World) -> None:
    """Dates are ISO 8601, with a time zone."""
    world.write(shop(sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    results = {message["method"]: message["result"] for message in world.messages()}
    created = [results["run_task"]["tasks"][0]["createdAt"], results["update_service"]["service"]["createdAt"]]
    assert all(datetime.fromisoformat(text).tzinfo is not None for text in created)
    assert "null" not in [json.dumps(value) for value in created]


@pytest.mark.parametrize("code", ["AuthorizationError", "InternalError"])
def test_does_not_abort_when_a_message_cannot_be_published(world: World, code: str) -> None:
    world.write(shop(sns_notification_topic_arn=TOPIC))
    world.aws.fault("Publish", "error", times=99, code=code, message="No.")
    ran = world.deploy("v1")
    assert "Deployment 1 succeeded." in ran.out
    assert "! could not publish ecs:run_task to SNS" in ran.err
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


def test_does_not_fail_on_a_topic_that_does_not_exist(world: World) -> None:
    world.write(spec(sns_notification_topic_arn=TOPIC))
    world.write(spec(sns_notification_topic_arn=TOPIC.replace("deploys", "nobody")), seed=False)
    assert "! could not publish ecs:update_service to SNS" in world.deploy("v1").err


def test_does_not_send_messages_larger_than_256_kib(world: World) -> None:
    """What is too large is left out, and the message says so. Here: five targets of 130 kB each."""
    paths = {f"key{number}": "$." + "\N{SNOWMAN}" * 250 for number in range(100)}
    transformer = {"InputPathsMap": paths, "InputTemplate": '"\N{SNOWMAN}' + "\N{SNOWMAN}" * 8000 + '"'}
    targets = [{"Id": str(number), "InputTransformer": transformer} for number in range(5)]
    made = task() | {"events__put_targets": [{"Rule": "nightly", "Targets": targets}]}
    world.write(spec(made, sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    assert set(world.pointing("nightly").values()) == {"web:1"}
    texts = [params["Message"] for params in world.params("Publish")]
    assert max(len(text.encode()) for text in texts) <= 256 * 1024
    (message,) = [message for message in world.messages() if message["method"] == "put_targets"]
    assert set(message) == {"client", "method", "input", "result"}
    assert "256 KiB" in message["input"]


def test_does_not_take_minutes_over_a_long_value(world: World) -> None:
    """Whatever looks for secrets in a text takes time in proportion to its length. (Base64 is the worst of texts.)"""
    long = base64.b64encode(bytes(60_000)).decode().rstrip("=")
    environment = [{"name": f"CERTIFICATE_{number}", "value": long} for number in range(2)]
    world.write(spec(task(task_definition=definition("web", container(environment=environment)))), seed=False)
    began = time.monotonic()
    world.run("render", "v1")
    assert time.monotonic() - began < 3  # it is 10 s if the time grows with the square of the length


def test_does_not_answer_other_braces_with_a_traceback(world: World) -> None:
    """`{tag}` is no placeholder: it is left alone, and a warning says so."""
    images = [container("web"), container("old", image="old:{tag}"), container("json", image="x:{}")]
    world.write(spec(task(task_definition=definition("web", *images))), seed=False)
    ran = world.ok("validate")
    assert "'old:{tag}' still has braces in it; only {image_tag} is replaced" in ran.err
    assert "'x:{}'" in ran.err


def test_does_not_register_an_empty_tag(world: World) -> None:
    world.write(spec())
    ran = world.run("plan", "")
    assert ran.code == 3
    assert "the tag is empty" in ran.err
    assert not world.aws.requests


@pytest.mark.parametrize("tag", ["two words", "a/b", "-v1", "v1\n", "ä", "v{x}"])
def test_does_not_register_a_tag_that_no_image_has(world: World, tag: str) -> None:
    world.write(spec())
    ran = world.run("plan", "--", tag)
    assert ran.code == 3
    assert "cannot be an image's tag" in ran.err
    assert not world.aws.requests


def test_does_not_find_missing_keys_after_registering(world: World) -> None:
    """All of them at once, each with its path, before anything is sent."""
    made = task(task_definition={"family": "web", "containerDefinitions": [{"memory": 128}]})
    made["update_services"] = [{"desiredCount": 1}]
    made["events__put_targets"] = [{"Targets": [{"Input": "{}"}]}]
    made["run_tasks"] = [{"overrides": {"containerOverrides": [{"command": "migrate"}]}}]
    world.write(spec(made), seed=False)
    ran = world.run("deploy", "v1", "--yes")
    assert ran.code == 3
    for path in (
        "tasks.web.task_definition.containerDefinitions[0]",
        "tasks.web.update_services[0]",
        "tasks.web.events__put_targets[0]",
        "tasks.web.events__put_targets[0].Targets[0]",
        "tasks.web.run_tasks[0].overrides.containerOverrides[0].command",
    ):
        assert f"ecsplan.toml: {path}" in ran.err, path
    assert not world.aws.requests


def test_does_not_ask_or_update_a_service_more_than_once(world: World) -> None:
    names = [f"web-{number}" for number in range(20)]
    world.write(spec(task(services=names)))
    world.deploy("v1")
    updated = [params["service"] for params in world.params("UpdateService")]
    assert sorted(updated) == sorted(names)
