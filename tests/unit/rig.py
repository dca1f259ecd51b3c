"""The ports of the executor in one place, around an account whose calls can fail."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from ecsplan.apply.deploy import Options, Result, apply, resume
from ecsplan.apply.redacted import redacted_ports, redacted_result
from ecsplan.apply.send import Ports
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.model import Address, Call, Doc, Plan, Step
from ecsplan.journal import Deployment, Opened
from ecsplan.redact import Redactor
from ecsplan.sandbox.ecs.outcomes import RolloutRule, TaskRule
from tests.unit.builders import AT, ORIGIN
from tests.unit.failing_account import FailingAccount
from tests.unit.fakes import FakeClock, FakeLog


def rolls_out(*, after: float = 0.0) -> RolloutRule:
    """A rollout that succeeds so many seconds after its beginning."""
    return RolloutRule(ends="COMPLETED", seconds=after)


def fails(reason: str, *, after: float = 0.0) -> RolloutRule:
    """A rollout that fails so many seconds after its beginning, and that ECS does not roll back."""
    return RolloutRule(ends="FAILED", reason=reason, seconds=after)


def exits(code: int, *, after: float = 0.0) -> TaskRule:
    """A task that ends so many seconds after its start."""
    return TaskRule(exit_code=code, stopped_reason="it ended", seconds=after)


FOR_EVER = rolls_out(after=1e6)
STAYS = TaskRule(stays="RUNNING")


@dataclass
class Rig:
    """All ports of the executor. Before a plan is applied, the account holds what the plan's steps found."""

    clock: FakeClock = field(default_factory=FakeClock)
    said: list[events.Event] = field(default_factory=list)
    told: list[tuple[Step, Call, Doc]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    redactor: Redactor = field(default_factory=Redactor)
    closed: list[events.DeploymentClosed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aws = FailingAccount(self.clock)
        self.log = FakeLog(self.aws.trace)
        self.tasks, self.rollouts = self.aws.outcomes.tasks, self.aws.outcomes.rollouts

    @property
    def trace(self) -> list[str]:
        """Journal entries and calls, in the order in which they happened."""
        return self.aws.trace

    def apply(self, plan: Plan, *, number: int = 7, at: str = AT, **options: Any) -> Result:
        self.aws.seed(plan)
        key = Opened(number=number, at=at, origin=ORIGIN, plan=plan).deployment_key
        return self._ended(apply(plan, number, self.ports, Options(**options), key=key))

    def resume(self, deployment: Deployment, **options: Any) -> Result:
        self.aws.seed(deployment.opened.plan)
        return self._ended(resume(deployment, self.ports, Options(**options)))

    @property
    def ports(self) -> Ports:
        return redacted_ports(self._ports(), self.redactor)

    def hide(self, secret: str) -> None:
        """A secret that the plan holds."""
        variables = [{"name": "PASSWORD", "value": secret}]
        doc = {"containerDefinitions": [{"name": "web", "environment": variables}]}
        self.redactor.learn_documents([(Address("task_definition.web"), doc)])

    def _ports(self) -> Ports:
        return Ports(
            read=self.aws,
            write=self.aws.write,
            journal=self.log,
            clock=StoppableClock(self.clock, self.stop),
            emit=self._hear,
        )

    def _hear(self, event: events.Event | events.Notice) -> None:
        match event:
            case events.CallAnswered():
                self.told.append((event.step, event.call, event.answer))
            case events.DeploymentClosed():
                self.closed.append(event)
            case events.Event():
                self.said.append(event)

    def _ended(self, result: Result) -> Result:
        result = redacted_result(result, self.redactor)
        assert self.said[-1] == events.DeploymentEnded(
            number=result.number, outcome=result.outcome.value, reason=result.reason
        )
        return result

    def happened(self, kind: type[events.Event]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]
