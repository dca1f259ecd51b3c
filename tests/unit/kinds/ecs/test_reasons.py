"""What ECS's reasons mean, in words: a case for each row, in the wording of AWS."""

from __future__ import annotations

import pytest

from ecsplan.core.diagnosis import alike
from ecsplan.kinds.ecs.reasons import TABLE, reason_for
from ecsplan.kinds.ecs.stopped_tasks import grouped
from ecsplan.kinds.service.diagnosis import events_since, explained
from tests.unit.fakes_diagnosis import BEGAN, at, event, task

PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
INIT = "ResourceInitializationError: "
CASES = {
    "OutOfMemoryError: Container killed due to memory usage": "out of memory",
    f"{PULL}toomanyrequests: You have reached your pull rate limit": "the registry's rate limit",
    f"{PULL}pull access denied, repository does not exist or may require authorization": "pulling the image is not",
    f"{PULL}dial tcp 10.0.0.1:443: i/o timeout": "the registry cannot be reached",
    f"{PULL}write /var/lib: no space left on device": "does not fit on the disk",
    f"{PULL}failed to resolve ref docker.io/library/web:v42: docker.io/library/web:v42: not found": "does not exist",
    f"{PULL}failed to resolve ref web:v42": "the image cannot be pulled",
    f"{INIT}unable to pull secrets or registry auth: execution resource retrieval failed": "its secrets",
    f"{INIT}failed to invoke EFS utils commands to set up EFS volumes": "its file system",
    f"{INIT}failed to validate logger args: The specified log group does not exist": "its log group",
    f"{INIT}failed to configure ENI": "could not be prepared",
    'CannotStartContainerError: exec: "run": executable file not found in $PATH': "not in the image",
    "CannotStartContainerError: Error response from daemon": "cannot be started",
    "Task failed container health checks": "the container's own health check failed",
    "Task failed ELB health checks in (target-group arn:aws:x)": "the load balancer's health check failed",
    "SpotInterruption: Your Spot Task was interrupted.": "Spot capacity",
    "TerminationNotice: gone": "instance was taken away",
    "UserInitiated: Task stopped by user": "a user stopped it",
    "was unable to place a task. Reason: Capacity is unavailable at this time.": "AWS has none of it",
    "was unable to place a task because no container instance met all of its requirements.": "no instance has room",
    "You've reached the limit on the number of vCPUs you can run concurrently": "a limit of the account",
    "was unable to place a task because of something new": "no place was found",
    "ECS was unable to assume the role": "may not assume a role",
    "exit code 137": "killed",
    "exit code 139": "a segmentation fault",
    "exit code 134": "aborted itself",
    "exit code 127": "not in the image",
    "exit code 126": "cannot be executed",
    "exit code 143": "SIGTERM",
}


@pytest.mark.parametrize("text", CASES)
def test_a_reason_in_words(text: str) -> None:
    words = reason_for("", text)
    assert words is not None
    assert CASES[text] in words.meaning


def test_every_row_has_a_case() -> None:
    assert {words.pattern for text in CASES if (words := reason_for(text))} == {row.pattern for row in TABLE}


@pytest.mark.parametrize("text", ["", "exit code 1", "exit code 1370", "Essential container in task exited"])
def test_what_says_nothing_more(text: str) -> None:
    assert reason_for(text) is None


@pytest.mark.parametrize(("one", "other", "same"), [
    ("(task 0a1b) is unhealthy", "(task 9f8e) is unhealthy", True),
    ("rolling back to ecs-svc/1", "rolling back to ecs-svc/2", True),
    ("host 10.0.1.2:443 is away", "host 10.0.3.4:443 is away", True),
    ("at 2026-03-01T12:00:00Z it broke", "at 2026-03-02T13:00:00Z it broke", True),
    ("exit code 1", "exit code 2", False),
    ("image web:v1 is gone", "image web:v2 is gone", False),
])  # fmt: skip
def test_what_differs_in_ids_and_times_only_is_alike(one: str, other: str, same: bool) -> None:
    assert (alike(one) == alike(other)) is same


# --- stopped tasks ---


def test_a_consequence_is_not_taken_for_the_cause() -> None:
    """A container that is killed because it is unhealthy did not run out of memory."""
    killed = {"name": "web", "exitCode": 137}
    (group,) = grouped([task("a", killed, stoppedReason="Task failed container health checks")], None)
    assert group.summary.meaning == "the container's own health check failed"
    assert group.summary.containers[0].meaning == ""


def test_exit_codes_tell_where_nothing_else_does() -> None:
    (group,) = grouped([task("a", {"name": "web", "exitCode": 139})], {"web"})
    assert group.summary.meaning == group.summary.containers[0].meaning == "it crashed: a segmentation fault"


def test_an_essential_container_comes_first() -> None:
    ends = [{"name": "side", "exitCode": 127}, {"name": "web", "exitCode": 2}]
    (group,) = grouped([task("a", *ends)], {"web"})
    assert [end.name for end in group.summary.containers] == ["web", "side"]
    assert group.summary.meaning == ""


def test_groups_are_newest_first() -> None:
    odd = {"name": "web", "exitCode": 2}
    groups = grouped([task("a", seconds=10), task("b", odd, seconds=30), task("c", seconds=20)], None)
    assert [(group.summary.task, group.summary.count) for group in groups] == [("b", 1), ("c", 2)]


# --- events ---


def test_events_of_this_rollout_grouped() -> None:
    events = [
        event("(task 3) (port 80) is unhealthy in (target-group x)", 30),
        event("has started 1 tasks: (task 4).", 25),
        event("(task 2) (port 81) is unhealthy in (target-group x)", 20),
        event("something of before", -10),
    ]
    (found,) = events_since(events, BEGAN.timestamp())
    assert (found.text, found.count) == ("(task 3) (port 80) is unhealthy in (target-group x)", 2)
    assert found.at == "2026-03-01T12:00:30Z"


def test_what_ecs_says_of_every_rollout_is_told_where_there_is_nothing_else() -> None:
    events = [
        event("has started 2 tasks: (task 1) (task 2).", 10),
        event("registered 2 targets in (target-group x)", 9),
    ]
    texts = [found.text for found in events_since(events, BEGAN.timestamp())]
    assert texts == ["has started 2 tasks: (task 1) (task 2)", "registered 2 targets in (target-group x)"]


def test_no_more_events_than_can_be_read() -> None:
    events = [event(f"failure of sort {chr(97 + n)}", 30 - n) for n in range(20)]
    assert [found.text[-1] for found in events_since(events, None)] == list("abcdefgh")


def test_events_without_a_time_are_taken_for_new() -> None:
    assert explained([{"message": "(service web) was unable to place a task"}], at(0).timestamp()) is not None
