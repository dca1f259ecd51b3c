"""Each way in which one-off tasks end, from the command line: exit code, screen, and what is left in AWS."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import container, definition, migration, spec
from tests.support.toml import Doc
from tests.support.world import Clock, Ran, World


def migrating(*containers: Doc, **entry: object) -> Doc:
    """A service, and a migration before it."""
    run = migration() | entry
    return spec({
        "task_definition": definition("web", *(containers or (container(),))),
        "run_tasks": [run],
        "update_services": [{"service": "web"}],
    })  # fmt: skip


def deployed(world: World, tag: str, *options: str, clock: Clock | None = None) -> Ran:
    return world.run("deploy", tag, "--yes", *options, clock=clock)


def shown(golden: Golden, name: str, ran: Ran) -> None:
    text = re.sub(r"\b[0-9a-f]{8}\b", "TASK-ID", screen(ran))
    golden(SCREENS / f"task_{name}.txt", text)


@pytest.fixture
def ready(world: World) -> World:
    """v1 is live, and tasks take ten seconds from now on."""
    world.write(migrating())
    assert deployed(world, "v1").code == 0
    world.aws.task_seconds = 10.0
    world.forget()
    return world


def tasks(world: World) -> list[Doc]:
    """Every one-off task of v2."""
    arns: list[str] = []
    for status in ("RUNNING", "STOPPED"):
        arns += world.ecs("ListTasks", cluster="prod", family="web", desiredStatus=status)["taskArns"]
    found = world.ecs("DescribeTasks", cluster="prod", tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["taskDefinitionArn"].endswith(":2") and "migrate" in str(task["overrides"])]


def put_back(world: World, ran: Ran) -> None:
    assert ran.code == 6, ran.said
    assert world.on("web") == "web:1"
    assert world.active() == ["web:1"]
    assert world.history()[-1]["outcome"] == "put back"


class Meddling(Clock):
    """The world's clock; at the second pause of whoever waits, somebody does something."""

    def __init__(self, clock: Clock, act: Callable[[], object]) -> None:
        super().__init__()
        self._clock, self._act, self._pauses = clock, act, 0

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self._pauses += 1
        if self._pauses == 2:
            self._act()


# --- how they end ---


def test_it_succeeds(ready: World, golden: Golden) -> None:
    ran = deployed(ready, "v2")
    assert ran.code == 0, ran.said
    assert ready.on("web") == "web:2"
    shown(golden, "succeeded", ran)


def test_exit_code(ready: World, golden: Golden) -> None:
    ready.aws.task(exit_code=3)
    ran = deployed(ready, "v2")
    put_back(ready, ran)
    assert "run_task.web/migrate: container web ended with exit code 3" in ran.err
    assert "UpdateService" not in ready.sent()
    shown(golden, "exit_code", ran)


def test_of_every_essential_container(world: World) -> None:
    world.write(migrating(container("web"), container("proxy"), container("log", essential=False)))
    world.aws.task(exit_codes={"web": 0, "proxy": 2, "log": 0})
    ran = deployed(world, "v1")
    assert ran.code == 6
    assert "container proxy ended with exit code 2" in ran.err


def test_but_of_no_other(world: World) -> None:
    world.write(migrating(container("web"), container("log", essential=False)))
    world.aws.task(exit_codes={"web": 0, "log": 9})
    assert deployed(world, "v1").code == 0


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("IMAGE_PULL", "container web never started: CannotPullContainerError"),
        ("SECRETS", "container web never started: ResourceInitializationError"),
        ("OUT_OF_MEMORY", "container web ended with exit code 137: OutOfMemoryError"),
        ("SPOT", "its Spot capacity was taken back: Your Spot Task was interrupted"),
    ],
)
def test_failures(ready: World, golden: Golden, failure: str, words: str) -> None:
    ready.aws.task(failure=failure)
    ran = deployed(ready, "v2")
    put_back(ready, ran)
    assert f"run_task.web/migrate: {words}" in ran.err
    shown(golden, failure.lower(), ran)


def test_somebody_stops_it(ready: World, golden: Golden) -> None:
    ready.aws.task(stays="RUNNING")

    def stop() -> None:
        (task,) = tasks(ready)
        ready.ecs("StopTask", cluster="prod", task=task["taskArn"], reason="wrong database")

    ran = deployed(ready, "v2", clock=Meddling(ready.clock, stop))
    put_back(ready, ran)
    assert "run_task.web/migrate: a user stopped it: wrong database" in ran.err
    shown(golden, "stopped", ran)


@pytest.mark.parametrize("stays", ["RUNNING", "PENDING"])
def test_it_does_not_end_in_time(ready: World, golden: Golden, stays: str) -> None:
    ready.aws.task(stays=stays)
    ran = deployed(ready, "v2", "--timeout", "1m")
    put_back(ready, ran)
    assert "run_task.web/migrate: not finished after 60 s" in ran.err
    (task,) = tasks(ready)
    assert (task["desiredStatus"], task["stoppedReason"]) == ("STOPPED", "run_task.web/migrate did not end in time")
    shown(golden, f"late_{stays.lower()}", ran)


def test_a_stop_that_is_refused_is_told(ready: World) -> None:
    ready.aws.task(stays="RUNNING")
    ready.aws.fault("StopTask", "error", code="AccessDeniedException", message="Not yours.")
    ran = deployed(ready, "v2", "--timeout", "1m")
    put_back(ready, ran)
    assert "! run_task.web/migrate may still be running: " in ran.err
    assert [task["desiredStatus"] for task in tasks(ready)] == ["RUNNING"]


# --- whether there is a place for them ---


def test_no_place(ready: World, golden: Golden) -> None:
    ready.aws.fault("RunTask", "failures", code="RESOURCE:CPU")
    ran = deployed(ready, "v2")
    put_back(ready, ran)
    assert "0 of 1 tasks could be placed: not enough free CPU on any container instance (RESOURCE:CPU)" in ran.err
    assert "One-off tasks are not undone" not in ran.err
    shown(golden, "no_place", ran)


def test_no_place_for_some(ready: World, golden: Golden) -> None:
    """Those that did start are stopped, those of the earlier steps too, and the later steps are not begun."""
    ready.write(migrating(count=25), seed=False)
    ready.aws.fault("RunTask", "failures", code="RESOURCE:MEMORY", count=7, skip=1)
    ran = deployed(ready, "v2")
    put_back(ready, ran)
    assert "3 of 10 tasks could be placed: not enough free memory on any container instance" in ran.err
    assert [params["count"] for params in ready.params("RunTask")] == [10, 10]
    assert len(tasks(ready)) == 13
    assert {task["stopCode"] for task in tasks(ready)} == {"UserInitiated"}
    assert sum(ready.clock.slept) < 5
    shown(golden, "no_place_for_some", ran)


def test_what_was_stopped_for_that_is_run_again(ready: World) -> None:
    """All of it, once nothing of the first attempt runs any more."""
    ready.write(migrating(count=12), seed=False)
    ready.aws.fault("RunTask", "failures", code="RESOURCE:CPU", count=1, skip=1)
    assert deployed(ready, "v2", "--on-failure", "stop").code == 7
    ready.forget()
    ran = ready.run("resume")
    assert ran.code == 0, ran.said
    assert [params["count"] for params in ready.params("RunTask")] == [10, 2]
    stopped = [task for task in tasks(ready) if task["stopCode"] == "UserInitiated"]
    others = [task for task in tasks(ready) if task not in stopped]
    assert (len(stopped), len(others)) == (11, 12)
    assert max(task["stoppedAt"] for task in stopped) <= min(task["createdAt"] for task in others)


def test_room_that_was_made_meanwhile(ready: World) -> None:
    """Where nothing had found a place, `resume` asks again."""
    ready.aws.fault("RunTask", "failures", code="RESOURCE:CPU")
    assert deployed(ready, "v2", "--on-failure", "stop").code == 7
    assert ready.run("resume").code == 0
    assert len(tasks(ready)) == 1


# --- how many ---


def test_more_than_one_request_can_start(ready: World, golden: Golden) -> None:
    ready.write(migrating(count=25), seed=False)
    ran = deployed(ready, "v2")
    assert ran.code == 0, ran.said
    asked = ready.params("RunTask")
    assert [params["count"] for params in asked] == [10, 10, 5]
    assert len({params["clientToken"] for params in asked}) == len({params["startedBy"] for params in asked}) == 3
    assert len(tasks(ready)) == 25
    shown(golden, "count", ran)
    steps = ready.history()[-1]["steps"]
    assert [step["state"] for step in steps if step["phase"] == "run"] == ["done"] * 3


def test_the_plan_says_which_step_starts_which(ready: World) -> None:
    ready.write(migrating(count=25), seed=False)
    plan = ready.plan("v2")
    assert plan["summary"]["run"] == 3
    notes = [step["note"] for step in plan["steps"] if step["phase"] == "run"]
    assert notes == [f"web: ./manage.py migrate; tasks {part} of 25" for part in ("1 to 10", "11 to 20", "21 to 25")]


def test_all_of_them_are_awaited(ready: World) -> None:
    ready.write(migrating(count=12), seed=False)
    ready.aws.task(exit_code=1)
    ran = deployed(ready, "v2")
    put_back(ready, ran)
    assert "tasks 1 to 10 of 12: 10 of 10 tasks: container web ended with exit code 1" in ran.err
    assert "tasks 11 to 12 of 12: 2 of 2 tasks: container web ended with exit code 1" in ran.err
    assert ran.err.count("One-off tasks are not undone: run_task.web/migrate.") == 1


# --- whether and when ---


def test_without_waiting_for_it(ready: World) -> None:
    ready.write(migrating(wait=False), seed=False)
    ready.aws.task(stays="RUNNING")
    assert deployed(ready, "v2").code == 0
    assert ready.on("web") == "web:2"
    assert [task["desiredStatus"] for task in tasks(ready)] == ["RUNNING"]


def test_no_wait_is_for_rollouts(ready: World) -> None:
    """What is switched afterwards relies on it."""
    ready.aws.task(exit_code=1)
    put_back(ready, deployed(ready, "v2", "--no-wait"))


@pytest.mark.parametrize(("when", "runs"), [("changed", 0), ("always", 1)])
def test_when_nothing_changes(ready: World, when: str, runs: int) -> None:
    ready.write(migrating(when=when), seed=False)
    assert deployed(ready, "v1").code == 0
    assert ready.sent().count("RunTask") == runs


@pytest.mark.parametrize("when", ["changed", "always"])
def test_when_something_changes(ready: World, when: str) -> None:
    ready.write(migrating(when=when), seed=False)
    assert deployed(ready, "v2").code == 0
    assert ready.sent().count("RunTask") == 1
