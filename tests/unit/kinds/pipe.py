"""A kind in one file, for tests: pipes of EventBridge Pipes, pointed at the new revision.

It is no part of ecsplan. Tests let the package of kinds find it, and change nothing else.
"""

from __future__ import annotations

from ecsplan.core.checks import Request, boolean
from ecsplan.core.model import Phase
from ecsplan.core.normalize import Default, Unordered
from ecsplan.core.rates import Rate
from ecsplan.kinds.contract import Table
from ecsplan.kinds.put import put_kind

ECS = "TargetParameters.EcsTaskParameters"

KIND = put_kind(
    name="pipe",
    order=9,
    phase=Phase.TARGETS,
    table=Table(
        key="pipes__update_pipes",
        request=Request(
            service="pipes",
            operation="update_pipe",
            partial=True,
            required=frozenset({"Name"}),
            filled=frozenset({"Name"}),
        ),
        own={"wait": boolean},
    ),
    identity=("Name",),
    get="describe_pipe",
    not_found={"NotFoundException"},
    revision=f"{ECS}.TaskDefinitionArn",
    rules=(
        Default(path="DesiredState", value="RUNNING", reason="the default"),
        Unordered(path=f"{ECS}.NetworkConfiguration.awsvpcConfiguration.Subnets", reason="a set"),
    ),
    rates=(Rate(operations=frozenset({"pipes:*"}), burst=10, per_second=10, source="a second's worth"),),
)
