"""Short forms for what most of these tests send."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

Doc = dict[str, Any]
ARN: Final = "arn:aws:ecs:eu-west-1:123456789012:"
EPOCH: Final = 1_700_000_000.0
NETWORK: Final[Doc] = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
FARGATE: Final[Doc] = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
}
BREAKER: Final[Doc] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = EPOCH

    def now(self) -> float:
        return self.time

    def tick(self, seconds: float = 1.0) -> None:
        self.time += seconds


def container(name: str = "app", **members: Any) -> Doc:
    return {"name": name, "image": f"{name}:1", "memory": 64} | members


def task_definition(family: str = "web", *containers: Doc, **members: Any) -> Doc:
    return {"family": family, "containerDefinitions": list(containers) or [container()]} | members


def described(ecs: Any, **params: Any) -> Doc:
    """What DescribeTaskDefinition answers for what RegisterTaskDefinition was sent."""
    arn = ecs.register_task_definition(**params)["taskDefinition"]["taskDefinitionArn"]
    answer: Doc = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return answer


def error_of(caught: ClientError) -> tuple[str, str]:
    error = caught.response["Error"]
    return str(error["Code"]), str(error["Message"])


def service_of(ecs: Any, name: str = "web", cluster: str = "prod") -> Doc:
    answer: Doc = ecs.describe_services(cluster=cluster, services=[name])["services"][0]
    return answer


def create_service(ecs: Any, **params: Any) -> Doc:
    """A service ``web`` in ``prod`` on the newest revision of ``web``, with one running task."""
    sent = {"cluster": "prod", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1} | params
    answer: Doc = ecs.create_service(**sent)["service"]
    return answer


def update(ecs: Any, **params: Any) -> Doc:
    answer: Doc = ecs.update_service(**({"cluster": "prod", "service": "web"} | params))["service"]
    return answer


def primary(service: Doc) -> Doc:
    """The PRIMARY deployment, of which there must be one."""
    (deployment,) = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
    return dict(deployment)


def history(ecs: Any, **filters: Any) -> list[Doc]:
    """The service deployments of ``web``, newest first."""
    answer = ecs.list_service_deployments(cluster="prod", service="web", **filters)
    return list(answer["serviceDeployments"])


def detail(ecs: Any, arn: str | None = None) -> Doc:
    """That service deployment, or the newest one of ``web``."""
    arns = [arn or history(ecs)[0]["serviceDeploymentArn"]]
    (answer,) = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    return dict(answer)


def messages(ecs: Any) -> list[str]:
    """The events of ``web``, newest first."""
    return [event["message"] for event in service_of(ecs)["events"]]
