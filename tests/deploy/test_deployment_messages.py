"""SNS hears once of the end of each deployment that has changed something, however it ended."""

from __future__ import annotations

import pytest

from tests.support.specs import BREAKER, TOPIC, shop, spec, task
from tests.support.toml import Doc
from tests.support.world import World


@pytest.fixture
def told(world: World) -> World:
    world.write(shop(sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    return world


def ending(world: World) -> Doc:
    """The one message of the newest deployment."""
    (found,) = world.endings()
    newest = world.history()[-1]
    assert (found["number"], found["outcome"], found["reason"]) == (
        newest["number"], newest["outcome"], newest["reason"],
    )  # fmt: skip
    return found


def test_a_deployment_that_succeeded(told: World) -> None:
    found = ending(told)
    assert (found["app"], found["tag"], found["outcome"]) == ("shop", "v1", "succeeded")
    assert found["identity"] == {"account": "123456789012", "region": "eu-west-1"}
    assert found["revisions"] == {"web": "web:1"}
    assert found["seconds"] >= 0
    assert told.published()[-1] == found


def test_one_that_was_put_back(told: World) -> None:
    told.forget()
    assert told.run("deploy", "v2-fail-task", "--yes").code == 6
    found = ending(told)
    assert (found["outcome"], found["tag"], found["revisions"]) == ("put back", "v2-fail-task", {})
    assert "exit code 1" in found["reason"]


def test_one_that_stopped_and_the_one_that_finishes_it(told: World) -> None:
    told.forget()
    told.aws.task(exit_code=1)
    assert told.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    assert ending(told)["outcome"] == "stopped"
    told.forget()
    told.aws.task(exit_code=0)
    told.ok("rollback", "--yes")
    found = ending(told)
    assert (found["outcome"], found["undoes"]) == ("succeeded", [2])


def test_one_that_is_not_finished_and_its_resume(told: World) -> None:
    told.forget()
    told.aws.rollout("COMPLETED", seconds=60.0)
    ran = told.run("deploy", "v2", "--yes", "--timeout", "1s")
    assert ran.code == 8, ran.said
    assert ending(told)["outcome"] == "unfinished"
    told.clock.sleep(60)
    told.forget()
    told.ok("resume")
    assert ending(told)["outcome"] == "succeeded"


def test_a_rollback(told: World) -> None:
    told.deploy("v2")
    told.forget()
    told.ok("rollback", "--yes")
    assert (ending(told)["tag"], ending(told)["undoes"]) == ("v1", [2])


def test_nothing_is_told_where_nothing_was_changed(told: World) -> None:
    told.forget()
    told.deploy("v1")
    told.aws.fault("RegisterTaskDefinition", "error", code="ClientException", message="No.")
    assert told.run("deploy", "v2", "--yes").code == 6
    assert told.published() == []


def test_it_can_be_switched_off(world: World) -> None:
    quiet: Doc = task("quiet", services=("quiet",)) | {"sns_deployment_message": False}
    world.write(spec(quiet, sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    assert [message["method"] for message in world.published()] == ["update_service"]


def test_it_changes_no_exit_code(told: World) -> None:
    told.aws.fault("Publish", "error", times=99, code="AuthorizationError", message="No.")
    ran = told.deploy("v2")
    assert "! could not publish the deployment's end to SNS" in ran.err
    assert ran.err.count("the deployment's end") == 1


def test_a_resume_that_only_finds_that_ecs_has_rolled_back(world: World) -> None:
    """It sends nothing itself, and there is nothing left to undo."""
    web = task("web", services=("web",))
    for service in web["update_services"]:
        service["deploymentConfiguration"] = BREAKER
    world.write(spec(web, sns_notification_topic_arn=TOPIC))
    world.deploy("v1")
    world.clock.sleep(60)
    world.aws.rollout("ROLLED_BACK", seconds=30.0)
    world.ok("plan", "v1", "--redeploy")
    assert world.run("apply", "--timeout", "1s").code == 8
    world.clock.sleep(120)
    world.forget()
    assert world.run("resume").code == 6
    assert world.sent() == ["Publish"]
    assert ending(world)["outcome"] == "put back"
