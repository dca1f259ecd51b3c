"""The services that are simulated beside ECS, discovered: every module of this folder that defines ``SERVICE``.

There is no registry to edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol

from ecsplan.sandbox.common import NETWORK, Clock, Rate

Doc = dict[str, Any]


class Simulated(Protocol):
    """One region of a service: data only, so that it can be pickled. The sandbox calls it under its lock."""

    def call(self, operation: str, params: object, failed: Doc | None = None) -> Doc:
        """The answer as AWS's JSON; raises AwsError. ``failed`` is an ordered failure of the first entry of a request
        with several: ``{"ErrorCode": ..., "ErrorMessage": ...}``."""


class Seeding(Protocol):
    """What seeding a spec's task needs of ECS."""

    def cluster(self, reference: str | None) -> str:
        """The name of a cluster, created if it is not there; None is the default one."""

    def cluster_arn(self, reference: str | None) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """``name`` is AWS's, as in ARNs (``events``). ``make`` gives a region in its first state; the sandbox's
    clock is data too. ``seed`` creates what the compiled requests of one task of a spec refer to, on the revision of a
    placeholder (ARN); it returns what there is then, by a word for people: ``{"rules": ["default/nightly"]}``."""

    name: str
    make: Callable[[str, Clock], Simulated]
    rates: tuple[Rate, ...] = ()
    seed: Callable[[Any, Seeding, Mapping[str, Any], str], Mapping[str, Iterable[str]]]
    uses_revisions: Callable[[Mapping[str, Any]], bool]
    """do the compiled requests of a task name resources of this service?"""


def ecs_parameters(definition: Mapping[str, Any], placeholder: str) -> Doc:
    """EcsParameters that run the placeholder, on Fargate and in a network if the task definition needs it."""
    parameters: Doc = {"TaskDefinitionArn": placeholder, "TaskCount": 1}
    if definition.get("networkMode") == "awsvpc":
        fargate = "FARGATE" in definition.get("requiresCompatibilities", ())
        inner = {name[0].upper() + name[1:]: value for name, value in NETWORK.items()}
        parameters["LaunchType"] = "FARGATE" if fargate else "EC2"
        parameters["NetworkConfiguration"] = {"awsvpcConfiguration": inner}
    return parameters


@cache
def services() -> Mapping[str, Service]:
    """By name."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return {module.SERVICE.name: module.SERVICE for module in modules}
