"""What RunTask and PutTargets refuse is found offline: each fault with path and sentence, and its sound neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lint_tables import DEFINITION, fargate, said, task, warned

Table = dict[str, Any]
CONSTRAINTS = [{"type": "distinctInstance"}]
STRATEGY = [{"type": "random"}]
PROVIDERS = [{"capacityProvider": "FARGATE_SPOT"}]
RUN, TARGET = "run_tasks[0]", "events__put_targets[0].Targets[0]"


def run(**entry: Any) -> Table:
    return task(entry={"run_tasks": [entry]})


def target(**members: Any) -> Table:
    return task(entry={"events__put_targets": [{"Rule": "r", "Targets": [{"Id": "a", **members}]}]})


def ecs(**members: Any) -> Table:
    return target(EcsParameters=members)


def tags(*keys: str) -> list[Table]:
    return [{"key": key, "value": "x"} for key in keys]


def numbered(many: int) -> list[Table]:
    return tags(*(f"k{number}" for number in range(many)))


FAULTS = {
    "fewer tasks than none": (
        task(entry={"update_services": [{"service": "web", "desiredCount": -1}]}),
        "update_services[0].desiredCount",
        "must be 0 or more, not -1",
    ),
    "a tag twice": (
        task(tags=tags("a", "b", "a")),
        f"{DEFINITION}.tags[2].key",
        f'"a" is the key of {DEFINITION}.tags[0] too',
    ),
    "a tag of aws": (
        task(tags=tags("AWS:x")),
        f"{DEFINITION}.tags[0].key",
        "aws: at the beginning is reserved for AWS itself",
    ),
    "a value of aws": (
        run(tags=[{"key": "a", "value": "aws:x"}]),
        f"{RUN}.tags[0].value",
        "aws: at the beginning is reserved for AWS itself",
    ),
    "many tags": (run(tags=numbered(51)), f"{RUN}.tags", "51 tags are more than the 50 that AWS takes"),
    "two ways to a capacity": (
        run(launchType="FARGATE", capacityProviderStrategy=PROVIDERS),
        f"{RUN}.capacityProviderStrategy",
        "goes without launchType; declare one of the two, not both",
    ),
    "constraints on fargate": (
        run(launchType="FARGATE", placementConstraints=CONSTRAINTS),
        f"{RUN}.placementConstraints",
        "Fargate has no instances to choose from; leave it out",
    ),
    "a strategy on fargate": (
        run(launchType="FARGATE", placementStrategy=STRATEGY),
        f"{RUN}.placementStrategy",
        "Fargate has no instances to choose from; leave it out",
    ),
    "the tags of a service": (
        run(propagateTags="SERVICE"),
        f"{RUN}.propagateTags",
        'a one-off task belongs to no service; write propagateTags = "TASK_DEFINITION", or leave it out',
    ),
    "a long starter": (
        run(startedBy="x" * 129),
        f"{RUN}.startedBy",
        "longer than 128 characters, which is the most that AWS takes",
    ),
    "much storage": (
        run(overrides={"ephemeralStorage": {"sizeInGiB": 201}}),
        f"{RUN}.overrides.ephemeralStorage.sizeInGiB",
        "must be from 21 to 200 GiB, not 201; Fargate gives 20 where none is declared",
    ),
    "two inputs": (
        target(Input="{}", InputPath="$.detail"),
        f"{TARGET}.InputPath",
        "goes without Input; a target has one of Input, InputPath, InputTransformer",
    ),
    "a path and a transformer": (
        target(InputPath="$.detail", InputTransformer={"InputTemplate": "x"}),
        f"{TARGET}.InputTransformer",
        "goes without InputPath; a target has one of Input, InputPath, InputTransformer",
    ),
    "a long input": (
        target(Input='"' + "x" * 8191 + '"'),
        f"{TARGET}.Input",
        "longer than 8192 characters, which is the most that AWS takes",
    ),
    "an input that is no json": (
        target(Input="{containerOverrides: []}"),
        f"{TARGET}.Input",
        "must be JSON; a text is written with quotes of its own, '\"text\"'",
    ),
    "an input that is json to python": (
        target(Input="[NaN]"),
        f"{TARGET}.Input",
        "must be JSON; a text is written with quotes of its own, '\"text\"'",
    ),
    "many attempts": (
        target(RetryPolicy={"MaximumRetryAttempts": 186}),
        f"{TARGET}.RetryPolicy.MaximumRetryAttempts",
        "must be at most 185, not 186",
    ),
    "old events": (
        target(RetryPolicy={"MaximumEventAgeInSeconds": 86401}),
        f"{TARGET}.RetryPolicy.MaximumEventAgeInSeconds",
        "must be at most 86400, not 86401",
    ),
    "two ways to a target's capacity": (
        ecs(LaunchType="FARGATE", CapacityProviderStrategy=PROVIDERS),
        f"{TARGET}.EcsParameters.CapacityProviderStrategy",
        "goes without LaunchType; declare one of the two, not both",
    ),
    "the tags of no one": (
        ecs(PropagateTags="NONE"),
        f"{TARGET}.EcsParameters.PropagateTags",
        "a target can only propagate the tags of the TASK_DEFINITION; write that, or leave it out",
    ),
    "a long group": (
        ecs(Group="x" * 256),
        f"{TARGET}.EcsParameters.Group",
        "longer than 255 characters, which is the most that AWS takes",
    ),
}


@pytest.mark.parametrize(("table", "path", "message"), FAULTS.values(), ids=FAULTS)
def test_what_a_request_would_be_refused_for_is_a_fault(table: Table, path: str, message: str) -> None:
    assert said(table) == [(path, message)]


SOUND = {
    "tags that differ in case": task(tags=tags("a", "A", "aws", "my:aws:x")),
    "fifty tags": run(tags=numbered(50)),
    "a launch type": run(launchType="FARGATE", capacityProviderStrategy=[]),
    "a capacity": run(capacityProviderStrategy=PROVIDERS),
    "placement on ec2": run(launchType="EC2", placementConstraints=CONSTRAINTS, placementStrategy=STRATEGY),
    "placement with no launch type": run(placementStrategy=STRATEGY),
    "the tags of the definition": run(propagateTags="TASK_DEFINITION"),
    "a starter": run(startedBy="x" * 128),
    "storage": run(overrides={"ephemeralStorage": {"sizeInGiB": 100}}),
    "an input": target(Input='{"containerOverrides": [{"name": "c0", "command": ["x"]}], "n": 1e400}'),
    "an input of many digits": target(Input="9" * 8192),
    "a transformer": target(InputTransformer={"InputTemplate": "<a> is no JSON"}),
    "the most retries": target(RetryPolicy={"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}),
    "a target's launch type": ecs(LaunchType="FARGATE"),
    "a target's capacity": ecs(CapacityProviderStrategy=PROVIDERS),
    "a target's tags": ecs(PropagateTags="TASK_DEFINITION", Group="x" * 255),
}


@pytest.mark.parametrize("table", SOUND.values(), ids=SOUND)
def test_what_a_request_would_not_be_refused_for_is_none(table: Table) -> None:
    assert said(table) == []


def test_an_input_nested_too_deeply_to_be_read_is_no_json() -> None:
    (fault,) = said(target(Input="[" * 8192))
    assert fault[0] == f"{TARGET}.Input"


# --- what AWS takes ---


def on_fargate(*compatibilities: str, **entry: Any) -> Table:
    table = fargate(256, 512, requiresCompatibilities=list(compatibilities))
    return table | {"run_tasks": [entry]}


def test_a_fargate_task_that_would_run_on_ec2_is_warned_of() -> None:
    assert warned(on_fargate("FARGATE")) == [
        (
            RUN,
            "neither launchType nor capacityProviderStrategy is declared: ECS takes the cluster's default strategy, "
            'and without one EC2, which the task definition does not allow; write launchType = "FARGATE"',
        )
    ]


@pytest.mark.parametrize(
    "table",
    [
        on_fargate("FARGATE", launchType="FARGATE"),
        on_fargate("FARGATE", capacityProviderStrategy=PROVIDERS),
        on_fargate("EC2", "FARGATE"),
        run(),
    ],
)
def test_where_a_task_can_run_is_not_warned_of(table: Table) -> None:
    assert warned(table) == []
