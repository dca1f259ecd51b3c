"""What holds whatever is sent: laws of the simulation rather than rows of the table."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.sandbox import Sandbox

from .helpers import Clock, Doc, primary, task_definition

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
def test_looking_changes_nothing(pauses: list[float], ends: str) -> None:
    """However often somebody looks on the way, at the end everybody sees the same."""

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
