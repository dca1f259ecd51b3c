"""The account before a spec's first deployment: the clusters, services, rules and topics that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from . import common
from .ecs import Ecs, rollouts
from .ecs.state import Doc, Service
from .eventbridge import TARGETS_PER_RULE, Events

PLACEHOLDER: Final = "sandbox-placeholder"
DESIRED: Final = 2
NETWORK: Final[Doc] = {"subnets": ["subnet-0a", "subnet-0b"], "securityGroups": ["sg-0a"], "assignPublicIp": "DISABLED"}
#: Members of an update_services entry that the service has from the beginning. A deployment sets the others.
_FROM_THE_START: Final = ("loadBalancers", "serviceRegistries")
_SCHEDULE: Final = "cron(0 3 * * ? *)"


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What was created, sorted: names of clusters, ``cluster/service``, ``bus/rule``, ARNs of topics."""

    clusters: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def with_topics(self, topics: Iterable[str]) -> Seeded:
        return replace(self, topics=tuple(sorted(set(topics))))


def seed(ecs: Ecs, events: Events, requests: Mapping[str, Any], cluster: str) -> Seeded:
    """Create everything that ``requests`` refer to. Raises AwsError for a task definition that AWS would refuse."""
    seeding = _Seeding(ecs, events, cluster)
    for task in requests.values():
        seeding.task(task)
    return Seeded(
        clusters=tuple(sorted(seeding.clusters)),
        services=tuple(sorted(seeding.services)),
        rules=tuple(sorted(seeding.rules)),
    )


class _Seeding:
    def __init__(self, ecs: Ecs, events: Events, cluster: str) -> None:
        self.ecs, self.events, self.default = ecs, events, cluster
        self.clusters: set[str] = set()
        self.services: set[str] = set()
        self.rules: set[str] = set()
        self.ecs.settle()
        self.cluster(cluster)

    def task(self, task: Mapping[str, Any]) -> None:
        for run in task.get("run_tasks", ()):
            self.cluster(run.get("cluster"))
        definition = task["task_definition"]
        updates, puts = task.get("update_services", ()), task.get("events__put_targets", ())
        if not updates and not puts:
            return
        placeholder = self.placeholder(definition)
        for update in updates:
            self.service(update, definition, placeholder)
        for put in puts:
            self.rule(put, definition, placeholder)

    def cluster(self, reference: str | None) -> str:
        name = common.short(reference or self.default)
        if name not in self.clusters:
            self.ecs.call("CreateCluster", {"clusterName": name})
            self.clusters.add(name)
        return name

    def placeholder(self, definition: Mapping[str, Any]) -> str:
        """A revision of another family with the task's containers and ports, so that load balancers fit it."""
        kept = ("name", "essential", "portMappings", "cpu", "memory", "memoryReservation")
        containers = [
            {k: c[k] for k in kept if k in c} | {"image": "sandbox/placeholder:latest"}
            for c in definition["containerDefinitions"]
        ]
        sizes = ("networkMode", "requiresCompatibilities", "cpu", "memory", "runtimePlatform")
        params = {k: definition[k] for k in sizes if k in definition}
        params |= {"family": PLACEHOLDER, "containerDefinitions": containers}
        return str(self.ecs.call("RegisterTaskDefinition", params)["taskDefinition"]["taskDefinitionArn"])

    def service(self, update: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str) -> None:
        cluster, name = self.cluster(update.get("cluster")), common.short(update["service"])
        present = self.ecs.region.services.get((cluster, name))
        if present is not None and present.status == "ACTIVE":
            self.services.add(f"{cluster}/{name}")
            return
        params: Doc = {"cluster": cluster, "serviceName": name, "taskDefinition": placeholder, "desiredCount": DESIRED}
        params |= {k: update[k] for k in _FROM_THE_START if k in update}
        if "FARGATE" in definition.get("requiresCompatibilities", ()):
            params["launchType"] = "FARGATE"
        if definition.get("networkMode") == "awsvpc":
            params["networkConfiguration"] = update.get("networkConfiguration", {"awsvpcConfiguration": NETWORK})
        self.ecs.call("CreateService", params)
        self.settled(self.ecs.region.services[cluster, name])
        self.services.add(f"{cluster}/{name}")

    def settled(self, service: Service) -> None:
        """Complete its first deployment at once; its history begins with that."""
        region = self.ecs.region
        rollouts.supersede(service, region.now)
        service.deployments, service.rollouts, service.events = [], [], []
        rollouts.settled(region, service, region.now)

    def rule(self, put: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str) -> None:
        bus = common.short(put.get("EventBusName", "default"))
        self.events.add_bus(bus)
        params: Doc = {"Name": put["Rule"], "EventBusName": bus}
        pattern = {"EventPattern": '{"source": ["sandbox"]}'}
        if f"{bus}/{put['Rule']}" not in self.rules:
            self.events.call("PutRule", params | ({"ScheduleExpression": _SCHEDULE} if bus == "default" else pattern))
            self.rules.add(f"{bus}/{put['Rule']}")
        targets = [self.target(target, definition, placeholder) for target in put.get("Targets", ())]
        for start in range(0, len(targets), TARGETS_PER_RULE):
            entries = targets[start : start + TARGETS_PER_RULE]
            self.events.call("PutTargets", {"Rule": put["Rule"], "EventBusName": bus, "Targets": entries})

    def target(self, declared: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str) -> Doc:
        """A whole target, overlaid with the declared members. Its Input shows that undeclared members are kept."""
        parameters: Doc = {"TaskDefinitionArn": placeholder, "TaskCount": 1}
        if definition.get("networkMode") == "awsvpc":
            fargate = "FARGATE" in definition.get("requiresCompatibilities", ())
            inner = {name[0].upper() + name[1:]: value for name, value in NETWORK.items()}
            parameters |= {
                "LaunchType": "FARGATE" if fargate else "EC2",
                "NetworkConfiguration": {"awsvpcConfiguration": inner},
            }
        over = dict(declared.get("EcsParameters", {}))
        over.pop("TaskDefinitionArn", None)
        if "CapacityProviderStrategy" in over:
            parameters.pop("LaunchType", None)
        target: Doc = {
            "Arn": self.ecs.region.clusters[self.cluster(declared.get("Arn"))].arn,
            "RoleArn": f"arn:aws:iam::{common.ACCOUNT}:role/events",
            "Input": '{"seeded": "kept"}',
        }
        if "InputPath" in declared or "InputTransformer" in declared:
            del target["Input"]
        return target | dict(declared) | {"EcsParameters": parameters | over}
