"""What lies in the simulated account before a test, and afterwards; and how its tasks and rollouts end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ecsplan.core.clock import Clock
from ecsplan.core.model import Call, Doc, Plan
from ecsplan.core.text import short_arn
from ecsplan.sandbox.account import Account
from ecsplan.sandbox.ecs import outcomes
from ecsplan.sandbox.ecs.outcomes import RolloutRule, TaskRule
from tests.unit.builders import CLUSTER, REGION, ROLE, task_definition_arn


class Outcomes(outcomes.Outcomes):
    """What has no order succeeds at once. Tasks and rollouts can also be ordered by their numbers."""

    def clear(self) -> None:
        super().clear()
        self.rollout_seconds = self.task_seconds = 0.0
        self.tasks: dict[int, TaskRule] = {}
        """by number of the one-off task, from 1"""
        self.rollouts: dict[tuple[str, int], RolloutRule] = {}
        """by service and number of its update; 0 is its creation"""
        self._begun: Counter[str] = Counter()

    def task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule:
        self._begun["tasks"] += 1
        return self.tasks.get(self._begun["tasks"]) or super().task(family, images, commands)

    def rollout(self, service: str, images: Sequence[str]) -> RolloutRule:
        name = f"rollouts of {service}"
        self._begun[name] += 1
        return self.rollouts.get((service, self._begun[name] - 1)) or super().rollout(service, images)


class LiveAccount:
    """One account and region, with the cluster `prod`."""

    def __init__(self, clock: Clock) -> None:
        self.outcomes = Outcomes()
        account = Account(clock, self.outcomes)
        self.clock, self.ecs, self.events = clock, account.ecs(REGION), account.further("events", REGION)
        self.ecs.settle()
        self.ecs.call("CreateCluster", {"clusterName": short_arn(CLUSTER)})

    # --- what there is now ---

    @property
    def tasks(self) -> list[str]:
        """The ARNs of the one-off tasks, in the order of their start."""
        return [task.arn for task in self.ecs.region.tasks.values() if task.service is None]

    def service(self, name: str) -> Doc:
        """A service as ECS describes it now."""
        (found,) = self.ecs.call("DescribeServices", {"cluster": "prod", "services": [name]})["services"]
        return dict(found)

    def update(self, name: str, **members: Any) -> None:
        """UpdateService, sent by another deployment."""
        self.ecs.call("UpdateService", {"cluster": "prod", "service": name, **members})

    def primary(self, name: str) -> str:
        """The id of a service's PRIMARY deployment."""
        return str(self.service(name)["deployments"][0]["id"])

    def targets(self, rule: str) -> list[Doc]:
        return list(self.events.call("ListTargetsByRule", {"Rule": rule})["Targets"])

    def status(self, family: str, number: int) -> str:
        """Is that revision ACTIVE or INACTIVE?"""
        return self.ecs.region.families[family][self._numbers(family).index(number)].status

    # --- what there is before a test ---

    def seed(self, plan: Plan) -> None:
        """Make what the plan's steps found, where it is not there yet."""
        for step in plan.steps:
            newest = step.expect.get("newest", 0)
            if step.call.operation == "register_task_definition" and newest:
                self.add_revision(step.call.params["family"], newest)
            for call in (step.undo, step.call):
                if isinstance(call, Call):
                    self._seed(call)

    def _seed(self, call: Call) -> None:
        match call.params:
            case {"service": name, "taskDefinition": str(arn)}:
                self.add_service(name, arn)
            case {"taskDefinition": str(arn)}:
                self.add_arn(arn)
            case {"Rule": rule, "Targets": [*targets]}:
                known = [one for one in targets if isinstance(one["EcsParameters"]["TaskDefinitionArn"], str)]
                self.add_rule(rule, *known)

    def add_arn(self, arn: str) -> None:
        family, _, number = short_arn(arn).partition(":")
        self.add_revision(family, int(number))

    def add_revision(self, family: str, number: int, **members: Any) -> str:
        """The ARN of that revision, which runs the image `FAMILY:vNUMBER`."""
        region = self.ecs.region
        if number not in self._numbers(family):
            last = region.last_revision.get(family, 0)
            region.last_revision[family] = number - 1
            container = {"name": "web", "image": f"{family}:v{number}", "memory": 128}
            self.ecs.call("RegisterTaskDefinition", {"family": family, "containerDefinitions": [container]} | members)
            region.last_revision[family] = max(last, number)
            region.families[family].sort(key=lambda revision: revision.number)
        return task_definition_arn(family, number)

    def _numbers(self, family: str) -> list[int]:
        return [revision.number for revision in self.ecs.region.families.get(family, [])]

    def add_service(self, name: str, arn: str = task_definition_arn("web", 41), **members: Any) -> None:
        """A service of one task on that revision, without events. Its deployment is `ecs-svc/NAME-0`."""
        if ("prod", name) in self.ecs.region.services:
            return
        self.add_arn(arn)
        made = {"cluster": "prod", "serviceName": name, "taskDefinition": arn, "desiredCount": 1, **members}
        self.ecs.call("CreateService", made)
        self.ecs.settle()
        service = self.ecs.region.services["prod", name]
        service.deployments[0].id = f"ecs-svc/{name}-0"
        service.events.clear()

    def add_rule(self, rule: str, *targets: Doc) -> None:
        """A rule with these targets, where it has none of their ids."""
        if rule not in [one["Name"] for one in self.events.call("ListRules", {})["Rules"]]:
            self.events.call("PutRule", {"Name": rule, "ScheduleExpression": "rate(1 hour)"})
        known = [one["Id"] for one in self.targets(rule)]
        new = [{"Arn": CLUSTER, "RoleArn": ROLE, **one} for one in targets if one["Id"] not in known]
        if new:
            self.events.call("PutTargets", {"Rule": rule, "Targets": new})
