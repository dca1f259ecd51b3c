"""Why a rollout has failed: what is looked up, in how few round trips, and what is told where AWS tells less."""

from __future__ import annotations

import pytest

from ecsplan.core.diagnosis import ContainerEnd, Diagnosis, LogTail, ServiceEvent, Status, StoppedTasks
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Progress, Tracked
from tests.unit.fakes_diagnosis import (
    NEW,
    OLD,
    OURS,
    ROLLOUT,
    THEIRS,
    FakeAws,
    at,
    broken,
    container,
    definition,
    denied,
    event,
    lines,
    one_off,
    rollout,
    service,
    service_deployment,
    task,
)
from tests.unit.fakes_kinds import ECS, kind, track

FAILED = Progress(done=True, ok=False, note="ECS rolled the service back to web:41", stated=Status.ROLLED_BACK)
LATE = Progress(done=True, ok=False, note="not finished after 900 s", stated=Status.TIMED_OUT)


def found(aws: FakeAws, progress: Progress = FAILED, waiting: Tracked | None = None) -> Diagnosis:
    diagnosis = track(kind("service")).diagnose(aws, waiting or rollout(), progress)
    assert diagnosis is not None
    assert len(aws.rounds) <= 3
    return diagnosis


def asked(aws: FakeAws, operation: str) -> list[Doc]:
    return [one.params for one in aws.calls if one.operation == operation]


# --- all of it ---


def test_everything_that_aws_tells() -> None:
    aws = broken(
        task("a", seconds=30),
        task("b", seconds=20),
        describe_services=service(
            event("(deployment ecs-svc/2) deployment failed: tasks failed to start.", 40),
            event("was unable to place a task because of (task 0123).", 30),
            event("was unable to place a task because of (task 4567).", 20),
        ),
    )
    assert found(aws) == Diagnosis(
        reason="Rolled back because the circuit breaker threshold was exceeded",
        meaning="container web ended with exit code 1",
        advice="Its last log lines should show why.",
        failures=3,
        threshold=3,
        events=(
            ServiceEvent(
                text="(deployment ecs-svc/2) deployment failed: tasks failed to start", at="2026-03-01T12:00:40Z"
            ),
            ServiceEvent(text="was unable to place a task because of (task 0123)", count=2, at="2026-03-01T12:00:30Z"),
        ),
        tasks=(
            StoppedTasks(
                count=2,
                reason="Essential container in task exited",
                stop_code="EssentialContainerExited",
                containers=(ContainerEnd(name="web", exit_code=1),),
                task="a",
            ),
        ),
        logs=(
            LogTail(container="web", task="a", group="/ecs/web", stream="web/web/a", lines=("starting", "no database")),
        ),
    )
    assert aws.rounds == [
        ["describe_services", "list_tasks", "describe_task_definition", "list_service_deployments"],
        ["describe_tasks", "describe_service_deployments"],
        ["get_log_events", "get_log_events"],
    ]
    assert asked(aws, "list_tasks") == [{"cluster": "prod", "serviceName": "web", "desiredStatus": "STOPPED"}]
    assert asked(aws, "describe_task_definition") == [{"taskDefinition": NEW}]
    assert asked(aws, "get_log_events")[0] == {
        "logGroupName": "/ecs/web", "logStreamName": "web/web/a", "startFromHead": False, "limit": 20,
    }  # fmt: skip


def test_a_service_deployment_that_is_known_is_asked_for_at_once() -> None:
    aws = broken(task("a"))
    assert found(aws, waiting=rollout(rollout=ROLLOUT)).threshold == 3
    assert "list_service_deployments" not in str(aws.rounds)
    assert "describe_service_deployments" in aws.rounds[0]


# --- whose it is ---


def test_only_tasks_of_our_deployment_are_told_of() -> None:
    """Not those of the one before, of ECS's rollback, or that it stopped because they are no longer needed."""
    scaled: Doc = {
        "stopCode": "ServiceSchedulerInitiated",
        "stoppedReason": "Scaling activity initiated by (deployment x)",
    }
    aws = broken(task("a"), task("old", startedBy=THEIRS), task("back", startedBy="ecs-svc/3"), task("spare", **scaled))
    assert [(one.task, one.count) for one in found(aws).tasks] == [("a", 1)]


def test_tasks_that_do_not_tell_who_started_them_go_by_their_revision() -> None:
    aws = broken(
        task("a", startedBy=""),
        task("old", startedBy="", taskDefinitionArn=OLD),
        task("before", seconds=-90, startedBy=""),
    )
    assert [(one.task, one.count) for one in found(aws).tasks] == [("a", 1)]


def test_a_deployment_whose_id_is_not_known_is_that_of_our_revision() -> None:
    assert found(broken(task("a")), waiting=rollout(deployment="")).tasks[0].task == "a"


def test_the_service_deployment_is_the_one_that_began_with_ours() -> None:
    other = service_deployment(serviceDeploymentArn="other", createdAt=at(40))["serviceDeployments"]
    aws = broken(list_service_deployments={"serviceDeployments": other + service_deployment()["serviceDeployments"]})
    found(aws)
    assert asked(aws, "describe_service_deployments") == [{"serviceDeploymentArns": [ROLLOUT]}]


def test_none_of_them_may_be_ours() -> None:
    aws = broken(list_service_deployments=service_deployment(createdAt=at(-3600)))
    diagnosis = found(aws)
    assert asked(aws, "describe_service_deployments") == []
    assert (diagnosis.threshold, diagnosis.reason) == (0, "ECS deployment circuit breaker: tasks failed to start")


def test_of_a_deployment_that_has_drained_away_it_is_the_newest_that_did_not_succeed() -> None:
    gone = {"services": [{"serviceName": "web", "deployments": [{"id": "ecs-svc/3", "status": "PRIMARY"}]}]}
    back = service_deployment(serviceDeploymentArn="back", createdAt=at(50), status="SUCCESSFUL")["serviceDeployments"]
    listed = back + service_deployment()["serviceDeployments"]
    aws = broken(describe_services=gone, list_service_deployments={"serviceDeployments": listed})
    found(aws)
    assert asked(aws, "describe_service_deployments") == [{"serviceDeploymentArns": [ROLLOUT]}]


def test_without_a_list_it_is_the_one_that_the_service_names() -> None:
    shown = service()
    shown["services"][0]["currentServiceDeployment"] = ROLLOUT
    aws = broken(describe_services=shown, list_service_deployments=denied())
    assert found(aws).threshold == 3


def test_an_update_that_names_no_revision_has_the_one_that_the_service_shows() -> None:
    one = rollout()
    del one.call.params["taskDefinition"]
    aws = broken(task("a"))
    assert found(aws, waiting=one).logs[0].lines == ("starting", "no database")
    assert "describe_task_definition" in aws.rounds[1]


# --- what it comes down to ---


def test_an_alarm_is_why_whatever_else_there_is() -> None:
    gone_off = service_deployment(alarms={"status": "TRIGGERED", "triggeredAlarmNames": ["web-5xx", "web-slow"]})
    diagnosis = found(broken(task("a"), describe_service_deployments=gone_off))
    assert diagnosis.alarms == ("web-5xx", "web-slow")
    assert diagnosis.meaning == "alarms web-5xx, web-slow went off"


def test_without_tasks_the_events_tell() -> None:
    text = "was unable to place a task because no container instance met all of its requirements."
    diagnosis = found(broken(describe_services=service(event(text, 20))))
    assert diagnosis.meaning == "no capacity: no instance has room for a task"
    assert (diagnosis.tasks, diagnosis.logs) == ((), ())


def test_a_container_that_ends_by_itself_is_no_service() -> None:
    diagnosis = found(broken(task("a", {"name": "web", "exitCode": 0})))
    assert diagnosis.meaning == "container web ended by itself, with exit code 0"
    assert diagnosis.advice == "The containers of a service have to go on running."


def test_nothing_is_known_and_nothing_made_up() -> None:
    quiet = service_deployment(statusReason="", deploymentCircuitBreaker={"status": "DISABLED", "threshold": 3})
    aws = broken(describe_services=service(rolloutStateReason=""), describe_service_deployments=quiet)
    assert found(aws) == Diagnosis(reason=FAILED.note)


@pytest.mark.parametrize("missing", ["deploymentCircuitBreaker", "alarms", "createdAt", "statusReason"])
def test_answers_may_lack_anything(missing: str) -> None:
    less = service_deployment()
    del less["serviceDeployments"][0][missing]
    assert found(broken(task("a"), describe_service_deployments=less)).meaning


def test_bare_answers() -> None:
    bare: Doc = {"taskArn": "a", "startedBy": OURS}
    aws = broken(bare, describe_services={"services": [{"serviceName": "web"}]}, describe_service_deployments={})
    assert found(aws).tasks == (StoppedTasks(count=1, reason="ECS gave no reason", task="a"),)


# --- what is late, and what somebody else has taken over ---


def test_of_what_is_late_the_tasks_that_run_tell_something() -> None:
    """It has no reason yet, and no task has stopped."""
    running: Doc = {"lastStatus": "RUNNING", "stoppedReason": "", "stopCode": ""}
    aws = broken(
        list_tasks=lambda params: {"taskArns": ["a"] if params["desiredStatus"] == "RUNNING" else []},
        describe_tasks={"tasks": [task("a", **running)]},
        get_log_events=lines("waiting for the database"),
    )
    diagnosis = found(aws, LATE)
    assert (diagnosis.reason, diagnosis.tasks) == (LATE.note, ())
    assert diagnosis.logs[0].lines == ("waiting for the database",)


@pytest.mark.parametrize("progress", [
    Progress(done=True, ok=False, note="superseded", superseded=True),
    Progress(done=True, ok=False, note="superseded", stated=Status.SUPERSEDED),
])  # fmt: skip
def test_superseded(progress: Progress) -> None:
    aws = broken(task("a"))
    diagnosis = found(aws, progress)
    assert aws.rounds == [["describe_services"]]
    assert diagnosis.reason == "superseded"
    assert diagnosis.meaning == "deployment ecs-svc/3 has put the service on web:41"
    assert (diagnosis.tasks, diagnosis.events, diagnosis.logs) == ((), (), ())


def test_a_service_that_is_gone() -> None:
    progress = Progress(done=True, ok=False, note="the service is gone", superseded=True)
    assert found(broken(describe_services={"services": []}), progress) == Diagnosis(reason="the service is gone")


# --- what AWS refuses ---


@pytest.mark.parametrize(("operation", "sentence"), [
    ("describe_services", "the service's events: the role in use needs permission for ecs:DescribeServices"),
    ("list_tasks", "the stopped tasks: the role in use needs permission for ecs:ListTasks"),
    ("describe_tasks", "the stopped tasks: the role in use needs permission for ecs:DescribeTasks"),
    ("list_service_deployments",
     "circuit breaker and alarms: the role in use needs permission for ecs:ListServiceDeployments"),
    ("describe_service_deployments",
     "circuit breaker and alarms: the role in use needs permission for ecs:DescribeServiceDeployments"),
    ("describe_task_definition",
     "the task definition: the role in use needs permission for ecs:DescribeTaskDefinition"),
    ("get_log_events", "the last log lines: the role in use needs permission for logs:GetLogEvents"),
])  # fmt: skip
def test_what_is_refused_is_told_and_hinders_nothing(operation: str, sentence: str) -> None:
    aws = broken(task("a"))
    aws.answers[operation] = denied()
    diagnosis = found(aws)
    assert diagnosis.unseen == (sentence,)
    assert diagnosis.reason


def test_everything_may_be_refused() -> None:
    diagnosis = found(FakeAws({}))
    assert diagnosis.reason == FAILED.note
    assert "the stopped tasks: ecs:list_tasks: not here" in diagnosis.unseen


def test_what_concerns_every_request_is_told_once() -> None:
    class LockedOut(FakeAws):
        def fetch(self, calls: object) -> tuple[()]:
            raise AwsError("the token has expired", code="ExpiredToken", locked_out=True)

    assert found(LockedOut({})) == Diagnosis(
        reason=FAILED.note, unseen=("nothing could be looked up: the token has expired",)
    )
    assert track(kind("run_task")).diagnose(LockedOut({}), one_off("a"), FAILED) == found(LockedOut({}))


def test_more_tasks_than_are_looked_at() -> None:
    many = [task(f"t{n}") for n in range(100)]
    arns = [one["taskArn"] for one in many]
    aws = broken(*many, list_tasks={"taskArns": arns, "nextToken": "more"})
    diagnosis = found(aws)
    assert diagnosis.tasks[0].count == 100
    assert diagnosis.unseen == ("the stopped tasks: there are more than the 100 that were read",)


# --- log lines ---


def test_lines_of_a_task_before_where_the_newest_has_none_yet() -> None:
    aws = broken(
        task("a", seconds=30),
        task("b", seconds=20),
        get_log_events=lambda params: lines("late") if params["logStreamName"].endswith("/b") else lines(),
    )
    assert [(log.task, log.lines) for log in found(aws).logs] == [("b", ("late",))]


def test_no_lines_at_all() -> None:
    diagnosis = found(broken(task("a"), get_log_events=lines()))
    assert [(log.task, log.lines) for log in diagnosis.logs] == [("a", ())]
    assert diagnosis.advice == ""


def test_a_stream_that_is_not_there() -> None:
    gone = AwsError("The specified log stream does not exist.", code="ResourceNotFoundException")
    diagnosis = found(broken(task("a"), get_log_events=gone))
    assert diagnosis.unseen == ("the last log lines of container web: there is no log stream web/web/a",)


@pytest.mark.parametrize(("logging", "why"), [
    ({"logDriver": "splunk"}, "it logs with splunk; only awslogs can be read"),
    (None, "it has no logConfiguration; only awslogs can be read"),
    ({"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "us-east-1"}},
     "they are in us-east-1"),
    ({"logDriver": "awslogs", "options": {"awslogs-group": "g"}}, "it has no awslogs-stream-prefix"),
])  # fmt: skip
def test_lines_that_cannot_be_read(logging: Doc | None, why: str) -> None:
    aws = broken(task("a"), describe_task_definition=definition(container(logConfiguration=logging)))
    assert found(aws).unseen == (f"the last log lines of container web: {why}",)


def test_without_a_prefix_a_stream_is_named_after_the_container() -> None:
    one = container(logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "g"}})
    ended = {"name": "web", "exitCode": 1, "runtimeId": "4711"}
    assert found(broken(task("a", ended), describe_task_definition=definition(one))).logs[0].stream == "4711"


def test_the_container_that_failed_is_the_one_whose_lines_are_told() -> None:
    """The last twenty, also of events that hold several."""
    pair = definition(container("web"), container("proxy", essential=False), container("log"))
    ends = [{"name": "web", "exitCode": 0}, {"name": "proxy", "exitCode": 0}, {"name": "log", "exitCode": 2}]
    text = "\n".join(f"line {n}" for n in range(30))
    aws = broken(task("a", *ends), describe_task_definition=pair, get_log_events=lines(text))
    (log,) = found(aws).logs
    assert (log.container, log.lines[0], log.lines[-1], len(log.lines)) == ("log", "line 10", "line 29", 20)


def test_a_container_that_never_started_has_no_lines() -> None:
    reason = "CannotPullContainerError: no such image"
    aws = broken(task("a", {"name": "web", "reason": reason}, stopCode="TaskFailedToStart", stoppedReason=reason))
    diagnosis = found(aws)
    assert (diagnosis.logs, diagnosis.unseen) == ((), ())
    assert diagnosis.tasks[0].containers[0].exit_code is None
    assert "get_log_events" not in str(aws.rounds)


def test_calls_that_only_read() -> None:
    aws = broken(task("a"))
    found(aws, LATE)
    assert all(one.operation.startswith(("describe_", "list_", "get_")) for one in aws.calls)
    assert f"{ECS}task/prod/a" in asked(aws, "describe_tasks")[0]["tasks"]
