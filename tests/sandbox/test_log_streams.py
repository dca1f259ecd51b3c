"""What containers write, and how CloudWatch Logs shows it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    BREAKER,
    EPOCH,
    Clock,
    Doc,
    container,
    create_service,
    error_of,
    primary,
    task_definition,
    update,
)

AWSLOGS: Final[Doc] = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/shop/job", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs"},
}


@pytest.fixture
def ready(ecs: Any) -> Any:
    """``job`` with an essential container and another, both of which log; a task of it runs for ten seconds."""
    containers = [container(c, logConfiguration=AWSLOGS, essential=c == "app") for c in ("app", "side")]
    ecs.register_task_definition(**task_definition("job", *containers))
    return ecs


@pytest.fixture
def logs(client: Any) -> Any:
    return client("logs")


def run(ecs: Any, name: str = "app") -> str:
    """Start a task; the stream of that container."""
    (task,) = ecs.run_task(cluster="prod", taskDefinition="job")["tasks"]
    return f"ecs/{name}/{task['taskArn'].rsplit('/', 1)[-1]}"


def read(logs: Any, stream: str, **params: Any) -> list[str]:
    answer = logs.get_log_events(
        **{"logGroupName": "/shop/job", "logStreamName": stream, "startFromHead": True} | params
    )
    return [event["message"] for event in answer["events"]]


def test_lines_come_as_time_passes(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10, log_lines=["one", "two", "three", "four"])
    stream = run(ready)
    seen = []
    for _ in range(10):
        clock.tick(1)
        seen.append(len(read(logs, stream)) if clock.time >= EPOCH + 3 else None)
    assert seen == [None, None, 0, 0, 1, 1, 2, 3, 3, 4]
    answer = logs.get_log_events(logGroupName="/shop/job", logStreamName=stream, startFromHead=True)
    times = [event["timestamp"] / 1000 - EPOCH for event in answer["events"]]
    assert times == pytest.approx([3 + 6.5 * part for part in (0.25, 0.5, 0.75, 1)], abs=0.01)
    assert [event["ingestionTime"] for event in answer["events"]] == [e["timestamp"] for e in answer["events"]]


def test_lines_with_times_of_their_own(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10, log_lines=[[2, "later"], [0, "first"], [99, "after its end"]])
    stream = run(ready)
    clock.tick(3)
    assert read(logs, stream) == ["first"]
    clock.tick(100)
    assert read(logs, stream) == ["first", "later"]


def test_late_lines(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10, log_line_count=100, log_delay=4)
    stream = run(ready)
    clock.tick(10)
    (task,) = ready.describe_tasks(cluster="prod", tasks=[stream.rsplit("/", 1)[-1]])["tasks"]
    before = read(logs, stream)
    assert task["lastStatus"] == "STOPPED"
    assert 0 < len(before) < 100
    clock.tick(4)
    assert read(logs, stream) == [f"line {number}" for number in range(1, 101)]


def test_a_task_of_an_instant(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=0.01, log_lines=["a", "b"], log_delay=2)
    stream = run(ready)
    clock.tick(1)
    assert read(logs, stream) == []
    clock.tick(2)
    assert read(logs, stream) == ["a", "b"]


def test_a_stream_begins_with_its_container(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10)
    stream = run(ready)
    clock.tick(1)
    with pytest.raises(ClientError) as caught:
        read(logs, stream)
    assert error_of(caught.value) == ("ResourceNotFoundException", "The specified log stream does not exist.")
    clock.tick(3)
    assert read(logs, stream) == read(logs, stream.replace("app", "side")) == []
    with pytest.raises(ClientError) as caught:
        read(logs, stream, logGroupName="none")
    assert error_of(caught.value)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("rule", [{"failure": "IMAGE_PULL"}, {"started": False}, {"stays": "PENDING"}])
def test_what_never_starts_never_logs(ready: Any, logs: Any, aws: Sandbox, clock: Clock, rule: Doc) -> None:
    aws.task(log_lines=["x"], **rule)
    stream = run(ready)
    clock.tick(100)
    with pytest.raises(ClientError) as caught:
        read(logs, stream)
    assert error_of(caught.value)[0] == "ResourceNotFoundException"


def test_a_stopped_task_says_no_more(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(seconds=10, log_line_count=10)
    stream = run(ready)
    clock.tick(5)
    before = read(logs, stream)
    ready.stop_task(cluster="prod", task=stream.rsplit("/", 1)[-1])
    clock.tick(100)
    assert read(logs, stream) == before
    assert 0 < len(before) < 10


def test_which_containers_log(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(exit_codes={"side": 3}, log_lines=["x"])
    stream = run(ready)
    clock.tick(5)
    assert (read(logs, stream), read(logs, stream.replace("app", "side"))) == ([], ["x"])


def test_tasks_of_a_failing_rollout(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    create_service(ready, taskDefinition="job")
    clock.tick()
    aws.rollout("ROLLED_BACK", seconds=30)
    aws.task(failure="OUT_OF_MEMORY", log_line_count=20, log_delay=3)
    new = primary(update(ready, forceNewDeployment=True, deploymentConfiguration=BREAKER))
    clock.tick(11)
    (arn,) = ready.list_tasks(cluster="prod", startedBy=new["id"], desiredStatus="STOPPED")["taskArns"]
    stream = f"ecs/app/{arn.rsplit('/', 1)[-1]}"
    assert 0 < len(read(logs, stream)) < 20
    clock.tick(2)
    assert read(logs, stream)[-1] == "line 20"


def test_ten_thousand_lines(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    """None lost, none twice, in order: read while they come, with the forward token."""
    aws.task(seconds=20, log_line_count=10_000, log_delay=1)
    stream = run(ready)
    clock.tick(6)
    params: Doc = {"logGroupName": "/shop/job", "logStreamName": stream, "startFromHead": True, "limit": 700}
    seen: list[str] = []
    for _ in range(40):
        answer = logs.get_log_events(**params)
        seen += [event["message"] for event in answer["events"]]
        params["nextToken"] = answer["nextForwardToken"]
        clock.tick(0.5)
    assert seen == [f"line {number}" for number in range(1, 10_001)]
    again = logs.get_log_events(**params)
    assert (again["events"], again["nextForwardToken"]) == ([], params["nextToken"])


def test_pages(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(log_line_count=5)
    stream = run(ready)
    clock.tick()
    where: Doc = {"logGroupName": "/shop/job", "logStreamName": stream}
    newest = logs.get_log_events(**where, limit=2)
    assert [event["message"] for event in newest["events"]] == ["line 4", "line 5"]
    before = logs.get_log_events(**where, limit=2, nextToken=newest["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == ["line 2", "line 3"]
    forward = logs.get_log_events(**where, nextToken=before["nextForwardToken"], startFromHead=True)
    assert [event["message"] for event in forward["events"]] == ["line 4", "line 5"]
    first = logs.get_log_events(**where, limit=2, nextToken=before["nextBackwardToken"])
    assert [event["message"] for event in first["events"]] == ["line 1"]
    end = logs.get_log_events(**where, nextToken=first["nextBackwardToken"])
    assert (end["events"], end["nextBackwardToken"]) == ([], first["nextBackwardToken"])
    third = newest["events"][0]["timestamp"]
    assert read(logs, stream, startTime=third) == ["line 4", "line 5"]
    assert read(logs, stream, endTime=third) == ["line 1", "line 2", "line 3"]


def test_a_page_is_a_megabyte(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(log_lines=["x" * 300_000] * 5)
    stream = run(ready)
    clock.tick()
    assert len(read(logs, stream)) == 3


@pytest.mark.parametrize("params", [{"limit": 10_001}, {"nextToken": "x"}, {"nextToken": "f/x"}])
def test_refused(ready: Any, logs: Any, clock: Clock, params: Doc) -> None:
    stream = run(ready)
    clock.tick()
    with pytest.raises(ClientError) as caught:
        read(logs, stream, **params)
    assert error_of(caught.value)[0] == "InvalidParameterException"


def test_filtering(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(log_lines=["ERROR: no table", "warning: slow", "ERROR: no disk"])
    first = run(ready)
    clock.tick(2)
    second = run(ready)
    clock.tick(2)

    def found(**params: Any) -> list[tuple[str, str]]:
        answer = logs.filter_log_events(logGroupName="/shop/job", **params)
        return [(event["logStreamName"], event["message"][:15]) for event in answer["events"]]

    everything = found()
    assert [stream for stream, _ in everything] == [first] * 3 + [second] * 3
    assert found(startFromHead=False) == everything[::-1]
    assert found(logStreamNames=[second]) == found(logStreamNamePrefix=second[:-5]) == everything[3:]
    assert [text for _, text in found(filterPattern="ERROR -disk")] == ["ERROR: no table"] * 2
    assert len(found(filterPattern='?warning ?"no table"')) == 4
    assert len(found(startTime=int(EPOCH + 2) * 1000)) == 3
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/shop/job", PaginationConfig={"PageSize": 4})
    assert [len(page["events"]) for page in pages] == [4, 2]
    ids = [event["eventId"] for event in logs.filter_log_events(logGroupName="/shop/job")["events"]]
    assert len(set(ids)) == 6
    for wrong in ({"logStreamNames": ["none"]}, {"logStreamNames": [first], "logStreamNamePrefix": "e"}):
        with pytest.raises(ClientError):
            found(**wrong)


def test_streams_are_listed(ready: Any, logs: Any, aws: Sandbox, clock: Clock) -> None:
    aws.task(log_lines=["x"])
    first = run(ready)
    clock.tick(2)
    second = run(ready)
    clock.tick(2)

    def listed(**params: Any) -> list[str]:
        answer = logs.describe_log_streams(logGroupName="/shop/job", **params)
        return [stream["logStreamName"] for stream in answer["logStreams"]]

    assert listed(logStreamNamePrefix="ecs/app/") == sorted([first, second])
    assert listed(orderBy="LastEventTime", descending=True, limit=1) == [second]


def test_other_groups_are_motos(logs: Any, clock: Clock) -> None:
    logs.create_log_group(logGroupName="mine")
    logs.create_log_stream(logGroupName="mine", logStreamName="s")
    assert logs.get_log_events(logGroupName="mine", logStreamName="s")["events"] == []
