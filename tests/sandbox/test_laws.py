"""What holds whatever is sent: laws of the simulation rather than rows of the table."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.sandbox import Sandbox
from tests.sandbox.answers import misfits
from tests.sandbox.helpers import BREAKER, Clock, Doc, container, primary, task_definition

READ_ONLY: Final = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
)
NAMES: Final = st.text("ABCDEFabcdef_", min_size=1, max_size=8)
PORTS: Final = st.lists(st.integers(1, 65535), unique=True, max_size=5)
CONTAINERS: Final = st.fixed_dictionaries(
    {"name": NAMES, "image": st.just("image:1"), "memory": st.integers(6, 4096)},
    optional={
        "cpu": st.integers(0, 4096),
        "essential": st.just(True),
        "environment": st.lists(
            st.fixed_dictionaries({}, optional={"name": NAMES, "value": st.text(max_size=3)}), max_size=6
        ),
        "portMappings": PORTS.map(lambda ports: [{"containerPort": port} for port in ports]),
        "healthCheck": st.fixed_dictionaries(
            {"command": st.just(["CMD", "x"])}, optional={"retries": st.integers(1, 10)}
        ),
        "linuxParameters": st.fixed_dictionaries({}, optional={"initProcessEnabled": st.booleans()}),
        "command": st.lists(st.text(max_size=3), max_size=3),
        "user": st.just("0"),
    },
)


def definition(containers: list[Doc], mode: Doc, volumes: list[str]) -> Doc:
    """Ports only of the first container: with the host's network two must not use the same."""
    first, *others = containers
    others = [{k: v for k, v in other.items() if k != "portMappings"} for other in others]
    return task_definition("law", first, *others, **mode, volumes=[{"name": name} for name in volumes])


DEFINITIONS: Final = st.builds(
    definition,
    st.lists(CONTAINERS, min_size=1, max_size=4, unique_by=lambda container: container["name"]),
    st.sampled_from(({}, {"networkMode": "bridge"}, {"networkMode": "awsvpc"}, {"networkMode": "host"})),
    st.lists(NAMES, unique=True, max_size=3),
)


def describe(ecs: Any, sent: Doc) -> Doc:
    answer = ecs.call("RegisterTaskDefinition", sent)["taskDefinition"]
    return {k: v for k, v in answer.items() if k not in READ_ONLY}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sent=DEFINITIONS)
def test_normalising_twice_is_normalising_once(sent: Doc) -> None:
    ecs = Sandbox(clock=Clock()).ecs()
    once = describe(ecs, sent)
    assert describe(ecs, once) == once


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.05, 3.0), min_size=1, max_size=20), st.sampled_from(["COMPLETED", "FAILED", "ROLLED_BACK"]))
def test_polling_changes_nothing(pauses: list[float], ends: str) -> None:
    """The number of polls on the way does not change the end."""

    def final(looks: list[float]) -> Doc:
        clock = Clock()
        aws = Sandbox(clock=clock)
        ecs = aws.ecs()
        ecs.call("CreateCluster", {})
        ecs.call("RegisterTaskDefinition", task_definition())
        ecs.call("CreateService", {"serviceName": "web", "taskDefinition": "web", "desiredCount": 2})
        clock.tick(10)
        ecs.call("DescribeServices", {"services": ["web"]})
        aws.rollout(ends, seconds=2)
        ecs.call("UpdateService", {"service": "web", "forceNewDeployment": True})
        start = clock.time
        for pause in looks:
            clock.tick(pause)
            service = ecs.call("DescribeServices", {"services": ["web"]})["services"][0]
            assert len([d for d in service["deployments"] if d["status"] == "PRIMARY"]) == 1
            assert service["taskDefinition"] == primary(service)["taskDefinition"]
            assert service["runningCount"] == sum(d["runningCount"] for d in service["deployments"])
        clock.time = start + 100
        answer: Doc = ecs.call("DescribeServices", {"services": ["web"]})["services"][0]
        return answer

    assert final(pauses) == final([])


HOOKS: Final[list[Doc]] = [
    {"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"],
     "timeoutConfiguration": {"timeoutInMinutes": 1, "action": "CONTINUE"}},
    {"targetType": "AWS_LAMBDA", "hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
     "roleArn": "arn:aws:iam::123456789012:role/r", "lifecycleStages": ["POST_SCALE_UP"]},
]  # fmt: skip
ALARMS: Final[Doc] = {"alarmNames": ["a"], "enable": True, "rollback": True}
FAILURES: Final = st.sampled_from(
    [None, "OUT_OF_MEMORY", "IMAGE_PULL", "CONTAINER_HEALTH", "ELB_HEALTH", "SECRETS", "SPOT"]
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    strategy=st.sampled_from(["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"]),
    ends=st.sampled_from(["COMPLETED", "FAILED", "ROLLED_BACK", "NEVER"]),
    failure=FAILURES,
    alarm=st.one_of(st.none(), st.floats(0, 30)),
    hooks=st.lists(st.sampled_from(HOOKS), max_size=2),
    pauses=st.lists(st.floats(0.05, 20.0), min_size=1, max_size=8),
)
def test_every_answer_fits_the_model(
    strategy: str, ends: str, failure: str | None, alarm: float | None, hooks: list[Doc], pauses: list[float]
) -> None:
    """At any moment of any rollout an SDK understands all that is answered, and the counts and weights agree."""
    clock = Clock()
    aws = Sandbox(clock=clock)
    aws.minute_seconds = 2.0
    ecs = aws.ecs()

    def call(operation: str, **params: Any) -> Doc:
        answer = ecs.call(operation, params)
        assert misfits(operation, answer) == []
        return answer

    call("CreateCluster")
    call("RegisterTaskDefinition", **task_definition("web", container(), container("side", essential=False)))
    call("CreateService", serviceName="web", taskDefinition="web", desiredCount=2)
    clock.tick(5)
    aws.rollout(ends, seconds=3)
    aws.task(failure=failure, seconds=4)
    if alarm is not None:
        aws.alarm("a", seconds=alarm)
    configuration = {"strategy": strategy, "bakeTimeInMinutes": 1, "alarms": ALARMS, "lifecycleHooks": hooks} | BREAKER
    call("UpdateService", service="web", forceNewDeployment=True, deploymentConfiguration=configuration)
    call("RunTask", taskDefinition="web", count=2)
    for pause in pauses:
        clock.tick(pause)
        (service,) = call("DescribeServices", services=["web"])["services"]
        assert service["runningCount"] == sum(d["runningCount"] for d in service["deployments"])
        assert len(service["events"]) <= 100
        briefs = call("ListServiceDeployments", service="web")["serviceDeployments"]
        arns = [brief["serviceDeploymentArn"] for brief in briefs]
        newest = call("DescribeServiceDeployments", serviceDeploymentArns=arns)["serviceDeployments"][0]
        revisions = [newest["targetServiceRevision"], *newest["sourceServiceRevisions"]]
        call("DescribeServiceRevisions", serviceRevisionArns=[revision["arn"] for revision in revisions])
        shares = [revision.get("requestedProductionTrafficWeight") for revision in revisions]
        assert shares == [None, None] if strategy == "ROLLING" else sum(map(float, shares)) == 100
        for status in ("RUNNING", "STOPPED"):
            tasks = call("ListTasks", desiredStatus=status)["taskArns"]
            if tasks:
                call("DescribeTasks", tasks=tasks[:100])
