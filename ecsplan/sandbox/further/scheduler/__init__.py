"""EventBridge Scheduler: schedules and their groups (aws-facts-2 section 1). They never trigger anything."""

from __future__ import annotations

from ecsplan.sandbox.common import Rate
from ecsplan.sandbox.further import Service
from ecsplan.sandbox.inputs import Inputs

from .operations import Scheduler
from .seeding import declared_schedules, seed

SERVICE = Service(
    name="scheduler",
    make=lambda region, clock: Scheduler(region, clock, Inputs("scheduler")),
    # The quota of CreateSchedule in the regions where it is lowest; AWS publishes none for the other operations.
    rates=(Rate(service="scheduler", operations=frozenset({"*"}), burst=250, per_second=250, status=429),),
    seed=seed,
    uses_revisions=lambda task: bool(declared_schedules(task)),
)
