"""A kind in one file, for tests: schedules of EventBridge Scheduler, pointed at the new revision.

It is no part of ecsplan. Tests let the package of kinds find it, and change nothing else.
"""

from __future__ import annotations

from datetime import datetime

from ecsplan.core.checks import Request, boolean
from ecsplan.core.model import Phase
from ecsplan.core.normalize import Default, Drop, Keyed, Unordered
from ecsplan.core.rates import Rate
from ecsplan.kinds.contract import Table
from ecsplan.kinds.put import put_kind

ECS = "Target.EcsParameters"

KIND = put_kind(
    name="schedule",
    order=4,
    phase=Phase.TARGETS,
    table=Table(
        key="scheduler__update_schedules",
        request=Request(
            service="scheduler",
            operation="update_schedule",
            partial=True,
            required=frozenset({"Name"}),
            filled=frozenset({"Name", "GroupName"}),
            lenient={"StartDate": (datetime,), "EndDate": (datetime,)},
        ),
        own={"wait": boolean},
    ),
    identity=("GroupName", "Name"),
    get="get_schedule",
    not_found={"ResourceNotFoundException"},
    revision=f"{ECS}.TaskDefinitionArn",
    rules=(
        Drop(path="ClientToken", reason="of one request, never answered"),
        Default(path="GroupName", value="default", reason="the default"),
        Default(path="State", value="ENABLED", reason="the default"),
        Unordered(path=f"{ECS}.NetworkConfiguration.awsvpcConfiguration.Subnets", reason="a set"),
        Keyed(path=f"{ECS}.CapacityProviderStrategy", by=("capacityProvider",), reason="shares by provider"),
    ),
    rates=(
        Rate(operations=frozenset({"scheduler:*"}), burst=250, per_second=250, source="EventBridge Scheduler, quotas"),
    ),
)
