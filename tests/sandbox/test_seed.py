"""What ``seed`` makes of the requests of a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import (
    ARN,
    BREAKER,
    FARGATE,
    NETWORK,
    Clock,
    Doc,
    container,
    primary,
    service_of,
    task_definition,
    update,
)

Client = Callable[..., Any]
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:deploys"
BALANCER: Final = {"targetGroupArn": "t", "containerName": "app", "containerPort": 80}
WEB: Final[Doc] = {
    "task_definition": task_definition(
        "web",
        container(portMappings=[{"containerPort": 80}], secrets=[{"name": "S", "valueFrom": "s"}], links=["side"]),
        container("side", essential=False),
        executionRoleArn="r",
        tags=[{"key": "a", "value": "b"}],
    ),
    "run_tasks": [{"launchType": "EC2"}, {"cluster": "jobs"}],
    "update_services": [
        {"service": "web", "loadBalancers": [BALANCER], "healthCheckGracePeriodSeconds": 30},
        {"cluster": f"{ARN}cluster/blue", "service": f"{ARN}service/blue/web", "taskDefinition": "(known after apply)"},
    ],
    "events__put_targets": [{"Rule": "nightly", "Targets": [{"Id": "report"}, {"Id": "clean", "Input": "{}"}]}],
}
JOB: Final[Doc] = {
    "task_definition": task_definition("job", **FARGATE),
    "update_services": [{"service": "job"}],
    "events__put_targets": [
        {
            "Rule": "hourly",
            "EventBusName": "own",
            "Targets": [{"Id": "j", "EcsParameters": {"TaskCount": 3, "TaskDefinitionArn": "later"}}],
        }
    ],
}


@pytest.fixture
def made(aws: Sandbox) -> Any:
    return aws.seed({"WEB": WEB, "JOB": JOB}, "prod", [TOPIC])


def test_the_summary(made: Any) -> None:
    assert made.clusters == ("blue", "jobs", "prod")
    assert made.services == ("blue/web", "prod/job", "prod/web")
    assert made.further["rules"] == ("default/nightly", "own/hourly")
    assert made.further["topics"] == (TOPIC,)


def test_clusters_and_topics(made: Any, client: Client) -> None:
    arns = client("ecs").list_clusters()["clusterArns"]
    assert arns == [f"{ARN}cluster/{name}" for name in ("blue", "jobs", "prod")]
    assert client("sns", "us-east-1").list_topics()["Topics"] == [{"TopicArn": TOPIC}]
    assert client("sns").list_topics()["Topics"] == []


def test_services_run_another_family(made: Any, client: Client) -> None:
    ecs = client("ecs")
    service = service_of(ecs)
    assert service["taskDefinition"].startswith(f"{ARN}task-definition/sandbox-placeholder:")
    assert (service["desiredCount"], service["runningCount"], service["launchType"]) == (2, 2, "EC2")
    assert service["loadBalancers"] == [BALANCER]
    assert service["healthCheckGracePeriodSeconds"] == 0  # the spec's to change
    (deployment,) = service["deployments"]
    assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED")
    assert service_of(ecs, "web", "blue")["runningCount"] == 2
    assert ecs.list_task_definition_families()["families"] == ["sandbox-placeholder"]
    history = ecs.list_service_deployments(cluster="prod", service="web")["serviceDeployments"]
    assert [d["status"] for d in history] == ["SUCCESSFUL"]


def test_services_on_fargate(made: Any, client: Client) -> None:
    service = service_of(client("ecs"), "job")
    assert service["launchType"] == "FARGATE"
    assert service["networkConfiguration"]["awsvpcConfiguration"]["subnets"]


def test_targets(made: Any, client: Client) -> None:
    events = client("events")
    assert events.describe_rule(Name="nightly")["ScheduleExpression"] == "cron(0 3 * * ? *)"
    targets = {t["Id"]: t for t in events.list_targets_by_rule(Rule="nightly")["Targets"]}
    assert sorted(targets) == ["clean", "report"]
    report = targets["report"]
    assert report["Arn"] == f"{ARN}cluster/prod"
    assert report["RoleArn"].startswith("arn:aws:iam::123456789012:role/")
    assert report["EcsParameters"]["TaskDefinitionArn"].startswith(f"{ARN}task-definition/sandbox-placeholder:")
    assert report["EcsParameters"]["TaskCount"] == 1
    assert report["Input"] not in ("", targets["clean"]["Input"])
    assert targets["clean"]["Input"] == "{}"


def test_targets_in_a_network_on_a_bus_of_their_own(made: Any, client: Client) -> None:
    (target,) = client("events").list_targets_by_rule(Rule="hourly", EventBusName="own")["Targets"]
    parameters = target["EcsParameters"]
    assert parameters["TaskCount"] == 3
    assert parameters["TaskDefinitionArn"].startswith(f"{ARN}task-definition/sandbox-placeholder:")
    assert parameters["LaunchType"] == "FARGATE"
    assert parameters["NetworkConfiguration"]["awsvpcConfiguration"]["Subnets"]


def test_a_spec_can_be_deployed_on_it(made: Any, client: Client, clock: Clock) -> None:
    """Everything is there, in the way that the first deployment needs it, and nothing else."""
    ecs = client("ecs")
    web = ecs.register_task_definition(**WEB["task_definition"])["taskDefinition"]["taskDefinitionArn"]
    job = ecs.register_task_definition(**JOB["task_definition"])["taskDefinition"]["taskDefinitionArn"]
    assert ecs.run_task(cluster="jobs", taskDefinition=web)["failures"] == []
    ecs.run_task(cluster="prod", taskDefinition=job, launchType="FARGATE", networkConfiguration=NETWORK)
    for name, cluster, arn in (("web", "prod", web), ("web", "blue", web), ("job", "prod", job)):
        update(ecs, cluster=cluster, service=name, taskDefinition=arn, deploymentConfiguration=BREAKER)
    clock.tick()
    for name, cluster in (("web", "prod"), ("web", "blue"), ("job", "prod")):
        service = service_of(ecs, name, cluster)
        assert (primary(service)["rolloutState"], service["runningCount"]) == ("COMPLETED", 2)


def test_the_first_deployment_can_be_rolled_back(made: Any, client: Client, aws: Sandbox, clock: Clock) -> None:
    ecs = client("ecs")
    before = service_of(ecs)["taskDefinition"]
    web = ecs.register_task_definition(**WEB["task_definition"])["taskDefinition"]["taskDefinitionArn"]
    aws.rollout("ROLLED_BACK")
    update(ecs, taskDefinition=web)
    clock.tick(2)
    assert service_of(ecs)["taskDefinition"] == before


def test_seeding_twice_changes_nothing(made: Any, client: Client, aws: Sandbox) -> None:
    before = service_of(client("ecs"))
    assert aws.seed({"WEB": WEB, "JOB": JOB}, "prod", [TOPIC]) == made
    assert service_of(client("ecs")) == before


def test_a_failing_rehearsal_rule_does_not_touch_what_was_there(aws: Sandbox, client: Client) -> None:
    aws.rollout("FAILED")
    aws.seed({"WEB": WEB}, f"{ARN}cluster/prod")
    assert primary(service_of(client("ecs")))["rolloutState"] == "COMPLETED"


def test_a_task_without_anything(aws: Sandbox, client: Client) -> None:
    made = aws.seed({"WEB": {"task_definition": WEB["task_definition"]}})
    assert (made.clusters, made.services, made.further) == (("default",), (), {"topics": ()})
    assert client("ecs").list_task_definition_families()["families"] == []
