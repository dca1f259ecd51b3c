"""What is live in an account, without HTTP and not in its log of requests; and what that log says was asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.ecs.state import Region
from tests.support.clock import Clock
from tests.support.toml import Doc

REGION = "eu-west-1"
READS = ("Describe", "List", "Get")
SETTLED = 600.0  # seconds after which nothing is on its way any more
#: Members of a described service that change by themselves.
MOVING = frozenset({
    "deployments", "events", "runningCount", "pendingCount", "currentServiceDeployment", "currentServiceRevisions",
})  # fmt: skip


class Live(Sandbox):
    """An account as tests look at it. What is returned is a copy."""

    def __init__(self, clock: Clock, *, rates: bool) -> None:
        super().__init__(clock=clock, region=REGION, rates=rates)
        self.clock = clock

    # --- what was asked for, since the last `clear_requests` ---

    def sent(self) -> list[str]:
        """The operations that change something, in order of arrival."""
        return [request.operation for request in self.requests if not request.operation.startswith(READS)]

    def asked(self) -> list[str]:
        """Those that only read."""
        return [request.operation for request in self.requests if request.operation.startswith(READS)]

    def params(self, operation: str) -> list[Doc]:
        """What each request of this operation asked for."""
        return [dict(request.params) for request in self.requests if request.operation == operation]

    # --- ECS ---

    @property
    def region(self) -> Region:
        """The state of ECS itself."""
        return self._account.ecs(REGION).region

    def call(self, operation: str, **params: Any) -> Doc:
        """An operation of ECS."""
        return self.ecs().call(operation, params)

    def service(self, name: str, cluster: str = "prod") -> Doc:
        (found,) = self.call("DescribeServices", cluster=cluster, services=[name])["services"]
        return dict(found)

    def on(self, name: str, cluster: str = "prod") -> str:
        """The revision that a service is on: `web:1`."""
        return short(self.service(name, cluster)["taskDefinition"])

    def active(self, family: str = "web") -> list[str]:
        """ACTIVE revisions, newest first."""
        found: list[str] = []
        more: Doc = {}
        while True:
            answer = self.call("ListTaskDefinitions", familyPrefix=family, status="ACTIVE", sort="DESC", **more)
            found += [short(arn) for arn in answer["taskDefinitionArns"]]
            if not answer.get("nextToken"):
                return [one for one in found if one.rpartition(":")[0] == family]
            more = {"nextToken": answer["nextToken"]}

    def statuses(self, family: str = "web") -> dict[str, str]:
        """By revision, whether it is ACTIVE or INACTIVE."""
        inactive = self.call("ListTaskDefinitions", familyPrefix=family, status="INACTIVE")["taskDefinitionArns"]
        return dict.fromkeys(self.active(family), "ACTIVE") | {short(arn): "INACTIVE" for arn in inactive}

    def image(self, revision: str) -> str:
        answer = self.call("DescribeTaskDefinition", taskDefinition=revision)
        return str(answer["taskDefinition"]["containerDefinitions"][0]["image"])

    def register(self, family: str = "web", times: int = 1, **members: Any) -> list[str]:
        """Revisions made by somebody else, each a little different; oldest first."""
        made = []
        for _ in range(times):
            number = len(self.statuses(family))
            one = {"name": "web", "image": f"elsewhere:{number}", "memory": 128} | members
            answer = self.call("RegisterTaskDefinition", family=family, containerDefinitions=[one])
            made.append(short(answer["taskDefinition"]["taskDefinitionArn"]))
        return made

    def primary(self, cluster: str, name: str) -> str:
        """The id of a service's PRIMARY deployment."""
        found = self.region.services[cluster, name].primary
        assert found is not None
        return found.id

    # --- EventBridge ---

    def events(self, operation: str, **params: Any) -> Doc:
        """An operation of EventBridge."""
        with self._lock:
            return copy.deepcopy(self._account.further("events", REGION).call(operation, params))

    def targets(self, rule: str, bus: str = "default") -> dict[str, Doc]:
        """A rule's targets by Id."""
        return {one["Id"]: one for one in self.events("ListTargetsByRule", Rule=rule, EventBusName=bus)["Targets"]}

    def pointing(self, rule: str) -> dict[str, str]:
        """By target's Id, the revision that it is on."""
        return {name: short(one["EcsParameters"]["TaskDefinitionArn"]) for name, one in self.targets(rule).items()}

    # --- EventBridge Scheduler ---

    def schedules(self) -> dict[str, Doc]:
        """Whole schedules by group and name, without when they were made and changed."""
        with self._lock:
            scheduler = self._account.further("scheduler", REGION)
            listed = scheduler.call("ListSchedules", {})["Schedules"]
            names = [{"GroupName": one["GroupName"], "Name": one["Name"]} for one in listed]
            found = [copy.deepcopy(scheduler.call("GetSchedule", name)) for name in names]
        dates = ("CreationDate", "LastModificationDate")
        return {f"{one['GroupName']}/{one['Name']}": {k: v for k, v in one.items() if k not in dates} for one in found}

    # --- whole states, to compare ---

    def lasting(self, names: Iterable[str], cluster: str = "prod") -> dict[str, Doc]:
        """Whole described services, without what changes by itself or with every deployment."""
        changing = MOVING | {"taskDefinition"}
        return {name: {k: v for k, v in self.service(name, cluster).items() if k not in changing} for name in names}

    def kept(self, rule: str) -> dict[str, Doc]:
        """Whole targets, without the revision that they are on."""
        found = self.targets(rule)
        for target in found.values():
            target["EcsParameters"].pop("TaskDefinitionArn")
        return found

    def settle(self) -> None:
        """Some minutes later, when what was on its way has ended."""
        with self._lock:
            self.clock.sleep(SETTLED)
            self._account.settle()

    def state(self) -> Doc:
        """Everything that a deployment changes, settled: revisions, one-off tasks, services and how often they were
        moved, targets, schedules."""
        self.settle()
        region, now = self.region, self.clock.now()
        ran = [task for task in region.tasks.values() if task.service is None]
        return {
            "revisions": {
                short(revision.arn): revision.status for family in region.families.values() for revision in family
            },
            "ran": sorted(short(task.revision.arn) for task in ran),
            "ended": sorted(
                (short(task.revision.arn), task.status(now), str(task.stop.get("stopCode"))) for task in ran
            ),
            "services": {
                service.name: self._moved(service.cluster, service.name) for service in region.services.values()
            },
            "targets": {
                rule["Name"]: sorted(self.targets(rule["Name"]).values(), key=lambda one: str(one["Id"]))
                for rule in self.events("ListRules")["Rules"]
            },
            "schedules": self.schedules(),
        }

    def _moved(self, cluster: str, name: str) -> Doc:
        """A whole service, and how often it was moved: by a rollout, or by ECS taking one back."""
        found = self.service(name, cluster)
        rollouts = self.region.services[cluster, name].rollouts
        (primary,) = [one for one in found["deployments"] if one["status"] == "PRIMARY"]
        return {
            **{member: value for member, value in found.items() if member not in MOVING},
            "primary": {member: primary.get(member) for member in ("taskDefinition", "rolloutState", "runningCount")},
            "moves": len(rollouts) + sum(rollout.rollback is not None for rollout in rollouts),
        }


def short(arn: object) -> str:
    """The last part of an ARN."""
    return str(arn).rpartition("/")[2]
