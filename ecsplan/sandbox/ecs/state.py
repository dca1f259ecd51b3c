"""The state of ECS in one region: clusters, task definitions, services, deployments, tasks, and the events to come.

Plain records. The modules of this package change them, always under the sandbox's lock. Documents (``Doc``) have the
shape of AWS's answers.

Nothing runs in the background. Each operation first lets everything happen that is due by the clock, in order of time
and with that time as its timestamp. So the answers depend on the requests and on the clock alone, not on how often or
how late they are polled. Events are data: ``rollouts.happen`` carries them out on the state that it is given.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecsplan.sandbox import common
from ecsplan.sandbox.logs import Logs, Stream

from .outcomes import AlarmRule, Outcomes

Doc = dict[str, Any]


# -- what is going to happen ------------------------------------------------------------------------------------------

#: The deployment that an event is about: cluster, service, id of the deployment.
Target = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to a deployment. It has no effect if the deployment is no longer rolling out by then."""

    target: Target


@dataclass(frozen=True, kw_only=True)
class StageEnds(Event):
    """The ``index``-th step of its stages is over. ``began`` is when the first began, without the time at hooks."""

    index: int
    began: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """Tasks that fail one after the other: ``times`` of them within ``seconds`` after ``since``.

    ``number`` counts them from 1. Without ``times`` there is always another one, and ``seconds`` is how long this one
    takes.
    """

    since: float
    seconds: float
    times: int | None
    number: int = 1

    def until(self, at: float) -> float:
        """When the task that starts ``at`` fails."""
        if self.times is None:
            return at + self.seconds
        return self.since + self.seconds * self.number / self.times


@dataclass(frozen=True, kw_only=True)
class TaskFails(Event):
    """One of its tasks stops. ``text`` is the service's event about that, "" for none."""

    text: str
    series: Series


@dataclass(frozen=True, kw_only=True)
class AlarmRings(Event):
    """A CloudWatch alarm goes off."""

    name: str


@dataclass(frozen=True, kw_only=True)
class HookAnswers(Event):
    """The Lambda function of a lifecycle hook answers SUCCEEDED or FAILED."""

    hook: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class HookExpires(Event):
    """The time of a lifecycle hook is over."""

    hook: str


@dataclass(frozen=True, kw_only=True)
class StopTakesEffect(Event):
    """StopServiceDeployment takes effect. ``back``: the deployment is rolled back."""

    back: bool


class Agenda:
    """Events by due time (epoch seconds). Those due at the same moment happen in the order in which they were added."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Event]] = []
        self._added = 0

    def at(self, when: float, event: Event) -> None:
        heapq.heappush(self._due, (when, self._added, event))
        self._added += 1

    def settle(self, now: float, happen: Callable[[Event, float], None]) -> None:
        """Call ``happen(event, when)`` for each event due at ``now`` or before, including those that it adds."""
        while self._due and self._due[0][0] <= now:
            when, _, event = heapq.heappop(self._due)
            happen(event, when)


# -- what there is ----------------------------------------------------------------------------------------------------


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
    """A revision of a task definition. ``doc`` is the taskDefinition as described, with its status."""

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
    """What a deployment deploys. ``settings`` are the members of the service that it keeps."""

    arn: str
    task_definition: str
    settings: Doc
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a deployment fails, and whether it is rolled back (``back``).

    ``state_reason`` is its rolloutStateReason, ``reason`` the statusReason of the service deployment, ``event`` the
    text after "deployment failed: " in the service's event, "" for no event."""

    state_reason: str
    event: str
    reason: str
    back: bool


@dataclass
class Rollout:
    """A service deployment, as ListServiceDeployments lists it. A rollback belongs to the one that it undoes.

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

    def start(self, at: float) -> None:
        """A PENDING service deployment is IN_PROGRESS from now on."""
        if self.status == "PENDING":
            self.status, self.started_at = "IN_PROGRESS", at


@dataclass
class AtHooks:
    """A deployment that is at the hooks of a stage: the ``index`` of its step, when the first step ``began``, ``since``
    when it has been at these hooks, and how many of them it has ``asked``."""

    index: int
    began: float
    since: float
    asked: int = 0


@dataclass
class Deployment:
    """An entry of a service's ``deployments``.

    ``ends``, ``seconds``, ``failures``, ``unplaced`` and ``alarms`` are its outcome. Rules fix them when it begins.
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
    """A task. Its status follows from its times (epoch seconds). None is a time that is not known yet."""

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
        return common.short(self.arn)

    def has_started(self, now: float) -> bool:
        return self.running_at is not None and now >= self.running_at

    def has_exited(self, now: float) -> bool:
        """Have its containers ended? The task itself may still be DEPROVISIONING."""
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
        """The desired status: STOPPED as soon as it is to stop."""
        ending = self.stopping_at if self.stopping_at is not None else self.stopped_at
        return "STOPPED" if ending is not None and now >= ending else "RUNNING"


@dataclass
class Service:
    """A service. ``doc`` holds its settings with defaults; the rest of its description is computed.

    ``stable`` is the revision of its last completed deployment, to which a rollback returns.
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
        """One of its deployments, as events refer to it."""
        return (self.cluster, self.name, deployment.id)


@dataclass
class Region:
    """One region's state, and what all regions share: ids, outcomes, logs. ``now`` is the time of the current event."""

    name: str
    ids: common.Ids
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
        return common.arn("ecs", self.name, resource)

    def cluster(self, params: Mapping[str, Any], key: str = "cluster") -> Cluster:
        """The ACTIVE cluster that ``params`` names, else ``default``. Raises ClusterNotFoundException."""
        given = str(params.get(key) or "default")
        cluster = self.clusters.get(common.short(given))
        if cluster is None or cluster.status != "ACTIVE" or (given.startswith("arn:") and given != cluster.arn):
            raise common.cluster_not_found()
        return cluster

    def service(self, cluster: Cluster, name_or_arn: str) -> Service | None:
        service = self.services.get((cluster.name, common.short(name_or_arn)))
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
