"""Deployments that were left part-way end: overtaken, stopped, abandoned, replaced, or cut off before the first call.

Each machine has a folder, and a journal, of its own (teams 9: situations 4, 10 and 13).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.support.aws import Killed
from tests.support.laptops import Laptop, laptops
from tests.support.older import older
from tests.support.paths import SCREENS
from tests.support.pauses import Pausing, at_request, interrupted, killed, one_off_tasks
from tests.support.screens import screen
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import Ran, World

Two = tuple[Laptop, Laptop]


def app(*services: str) -> Doc:
    return spec(task("web", services=services or ("web", "admin"), runs=("migrate",)))


@pytest.fixture
def two(world: World) -> Two:
    """Ada has deployed v1; Bob's journal is empty. From now on a rollout takes a minute."""
    ada, bob = laptops(world, app(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout_seconds = 60.0
    world.forget()
    return ada, bob


@pytest.fixture(params=["as it is", "older"])
def anywhere(world: World, two: Two, request: pytest.FixtureRequest) -> Two:
    """The same, also on an AWS that shows no rollout states and knows no service deployments."""
    if request.param == "older":
        older(world.aws)
    return two


def run(laptop: Laptop, *arguments: str, act: Callable[[], object], at: int = 2) -> Ran:
    """A command, at whose pause of that number something happens."""
    with contextlib.chdir(laptop.folder):
        return laptop.world.run(*arguments, clock=Pausing(laptop.world.clock, act, at=at))


def outcomes(laptop: Laptop) -> list[str]:
    return [str(one["outcome"]) for one in laptop.history()]


def nothing_in_the_way(laptop: Laptop) -> None:
    assert "Nothing is under way" in laptop.ok("resume").out
    assert laptop.ok("abandon", "--yes").out == "Nothing to abandon: no deployment is unfinished.\n"


# --- overtaken by another deployment (4) ---


def test_overtaken_by_another_machine(world: World, two: Two, golden: Golden) -> None:
    """Bob deploys one of the two services while Ada waits: that one is his, the other goes back."""
    ada, bob = two
    bob.write(app("web"))
    ran = run(ada, "deploy", "v2", "--yes", act=lambda: bob.deploy("v3"), at=6)
    assert ran.code == 7, ran.said
    golden(SCREENS / "teams-overtaken.txt", screen(ran))
    assert (world.image(world.on("web")), world.image(world.on("admin"))) == ("web:v3", "web:v1")
    assert outcomes(ada) == ["succeeded", "superseded"]
    nothing_in_the_way(ada)


def test_after_it_was_overtaken_the_next_plan_starts_from_what_is_live(world: World, anywhere: Two) -> None:
    ada, bob = anywhere
    run(ada, "deploy", "v2", "--yes", act=lambda: bob.deploy("v3"), at=6)
    assert outcomes(ada) == ["succeeded", "superseded"]
    before = world.on("web")
    changes = ada.ok("plan", "v4", "--format", "json").data["steps"][-1]["changes"]
    assert before in json.dumps(changes)
    ada.deploy("v4")
    assert world.image(world.on("web")) == "web:v4"


def test_overtaken_where_it_was_to_stop_on_a_failure(world: World, anywhere: Two) -> None:
    """Nothing is put back, and there is nothing to resume: that would lay it over the newer one."""
    ada, bob = anywhere
    bob.write(app("web"))
    ran = run(ada, "deploy", "v2", "--yes", "--on-failure", "stop", act=lambda: bob.deploy("v3"), at=6)
    assert ran.code == 7
    assert "Left to the other deployment: service.prod/web." in ran.err
    assert "Left as it is: task_definition.web, service.prod/admin." in ran.err
    assert outcomes(ada) == ["succeeded", "superseded"]
    nothing_in_the_way(ada)


@pytest.mark.parametrize("command", ["resume", "deploy"])
def test_overtaken_before_it_was_resumed(world: World, two: Two, command: str) -> None:
    """As of a journal of 8e13e7f, which said `stopped` for ever."""
    ada, bob = two
    with pytest.raises(Killed):
        run(ada, "deploy", "v2", "--yes", act=killed, at=6)
    bob.deploy("v3")
    on = world.on("web")
    assert ada.run("deploy", "v4", "--yes").code == 7
    ran = ada.run("resume")
    assert ran.code == 7, ran.said
    assert (outcomes(ada), world.on("web")) == (["succeeded", "superseded"], on)
    nothing_in_the_way(ada)
    ada.deploy("v4")


# --- what failed is run again after `stop` (10) ---


def test_what_failed_is_run_again_after_stop(world: World, two: Two, golden: Golden) -> None:
    """Bob's journal knows nothing of it, and has nothing to resume."""
    ada, bob = two
    world.aws.task(exit_code=1, image="*:v2")
    stopped = ada.run("deploy", "v2", "--yes", "--on-failure", "stop")
    assert stopped.code == 7, stopped.said
    golden(SCREENS / "teams-stopped.txt", screen(stopped))
    assert "Nothing is under way" in bob.ok("resume").out
    again = ada.run("resume")  # the cause is still there, and it stops again
    assert (again.code, len(one_off_tasks(world))) == (7, 3)
    world.aws.task(exit_code=0, image="*:v2")
    resumed = ada.run("resume")
    assert resumed.code == 0, resumed.said
    golden(SCREENS / "teams-resumed-after-stop.txt", screen(resumed))
    assert len(one_off_tasks(world)) == 4
    assert {world.on("web"), world.on("admin")} == {"web:2"}
    assert outcomes(ada) == ["succeeded", "succeeded"]


def test_a_rollout_that_failed_is_begun_again_after_stop(world: World, anywhere: Two) -> None:
    """ECS starts no rollout for an update that changes nothing, unless it is told to."""
    ada, _ = anywhere
    world.aws.rollout("FAILED", service="web", image="*:v2")
    stopped = ada.run("deploy", "v2", "--yes", "--on-failure", "stop")
    assert stopped.code == 7
    assert "Failed: service.prod/web." in stopped.err
    failed = world.aws.primary("prod", "web")
    world.aws.rollout("COMPLETED", service="web", image="*:v2")
    world.forget()
    ada.ok("resume")
    assert world.sent() == ["UpdateService"]
    assert world.params("UpdateService")[0]["forceNewDeployment"] is True
    assert world.aws.primary("prod", "web") != failed
    assert outcomes(ada) == ["succeeded", "succeeded"]
    assert len(one_off_tasks(world)) == 2


def test_resume_keeps_the_options_and_can_be_given_others(world: World, two: Two) -> None:
    ada, _ = two
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert ada.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    assert ada.run("resume").code == 7
    assert world.on("web") == "web:2"
    back = ada.run("resume", "--on-failure", "rollback")
    assert (back.code, world.on("web"), outcomes(ada)) == (6, "web:1", ["succeeded", "put back"])


def test_without_stop_what_failed_is_not_run_again(world: World, two: Two) -> None:
    """Killed after the migration had failed: `resume` puts back, as the deployment would have done."""
    ada, _ = two
    world.aws.task(exit_code=1, image="*:v2")
    world.aws.fault("DeregisterTaskDefinition", "error", times=99, code="AccessDeniedException")
    assert ada.run("deploy", "v2", "--yes").code == 7
    world.aws.clear_faults()
    assert ada.run("resume").code == 6
    assert len(one_off_tasks(world)) == 2


def test_an_undo_whose_rollout_failed_is_sent_again(world: World, anywhere: Two) -> None:
    """`resume` looked at the failed one for ever."""
    ada, _ = anywhere
    world.aws.rollout("FAILED", service="web", image="*:v1")
    world.aws.rollout("FAILED", service="admin", image="*:v2", seconds=90.0)
    assert ada.run("deploy", "v2", "--yes").code == 7
    assert ada.run("resume").code == 7
    world.aws.rollout("COMPLETED", image="*:v1")
    world.forget()
    back = ada.run("resume")
    assert back.code == 6, back.said
    assert [one.get("forceNewDeployment") for one in world.params("UpdateService")] == [True]
    assert (world.on("web"), world.on("admin"), outcomes(ada)[-1]) == ("web:1", "web:1", "put back")


# --- ended as it is ---


def test_abandoned(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert ada.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    world.forget()
    ran = ada.run("abandon", "--yes")
    assert (ran.code, world.sent()) == (0, [])
    golden(SCREENS / "teams-abandoned.txt", re.sub(r"by \S+, process .*", "by ORIGIN", screen(ran)))
    assert outcomes(ada) == ["succeeded", "abandoned"]
    assert ada.history()[-1]["ended_by"]["pid"] == os.getpid()
    assert "\nended by: " in ada.ok("show", "2").out
    nothing_in_the_way(ada)
    assert (world.on("web"), world.on("admin")) == ("web:2", "web:2")
    bob.deploy("v3")


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("abandon", "1", "--yes"), 3, "deployment 1 has ended already: succeeded"),
    (("abandon", "7", "--yes"), 3, "there is no deployment 7 in "),
    (("abandon",), 3, "there is no terminal to ask on"),
    (("abandon", "2", "--yes"), 0, "Deployment 2 is abandoned."),
])  # fmt: skip
def test_what_can_be_abandoned(world: World, two: Two, arguments: tuple[str, ...], code: int, said: str) -> None:
    ada, _ = two
    world.aws.task(exit_code=1, image="*:v2")
    ada.run("deploy", "v2", "--yes", "--on-failure", "stop")
    ran = ada.run(*arguments)
    assert ran.code == code
    assert said in ran.said


# --- replaced ---


def test_a_deployment_over_an_unfinished_one_is_refused(two: Two, golden: Golden) -> None:
    ada, _ = two
    ada.world.aws.task(exit_code=1, image="*:v2")
    ada.run("deploy", "v2", "--yes", "--on-failure", "stop")
    ran = ada.run("deploy", "v3", "--yes")
    assert ran.code == 7
    golden(SCREENS / "teams-unfinished.txt", screen(ran))


def test_replaced(world: World, two: Two, golden: Golden) -> None:
    ada, _ = two
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert ada.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    ran = ada.run("deploy", "v3", "--yes", "--replace")
    assert ran.code == 0, ran.said
    golden(SCREENS / "teams-replaced.txt", screen(ran))
    assert outcomes(ada) == ["succeeded", "superseded", "succeeded"]
    assert ada.history()[1]["reason"] == "deployment 3 was begun in its place"
    assert {world.on("web"), world.on("admin")} == {"web:3"}
    nothing_in_the_way(ada)


def test_replaced_where_nothing_is_left_to_do(world: World, anywhere: Two) -> None:
    """What was planned is live: the unfinished deployment ends, and there is no new one."""
    ada, _ = anywhere
    ada.deploy("v2")
    world.aws.task(exit_code=1, image="*:v3")
    assert ada.run("deploy", "v3", "--yes", "--on-failure", "stop").code == 7
    ran = ada.ok("deploy", "v2", "--yes", "--replace")
    assert "deployment 3 has ended as superseded" in ran.err
    assert outcomes(ada)[2:] == ["superseded"]
    nothing_in_the_way(ada)


def test_what_is_replaced_ends_only_when_the_new_one_begins(world: World, two: Two) -> None:
    ada, _ = two
    world.aws.task(exit_code=1, image="*:v2")
    ada.run("deploy", "v2", "--yes", "--on-failure", "stop")
    at_request(world.aws, "DescribeServices", interrupted, number=2)  # the look before the first call
    ran = ada.run("deploy", "v3", "--yes", "--replace")
    assert ran.code == 130
    assert outcomes(ada) == ["succeeded", "stopped"]


# --- cut off before the first call (13) ---


def test_a_rollback_that_is_cut_off_before_its_first_call(world: World, two: Two, golden: Golden) -> None:
    """It is no deployment; the next one stops the rollout as if it had not been."""
    ada, bob = two
    assert ada.run("deploy", "v2", "--yes", "--timeout", "1s").code == 8
    world.forget()
    at_request(world.aws, "DescribeServices", interrupted, number=2)
    ran = ada.run("rollback", "--yes")
    assert (ran.code, world.sent(), outcomes(ada)) == (130, [], ["succeeded", "unfinished"])
    golden(SCREENS / "teams-cut-off-rollback.txt", screen(ran))
    assert "resume" not in ran.said
    assert bob.history() == []
    ada.ok("rollback", "--yes")
    assert {world.on("web"), world.on("admin")} == {"web:1"}
    assert [one["number"] for one in ada.history()] == [1, 2, 3]
    nothing_in_the_way(ada)


def test_a_deployment_that_is_cut_off_before_its_first_call(world: World, anywhere: Two) -> None:
    ada, _ = anywhere
    at_request(world.aws, "DescribeServices", interrupted, number=2)
    ran = ada.run("deploy", "v2", "--yes")
    assert (ran.code, world.sent(), outcomes(ada)) == (130, [], ["succeeded"])
    assert "give the same command again" in ran.err
    ada.deploy("v2")
    assert [one["number"] for one in ada.history()] == [1, 2]
