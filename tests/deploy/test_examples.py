"""The story that every example has to be able to tell: deploy, no changes, the next tag, history, back again."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan import pipeline, rehearsal
from tests.support.paths import EXAMPLES
from tests.support.toml import Doc
from tests.support.world import World

# Per example: its cluster, its families, services with their family, rules with the family of their targets.
SHAPES: dict[str, Doc] = {
    "web": {"cluster": "prod", "services": {"web": "web"}, "rules": {}},
    "django": {
        "cluster": "prod",
        "services": {"shop-web": "shop-web", "shop-worker": "shop-worker"},
        "rules": {"shop-nightly": "shop-web"},
    },
    "ec2-bridge": {"cluster": "ec2", "services": {"wiki": "wiki"}, "rules": {}},
}

# Per example: address and changed paths of every step of `plan v2`, in order.
REVISION = {"taskDefinition"}
TARGETS = {f"targets.{name}.EcsParameters.TaskDefinitionArn" for name in ("report", "clearsessions")}
SECOND: dict[str, list[tuple[str, str, set[str]]]] = {
    "web": [
        ("register", "task_definition.web", {"containers.web.image"}),
        ("update", "service.prod/web", REVISION),
    ],
    "django": [
        ("register", "task_definition.shop-web", {"containers.web.image"}),
        ("register", "task_definition.shop-worker", {"containers.worker.image"}),
        ("run", "run_task.shop-web/migrate", set()),
        ("update", "service.prod/shop-web", REVISION),
        ("update", "service.prod/shop-worker", REVISION),
        ("targets", "event_targets.shop-nightly", TARGETS),
        ("targets", "schedule.default/shop-hourly-mail", {"Target.EcsParameters.TaskDefinitionArn"}),
    ],
    "ec2-bridge": [
        ("register", "task_definition.wiki", {"containers.app.image"}),
        ("update", "service.ec2/wiki", REVISION),
    ],
}
# What one deployment of the example sends, messages to SNS left out.
SENT = {
    "web": ["RegisterTaskDefinition", "UpdateService"],
    "django": [*["RegisterTaskDefinition"] * 2, "RunTask", *["UpdateService"] * 2, "PutTargets", "UpdateSchedule"],
    "ec2-bridge": ["RegisterTaskDefinition", "UpdateService"],
}


@pytest.fixture(params=sorted(SHAPES))
def example(request: pytest.FixtureRequest, world: World) -> str:
    """An example's spec in the current folder, and the account as it is before its first deployment."""
    name: str = request.param
    world.file.write_bytes((EXAMPLES / name / "ecsplan.toml").read_bytes())
    rehearsal.seed(world.aws, pipeline.load(world.file))
    return name


def revisions(world: World, example: str) -> dict[str, str]:
    """What is live: per service and per target, the revision that it is on."""
    shape = SHAPES[example]
    services = {name: world.on(name, shape["cluster"]) for name in shape["services"]}
    targets = {f"{rule}/{one}": on for rule in shape["rules"] for one, on in world.pointing(rule).items()}
    return services | targets


def expected(example: str, number: int) -> dict[str, str]:
    """Everything on this revision of its family."""
    shape = SHAPES[example]
    found = {name: f"{family}:{number}" for name, family in shape["services"].items()}
    for rule, family in shape["rules"].items():
        found |= {f"{rule}/{one}": f"{family}:{number}" for one in ("report", "clearsessions")}
    return found


def lasting(world: World, example: str) -> dict[str, Any]:
    """Everything about services and targets that no deployment of the example declares."""
    shape = SHAPES[example]
    targets = {rule: world.kept(rule) for rule in shape["rules"]}
    return {"services": world.lasting(shape["services"], shape["cluster"]), "targets": targets}


def test_every_example_is_covered() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/ecsplan.toml")} == set(SHAPES)
    assert all((EXAMPLES / name / "README.md").read_text(encoding="utf-8").strip() for name in SHAPES)


def test_is_sound(world: World, example: str) -> None:
    ran = world.ok("validate")
    assert "no faults" in ran.out
    assert ran.err == ""
    assert not world.aws.requests


def test_plan_says_with_its_exit_code_whether_there_are_changes(world: World, example: str) -> None:
    assert world.run("plan", "v1").code == 0
    assert world.run("plan", "v1", "--detailed-exitcode").code == 2
    assert world.sent() == []


def test_after_apply_there_are_no_changes(world: World, example: str) -> None:
    world.ok("plan", "v1")
    ran = world.ok("apply")
    assert "Deployment 1 succeeded." in ran.out
    assert sorted(op for op in world.sent() if op != "Publish") == sorted(SENT[example])
    assert revisions(world, example) == expected(example, 1)

    again = world.run("plan", "v1", "--detailed-exitcode")
    assert (again.code, "No changes." in again.out) == (0, True)
    world.forget()
    assert "No changes." in world.ok("apply").out
    assert world.sent() == []


def test_the_next_tag_shows_the_image_and_what_follows_from_it(world: World, example: str) -> None:
    world.deploy("v1")
    plan = world.plan("v2")
    steps = [(s["phase"], s["address"], {change["path"] for change in s["changes"]}) for s in plan["steps"]]
    assert steps == SECOND[example]
    assert [step["index"] for step in plan["steps"]] == list(range(1, len(steps) + 1))
    assert plan["changed"] is True
    assert plan["warnings"] == []
    for step in plan["steps"]:
        for change in step["changes"]:
            if change["path"].endswith(".image"):
                assert change["before"].endswith(":v1")
                assert change["after"] == change["before"].removesuffix("v1") + "v2"
            else:
                assert change["before"].endswith(":1")
                assert change["after"] == "(known after apply)"


def test_the_text_of_a_plan_names_the_image(world: World, example: str) -> None:
    world.deploy("v1")
    text = world.ok("plan", "v2").out
    path = SECOND[example][0][2]
    assert f"~ {next(iter(path))}" in text
    assert ':v1"' in text
    assert ':v2"' in text


def test_history_lists_what_was_deployed(world: World, example: str) -> None:
    for tag in ("v1", "v2"):
        world.ok("plan", tag)
        world.ok("apply")
    rows = [line.split() for line in world.ok("history").out.splitlines()[1:]]
    assert [(row[0], row[4], row[5]) for row in rows] == [("1", "v1", "succeeded"), ("2", "v2", "succeeded")]

    families = set(SHAPES[example]["services"].values())
    found = world.history()
    assert [one["number"] for one in found] == [1, 2]
    for one in found:
        number = one["number"]
        assert one["tag"] == f"v{number}"
        assert one["outcome"] == "succeeded"
        assert one["revisions"] == {family: f"{family}:{number}" for family in families}
        assert one["when"].endswith("Z")
        assert "@" in one["who"]
        assert [(s["phase"], s["address"], s["state"]) for s in one["steps"]] == [
            (phase, address, "done") for phase, address, _ in SECOND[example]
        ]


def test_rollback_goes_back_to_deployment_1(world: World, example: str) -> None:
    world.deploy("v1")
    before = lasting(world, example)
    world.deploy("v2")
    assert revisions(world, example) == expected(example, 2)
    assert lasting(world, example) == before

    ran = world.ok("rollback", "--to", "1", "--yes")
    assert "Deployment 3 succeeded." in ran.out
    assert revisions(world, example) == expected(example, 1)
    assert lasting(world, example) == before
    found = world.history()
    assert [one["number"] for one in found] == [1, 2, 3]
    assert (found[2]["undoes"], found[2]["outcome"], found[2]["tag"]) == ([2], "succeeded", "v1")

    again = world.run("plan", "v1", "--detailed-exitcode")
    assert (again.code, "No changes." in again.out) == (0, True)


def test_what_others_change_meanwhile_survives(world: World, example: str) -> None:
    """Autoscaling and people go on working: nothing undeclared is ever put back."""
    shape = SHAPES[example]
    world.deploy("v1")
    world.deploy("v2")
    for name in shape["services"]:
        world.ecs("UpdateService", cluster=shape["cluster"], service=name, desiredCount=5, enableExecuteCommand=True)
    for rule in shape["rules"]:
        targets = [target | {"Input": '{"by": "hand"}'} for target in world.targets(rule).values()]
        world.client("events").put_targets(Rule=rule, Targets=targets)
    changed = lasting(world, example)
    assert world.run("plan", "v2", "--detailed-exitcode").code == 0
    world.ok("rollback", "--to", "1", "--yes")
    assert revisions(world, example) == expected(example, 1)
    assert lasting(world, example) == changed
