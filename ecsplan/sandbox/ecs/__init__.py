"""ECS as one function of an operation and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ecsplan.sandbox.common import AwsError, Clock
from ecsplan.sandbox.inputs import Inputs

from . import clusters, rollouts, services, task_definitions, tasks
from .state import Doc, Event, Region

Handler = Callable[[Region, Doc], Doc]

_MODULES: Final = (clusters, task_definitions, services, tasks)
OPERATIONS: Final[Mapping[str, Handler]] = MappingProxyType(
    {name: handler for module in _MODULES for name, handler in module.OPERATIONS.items()}
)


class Ecs:
    """The ECS of one region. Not thread-safe by itself: the sandbox calls it under its lock."""

    def __init__(self, region: Region, clock: Clock, inputs: Inputs) -> None:
        self._region = region
        self._clock = clock
        self._inputs = inputs

    @property
    def region(self) -> Region:
        """The state, for tests and for seeding."""
        return self._region

    def call(self, operation: str, params: object, unplaced: Doc | None = None, unplaced_count: int = 1) -> Doc:
        """The answer of ``operation`` as AWS's JSON, with times in epoch seconds. Raises AwsError.

        ``unplaced`` is an ordered failure, ``{"reason": ..., "detail": ...}``: for ``unplaced_count`` of RunTask's
        tasks, or for the first task or service that DescribeTasks or DescribeServices would have shown.
        """
        handler = OPERATIONS.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"The sandbox does not simulate ecs:{operation}.")
        checked = self._inputs.check(operation, params)
        self.settle()
        if unplaced and operation == "RunTask":
            return tasks.run(self._region, checked, unplaced, unplaced_count)
        answer = handler(self._region, checked)
        return _without_first(answer, unplaced) if unplaced else answer

    def settle(self) -> None:
        """Let everything happen that is due by the clock."""
        now = self._clock.now()

        def happen(event: Event, when: float) -> None:
            self._region.now = when
            rollouts.happen(self._region, event, when)

        self._region.agenda.settle(now, happen)
        self._region.now = now


def _without_first(answer: Doc, failure: Doc) -> Doc:
    """The answer with its first task or service in ``failures``."""
    kind, arn = ("tasks", "taskArn") if "tasks" in answer else ("services", "serviceArn")
    found = answer[kind]
    failures = [*answer["failures"], *({"arn": one[arn]} | failure for one in found[:1])]
    return {**answer, kind: found[1:], "failures": failures}
