"""A fleet: one spec of many families, five services each, and a rule each, spread over ten clusters."""

from __future__ import annotations

from tests.support.specs import BREAKER, ROLE
from tests.support.toml import Doc

SERVICES = 5  # of each family
CLUSTERS = 10


def fleet(families: int, **members: object) -> Doc:
    """200 families make 1,000 services and 200 rules. What is declared is what people declare: logs, variables,
    secrets, ports, a health check; two containers; a circuit breaker."""
    tasks = {f"app-{number:03d}": _task(f"app-{number:03d}", number) for number in range(families)}
    return {"app": "fleet", "cluster": "cluster-0", "active_task_count": 1} | members | {"tasks": tasks}


def _task(family: str, number: int) -> Doc:
    cluster = f"cluster-{number % CLUSTERS}"
    return {
        "task_definition": {
            "family": family,
            "cpu": 512,
            "memory": 1024,
            "executionRoleArn": ROLE,
            "containerDefinitions": [_web(family), _proxy()],
        },
        "update_services": [
            {"cluster": cluster, "service": f"{family}-{one}", "deploymentConfiguration": BREAKER}
            for one in range(SERVICES)
        ],
        "events__put_targets": [{"Rule": f"{family}-nightly", "Targets": [{"Id": "report"}]}],
    }


def _web(family: str) -> Doc:
    return {
        "name": "web",
        "image": f"{family}:{{image_tag}}",
        "memory": 512,
        "portMappings": [{"containerPort": 8000}],
        "environment": [{"name": f"SETTING_{number}", "value": f"value {number}"} for number in range(12)],
        "secrets": [{"name": f"SECRET_{number}", "valueFrom": f"/{family}/secret-{number}"} for number in range(4)],
        "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8000/health"]},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": family, "awslogs-region": "eu-west-1"},
        },
    }


def _proxy() -> Doc:
    return {
        "name": "proxy",
        "image": "nginx:1.27",
        "memory": 128,
        "portMappings": [{"containerPort": 80}],
        "dependsOn": [{"containerName": "web", "condition": "START"}],
    }
