"""What EventBridge makes of the parameters of an ECS task that a target starts, a row each: rules and schedules alike.

Sources: the API references of EventBridge and EventBridge Scheduler, and botocore's service models.
"""

from __future__ import annotations

from ecsplan.core.normalize import Default, Drop, Keyed, Rule, Unordered


def ecs_parameters(at: str) -> tuple[Rule, ...]:
    """The rows for the `EcsParameters` at this path."""
    network = f"{at}.NetworkConfiguration.awsvpcConfiguration"
    return (
        Default(path=f"{at}.EnableECSManagedTags", value=False, reason="absent is off"),
        Default(path=f"{at}.EnableExecuteCommand", value=False, reason="absent is off"),
        Drop(path=f"{at}.PlatformVersion", when=lambda value: value == "LATEST", reason="the default"),
        Default(path=f"{network}.AssignPublicIp", value="DISABLED", reason="the default"),
        Unordered(path=f"{network}.Subnets", reason="a set"),
        Unordered(path=f"{network}.SecurityGroups", reason="a set"),
        Default(path=f"{at}.CapacityProviderStrategy.*.base", value=0, reason="filled in"),
        Default(path=f"{at}.CapacityProviderStrategy.*.weight", value=0, reason="filled in"),
        Keyed(path=f"{at}.CapacityProviderStrategy", by=("capacityProvider",), reason="shares by provider"),
        Unordered(path=f"{at}.PlacementConstraints", reason="all of them hold, in any order"),
    )
