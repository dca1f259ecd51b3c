"""What one region of the embedded AWS knows: clusters, task definitions, services, deployments and tasks.

Plain records. The modules beside this one change them, always under the sandbox's lock; documents (``Doc``) are shaped
like AWS's answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors, names
from .agenda import Agenda, Event, Target
from .logs import Logs, Stream
from .outcomes import AlarmRule, Outcomes

Doc = dict[str, Any]


@dataclass
class Cluster:
    name: str
    arn: str
    status: str = "ACTIVE"
    tags: list[Doc] = field(default_factory=list)
    settings: list[Doc] = field(default_factory=list)
    capacity_providers: list[str] = field(default_factory=list)
    default_strategy: list[Doc] = field(default_factory=list)


@dataclass
class Revision:
    """A revision of a task definition; ``doc`` is the taskDefinition as described, with its status."""

    arn: str
    family: str
    number: int
    doc: Doc
    tags: list[Doc]

    @property
    def status(self) -> str:
        return str(self.doc["status"])

    @property
    def images(self) -> list[str]:
        return [c["image"] for c in self.doc["containerDefinitions"]]


@dataclass
class ServiceRevision:
    """What a deployment deploys; ``settings`` are the members of the service that it carries."""

    arn: str
    task_definition: str
    settings: Doc
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a deployment fails: in its rolloutStateReason, after "deployment failed: " in an event, as statusReason of
    the service deployment; and whether it is rolled back."""

    state_reason: str
    event: str
    reason: str
    back: bool


@dataclass
class Rollout:
    """A service deployment, as ListServiceDeployments knows it; a rollback belongs to the one that it undoes.

    ``production`` and ``test`` are the shares of the traffic in percent, by ARN of the service revision; empty where
    the strategy shifts no traffic.
    """

    arn: str
    status: str
    created_at: float
    updated_at: float
    target: ServiceRevision
    sources: list[ServiceRevision]
    configuration: Doc
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    reason: str | None = None
    rollback: Doc | None = None
    breaker: str = "MONITORING"
    failures: int = 0
    stage: str = "PRE_SCALE_UP"
    hooks: list[Doc] = field(default_factory=list)
    alarmed: list[str] = field(default_factory=list)
    production: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)

    def go_on(self, at: float) -> None:
        """It is no longer PENDING."""
        if self.status == "PENDING":
            self.status, self.started_at = "IN_PROGRESS", at


@dataclass
class AtHooks:
    """Where a deployment is that has asked hooks: the stage's ``index`` among its steps, when the first step ``began``,
    ``since`` when it has been at the hooks of this stage, and how many of them it has ``asked``."""

    index: int
    began: float
    since: float
    asked: int = 0


@dataclass
class Deployment:
    """An entry of a service's ``deployments``.

    ``ends``, ``seconds``, ``failures``, ``unplaced`` and ``alarms`` are its outcome, fixed by rules when it began.
    """

    id: str
    revision: ServiceRevision
    rollout: Rollout
    desired: int
    created_at: float
    updated_at: float
    ends: str
    seconds: float
    failure_reason: str | None = None
    failures: int = 0
    unplaced: str | None = None
    alarms: list[AlarmRule] = field(default_factory=list)
    status: str = "PRIMARY"
    state: str = "IN_PROGRESS"
    state_reason: str = ""
    failed_tasks: int = 0
    launched: bool = False
    at_hooks: AtHooks | None = None
    tasks: list[Task] = field(default_factory=list)

    @property
    def rolling(self) -> bool:
        return self.status == "PRIMARY" and self.state == "IN_PROGRESS"

    def alive(self, now: float) -> list[Task]:
        return [task for task in self.tasks if task.wanted(now) == "RUNNING"]


@dataclass
class Task:
    """A task; its status at a moment follows from its times (epoch seconds), of which later ones may be unknown yet."""

    arn: str
    cluster: str
    revision: Revision
    doc: Doc
    created_at: float
    pending_at: float
    running_at: float | None
    stopping_at: float | None = None
    deprovisioning_at: float | None = None
    stopped_at: float | None = None
    stop: Doc = field(default_factory=dict)
    health: str = "UNKNOWN"
    streams: dict[str, Stream] = field(default_factory=dict)
    exits: dict[str, Doc] = field(default_factory=dict)
    service: str | None = None
    tags: list[Doc] = field(default_factory=list)

    @property
    def id(self) -> str:
        return names.short(self.arn)

    def has_started(self, now: float) -> bool:
        return self.running_at is not None and now >= self.running_at

    def has_exited(self, now: float) -> bool:
        """Its containers have ended, even where the task is still being cleaned up."""
        ended = self.stopped_at if self.deprovisioning_at is None else self.deprovisioning_at
        return ended is not None and now >= ended

    def status(self, now: float) -> str:
        if self.stopped_at is not None and now >= self.stopped_at:
            return "STOPPED"
        if self.deprovisioning_at is not None and now >= self.deprovisioning_at:
            return "DEPROVISIONING"
        if self.stopping_at is not None and now >= self.stopping_at:
            return "STOPPING"
        if self.has_started(now):
            return "RUNNING"
        return "PENDING" if now >= self.pending_at else "PROVISIONING"

    def wanted(self, now: float) -> str:
        """The desired status: STOPPED as soon as ECS has decided that it is to stop."""
        ending = self.stopping_at if self.stopping_at is not None else self.stopped_at
        return "STOPPED" if ending is not None and now >= ending else "RUNNING"


@dataclass
class Service:
    """A service; ``doc`` holds what was set, with defaults, the rest of its description is computed when asked.

    ``stable`` is the revision of its last completed deployment: what a rollback goes back to.
    """

    arn: str
    name: str
    cluster: str
    doc: Doc
    task_definition: str
    desired: int
    created_at: float
    stable: ServiceRevision | None = None
    deployments: list[Deployment] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)
    events: list[Doc] = field(default_factory=list)
    tags: list[Doc] = field(default_factory=list)
    status: str = "ACTIVE"

    @property
    def primary(self) -> Deployment | None:
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)

    def target(self, deployment: Deployment) -> Target:
        """One of its deployments, as events name it."""
        return (self.cluster, self.name, deployment.id)


@dataclass
class Region:
    """One region's state, with what its operations need from outside: the moment, ids, outcomes, a place for logs."""

    name: str
    ids: names.Ids
    outcomes: Outcomes
    logs: Logs
    now: float = 0.0
    agenda: Agenda = field(default_factory=Agenda)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    families: dict[str, list[Revision]] = field(default_factory=dict)
    last_revision: dict[str, int] = field(default_factory=dict)
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    run_tokens: dict[tuple[str, str], tuple[Doc, list[str]]] = field(default_factory=dict)
    create_tokens: dict[tuple[str, str], Doc] = field(default_factory=dict)

    def arn(self, resource: str) -> str:
        return names.arn("ecs", self.name, resource)

    def cluster(self, params: Mapping[str, Any], key: str = "cluster") -> Cluster:
        """The ACTIVE cluster that ``params`` names, ``default`` if none; raises ClusterNotFoundException."""
        given = str(params.get(key) or "default")
        cluster = self.clusters.get(names.short(given))
        if cluster is None or cluster.status != "ACTIVE" or (given.startswith("arn:") and given != cluster.arn):
            raise errors.cluster_not_found()
        return cluster

    def service(self, cluster: Cluster, name_or_arn: str) -> Service | None:
        service = self.services.get((cluster.name, names.short(name_or_arn)))
        if service and name_or_arn.startswith("arn:") and name_or_arn != service.arn:
            return None
        return service

    def target(self, event: Event) -> tuple[Service, Deployment] | None:
        """The deployment that an event is about, None if it is gone."""
        cluster, name, number = event.target
        service = self.services.get((cluster, name))
        found = (deployment for deployment in service.deployments if deployment.id == number) if service else iter(())
        deployment = next(found, None)
        return (service, deployment) if service and deployment else None
