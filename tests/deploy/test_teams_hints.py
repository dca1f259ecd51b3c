"""Hints that can be pasted, options on either side of the command, and what is not there, named with where it was
looked for."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.conftest import Golden
from tests.support import toml
from tests.support.elsewhere import LEFT_OUT, leaving_out
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import definition, shop, spec, task
from tests.support.world import ACCOUNT, Ran, World

WHERE = f"this cannot be planned in account {ACCOUNT}, region eu-west-1:\n"


@pytest.fixture(params=["as it is", "leaving members out"])
def world(world: World, request: pytest.FixtureRequest) -> World:
    """On the embedded AWS, and on one that leaves out what AWS may."""
    if request.param != "as it is":
        world.aws.rewrites = leaving_out(*LEFT_OUT, "failures")
    return world


GIVEN = ("-f", "my specs/shop.toml", "--journal", "their journal", "--region", "us-east-1")


@pytest.fixture
def away(world: World) -> World:
    """A spec, a journal and a region that have all to be named; v1 is live, and v2 has stopped."""
    path = world.folder / "my specs" / "shop.toml"
    path.parent.mkdir()
    path.write_text(toml.dumps(spec()), encoding="utf-8")
    there = world.aws.ecs("us-east-1")
    there.call("CreateCluster", {"clusterName": "prod"})
    there.call("RegisterTaskDefinition", definition())
    named = {"cluster": "prod", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1}
    there.call("CreateService", named)
    world.ok(*GIVEN, "deploy", "v1", "--yes")
    world.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    return world


def commands(said: str) -> list[list[str]]:
    """The commands that a screen names, as a shell would read them."""
    lines = said.replace("`", "\n").splitlines()
    return [shlex.split(line[line.index("ecsplan ") :]) for line in lines if re.search(r"(^|: )ecsplan ", line)]


def pasted(world: World, ran: Ran, name: str, *answers: str) -> Ran:
    """Runs the command of that name that the screen names."""
    (words,) = [words for words in commands(ran.said) if words[1] == name]
    return world.run(*words[1:], *answers)


def test_the_hints_of_a_stopped_deployment_can_be_pasted(away: World, golden: Golden) -> None:
    ran = away.run("deploy", "v2", "--yes", "--on-failure", "stop", *GIVEN)
    assert ran.code == 7
    golden(SCREENS / "hints-stopped.txt", screen(ran))
    assert {tuple(words[2:]) for words in commands(ran.said)} == {GIVEN}
    assert pasted(away, ran, "rollback", "--plan").out.startswith(f"shop v1  account {ACCOUNT}, us-east-1")
    assert pasted(away, ran, "rollback", "-y").code == 0
    assert away.run("history", *GIVEN).out.count("succeeded") == 2


def test_a_plan_over_an_unfinished_deployment_promises_nothing(away: World, golden: Golden) -> None:
    assert away.run(*GIVEN, "deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    ran = away.run(*GIVEN, "plan", "v3")
    assert ran.code == 0
    golden(SCREENS / "hints-unfinished.txt", screen(ran))
    assert "To apply it" not in ran.out
    assert away.run(*GIVEN, "plan", "v3", "--detailed-exitcode").code == 2
    (warning,) = away.run(*GIVEN, "plan", "v3", "--format", "json").data["warnings"]
    assert warning.startswith("deployment 2 is unfinished: ")
    assert warning.endswith("; no plan can be applied before it has ended")
    assert away.run(*GIVEN, "apply").code == 7
    assert pasted(away, ran, "rollback", "-y").code == 0
    ran = away.run(*GIVEN, "plan", "v3")
    assert pasted(away, ran, "apply").code == 0


def test_a_stale_plan_is_made_again_by_pasting(away: World) -> None:
    assert away.run("plan", "v3", "--out", "my plan", *GIVEN).code == 0
    assert away.run("apply", "my plan", *GIVEN).code == 6
    ran = away.run("apply", "my plan", *GIVEN)
    assert ran.code == 4
    ran = pasted(away, ran, "plan")
    assert ran.code == 0
    assert pasted(away, ran, "apply").code == 0


def test_a_plan_that_was_saved_elsewhere_is_named_in_quotes(world: World) -> None:
    world.write(spec())
    ran = world.ok("plan", "v1", "--out", "my plan")
    assert pasted(world, ran, "apply").code == 0


def test_deploy_starts_services_anew_if_asked_to(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    world.forget()
    world.deploy("v1")
    assert world.sent() == []
    world.ok("deploy", "v1", "--redeploy", "-y")
    (update,) = world.params("UpdateService")
    assert update["forceNewDeployment"] is True


# --- what is not there ---


def test_a_service_that_is_not_there_is_named_with_where(world: World, golden: Golden) -> None:
    world.write(spec())
    world.write(spec(task(services=("web", "gone"))), seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert WHERE in ran.err
    golden(SCREENS / "missing-service.txt", screen(ran))


def test_a_cluster_that_is_not_there_is_no_missing_service(world: World, golden: Golden) -> None:
    world.write(spec())
    world.write(spec(task(services=("web", "admin")), cluster="gone"), seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "there is no service" not in ran.err
    golden(SCREENS / "missing-cluster.txt", screen(ran))


def test_a_cluster_that_only_one_off_tasks_are_for_is_named(world: World) -> None:
    world.write(spec(task(services=(), runs=("migrate",)), cluster="gone"), seed=False)
    ran = world.run("deploy", "v1", "--yes")
    assert ran.code == 6
    assert ran.out.startswith(f"shop v1  account {ACCOUNT}, eu-west-1, cluster gone\n")
    assert "There is no cluster gone in this account and region; clusters are created elsewhere." in ran.err


def test_a_rule_and_a_bus_that_are_not_there(world: World, golden: Golden) -> None:
    world.write(shop())
    made = shop()
    made["tasks"]["web"]["events__put_targets"] = [
        {"Rule": "gone", "Targets": [{"Id": "report"}]},
        {"Rule": "gone", "EventBusName": "nowhere", "Targets": [{"Id": "report"}]},
    ]
    world.write(made, seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 1
    golden(SCREENS / "missing-rule.txt", screen(ran))


def test_the_region_may_come_from_aws_region(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(spec())
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert world.plan("v1")["identity"]["region"] == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # boto3's own wins
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "region us-east-1:\n" in ran.err
