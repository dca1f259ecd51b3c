"""Texts that the tests of specs start from, and how they ask for faults."""

from __future__ import annotations

import pytest

from ecsplan.core.errors import Exit, SpecError
from ecsplan.spec.load import loads

TOPIC = "arn:aws:sns:eu-west-1:123456789012:deploys"

FULL = f"""
app = "shop"
region = "eu-west-1"
account = "123456789012"
profile = "ops"
assume_role = "arn:aws:iam::123456789012:role/deploy"
cluster = "prod"
active_task_count = 5
sns_notification_topic_arn = "{TOPIC}"

[tasks.web.task_definition]
family = "web"
cpu = 256
memory = "512"
executionRoleArn = "arn:aws:iam::123456789012:role/web-exec"
[[tasks.web.task_definition.containerDefinitions]]
name = "web"
image = "my_image:{{image_tag}}"
cpu = 128
portMappings = [{{ containerPort = 8080 }}]
environment = [{{ name = "DEBUG", value = true }}, {{ name = "RATE", value = 0.5 }}, {{ name = "N", value = 3 }}]

[[tasks.web.run_tasks]]
name = "migrate"
launchType = "FARGATE"
timeout = "1h30m"
wait = false
when = "always"
overrides.containerOverrides = [{{ name = "web", environment = [{{ name = "A", value = 1 }}] }}]
[[tasks.web.run_tasks]]
cluster = "batch"
count = 10

[[tasks.web.update_services]]
service = "web"
forceNewDeployment = true
timeout = 90
deploymentConfiguration.deploymentCircuitBreaker.enable = true
[[tasks.web.update_services]]
service = "worker"

[[tasks.web.events__put_targets]]
Rule = "nightly-report"
Targets = [
  {{ Id = "report" }},
  {{ Id = "other", Arn = "arn:x", EcsParameters = {{ TaskDefinitionArn = "arn:y" }} }},
]

[tasks.worker]
active_task_count = 2
sns_notification_topic_arn = ""
task_definition = {{ family = "worker", containerDefinitions = [{{ name = "w", image = "w:1", memory = 64 }}] }}
"""

HEAD = """\
[tasks.web.task_definition]
family = "web"
containerDefinitions = [{ name = "web", image = "web:1", memory = 64 }]
"""
OTHER = """\
[tasks.other.task_definition]
family = "other"
containerDefinitions = [{ name = "web", image = "web:1", memory = 64 }]
"""

RUNS, SERVICES, RULES = (
    "[[tasks.web.run_tasks]]\n",
    "[[tasks.web.update_services]]\n",
    "[[tasks.web.events__put_targets]]\n",
)


def faults(text: str, file: str = "ecsplan.toml") -> list[str]:
    """The faults of a text, without the name of the file in front, which is asserted to be there."""
    with pytest.raises(SpecError) as caught:
        loads(text, file)
    assert caught.value.exit_code == Exit.USAGE
    lines = [str(fault) for fault in caught.value.faults]
    assert all(line.startswith(f"{file}: ") for line in lines)
    assert all(line in str(caught.value) for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]
