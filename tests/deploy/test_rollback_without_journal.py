"""Going back on a machine that deployed nothing: by ECS's own revision history."""

from __future__ import annotations

import pytest

from tests.support.specs import shop, spec, task
from tests.support.world import World


@pytest.fixture
def fresh(world: World) -> World:
    """Deployed three times from elsewhere; no journal here."""
    world.write(shop())
    for tag in ("v1", "v2", "v3"):
        world.ok("--journal", str(world.folder / "elsewhere"), "deploy", tag, "--yes")
    world.forget()
    assert not (world.folder / ".ecsplan").exists()
    return world


def test_goes_to_the_revision_before_the_one_in_use(fresh: World) -> None:
    kept = fresh.kept("nightly"), fresh.lasting(["web", "admin"])
    ran = fresh.ok("rollback", "--yes")
    assert "by ECS's own history: web:3 -> web:2" in ran.out
    assert fresh.on("web") == fresh.on("admin") == "web:2"
    assert fresh.pointing("nightly") == {"report": "web:2", "clean": "web:2"}
    assert (fresh.kept("nightly"), fresh.lasting(["web", "admin"])) == kept
    assert fresh.statuses() == {"web:1": "ACTIVE", "web:2": "ACTIVE", "web:3": "INACTIVE"}
    assert [one["number"] for one in fresh.history()] == [1]
    assert "RunTask" not in fresh.sent()


def test_the_plan_says_so(fresh: World) -> None:
    assert "! by ECS's own history: web:3 -> web:2" in fresh.ok("rollback", "--plan").out
    assert fresh.sent() == []


def test_before_the_one_in_use_is_not_the_second_newest(fresh: World) -> None:
    """Newer ACTIVE revisions that nothing uses are passed over."""
    fresh.register(times=2)
    fresh.ok("rollback", "--yes")
    assert fresh.on("web") == "web:2"


def test_revisions_that_are_not_active_are_passed_over(fresh: World) -> None:
    fresh.ecs("DeregisterTaskDefinition", taskDefinition="web:2")
    fresh.ok("rollback", "--yes")
    assert fresh.on("web") == "web:1"


def test_to_a_revision(fresh: World) -> None:
    ran = fresh.ok("rollback", "--to", "web:1", "--yes")
    assert "web:3 -> web:1" in ran.out
    assert fresh.on("web") == "web:1"


def test_to_a_revision_that_is_inactive_registers_it_again(fresh: World) -> None:
    fresh.ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    fresh.ok("rollback", "--to", "web:1", "--yes")
    assert fresh.image(fresh.on("web")) == "web:v1"
    assert fresh.on("web") == "web:4"


def test_forward_deregisters_nothing(fresh: World) -> None:
    (newer,) = fresh.register()
    fresh.ok("rollback", "--to", newer, "--yes")
    assert fresh.on("web") == newer
    assert fresh.active() == [newer, "web:3", "web:2", "web:1"]


def test_a_deployment_number_needs_the_journal(fresh: World) -> None:
    ran = fresh.run("rollback", "--to", "1", "--yes")
    assert ran.code == 3
    assert "there is no deployment 1 in the journal: it is empty" in ran.err
    assert fresh.sent() == []


def test_without_spec_and_journal_it_asks_for_one(fresh: World) -> None:
    fresh.file.unlink()
    ran = fresh.run("rollback", "--yes")
    assert ran.code == 3
    assert "there is no ecsplan.toml here, and there is no journal" in ran.err
    assert not [op for op in fresh.sent() if op != "GetCallerIdentity"]


def test_several_tasks_go_back_together(world: World) -> None:
    world.write(spec(task("a", services=("a",)), task("b", services=("b",))))
    for tag in ("v1", "v2"):
        world.ok("--journal", "elsewhere", "deploy", tag, "--yes")
    ran = world.ok("rollback", "--yes")
    assert "a:2 -> a:1" in ran.out
    assert "b:2 -> b:1" in ran.out
    assert (world.on("a"), world.on("b")) == ("a:1", "b:1")
