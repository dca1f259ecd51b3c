"""The lines of one-off tasks, from the command line: none lost, none twice, in order."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.deploy.test_one_off_tasks import deployed, migrating
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import container
from tests.support.toml import Doc
from tests.support.world import Ran, World

LOGGED = re.compile(r"^ +(migrate[^|]*) \|(?: (.*))?$", re.MULTILINE)


def logging(name: str = "web", **options: str) -> Doc:
    given = {"awslogs-group": "/shop/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs"}
    return container(name, logConfiguration={"logDriver": "awslogs", "options": given | options})


def lines(ran: Ran) -> list[str]:
    return [match[2] or "" for match in LOGGED.finditer(ran.err)]


def shown(golden: Golden, name: str, ran: Ran) -> None:
    golden(SCREENS / f"logs_{name}.txt", re.sub(r"\b[0-9a-f]{8}\b", "TASK-ID", screen(ran)))


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


def requests(world: World) -> int:
    return world.asked().count("GetLogEvents")


def test_while_it_runs(world: World, golden: Golden) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=20, log_lines=[[0, "Operations to perform:"], [1, "  Apply all migrations"], [13, "OK"]])
    ran = deployed(world, "v1")
    assert ran.code == 0, ran.said
    assert lines(ran) == ["Operations to perform:", "  Apply all migrations", "OK"]
    assert ran.err.index("run_task.web/migrate  running") < ran.err.index("Operations")
    assert ran.err.index("| OK") < ran.err.index("exit code 0")
    shown(golden, "running", ran)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.4])
@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_task_that_ends_in_under_a_second(world: World, seconds: float, delay: float) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=seconds, log_line_count=30, log_delay=delay)
    ran = deployed(world, "v1")
    assert ran.code == 0, ran.said
    assert lines(ran) == numbered(30)


@pytest.mark.parametrize("seconds", [0.5, 40.0])
def test_ten_thousand_lines(world: World, seconds: float) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=seconds, log_line_count=10_000, log_delay=1.5)
    ran = deployed(world, "v1")
    assert ran.code == 0
    assert lines(ran) == numbered(10_000)
    assert requests(world) <= world.asked().count("DescribeTasks") + 8


def test_more_lines_than_a_page_holds(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=0.5, log_lines=[f"{number} {'x' * 3000}" for number in range(1000)])
    ran = deployed(world, "v1")
    assert [line.split(" ")[0] for line in lines(ran)] == list(map(str, range(1000)))


def test_several_containers_of_several_tasks(world: World) -> None:
    world.write(migrating(logging("web"), logging("proxy"), container("quiet"), count=12))
    world.aws.task(seconds=10, log_line_count=5)
    ran = deployed(world, "v1")
    assert ran.code == 0, ran.said
    by_source: dict[str, list[str]] = {}
    for match in LOGGED.finditer(ran.err):
        by_source.setdefault(match[1], []).append(match[2])
    assert len(by_source) == 24
    assert all(re.fullmatch(r"migrate (web|proxy) [0-9a-f]{8}", source) for source in by_source)
    assert all(found == numbered(5) for found in by_source.values())


def test_the_last_lines_of_a_task_that_fails(world: World, golden: Golden) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5, exit_code=1, log_lines=["no such table: shop_order"], log_delay=2.5)
    ran = deployed(world, "v1")
    assert ran.code == 6
    assert lines(ran) == ["no such table: shop_order"]
    assert ran.err.index("| no such table") < ran.err.index("exit code 1")
    shown(golden, "failed", ran)


def test_the_lines_of_a_task_that_is_late(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task_seconds = 10
    world.aws.task(stays="RUNNING", log_line_count=3)
    ran = deployed(world, "v1", "--timeout", "1m")
    assert ran.code == 6
    assert lines(ran) == numbered(3)


def test_a_task_that_never_starts_has_no_lines_and_nobody_asks(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5, failure="IMAGE_PULL")
    assert deployed(world, "v1").code == 6
    assert requests(world) == 0


def test_no_permission_is_no_failure(world: World, golden: Golden) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=20, log_line_count=3)
    world.aws.fault("GetLogEvents", "error", times=99, code="AccessDeniedException", message="Not authorized.")
    ran = deployed(world, "v1")
    assert ran.code == 0
    assert ran.err.count("logs:GetLogEvents") == 1
    assert requests(world) == 1
    shown(golden, "denied", ran)


@pytest.mark.parametrize("kind", ["throttle", "drop_before", "drop_after"])
def test_requests_that_are_refused_or_lost(world: World, kind: str) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5, log_line_count=9)
    world.aws.fault("GetLogEvents", kind, times=4)
    ran = deployed(world, "v1")
    assert ran.code == 0
    assert lines(ran) == numbered(9)


def test_a_group_that_is_not_there(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5)
    world.aws.fault("GetLogEvents", "error", times=99, code="ResourceNotFoundException", message="No such group.")
    ran = deployed(world, "v1")
    assert ran.code == 0
    assert "!" not in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"awslogs-region": "us-east-1"}, "container web logs to us-east-1"),
        ({"awslogs-stream-prefix": ""}, "container web has no awslogs-stream-prefix"),
    ],
)
def test_what_cannot_be_followed_is_told(world: World, options: dict[str, str], said: str) -> None:
    web = logging(**options)
    web["logConfiguration"]["options"] = {k: v for k, v in web["logConfiguration"]["options"].items() if v}
    world.write(migrating(web))
    world.aws.task(seconds=20, log_line_count=3)
    ran = deployed(world, "v1")
    assert ran.code == 0
    assert ran.err.count(said) == 1
    assert lines(ran) == []


def test_a_saved_plan_and_a_resumption_know_the_streams(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5, exit_code=1, log_line_count=2)
    world.ok("plan", "v1", "--out", "saved.json")
    Path("ecsplan.toml").unlink()
    ran = world.run("apply", "saved.json", "--on-failure", "stop")
    assert (ran.code, lines(ran)) == (7, numbered(2))
    ran = world.run("--journal", ".ecsplan", "resume")  # which runs it again
    assert (ran.code, lines(ran)) == (7, numbered(2))


def test_lines_are_events_for_programs(world: World) -> None:
    world.write(migrating(logging()))
    world.aws.task(seconds=5, log_line_count=2)
    ran = deployed(world, "v1", "--format", "jsonl")
    logged = [event for event in map(json.loads, ran.out.splitlines()) if event["event"] == "logged"]
    assert [(event["address"], event["source"], event["container"], event["text"]) for event in logged] == [
        ("run_task.web/migrate", "migrate", "web", f"line {number}") for number in (1, 2)
    ]
    assert all(re.fullmatch(r"2023-11-14T22:13:\d\d\.\d{3}Z", event["at"]) for event in logged)


def test_secrets_in_lines_are_masked(world: World) -> None:
    made = migrating(logging())
    override = made["tasks"]["web"]["run_tasks"][0]["overrides"]["containerOverrides"][0]
    override["environment"] = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]
    world.write(made)
    world.aws.task(seconds=1, log_lines=["connecting with hunter2hunter2"])
    ran = deployed(world, "v1")
    assert lines(ran) == ["connecting with (sensitive)"]
