"""What a failed deployment says of why: on one screen, in events, and in the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Golden
from tests.support.paths import SCREENS
from tests.support.screens import screen
from tests.support.specs import BREAKER, container, definition, migration, spec, task
from tests.support.toml import Doc
from tests.support.world import Clock, Ran, World

GROUP = {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"}
LOG: Doc = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"},
}
SECONDS = 30.0


def written(world: World, *, configuration: Doc | None = None, environment: Any = (), services: Any = ("web",)) -> None:
    """A service with a circuit breaker that goes back, and a migration; their container logs to CloudWatch Logs."""
    one = container(logConfiguration=LOG, environment=list(environment), portMappings=[{"containerPort": 80}])
    made = task("web", task_definition=definition("web", one), services=services, run_tasks=[migration()])
    for service in made["update_services"]:
        service["deploymentConfiguration"] = configuration or BREAKER
        service["loadBalancers"] = [GROUP | {"containerName": "web", "containerPort": 80}]
    world.write(spec(made))


@pytest.fixture
def live(world: World) -> World:
    """v1 is live, and what fails of v2 takes half a minute."""
    written(world)
    world.deploy("v1")
    world.clock.sleep(60)
    world.forget()
    return world


def deployed(world: World, code: int, *options: str, clock: Clock | None = None) -> Ran:
    """v2, on the world's clock: waiting takes no time."""
    ran = world.run("deploy", "v2", "--yes", *options, clock=clock)
    assert ran.code == code, ran.said
    return ran


def shown(world: World, number: int = 2) -> Doc:
    """The diagnoses of a deployment, by address."""
    found: Doc = world.ok("show", str(number), "--format", "json").data["diagnoses"]
    return found


# --- rollouts that ECS rolled back ---


def crashing(world: World) -> None:
    world.aws.rollout("ROLLED_BACK", image="*:v2", seconds=SECONDS)
    world.aws.task(exit_code=3, image="*:v2", command="", log_lines=["starting", "KeyError: 'DATABASE_URL'"])


def failing(failure: str) -> Callable[[World], None]:
    def order(world: World) -> None:
        world.aws.rollout("ROLLED_BACK", image="*:v2", seconds=SECONDS)
        world.aws.task(failure=failure, image="*:v2", command="", log_line_count=30)

    return order


def unplaced(world: World) -> None:
    why = "no container instance met all of its requirements. The closest matching has insufficient memory available."
    world.aws.rollout("ROLLED_BACK", image="*:v2", seconds=SECONDS, unplaced=why)


ROLLED_BACK: dict[str, tuple[Callable[[World], None], tuple[str, ...]]] = {
    "crash": (
        crashing,
        ("container web ended with exit code 3", "| KeyError: 'DATABASE_URL'", "breaker  3 of 3 failures", "3 x "),
    ),
    "out_of_memory": (
        failing("OUT_OF_MEMORY"),
        ("container web: out of memory (exit code 137)", "OutOfMemoryError", "| line 11\n", "| line 30\n"),
    ),
    "image_pull": (failing("IMAGE_PULL"), ("the image cannot be pulled", "CannotPullContainerError", "never started")),
    "secrets": (failing("SECRETS"), ("secrets, or the registry's credentials, cannot be read", "never started")),
    "elb_health": (
        failing("ELB_HEALTH"),
        ("  the load balancer's health check failed\n", "Health checks failed with these codes: [503]"),
    ),
    "container_health": (
        failing("CONTAINER_HEALTH"),
        ("  the container's own health check failed\n", "startPeriod", "| line 30\n"),
    ),
    "no_place": (unplaced, ("no capacity: no instance has room for a task", "3 x was unable to place a task")),
}


@pytest.mark.parametrize("name", ROLLED_BACK)
def test_a_rollout_that_ecs_rolled_back(live: World, golden: Golden, name: str) -> None:
    order, words = ROLLED_BACK[name]
    order(live)
    ran = deployed(live, 6)
    golden(SCREENS / f"why_{name}.txt", screen(ran))
    assert [word for word in words if word not in ran.err] == []
    assert live.on("web") == "web:1"


def test_an_alarm(world: World, golden: Golden) -> None:
    """The tasks are well, and there is nothing to tell of them."""
    alarms = {"enable": True, "rollback": True, "alarmNames": ["web-5xx"]}
    written(world, configuration={"alarms": alarms})
    world.deploy("v1")
    world.clock.sleep(60)
    world.aws.rollout("COMPLETED", image="*:v2", seconds=SECONDS)
    world.aws.alarm("web-5xx", seconds=10)
    ran = deployed(world, 6)
    golden(SCREENS / "why_alarm.txt", screen(ran))
    assert "alarm web-5xx went off" in ran.err
    assert "tasks  " not in ran.err
    assert shown(world)["service.prod/web"]["alarms"] == ["web-5xx"]


# --- others ---


def test_a_timeout(world: World, golden: Golden) -> None:
    """Without a circuit breaker a rollout never ends; why it does not is told all the same."""
    written(world, configuration={"maximumPercent": 200})
    world.deploy("v1")
    world.clock.sleep(60)
    world.aws.rollout("NEVER", image="*:v2", seconds=SECONDS)
    world.aws.task(exit_code=3, image="*:v2", command="", log_lines=["no route to the database"])
    ran = deployed(world, 8, "--timeout", "5m")
    golden(SCREENS / "why_timeout.txt", screen(ran))
    assert "not finished after 300 s" in ran.err
    assert "container web ended with exit code 3" in ran.err
    assert "| no route to the database" in ran.err
    assert "breaker" not in ran.err


class Meddling(Clock):
    """The world's clock; once, while a rollout is waited for, something else happens."""

    def __init__(self, world: World, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._world, self._clock, self._meddle = world, world.clock, [meddle]

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        while self._meddle and "UpdateService" in self._world.sent():
            self._meddle.pop()()
        self._clock.sleep(seconds)


def test_superseded(live: World, golden: Golden) -> None:
    """Who took over, and nothing of what becomes of it."""
    live.aws.rollout("COMPLETED", image="*:v2", seconds=SECONDS)

    def take_over() -> None:
        (theirs,) = live.register("other", portMappings=[{"containerPort": 80}])
        live.ecs("UpdateService", cluster="prod", service="web", taskDefinition=theirs)

    ran = deployed(live, 7, clock=Meddling(live, take_over))
    golden(SCREENS / "why_superseded.txt", screen(ran))
    assert "has put the service on other:1" in ran.err
    assert "log  " not in ran.err
    assert live.on("web") == "other:1"


def test_a_failing_migration(live: World, golden: Golden) -> None:
    live.aws.task(exit_code=1, command="*migrate*", log_lines=["Applying 0042", "no such table: orders"])
    ran = deployed(live, 6)
    golden(SCREENS / "why_migration.txt", screen(ran))
    assert "| no such table: orders" in ran.err
    assert "UpdateService" not in live.sent()
    found = shown(live)["run_task.web/migrate"]
    assert found["meaning"] == "container web ended with exit code 1"
    assert found["tasks"][0]["containers"][0] | {"reason": ""} == {
        "name": "web",
        "exit_code": 1,
        "reason": "",
        "meaning": "",
        "essential": True,
    }


def test_a_migration_that_is_late(live: World, golden: Golden) -> None:
    """It is stopped; what it was doing is told."""
    live.aws.task_seconds = 60
    live.aws.task(stays="RUNNING", command="*migrate*", log_lines=["waiting for a lock"])
    ran = deployed(live, 6, "--timeout", "2m")
    golden(SCREENS / "why_late_migration.txt", screen(ran))
    assert "not finished after 120 s" in ran.err
    assert "| waiting for a lock" in ran.err


def test_logs_that_may_not_be_read(live: World, golden: Golden) -> None:
    crashing(live)
    live.aws.fault("GetLogEvents", "error", code="AccessDeniedException", message="Not allowed.", times=99)
    ran = deployed(live, 6)
    golden(SCREENS / "why_logs_denied.txt", screen(ran))
    assert shown(live)["service.prod/web"]["unseen"] == [
        "the last log lines: the role in use needs permission for logs:GetLogEvents"
    ]
    assert "container web ended with exit code 3" in ran.err


def test_nothing_may_be_looked_up(live: World) -> None:
    """Each permission that is missing is named, and the deployment is put back all the same."""
    crashing(live)
    for operation in ("ListTasks", "ListServiceDeployments", "DescribeServiceDeployments", "GetLogEvents"):
        skip = int(operation == "ListTasks")  # the look for what runs beside the migration, without which it is not run
        live.aws.fault(operation, "error", code="AccessDeniedException", message="Not allowed.", times=99, skip=skip)
    deployed(live, 6)
    found = shown(live)["service.prod/web"]
    assert "the stopped tasks: the role in use needs permission for ecs:ListTasks" in found["unseen"]
    assert "ServiceDeployments" in " ".join(found["unseen"])
    assert found["reason"]
    assert live.on("web") == "web:1"


def test_services_that_fail_alike_share_a_block(world: World) -> None:
    names = ("web", "admin", "api", "jobs", "mail", "search")
    written(world, services=names)
    world.deploy("v1")
    world.clock.sleep(60)
    crashing(world)
    ran = deployed(world, 6)
    assert ran.err.count("container web ended with exit code 3") == 1
    assert "service.prod/admin, " in ran.err
    assert "3 others" in ran.err
    assert sorted(shown(world)) == sorted(f"service.prod/{name}" for name in names)


# --- events, the journal, and secrets ---


def test_the_same_as_data(live: World) -> None:
    """In the stream of events and in what `show` tells; on the screen of `show`, too."""
    crashing(live)
    ran = deployed(live, 6, "--format", "jsonl")
    events = [json.loads(line) for line in ran.out.splitlines()]
    (diagnosed,) = [event for event in events if event["event"] == "diagnosed"]
    assert shown(live) == {diagnosed["address"]: diagnosed["diagnosis"]}
    found = diagnosed["diagnosis"]
    assert (found["failures"], found["threshold"]) == (3, 3)
    assert [task["count"] for task in found["tasks"]] == [3]
    assert found["logs"][0]["lines"] == ["starting", "KeyError: 'DATABASE_URL'"]
    assert found["logs"][0]["stream"] == f"web/web/{found['logs'][0]['task']}"
    assert found["unseen"] == []
    assert "  | KeyError: 'DATABASE_URL'" in live.ok("show", "2").out
    assert "| KeyError" not in ran.err  # the stream has told it


def test_secrets_that_a_container_prints(world: World) -> None:
    """Neither whole nor line by line; also where the deployment leaves the task definition as it is."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAo\n-----END PRIVATE KEY-----\n"
    secrets = ["correct-horse-battery", *key.split("\n")[1:3]]
    variables = [{"name": "DB_PASSWORD", "value": secrets[0]}, {"name": "SIGNING_KEY", "value": key}]
    written(world, environment=variables)
    world.deploy("v1")
    world.clock.sleep(60)
    said = [f"cannot connect with {secrets[0]}", *key.splitlines(), "postgres://shop:in-a-url@db/shop"]
    secrets.append("in-a-url")

    def safe(*texts: str) -> None:
        assert [secret for secret in secrets for text in texts if secret in text] == []

    world.aws.rollout("ROLLED_BACK", image="*:v2", seconds=SECONDS, reason=f"tasks failed with {secrets[0]}")
    world.aws.task(exit_code=1, image="*:v2", command="", reason=f"exit with {secrets[0]}", log_lines=said)
    ran = deployed(world, 6, "--format", "jsonl")
    assert "cannot connect with (sensitive)" in ran.out
    text = world.ok("show", "2").out
    assert "| cannot connect with (sensitive)" in text
    safe(ran.said, text, world.ok("show", "2", "--format", "json").out)
    closed = next((world.folder / ".ecsplan").glob("*/*/000002.jsonl")).read_text().splitlines()[-1]
    assert "cannot connect with (sensitive)" in closed
    safe(closed)

    world.aws.task(exit_code=1, log_lines=said)
    world.aws.rollout("ROLLED_BACK", seconds=SECONDS)
    world.ok("plan", "v1", "--redeploy")
    ran = world.run("apply")
    assert ran.code == 6
    assert "cannot connect with (sensitive)" in ran.err
    safe(ran.said)
