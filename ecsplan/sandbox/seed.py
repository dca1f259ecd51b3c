"""The account before a spec's first deployment: the clusters, services, rules and topics that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from . import common
from .ecs import Ecs, rollouts
from .ecs.state import Doc, Service
from .further import Simulated, services

PLACEHOLDER: Final = "sandbox-placeholder"
DESIRED: Final = 2
#: Members of an update_services entry that the service has from the beginning. A deployment sets the others.
_FROM_THE_START: Final = ("loadBalancers", "serviceRegistries")


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What was created, sorted: names of clusters, ``cluster/service``, and by a word for people what further services
    have (``rules``: ``bus/rule``; ``topics``: ARNs)."""

    clusters: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    further: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_topics(self, topics: Iterable[str]) -> Seeded:
        return replace(self, further={**self.further, "topics": tuple(sorted(set(topics)))})


def seed(ecs: Ecs, further: Mapping[str, Simulated], requests: Mapping[str, Any], cluster: str) -> Seeded:
    """Create everything that ``requests`` refer to; ``further`` are the other services of the region, by name. Raises
    AwsError for a task definition that AWS would refuse."""
    seeding = _Seeding(ecs, further, cluster)
    for task in requests.values():
        seeding.task(task)
    return Seeded(
        clusters=tuple(sorted(seeding.clusters)),
        services=tuple(sorted(seeding.services)),
        further={word: tuple(sorted(names)) for word, names in seeding.further_names.items()},
    )


class _Seeding:
    def __init__(self, ecs: Ecs, further: Mapping[str, Simulated], cluster: str) -> None:
        self.ecs, self.further, self.default = ecs, further, cluster
        self.clusters: set[str] = set()
        self.services: set[str] = set()
        self.further_names: dict[str, set[str]] = {}
        self.ecs.settle()
        self.cluster(cluster)

    def task(self, task: Mapping[str, Any]) -> None:
        for run in task.get("run_tasks", ()):
            self.cluster(run.get("cluster"))
        definition = task["task_definition"]
        updates = task.get("update_services", ())
        used = [service for service in services().values() if service.uses_revisions(task)]
        if not updates and not used:
            return
        placeholder = self.placeholder(definition)
        for update in updates:
            self.service(update, definition, placeholder)
        for service in used:
            made = service.seed(self.further[service.name], self, task, placeholder)
            for word, names in made.items():
                self.further_names.setdefault(word, set()).update(names)

    def cluster(self, reference: str | None) -> str:
        name = common.short(reference or self.default)
        if name not in self.clusters:
            self.ecs.call("CreateCluster", {"clusterName": name})
            self.clusters.add(name)
        return name

    def cluster_arn(self, reference: str | None) -> str:
        return self.ecs.region.clusters[self.cluster(reference)].arn

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
            params["networkConfiguration"] = update.get("networkConfiguration", {"awsvpcConfiguration": common.NETWORK})
        self.ecs.call("CreateService", params)
        self.settled(self.ecs.region.services[cluster, name])
        self.services.add(f"{cluster}/{name}")

    def settled(self, service: Service) -> None:
        """Complete its first deployment at once; its history begins with that."""
        region = self.ecs.region
        rollouts.supersede(service, region.now)
        service.deployments, service.rollouts, service.events = [], [], []
        rollouts.settled(region, service, region.now)
