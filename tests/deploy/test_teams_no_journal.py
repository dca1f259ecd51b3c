"""Commands on a machine whose journal knows nothing: they say where they looked, and look at AWS (teams 9.6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.support.aws import Aws
from tests.support.laptops import Laptop, laptops
from tests.support.older import older
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import BREAKER, spec, task
from tests.support.toml import Doc
from tests.support.world import World

#: As the embedded AWS answers, and as one that shows neither rollout states nor service deployments.
AWS: dict[str, Callable[[Aws], None]] = {"as it is": lambda _aws: None, "older": older}
HOOK: Doc = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}


def app(**members: object) -> Doc:
    made = spec(task(services=("web", "admin")))
    made["tasks"]["web"]["update_services"][0].update(members)
    return made


def two(world: World) -> tuple[Laptop, Laptop]:
    """The runner that deploys, and the one on which the job after an approval runs: v1 is live; a rollout takes ten
    seconds, and what its hooks call a minute takes one."""
    first, second = laptops(world, app(), "first", "second")
    first.deploy("v1")
    world.aws.rollout_seconds = 10.0
    world.aws.minute_seconds = 1.0
    world.forget()
    return first, second


@pytest.fixture
def paused(world: World) -> tuple[Laptop, Laptop]:
    """v2 waits at a hook."""
    first, second = two(world)
    for one in (first, second):
        one.write(app(deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [HOOK], **BREAKER}))
    assert first.run("deploy", "v2", "--yes").code == 8
    world.forget()
    return first, second


@pytest.mark.parametrize("command", ["continue", "resume"])
def test_a_paused_rollout_is_continued_on_another_runner(
    world: World, paused: tuple[Laptop, Laptop], golden: Golden, command: str
) -> None:
    _, second = paused
    ran = second.run(command, "--yes")
    assert (ran.code, world.on("web"), world.sent()) == (0, "web:2", ["ContinueServiceDeployment"]), ran.said
    assert len(world.service("web")["deployments"]) == 1
    assert [one["outcome"] for one in second.history()] == ["succeeded"]
    golden(SCREENS / "no-journal-continued.txt", screen(ran))


@pytest.mark.parametrize("command", ["continue", "resume"])
def test_it_is_not_continued_unasked(world: World, paused: tuple[Laptop, Laptop], golden: Golden, command: str) -> None:
    _, second = paused
    ran = second.run(command)
    assert (ran.code, world.sent()) == (3, [])
    assert second.history() == []
    golden(SCREENS / "no-journal-paused.txt", screen(ran))


def test_the_runner_that_deployed_finds_it_continued(world: World, paused: tuple[Laptop, Laptop]) -> None:
    first, second = paused
    second.ok("continue", "--yes")
    ran = first.run("resume")
    assert ran.code == 0, ran.said
    assert first.history()[-1]["outcome"] == "succeeded"


def test_a_journal_that_missed_the_deployment_looks_too(world: World) -> None:
    """It is not empty, and knows only an earlier one."""
    first, second = two(world)
    second.deploy("v1", "--redeploy")
    first.write(app(deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [HOOK], **BREAKER}))
    assert first.run("deploy", "v2", "--yes").code == 8
    world.forget()
    second.ok("continue", "--yes")
    assert (world.sent(), world.on("web")) == (["ContinueServiceDeployment"], "web:2")


@pytest.mark.parametrize("aws", AWS)
@pytest.mark.parametrize("command", ["continue", "resume"])
def test_a_rollout_under_way_is_waited_for(world: World, golden: Golden, command: str, aws: str) -> None:
    first, second = two(world)
    first.deploy("v2", "--no-wait")
    AWS[aws](world.aws)
    world.forget()
    ran = second.run(command)
    assert (ran.code, world.sent()) == (0, []), ran.said
    for name in ("web", "admin"):
        assert len(world.service(name)["deployments"]) == 1
    if aws == "as it is":
        golden(SCREENS / "no-journal-waited.txt", screen(ran))


def test_a_rollout_that_fails_meanwhile(world: World) -> None:
    first, second = two(world)
    world.aws.rollout("FAILED", service="web", image="*:v2")
    first.deploy("v2", "--no-wait")
    world.forget()
    ran = second.run("resume")
    assert ran.code == 7, ran.said
    assert "service.prod/web" in ran.err
    assert world.sent() == []


def test_a_rollback_after_that_goes_by_what_ecs_remembers(world: World) -> None:
    """The journal knows then that v2 was waited for, and nothing of v1."""
    first, second = two(world)
    first.deploy("v2", "--no-wait")
    second.ok("resume")
    second.ok("rollback", "--yes")
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {"web:v1"}


def test_a_rollback_after_that_goes_to_the_journals_own_deployment(world: World) -> None:
    first, second = two(world)
    second.deploy("v2")
    first.deploy("v3", "--no-wait")
    second.ok("resume")
    second.ok("rollback", "--yes")
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {"web:v2"}


@pytest.mark.parametrize("command", ["continue", "resume"])
def test_nothing_is_under_way(world: World, golden: Golden, command: str) -> None:
    _, second = two(world)
    ran = second.run(command)
    assert (ran.code, world.sent()) == (0, [])
    assert second.history() == []
    golden(SCREENS / "no-journal-nothing.txt", screen(ran))


def test_one_that_has_failed_is_named(world: World) -> None:
    first, second = two(world)
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert first.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    ran = second.ok("resume")
    assert "service.prod/web: its last rollout has failed" in ran.out


def test_without_a_spec_the_services_of_the_journal_are_looked_at(world: World) -> None:
    first, second = two(world)
    second.deploy("v1", "--redeploy")
    first.deploy("v2", "--no-wait")
    second.file.unlink()
    world.forget()
    assert second.run("resume").code == 0
    assert world.sent() == []
    assert len(world.service("web")["deployments"]) == 1


@pytest.mark.parametrize(("command", "code"), [(("history",), 0), (("show", "1"), 3)])
def test_an_empty_journal_says_where_it_was_looked_for(
    world: World, golden: Golden, command: tuple[str, ...], code: int
) -> None:
    _, second = two(world)
    ran = second.run(*command)
    assert ran.code == code
    golden(SCREENS / f"no-journal-{command[0]}.txt", screen(ran))
