"""Specs that tests start from; each call makes a new one, to be edited at will."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.toml import Doc

TOPIC = "arn:aws:sns:eu-west-1:123456789012:deploys"
ROLE = "arn:aws:iam::123456789012:role/execution"
BREAKER: Doc = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def container(name: str = "web", **members: Any) -> Doc:
    return {"name": name, "image": f"{name}:{{image_tag}}", "memory": 128} | members


def definition(family: str = "web", *containers: Doc, **members: Any) -> Doc:
    return {"family": family, "containerDefinitions": list(containers) or [container()]} | members


def migration(name: str = "migrate", container: str = "web", **members: Any) -> Doc:
    command = ["./manage.py", name]
    return {"name": name, "overrides": {"containerOverrides": [{"name": container, "command": command}]}} | members


def task(
    family: str = "web",
    *,
    services: Sequence[str] = ("web",),
    runs: Sequence[str] = (),
    rules: Sequence[tuple[str, Sequence[str]]] = (),
    **members: Any,
) -> Doc:
    """A task of one container `web`; `rules` are names with the Ids of their targets."""
    made: Doc = {"task_definition": definition(family)}
    if runs:
        made["run_tasks"] = [migration(name) for name in runs]
    if services:
        made["update_services"] = [{"service": name} for name in services]
    if rules:
        made["events__put_targets"] = [{"Rule": rule, "Targets": [{"Id": one} for one in ids]} for rule, ids in rules]
    return made | members


def spec(*tasks: Doc, **members: Any) -> Doc:
    """An app `shop` in the cluster `prod`; its tasks are named after their families."""
    named = {one["task_definition"]["family"]: one for one in tasks or (task(),)}
    return {"app": "shop", "cluster": "prod"} | members | {"tasks": named}


def shop(**members: Any) -> Doc:
    """One of everything: a migration, two services, a rule with two targets."""
    return spec(
        task("web", services=("web", "admin"), runs=("migrate",), rules=(("nightly", ("report", "clean")),)), **members
    )
