"""Spec and tag to desired resources, offline."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import Exit, UsageError
from ecsplan.core.model import Notify
from ecsplan.plan.compile import check_tag, compile_spec, notifications, requests, tag_warnings, warnings_of
from tests.support.specs import TOPIC, container, definition, shop, spec, task
from tests.unit.fakes_kinds import compiled, spec_of


@pytest.mark.parametrize("tag", ["v42", "000", "1.2.3-rc.1", "_x", f"sha256:{'0f' * 32}", "a" * 128])
def test_tags(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", " ", "a b", "-x", ".x", "a/b", "v\n", "ü", "{image_tag}", "a" * 256])
def test_what_no_image_can_have_as_a_tag(tag: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_spec(spec_of(shop()), tag)
    assert caught.value.exit_code == Exit.USAGE
    assert caught.value.message == (f"{tag!r} cannot be an image's tag" if tag else "the tag is empty")
    assert caught.value.hint


def test_the_order_of_resources() -> None:
    data = spec(
        task("web", services=("b", "a"), runs=("z", "y"), rules=(("r", ("x",)),)),
        task("log", services=("c",), runs=("x",)),
    )
    assert list(compiled(data)) == [
        "task_definition.web",
        "task_definition.log",
        "run_task.web/z",
        "run_task.web/y",
        "run_task.log/x",
        "service.prod/b",
        "service.prod/a",
        "service.prod/c",
        "event_targets.r",
    ]


def test_compiling_is_pure() -> None:
    loaded, again = spec_of(shop()), spec_of(shop())
    assert compile_spec(loaded, "v1") == compile_spec(again, "v1")
    assert loaded == again


@pytest.mark.parametrize(
    ("images", "warnings"),
    [
        (["web:{image_tag}"], []),
        (["web:{image_tag}", "log:1"], []),
        (["web:1"],
         ["no image of ecsplan.toml contains {image_tag}, so the tag 'v1' makes no difference to what runs"]),
        (["web:{image_tag}", "log:{tag}"],
         ["tasks.web, container c1: the image 'log:{tag}' still has braces in it; only {image_tag} is replaced"]),
        (["w:{image_tag}{}"],
         ["tasks.web, container c0: the image 'w:{image_tag}{}' still has braces in it; only {image_tag} is replaced"]),
    ],
)  # fmt: skip
def test_what_a_person_would_want_to_know_about_images(images: list[str], warnings: list[str]) -> None:
    containers = [container(f"c{number}", image=image) for number, image in enumerate(images)]
    loaded = spec_of(spec({"task_definition": definition("web", *containers)}))
    assert list(tag_warnings(loaded, "v1")) == warnings


def test_a_digest_stands_behind_an_at_sign() -> None:
    """Registries with a port and images that are pinned are left as they are, whatever the tag is."""
    images = ("registry:5000/web@{image_tag}", "proxy@sha256:" + "a" * 64, "registry:5000/log:{image_tag}")
    containers = [container(f"c{number}", image=image) for number, image in enumerate(images)]
    loaded, digest = spec_of(spec({"task_definition": definition("web", *containers)})), "sha256:" + "b" * 64
    (warning,) = tag_warnings(loaded, digest)
    assert warning.startswith("tasks.web, container c2: the image 'registry:5000/log:{image_tag}' with sha256:b")
    assert warning.endswith("a digest stands behind @, not behind a colon")
    found = next(iter(compile_spec(loaded, digest))).doc["containerDefinitions"]
    assert [one["image"] for one in found][:2] == [f"registry:5000/web@{digest}", images[1]]


def test_a_caution_of_lint_is_a_warning() -> None:
    one = container("web", image="web:{image_tag}", linuxParameters={"swappiness": 1})
    fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": 256, "memory": 512}
    run = {"name": "migrate"}
    loaded = spec_of(spec({"task_definition": definition("web", one, **fargate), "run_tasks": [run]}))
    swap, launch = warnings_of(loaded, "v1")
    assert swap == (
        "tasks.web.task_definition.containerDefinitions[0].linuxParameters.swappiness: ECS ignores it without maxSwap"
    )
    assert launch.startswith("tasks.web.run_tasks[0]: neither launchType nor capacityProviderStrategy is declared")


@pytest.mark.parametrize(
    ("name", "value", "warned"),
    [
        ("DB_PASSWORD", "hunter2-hunter2", True),
        ("API_TOKEN", "abcdef01", True),
        ("DB_PASSWORD", "hunter2", False),  # too short to be sure
        ("DB_HOST", "hunter2-hunter2", False),
        ("TOKEN_SECONDS", 86400000, False),
        ("TOKEN_SECONDS", "86400000", False),
        ("TOKENIZERS_PARALLELISM", "disabled", False),
        ("SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db", False),
        ("PRIVATE_KEY_FILE", "/run/secrets/key.pem", False),
        ("API_TOKEN", "", False),
    ],
)
def test_a_secret_in_clear_is_a_warning(name: str, value: str | int, warned: bool) -> None:
    one = container("web", image="web:{image_tag}", environment=[{"name": name, "value": value}])
    loaded = spec_of(spec({"task_definition": definition("web", one)}))
    expected = (
        f'tasks.web.task_definition.containerDefinitions[0].environment: "{name}" can be read by anyone who may '
        "describe the task definition; declare it in secrets instead"
    )
    assert warnings_of(loaded, "v1") == ((expected,) if warned else ())


def test_where_calls_are_published() -> None:
    quiet: dict[str, Any] = {"sns_notification_topic_arn": ""}
    data = spec(task("web"), task("log", services=(), **quiet), sns_notification_topic_arn=TOPIC)
    assert notifications(spec_of(data)) == {
        "web": Notify(topic_arn=TOPIC, blacklist_regex="^describe_|get_|list_|.*register_task")
    }
    assert notifications(spec_of(shop())) == {}


def test_where_the_end_of_a_deployment_is_published() -> None:
    loud: dict[str, Any] = {"sns_deployment_message": True}
    data = spec(
        task("web"), task("log", services=(), **loud), sns_notification_topic_arn=TOPIC, sns_deployment_message=False
    )
    assert {name: one.deployment_message for name, one in notifications(spec_of(data)).items()} == {
        "web": False,
        "log": True,
    }


def test_the_compiled_requests_are_named_as_in_the_spec() -> None:
    found = requests(spec_of(spec(task("web", runs=("m",), rules=(("r", ("x",)),)), task("log", services=()))), "v1")
    assert list(found) == ["web", "log"]
    web = found["web"]
    assert web["task_definition"]["containerDefinitions"][0]["image"] == "web:v1"
    assert web["update_services"] == [{"service": "web", "cluster": "prod", "taskDefinition": "(known after apply)"}]
    assert web["run_tasks"][0]["taskDefinition"] == "(known after apply)"
    assert web["events__put_targets"] == [
        {"Rule": "r", "Targets": [{"Id": "x", "EcsParameters": {"TaskDefinitionArn": "(known after apply)"}}]}
    ]
    assert {key: found["log"][key] for key in ("run_tasks", "update_services", "events__put_targets")} == {
        "run_tasks": [],
        "update_services": [],
        "events__put_targets": [],
    }
