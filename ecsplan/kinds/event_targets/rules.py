"""What EventBridge makes of a target between PutTargets and ListTargetsByRule, a row each.

Sources: the EventBridge API reference and botocore's service model; answers recorded from real accounts; the public
Terraform AWS provider.
"""

from __future__ import annotations

from ecsplan.core.normalize import Canon, Default, Drop, Keyed, Rule, Unordered
from ecsplan.core.text import canonical_json

E = "Targets.*.EcsParameters"


RULES: tuple[Rule, ...] = (
    Drop(path="Rule", reason="names the rule, no part of its state"),
    Drop(path="EventBusName", reason="names the rule, no part of its state"),
    Drop(path="absent", reason="what a rollback removes, no part of the state"),
    Canon(path="Targets.*.Input", to=canonical_json, reason="JSON as text, answered verbatim"),
    Default(path=f"{E}.TaskCount", value=1, reason="filled in"),
    Default(path=f"{E}.EnableECSManagedTags", value=False, reason="absent is off"),
    Default(path=f"{E}.EnableExecuteCommand", value=False, reason="absent is off"),
    Drop(path=f"{E}.PropagateTags", when=lambda value: value == "", reason='"" must be omitted'),
    Drop(path=f"{E}.PlatformVersion", when=lambda value: value == "LATEST", reason="the default"),
    Default(
        path=f"{E}.NetworkConfiguration.awsvpcConfiguration.AssignPublicIp", value="DISABLED", reason="the default"
    ),
    Unordered(path=f"{E}.NetworkConfiguration.awsvpcConfiguration.Subnets", reason="a set"),
    Unordered(path=f"{E}.NetworkConfiguration.awsvpcConfiguration.SecurityGroups", reason="a set"),
    Default(path=f"{E}.CapacityProviderStrategy.*.base", value=0, reason="filled in"),
    Default(path=f"{E}.CapacityProviderStrategy.*.weight", value=0, reason="filled in"),
    Keyed(path=f"{E}.CapacityProviderStrategy", by=("capacityProvider",), reason="shares by provider"),
    Unordered(path=f"{E}.PlacementConstraints", reason="all of them hold, in any order"),
    Keyed(path=f"{E}.Tags", by=("Key",), value="Value", reason="tags by key"),
    Keyed(path="Targets", by=("Id",), label="targets", reason="answered in another order"),
)
