"""What is live is looked at again while a deployment goes on, and before one goes on that was left part-way.

Ada's deployment takes half an hour, or was cut off; meanwhile Bob deploys from his own folder, or changes something by
hand (teams 9: situations 11 and 12).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Golden
from tests.support.aws import Killed
from tests.support.laptops import Laptop, laptops
from tests.support.older import older
from tests.support.paths import SCREENS
from tests.support.pauses import Pausing, killed, one_off_tasks
from tests.support.screens import screen
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import Ran, World

Two = tuple[Laptop, Laptop]
Act = Callable[[], object]


def app(*services: str, rules: tuple[str, ...] = ("nightly",)) -> Doc:
    """A migration, services, and a target for each rule."""
    targets = [(rule, ("report",)) for rule in rules]
    return spec(task("web", services=services or ("web", "admin"), runs=("migrate",), rules=targets))


@pytest.fixture
def two(world: World) -> Two:
    """Ada has deployed v1; Bob's journal is empty. From now on a migration takes two minutes, a rollout one."""
    ada, bob = laptops(world, app(), "ada", "bob")
    ada.deploy("v1")
    world.aws.task_seconds, world.aws.rollout_seconds = 120.0, 60.0
    world.forget()
    return ada, bob


@pytest.fixture(params=["as it is", "older"])
def anywhere(world: World, two: Two, request: pytest.FixtureRequest) -> Two:
    """The same, also on an AWS that shows no rollout states and knows no service deployments."""
    if request.param == "older":
        older(world.aws)
    return two


def run(laptop: Laptop, *arguments: str, act: Act, at: int = 2) -> Ran:
    """A command, at whose pause of that number something happens. The second pause is in the migration."""
    with contextlib.chdir(laptop.folder):
        return laptop.world.run(*arguments, clock=Pausing(laptop.world.clock, act, at=at))


def cut_off(ada: Laptop, *options: str) -> None:
    """Killed in the migration."""
    with pytest.raises(Killed):
        run(ada, "deploy", "v2", "--yes", *options, act=killed)


def bobs(bob: Laptop, tag: str = "v3") -> None:
    """Bob deploys one service, without a migration."""
    bob.write(spec(task("web", services=("web",))))
    bob.deploy(tag)


def outcomes(laptop: Laptop) -> list[str]:
    return [str(one["outcome"]) for one in laptop.history()]


def by_hand(world: World, **members: Any) -> None:
    """Someone changes the target in the console."""
    target = world.targets("nightly")["report"]
    parameters = {**target["EcsParameters"], **members.pop("EcsParameters", {})}
    world.aws.events("PutTargets", Rule="nightly", Targets=[{**target, **members, "EcsParameters": parameters}])


def holds(found: Doc, members: Doc) -> bool:
    """Are these members there, whatever else is?"""
    return all(
        holds(found[name], value) if isinstance(value, dict) else found[name] == value
        for name, value in members.items()
    )


# --- before a deployment goes on (11) ---


def test_the_rest_is_not_laid_over_a_newer_release(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    cut_off(ada)
    world.aws.task_seconds = 1.0
    bob.deploy("v3")
    world.forget()
    ran = ada.run("resume")
    assert (ran.code, world.sent()) == (4, [])
    golden(SCREENS / "teams-stale-rest.txt", screen(ran))
    assert ada.run("continue").code == 4
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {"web:v3"}
    ran = ada.ok("resume", "--anyway")
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {"web:v2"}
    assert world.image(world.pointing("nightly")["report"]) == "web:v2"
    assert outcomes(ada) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("way_on", [("rollback", "--leave"), ("abandon",)], ids=" ".join)
def test_the_other_ways_on_leave_the_newer_release_alone(world: World, anywhere: Two, way_on: tuple[str, ...]) -> None:
    ada, bob = anywhere
    cut_off(ada)
    world.aws.task_seconds = 1.0
    bob.deploy("v3")
    on = world.on("web")
    assert ada.run("resume").code == 4
    ada.ok(*way_on, "--yes")
    assert {world.on("web"), world.on("admin"), world.pointing("nightly")["report"]} == {on}
    ada.deploy("v4")


@pytest.mark.parametrize("hotfix", [
    {"desiredCount": 3},
    {"deploymentConfiguration": {"maximumPercent": 150}},
], ids=str)  # fmt: skip
def test_what_is_not_declared_may_have_moved(world: World, anywhere: Two, hotfix: Doc) -> None:
    ada, _ = anywhere
    cut_off(ada)
    world.ecs("UpdateService", cluster="prod", service="web", **hotfix)
    ada.ok("resume")
    assert world.image(world.on("web")) == "web:v2"
    assert holds(world.service("web"), hotfix)


def test_a_hotfix_is_not_overwritten(world: World, anywhere: Two) -> None:
    """A revision that someone has made in the console."""
    ada, _ = anywhere
    cut_off(ada)
    (fix,) = world.register()
    world.ecs("UpdateService", cluster="prod", service="web", taskDefinition=fix)
    ran = ada.run("resume")
    assert (ran.code, world.on("web")) == (4, fix)
    assert f"  service.prod/web: taskDefinition web:1 -> {fix}\n" in ran.err


def test_a_redeployment_is_not_overwritten(world: World, anywhere: Two) -> None:
    ada, _ = anywhere
    cut_off(ada)
    world.ecs("UpdateService", cluster="prod", service="web", forceNewDeployment=True)
    ran = ada.run("resume")
    assert ran.code == 4
    assert "  service.prod/web: another deployment of it has begun\n" in ran.err


def test_what_has_not_moved_goes_on(world: World, anywhere: Two) -> None:
    ada, _ = anywhere
    cut_off(ada)
    ada.ok("resume")
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {"web:v2"}
    assert len(one_off_tasks(world)) == 2
    (*_, newest) = sorted(ada.folder.rglob("*.jsonl"))
    assert '"remade"' not in newest.read_text(encoding="utf-8")  # nothing but what is planned was sent


# --- before UPDATE and TARGETS (12) ---


def test_what_another_has_deployed_in_the_meantime_is_left(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    ran = run(ada, "deploy", "v2", "--yes", act=lambda: bobs(bob))
    assert ran.code == 7, ran.said
    golden(SCREENS / "teams-moved-meanwhile.txt", screen(ran))
    assert (world.image(world.on("web")), world.on("admin")) == ("web:v3", "web:1")
    assert world.pointing("nightly") == {"report": "web:1"}
    assert outcomes(ada) == ["succeeded", "superseded"]
    assert "Nothing is under way" in ada.ok("resume").out


def test_the_same_that_another_has_deployed_is_no_obstacle(world: World, anywhere: Two) -> None:
    """Bob deploys the same tag while Ada's migration runs, or after she was cut off."""
    ada, bob = anywhere
    cut_off(ada)
    bob.deploy("v2")
    ada.ok("resume")
    assert {world.on("web"), world.on("admin"), world.pointing("nightly")["report"]} == {"web:2"}


@pytest.mark.parametrize("policy", ["rollback", "stop"])
def test_a_target_that_was_moved_is_left(world: World, anywhere: Two, policy: str) -> None:
    """It is seen when the services are on the new revision: they go back, or stay."""
    ada, _ = anywhere
    (fix,) = world.register()
    arn = world.targets("nightly")["report"]["EcsParameters"]["TaskDefinitionArn"].replace("web:1", fix)
    act = lambda: by_hand(world, EcsParameters={"TaskDefinitionArn": arn})  # noqa: E731
    ran = run(ada, "deploy", "v2", "--yes", "--on-failure", policy, act=act, at=2)
    assert ran.code == 7, ran.said
    assert world.pointing("nightly") == {"report": fix}
    image = "web:v1" if policy == "rollback" else "web:v2"
    assert {world.image(world.on(name)) for name in ("web", "admin")} == {image}
    assert outcomes(ada) == ["succeeded", "superseded"]


def test_what_was_changed_by_hand_in_the_meantime_stays(world: World, anywhere: Two) -> None:
    ada, _ = anywhere
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 150}

    def act() -> None:
        by_hand(world, Input='{"by": "hand"}')
        world.ecs("UpdateService", cluster="prod", service="web", deploymentConfiguration=breaker)

    ran = run(ada, "deploy", "v2", "--yes", act=act)
    assert ran.code == 0, ran.said
    assert world.targets("nightly")["report"]["Input"] == '{"by": "hand"}'
    assert world.image(world.pointing("nightly")["report"]) == "web:v2"
    assert holds(world.service("web")["deploymentConfiguration"], breaker)


@pytest.mark.parametrize("cut", [False, True], ids=["at once", "resumed"])
def test_what_was_changed_by_hand_stays_when_it_goes_back(world: World, two: Two, cut: bool) -> None:
    """The second rule refuses: the first one's target goes back, and keeps its new Input."""
    ada, _ = two
    world.write(app(rules=("nightly", "weekly")))
    ada.write(app(rules=("nightly", "weekly")))
    world.aws.task_seconds = 1.0
    ada.deploy("v1")
    world.aws.task_seconds = 120.0
    world.aws.fault("PutTargets", "error", code="AccessDeniedException", times=99, match={"Rule": "weekly"})
    options = ("--on-failure", "stop") if cut else ()
    ran = run(ada, "deploy", "v2", "--yes", *options, act=lambda: by_hand(world, Input='{"by": "hand"}'))
    if cut:
        assert ran.code == 7, ran.said
        ran = ada.run("resume", "--on-failure", "rollback")
    assert ran.code == 6, ran.said
    target = world.targets("nightly")["report"]
    assert (target["Input"], world.image(world.pointing("nightly")["report"])) == ('{"by": "hand"}', "web:v1")


def test_what_is_declared_and_was_moved_is_not_set_back(world: World, two: Two) -> None:
    ada, _ = two
    made = app()
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = {"maximumPercent": 200}
    ada.write(made)
    moved = {"deploymentConfiguration": {"maximumPercent": 150}}
    act = lambda: world.ecs("UpdateService", cluster="prod", service="web", **moved)  # noqa: E731
    ran = run(ada, "deploy", "v2", "--yes", act=act)
    assert ran.code == 7, ran.said
    assert "service.prod/web: deploymentConfiguration.maximumPercent 200 -> 150" in ran.err
    assert world.on("web") == "web:1"


# --- before RETIRE (12) ---


def keeping(*services: str) -> Doc:
    """One revision stays."""
    return app(*services) | {"active_task_count": 1}


def another_service(world: World) -> None:
    world.ecs("CreateService", cluster="prod", serviceName="batch", taskDefinition="web:1", desiredCount=1)


def idle_service(world: World) -> None:
    world.ecs("CreateService", cluster="prod", serviceName="batch", taskDefinition="web:1", desiredCount=0)


def target_of_the_rule(world: World) -> None:
    """A target that is not declared."""
    target = world.targets("nightly")["report"]
    parameters = {
        **target["EcsParameters"],
        "TaskDefinitionArn": world.ecs("DescribeTaskDefinition", taskDefinition="web:1")["taskDefinition"][
            "taskDefinitionArn"
        ],
    }
    other = {**target, "Id": "other", "EcsParameters": parameters}
    world.aws.events("PutTargets", Rule="nightly", Targets=[other])


def running_task(world: World) -> None:
    world.aws.task(stays="RUNNING", image="*:v1")
    world.ecs("RunTask", cluster="prod", taskDefinition="web:1")


@pytest.mark.parametrize(("use", "user"), [
    (another_service, "service.prod/batch"),
    (idle_service, "service.prod/batch"),
    (target_of_the_rule, "event_targets.nightly"),
    (running_task, "task "),
], ids=lambda value: getattr(value, "__name__", value))  # fmt: skip
def test_a_revision_that_something_is_on_is_kept(
    world: World, anywhere: Two, use: Callable[[World], None], user: str
) -> None:
    """Someone puts it in use while the migration runs."""
    ada, _ = anywhere
    ada.write(keeping())
    ran = run(ada, "deploy", "v2", "--yes", act=lambda: use(world))
    assert ran.code == 0, ran.said
    assert f"kept web:1: {user}" in ran.err
    assert world.statuses()["web:1"] == "ACTIVE"


def test_what_keeps_a_revision_is_named(world: World, two: Two, golden: Golden) -> None:
    """A service of another spec, which has the same family."""
    ada, _ = two
    ada.write(keeping("web"))
    ran = ada.deploy("v2")
    assert world.statuses() == {"web:1": "ACTIVE", "web:2": "ACTIVE"}
    golden(SCREENS / "teams-kept-revision.txt", screen(ran))


@pytest.mark.parametrize("operation", ["ListServices", "ListTasks", "DescribeTasks"])
def test_where_the_look_is_not_permitted_the_revision_is_kept(world: World, two: Two, operation: str) -> None:
    """Nothing else is lost: the look for one-off tasks comes before the clean-up."""
    ada, _ = two
    ada.write(spec(task("web", services=("web", "admin")), active_task_count=1))
    world.aws.fault(operation, "error", times=99, code="AccessDeniedException")
    ran = ada.deploy("v2")
    assert "kept web:1: could not look for what uses it: " in ran.err
    assert world.statuses()["web:1"] == "ACTIVE"


def test_what_nothing_is_on_is_deregistered(world: World, anywhere: Two) -> None:
    ada, _ = anywhere
    ada.write(spec(task("web", services=("web", "admin"), rules=[("nightly", ("report",))]), active_task_count=1))
    ran = ada.deploy("v2")
    assert "kept" not in ran.err
    assert world.statuses() == {"web:1": "INACTIVE", "web:2": "ACTIVE"}


def test_the_first_deployment_of_a_family_deregisters_nothing_of_others(world: World, two: Two, golden: Golden) -> None:
    """Bob's journal does not know the family; from the second time on it is as he has declared."""
    _, bob = two
    world.aws.task_seconds = 1.0
    world.register(times=2)
    bob.write(keeping())
    planned = bob.ok("plan", "v2")
    golden(SCREENS / "teams-first-time.txt", screen(planned))
    bob.deploy("v2")
    assert set(world.statuses().values()) == {"ACTIVE"}
    bob.deploy("v3")
    assert world.active() == [world.on("web")]


def test_the_first_deployment_that_was_put_back_is_none(world: World, two: Two) -> None:
    _, bob = two
    world.aws.task_seconds = 1.0
    bob.write(keeping())
    world.aws.task(exit_code=1, image="*:v2")
    assert bob.run("deploy", "v2", "--yes").code == 6
    world.aws.task(exit_code=0, image="*:v2")
    assert "1 older revision stays" in bob.deploy("v2").out
    assert world.statuses()["web:1"] == "ACTIVE"
