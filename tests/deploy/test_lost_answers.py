"""Answers that never came, and refusals that mean "later": everything is done exactly once."""

from __future__ import annotations

import re
import shutil

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Result
from ecsplan.aws import pacing
from ecsplan.journal import Outcome
from tests.support.specs import TOPIC, shop, spec, task
from tests.support.world import World


def carried_out(world: World, tag: str) -> Result:
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, tag))
    assert result is not None
    return result


def ran_tasks(world: World) -> int:
    """How many one-off tasks were started in all."""
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in world.ecs("ListTasks", cluster="prod", family="web", desiredStatus=status)["taskArns"]
    ]
    tasks = world.ecs("DescribeTasks", cluster="prod", tasks=arns)["tasks"]
    return sum(task["group"] == "family:web" for task in tasks)


def settled(world: World, tag: str) -> None:
    assert world.on("web") == world.on("admin")
    assert world.image(world.on("web")) == f"web:{tag}"
    assert set(world.pointing("nightly").values()) == {world.on("web")}
    assert world.plan(tag)["changed"] is False


def test_a_registration_whose_answer_was_lost(world: World) -> None:
    world.write(shop())
    world.aws.fault("RegisterTaskDefinition", "drop_after")
    world.deploy("v1")
    assert world.statuses() == {"web:1": "ACTIVE"}
    assert world.sent().count("RegisterTaskDefinition") == 1
    settled(world, "v1")


def test_a_registration_whose_answer_was_lost_is_not_taken_for_an_older_equal_one(world: World) -> None:
    """Only what is newer than the plan counts: an equal revision from before is INACTIVE or was not to be used."""
    world.write(spec())
    world.register(image="web:v1")
    world.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    world.aws.fault("RegisterTaskDefinition", "drop_after")
    world.deploy("v1")
    assert world.on("web") == "web:2"
    assert world.active() == ["web:2"]


def test_a_registration_that_never_arrived(world: World) -> None:
    world.write(shop())
    world.aws.fault("RegisterTaskDefinition", "drop_before")
    assert carried_out(world, "v1").outcome is Outcome.SUCCEEDED
    assert world.statuses() == {"web:1": "ACTIVE"}


@pytest.mark.parametrize("status", [500, 503])
def test_a_registration_that_ended_in_a_server_error(world: World, status: int) -> None:
    world.write(shop())
    world.aws.fault("RegisterTaskDefinition", "error", code="ServerException", status=status)
    assert carried_out(world, "v1").outcome is Outcome.SUCCEEDED
    assert world.statuses() == {"web:1": "ACTIVE"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ThrottlingException", "Rate exceeded"),
        ("ClientException", "Too many concurrent attempts to create a new revision of the specified family."),
    ],
)
def test_a_throttled_registration_is_repeated(world: World, code: str, message: str) -> None:
    world.write(shop())
    world.aws.fault("RegisterTaskDefinition", "error", times=3, code=code, message=message)
    assert carried_out(world, "v1").outcome is Outcome.SUCCEEDED
    assert world.sent().count("RegisterTaskDefinition") == 4
    assert world.statuses() == {"web:1": "ACTIVE"}
    pauses = [seconds for seconds in world.clock.slept if seconds > pacing.SLICE]  # less is a wait for AWS's pace
    assert pauses == sorted(pauses)
    assert len(pauses) >= 3


def test_a_throttled_registration_is_repeated_on_the_command_line(world: World) -> None:
    world.write(spec())
    world.aws.fault("RegisterTaskDefinition", "throttle")
    world.deploy("v1")
    assert world.statuses() == {"web:1": "ACTIVE"}


@pytest.mark.parametrize("operation", ["RunTask", "UpdateService"])
def test_a_revision_that_is_not_known_everywhere_yet(world: World, operation: str) -> None:
    world.write(shop())
    not_yet = "Unable to describe task definition."
    world.aws.fault(operation, "error", times=3, code="ClientException", message=not_yet)
    assert carried_out(world, "v1").outcome is Outcome.SUCCEEDED
    settled(world, "v1")


def test_a_task_whose_answer_was_lost(world: World) -> None:
    """The migration runs exactly once: the request carries a token, and the repetition carries the same."""
    world.write(shop())
    world.aws.fault("RunTask", "drop_after")
    world.deploy("v1")
    assert ran_tasks(world) == 1
    first, second = world.params("RunTask")
    assert first == second
    # One of our own, from deployment and step; botocore would make up a new one for each call.
    assert re.fullmatch("[0-9a-f]{64}", first["clientToken"])
    settled(world, "v1")


def test_a_task_that_never_arrived(world: World) -> None:
    world.write(shop())
    world.aws.fault("RunTask", "drop_before")
    world.deploy("v1")
    assert ran_tasks(world) == 1


def test_a_task_whose_token_came_before_is_looked_for(world: World) -> None:
    """What became of the call that it came with is not known; it is no refusal."""
    world.write(shop())
    world.aws.fault("RunTask", "error", times=1, code="ConflictException", message="Unable to reuse clientToken")
    world.deploy("v1")
    assert ran_tasks(world) == 1
    assert world.sent().count("RunTask") == 2


def test_each_task_has_a_token_of_its_own(world: World) -> None:
    """Two steps, two deployments, also of the same tag: four tokens."""
    made = shop()
    made["tasks"]["web"]["run_tasks"].append({"name": "second"})
    world.write(made)
    world.deploy("v1")
    world.ok("rollback", "--to", "0", "--yes")
    world.deploy("v1")
    tokens = [params["clientToken"] for params in world.params("RunTask")]
    assert len(set(tokens)) == len(tokens) == 4
    assert ran_tasks(world) == 4


def test_a_failed_deployment_can_be_tried_again_where_no_journal_is_kept(world: World) -> None:
    """On a fresh machine for each run every deployment is the first there. The token of the one that failed was used
    with the revision that was put back, and AWS takes none for two revisions. (A service's PRIMARY deployment would
    make the second plan another one.)"""
    world.write(spec(task(services=(), runs=("migrate",), rules=(("nightly", ("report",)),))))
    world.aws.fault("PutTargets", "error", times=1, code="ValidationException", message="Not now.")
    assert world.run("deploy", "v1", "--yes").code == 6
    shutil.rmtree(".ecsplan")
    world.clock.sleep(1)  # the token has the plan's time in it
    world.deploy("v1")
    assert ran_tasks(world) == 2


def test_a_token_of_ones_own_is_refused(world: World) -> None:
    """It would be the same for every deployment, and the second one would run nothing."""
    made = shop()
    made["tasks"]["web"]["run_tasks"][0]["clientToken"] = "mine"
    world.write(made, seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 3
    assert "tasks.web.run_tasks[0].clientToken: set by ecsplan" in ran.err


@pytest.mark.parametrize("operation", ["UpdateService", "PutTargets", "DeregisterTaskDefinition"])
@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "throttle"])
def test_what_may_be_repeated_is(world: World, operation: str, kind: str) -> None:
    world.write(shop(active_task_count=1))
    world.deploy("v1")
    world.aws.fault(operation, kind)
    world.deploy("v2")
    settled(world, "v2")
    assert world.active() == ["web:2"]
    assert all(step["state"] == "done" for step in world.history()[1]["steps"])


def test_a_message_whose_answer_was_lost_is_not_sent_twice(world: World) -> None:
    world.write(spec(sns_notification_topic_arn=TOPIC))
    world.aws.fault("Publish", "drop_after")
    ran = world.deploy("v1")
    assert [message["method"] for message in world.messages()] == ["update_service"]
    assert world.sent().count("Publish") == 2  # and the one of the deployment
    assert "! could not publish ecs:update_service" in ran.err


def test_a_look_that_fails_does_not_end_the_waiting(world: World) -> None:
    """One throttled or lost describe is no verdict on the rollout."""
    world.write(shop())
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        plan = pipeline.make_plan(site, loaded, "v1")
        world.aws.rollout_seconds = world.aws.task_seconds = 30
        # The first look of the freshness check has to succeed; botocore tries five times before it gives up.
        world.aws.fault("DescribeTasks", "error", times=1, code="ClientException", message="Not now.")
        world.aws.fault("DescribeServices", "error", skip=1, times=1, code="ClientException", message="Not now.")
        result = pipeline.run_plan(site, plan)
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    settled(world, "v1")
