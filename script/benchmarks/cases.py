"""What is deployed, and how each tool is told to: one family, so many services in one cluster, so many rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CLUSTER, FAMILY, CONTAINER, IMAGE = "prod", "web", "web", "my_image"


@dataclass(frozen=True, kw_only=True)
class Case:
    services: int
    rules: int

    @property
    def name(self) -> str:
        return f"S{self.services} R{self.rules}"

    def service_names(self) -> list[str]:
        return [f"web-{number:02d}" for number in range(self.services)]

    def rule_names(self) -> list[str]:
        return [f"rule-{number:02d}" for number in range(self.rules)]


def definition(tag: str) -> list[dict[str, object]]:
    return [{"name": CONTAINER, "image": f"{IMAGE}:{tag}", "cpu": 128, "memory": 128}]


def target(arn: str = "") -> dict[str, object]:
    """A whole target, as EventBridge keeps it."""
    return {
        "Id": "report",
        "Arn": f"arn:aws:ecs:eu-west-1:123456789012:cluster/{CLUSTER}",
        "RoleArn": "arn:aws:iam::123456789012:role/events",
        "EcsParameters": {"TaskCount": 1} | ({"TaskDefinitionArn": arn} if arn else {}),
    }


def write(case: Case, folder: Path) -> None:
    """The files of every tool."""
    (folder / "ecsplan.toml").write_text(_spec(case), encoding="utf-8")
    (folder / "ecs_task_deploy.py").write_text(_ecs_task(case), encoding="utf-8")
    (folder / "awscli.sh").write_text(_awscli(case), encoding="utf-8")
    (folder / "ecs_deploy.sh").write_text(_ecs_deploy(case), encoding="utf-8")


def _spec(case: Case) -> str:
    lines = [
        'app = "shop"',
        f'cluster = "{CLUSTER}"',
        "[tasks.web.task_definition]",
        f'family = "{FAMILY}"',
        "[[tasks.web.task_definition.containerDefinitions]]",
        f'name = "{CONTAINER}"',
        f'image = "{IMAGE}:{{image_tag}}"',
        "cpu = 128",
        "memory = 128",
    ]
    for name in case.service_names():
        lines += ["[[tasks.web.update_services]]", f'service = "{name}"']
    for name in case.rule_names():
        lines += ["[[tasks.web.events__put_targets]]", f'Rule = "{name}"', 'Targets = [{ Id = "report" }]']
    return "\n".join(lines) + "\n"


def _ecs_task(case: Case) -> str:
    """As its README shows it: a module with a class of the deployment."""
    updates = [{"cluster": CLUSTER, "service": name} for name in case.service_names()]
    puts = [{"Rule": name, "Targets": [target()]} for name in case.rule_names()]
    return (
        "from ecs_task import ECSTask\n\n\n"
        "class WebTask(ECSTask):\n"
        f"    task_definition = {{'family': {FAMILY!r}, 'containerDefinitions': {definition('{image_tag}')!r}}}\n"
        f"    update_services = {updates!r}\n"
        f"    events__put_targets = {puts!r}\n\n\n"
        "WebTask().main()\n"
    )


def _awscli(case: Case) -> str:
    """The calls of ecs-task, one `aws` after the other."""
    lines = [
        "set -e",
        "arn=$(aws ecs register-task-definition --family " + FAMILY + " --container-definitions "
        "\"$(printf '%s' '" + json.dumps(definition("TAG")) + "' | sed s/:TAG/:$1/)\" "
        "--query taskDefinition.taskDefinitionArn --output text)",
        f"for service in {' '.join(case.service_names())}; do",
        f'  aws ecs update-service --cluster {CLUSTER} --service $service --task-definition "$arn" >update.json',
        "done",
    ]
    if case.rules:
        lines += [
            f"for rule in {' '.join(case.rule_names())}; do",
            "  aws events put-targets --rule $rule --targets \"$(printf '%s' '["
            + json.dumps(target("ARN"))
            + ']\' | sed "s#\\"ARN\\"#\\"$arn\\"#")" >put.json',
            "done",
        ]
    lines.append(f"aws ecs list-task-definitions --family-prefix {FAMILY} --status ACTIVE --sort DESC >list.json")
    return "\n".join(lines) + "\n"


def _ecs_deploy(case: Case) -> str:
    """A run per service and per rule, since that is what it has commands for; `--timeout -1` does not wait."""
    lines = ["set -e"]
    if case.services:
        lines += [f"for service in {' '.join(case.service_names())}; do"]
        lines += [f'  ecs deploy {CLUSTER} $service --tag "$1" --timeout -1', "done"]
    if case.rules:
        lines += [f"for rule in {' '.join(case.rule_names())}; do"]
        lines += [f'  ecs cron {CLUSTER} {FAMILY} $rule --tag "$1"', "done"]
    return "\n".join(lines) + "\n"
