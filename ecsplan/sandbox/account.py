"""The state of everything that is simulated, as one value."""

from __future__ import annotations

from .common import Clock, Ids
from .ecs import Ecs
from .ecs.outcomes import Outcomes
from .ecs.state import Region
from .further import Simulated, services
from .inputs import Inputs
from .logs import Logs
from .rates import Buckets


class Account:
    """ECS, the further services and the logs of tasks, in all regions of one account. Not thread-safe.

    It holds data only: ``pickle.loads(pickle.dumps(account))`` is a second account in the same state, at any moment,
    also in the middle of rollouts. Nothing is shared: the copy has a copy of the clock, too.
    """

    def __init__(self, clock: Clock, outcomes: Outcomes | None = None) -> None:
        self.clock = clock
        self.outcomes = outcomes or Outcomes()
        self.ids, self.logs, self.buckets = Ids(), Logs(), Buckets()
        self._ecs: dict[str, Ecs] = {}
        self._further: dict[tuple[str, str], Simulated] = {}

    def ecs(self, region: str) -> Ecs:
        """The ECS of a region. It is empty at first."""
        if region not in self._ecs:
            state = Region(region, self.ids, self.outcomes, self.logs)
            self._ecs[region] = Ecs(state, self.clock, Inputs("ecs"))
        return self._ecs[region]

    def further(self, name: str, region: str) -> Simulated:
        """Another service of a region, in its first state at first."""
        if (name, region) not in self._further:
            self._further[name, region] = services()[name].make(region, self.clock)
        return self._further[name, region]

    def settle(self) -> tuple[Ecs, ...]:
        """Let everything happen that is due by the clock. Returns the ECS of each region in use."""
        for ecs in self._ecs.values():
            ecs.settle()
        return tuple(self._ecs.values())
