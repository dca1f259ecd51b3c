"""What a failed rollout or task looks like in AWS's answers, by operation; each test changes what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Action, Call, Doc
from ecsplan.core.ports import Answer
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Tracked
from tests.unit.fakes_kinds import ECS, call, revision, step_of

BEGAN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OLD, NEW = revision("web:41"), revision("web:42")
OURS, THEIRS = "ecs-svc/2", "ecs-svc/1"
ROLLOUT = f"{ECS}service-deployment/prod/web/0123456789abcdef"

Reply: TypeAlias = Doc | AwsError | Callable[[Doc], "Doc | AwsError"]


def at(seconds: float) -> datetime:
    """So many seconds after our deployment began."""
    return BEGAN + timedelta(seconds=seconds)


class FakeAws:
    """Answers by operation; what it was not told of it refuses. `rounds` are the operations that were asked at once."""

    def __init__(self, answers: Mapping[str, Reply]) -> None:
        self.answers = dict(answers)
        self.rounds: list[list[str]] = []
        self.calls: list[Call] = []

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        self.rounds.append([one.operation for one in calls])
        self.calls += calls
        return tuple(self._answer(one) for one in calls)

    def _answer(self, asked: Call) -> Answer:
        reply = self.answers.get(asked.operation) or AwsError(f"{asked}: not here", code="UnknownOperationException")
        found = reply(asked.params) if callable(reply) else reply
        if isinstance(found, AwsError):
            return Answer(call=asked, error=found)
        return Answer(call=asked, data=found)


def denied(asked: str = "it") -> AwsError:
    return AwsError(f"{asked}: AccessDeniedException: no", code="AccessDeniedException")


def rollout(**outputs: str) -> Tracked:
    """An UpdateService that waits for its rollout."""
    sent = call("update_service", cluster="prod", service="web", taskDefinition=NEW)
    expect = {"deployment": THEIRS, "previous": OLD}
    step = step_of("service.prod/web", sent, action=Action.UPDATE, expect=expect)
    return Tracked(kind=kind_of(step.address), step=step, call=sent, outputs={"deployment": OURS, **outputs})


def one_off(*ids: str) -> Tracked:
    sent = call("run_task", cluster="prod", taskDefinition=NEW)
    step = step_of("run_task.web/migrate", sent, action=Action.RUN, expect={"essential": ["web"]})
    arns = " ".join(f"{ECS}task/prod/{one}" for one in ids)
    return Tracked(kind=kind_of(step.address), step=step, call=sent, outputs={"tasks": arns})


def task(name: str, *containers: Doc, seconds: float = 10, **members: Any) -> Doc:
    """A stopped task of ours; its one container ended with exit code 1."""
    return {
        "taskArn": f"{ECS}task/prod/{name}",
        "taskDefinitionArn": NEW,
        "startedBy": OURS,
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "createdAt": at(seconds - 5),
        "stoppedAt": at(seconds),
        "containers": list(containers) or [{"name": "web", "exitCode": 1}],
    } | members


def definition(*containers: Doc) -> Doc:
    made = list(containers) or [container()]
    return {"taskDefinition": {"taskDefinitionArn": NEW, "containerDefinitions": made}}


def container(name: str = "web", **members: Any) -> Doc:
    options = {"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"}
    return {"name": name, "essential": True, "logConfiguration": {"logDriver": "awslogs", "options": options}} | members


def event(text: str, seconds: float) -> Doc:
    return {"id": str(seconds), "createdAt": at(seconds), "message": f"(service web) {text}"}


def lines(*texts: str) -> Doc:
    return {"events": [{"timestamp": 1, "message": text} for text in texts]}


def service(*events: Doc, **deployment: Any) -> Doc:
    """Rolled back by ECS: our deployment has failed, and the PRIMARY one is another."""
    ours = {
        "id": OURS, "status": "ACTIVE", "taskDefinition": NEW, "createdAt": BEGAN, "rolloutState": "FAILED",
        "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
    }  # fmt: skip
    back = {"id": "ecs-svc/3", "status": "PRIMARY", "taskDefinition": OLD, "createdAt": at(40)}
    return {
        "services": [{"serviceName": "web", "deployments": [back, ours | deployment], "events": list(events)}],
    }


def service_deployment(**members: Any) -> Doc:
    made = {
        "serviceDeploymentArn": ROLLOUT,
        "createdAt": BEGAN,
        "status": "ROLLBACK_SUCCESSFUL",
        "statusReason": "Rolled back because the circuit breaker threshold was exceeded.",
        "deploymentCircuitBreaker": {"status": "TRIGGERED", "failureCount": 3, "threshold": 3},
        "alarms": {"status": "DISABLED"},
    }
    return {"serviceDeployments": [made | members]}


def broken(*stopped: Doc, **answers: Reply) -> FakeAws:
    """A rollout of these tasks that ECS rolled back."""
    tasks = list(stopped)
    known: dict[str, Reply] = {
        "describe_services": service(),
        "list_tasks": {"taskArns": [one["taskArn"] for one in tasks]},
        "describe_tasks": {"tasks": tasks},
        "list_service_deployments": service_deployment(),
        "describe_service_deployments": service_deployment(),
        "describe_task_definition": definition(),
        "get_log_events": lines("starting", "no database"),
    }
    return FakeAws(known | answers)
