"""One-off tasks that still run, and whose deployment is over, cut off, or that of another machine.

Each machine has a folder, and a journal, of its own (teams 9: situations 8, 14 and 15).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.conftest import Golden
from tests.support.aws import Killed
from tests.support.laptops import Laptop, laptops
from tests.support.paths import SCREENS
from tests.support.pauses import Pausing, interrupted, killed, one_off_tasks
from tests.support.screens import screen
from tests.support.specs import migration, spec, task
from tests.support.toml import Doc
from tests.support.world import Ran, World

Two = tuple[Laptop, Laptop]
TASK = re.compile(r"\btask [0-9a-f]{32}\b")


def app(**entry: object) -> Doc:
    return spec(task("web", services=("web",), run_tasks=[migration() | entry]))


@pytest.fixture
def two(world: World) -> Two:
    """Ada has deployed v1; Bob's journal is empty. From now on a migration takes a minute and a half."""
    ada, bob = laptops(world, app(), "ada", "bob")
    ada.deploy("v1")
    world.aws.task_seconds = 90.0
    world.forget()
    return ada, bob


def run(laptop: Laptop, *arguments: str, act: Callable[[], object], at: int = 4) -> Ran:
    """A command, at whose pause of that number something happens."""
    with contextlib.chdir(laptop.folder):
        return laptop.world.run(*arguments, clock=Pausing(laptop.world.clock, act, at=at))


def cancelled(laptop: Laptop, tag: str, *options: str) -> None:
    """The job is gone while its migration runs."""
    with pytest.raises(Killed):
        run(laptop, "deploy", tag, "--yes", *options, act=killed)


def ran(world: World) -> list[str]:
    """The revisions whose migrations ran, but for the first."""
    return [str(one["revision"]) for one in one_off_tasks(world)[1:]]


def side_by_side(world: World) -> bool:
    """Did any two migrations run at the same time?"""
    world.aws.settle()
    tasks = one_off_tasks(world)
    return any(float(str(second["began"])) < float(str(first["ended"])) for first, second in pairwise(tasks))


def shown(golden: Golden, name: str, one: Ran) -> None:
    golden(SCREENS / f"teams-{name}.txt", TASK.sub("task ID", screen(one)))


# --- a migration that was interrupted runs on (8) ---


def test_rollback_stops_the_migration_of_what_it_undoes(world: World, two: Two, golden: Golden) -> None:
    """So that the next deployment starts none beside it."""
    ada, bob = two
    assert run(ada, "deploy", "v2", "--yes", act=interrupted).code == 130
    world.forget()
    back = ada.ok("rollback", "--yes")
    shown(golden, "rollback-stops-tasks", back)
    assert world.sent() == ["StopTask", "DeregisterTaskDefinition"]
    bob.deploy("v3")
    assert (ran(world), side_by_side(world)) == (["web:2", "web:3"], False)
    assert [one["code"] for one in one_off_tasks(world)][1] == "UserInitiated"


def test_rollback_that_keeps_it_names_it_and_the_next_deployment_waits(world: World, two: Two, golden: Golden) -> None:
    ada, _ = two
    run(ada, "deploy", "v2", "--yes", act=interrupted)
    world.forget()
    back = ada.ok("rollback", "--yes", "--keep-running")
    assert "run_task.web/migrate of an earlier deployment still runs: task " in back.out
    assert "StopTask" not in world.sent()
    shown(golden, "waits-for-another-task", ada.ok("deploy", "v3", "--yes"))
    assert (ran(world), side_by_side(world)) == (["web:2", "web:3"], False)


def test_a_task_that_cannot_be_stopped_stops_no_rollback(world: World, two: Two) -> None:
    ada, _ = two
    run(ada, "deploy", "v2", "--yes", act=interrupted)
    world.aws.fault("StopTask", "error", times=99, code="AccessDeniedException")
    back = ada.ok("rollback", "--yes")
    assert "run_task.web/migrate may still be running: ecs:stop_task: AccessDeniedException" in back.err
    assert "kept web:2: task " in back.err  # it is on that revision
    assert world.statuses()["web:2"] == "ACTIVE"


def test_abandon_names_it(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    run(ada, "deploy", "v2", "--yes", act=interrupted)
    world.forget()
    text = re.sub(r"by \S+, process .*", "by ORIGIN", TASK.sub("task ID", screen(ada.ok("abandon", "--yes"))))
    golden(SCREENS / "teams-abandoned-with-a-task.txt", text)
    assert world.sent() == []
    assert "run_task.web/migrate of an earlier deployment still runs: task " in ada.ok("plan", "v3").out
    bob.deploy("v3")
    assert (ran(world), side_by_side(world)) == (["web:2", "web:3"], False)


def test_abandon_where_what_runs_cannot_be_seen(world: World, two: Two) -> None:
    ada, _ = two
    run(ada, "deploy", "v2", "--yes", act=interrupted)
    world.aws.fault("ListTasks", "error", times=99, code="AccessDeniedException")
    abandoned = ada.ok("abandon", "--yes")
    assert "could not look for one-off tasks that still run: ecs:list_tasks: AccessDeniedException" in abandoned.out


def test_a_rollback_on_a_machine_without_a_journal_stops_it_too(world: World, two: Two) -> None:
    """By its mark, for what the spec declares."""
    ada, bob = two
    ada.ok("deploy", "v2", "--yes")
    cancelled(ada, "v3")
    world.forget()
    bob.ok("rollback", "--to", "web:1", "--yes")
    assert "StopTask" in world.sent()


# --- the same tag from two machines at once (14) ---


def test_the_same_tag_from_two_machines_at_once(world: World, two: Two) -> None:
    """Bob deploys while Ada's migration runs: it is his as well, and runs once."""
    ada, bob = two
    others: list[Ran] = []
    first = run(ada, "deploy", "v2", "--yes", act=lambda: others.append(bob.run("deploy", "v2", "--yes")))
    assert [first.code, others[0].code] == [0, 0], first.said + others[0].said
    assert ran(world) == ["web:2"]
    assert world.on("web") == "web:2"
    assert ada.history()[-1]["outcome"] == bob.history()[-1]["outcome"] == "succeeded"


def test_a_migration_that_fails_has_failed_for_both(world: World, two: Two) -> None:
    ada, bob = two
    world.aws.task(exit_code=3, image="*:v2")
    others: list[Ran] = []
    first = run(ada, "deploy", "v2", "--yes", act=lambda: others.append(bob.run("deploy", "v2", "--yes")))
    assert (others[0].code, ran(world)) == (6, ["web:2"])
    assert "exit code 3" in others[0].err
    assert first.code == 6
    assert world.on("web") == "web:1"


def test_ten_and_more_tasks_are_joined_together(world: World) -> None:
    ada, bob = laptops(world, app(count=12), "ada", "bob")
    world.aws.task_seconds = 90.0
    others: list[Ran] = []
    first = run(ada, "deploy", "v1", "--yes", act=lambda: others.append(bob.run("deploy", "v1", "--yes")))
    assert [first.code, others[0].code] == [0, 0], first.said + others[0].said
    assert len(one_off_tasks(world)) == 12


# --- a cancelled job is run again (15) ---


def test_a_cancelled_job_run_again_on_a_fresh_runner(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    cancelled(ada, "v2")
    shown(golden, "joined-task", bob.ok("deploy", "v2", "--yes"))
    assert ran(world) == ["web:2"]
    assert world.on("web") == "web:2"


def test_a_job_of_another_tag_waits_for_what_runs(world: World, two: Two) -> None:
    ada, bob = two
    cancelled(ada, "v2")
    bob.deploy("v3")
    assert (ran(world), side_by_side(world)) == (["web:2", "web:3"], False)


def test_with_other_overrides_it_is_another_one(world: World, two: Two) -> None:
    ada, bob = two
    cancelled(ada, "v2")
    other = app()
    other["tasks"]["web"]["run_tasks"][0]["overrides"]["containerOverrides"][0]["command"].append("--noinput")
    bob.write(other)
    bob.deploy("v2")
    assert (ran(world), side_by_side(world)) == (["web:2", "web:2"], False)


def test_beside_it_where_that_is_asked_for(world: World, two: Two) -> None:
    ada, bob = two
    cancelled(ada, "v2")
    world.forget()
    bob.deploy("v3", "--beside")
    assert "ListTasks" not in world.asked()
    assert (ran(world), side_by_side(world)) == (["web:2", "web:3"], True)


def test_one_that_runs_for_longer_than_may_be_waited(world: World, two: Two, golden: Golden) -> None:
    ada, bob = two
    cancelled(ada, "v2")
    refused = bob.run("deploy", "v3", "--yes", "--timeout", "30s")
    assert (refused.code, ran(world)) == (6, ["web:2"])
    shown(golden, "refused-beside-another-task", refused)


def test_without_the_permission_to_look_nothing_is_started(world: World, two: Two) -> None:
    _, bob = two
    world.aws.fault("ListTasks", "error", times=99, code="AccessDeniedException")
    refused = bob.run("deploy", "v2", "--yes")
    assert (refused.code, ran(world)) == (6, [])
    assert "could not look for one-off tasks of run_task.web/migrate that still run: " in refused.err
    assert "--beside" in refused.err


def test_a_mark_that_the_spec_declares(world: World) -> None:
    """Tasks of that mark and with the same overrides are the same; of another mark they are not found."""
    ada, bob = laptops(world, app(startedBy="ci"), "ada", "bob")
    ada.deploy("v1")
    world.aws.task_seconds = 90.0
    cancelled(ada, "v2")
    bob.deploy("v2")
    assert ran(world) == ["web:2"]


def test_the_mark_begins_alike_on_every_machine(world: World, two: Two) -> None:
    """For app and entry; what follows is that of one deployment. ECS takes 128 characters, and always took 36."""
    ada, bob = two
    ada.deploy("v2")
    bob.deploy("v3")
    marks = [str(one.doc["startedBy"]) for one in world.aws.region.tasks.values() if one.service is None]
    assert len({mark[:21] for mark in marks}) == 1
    assert len(set(marks)) == 3
    assert {len(mark) for mark in marks} == {36}
