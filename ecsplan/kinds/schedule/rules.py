"""What EventBridge Scheduler makes of a schedule between UpdateSchedule and GetSchedule, a row each.

Sources: the EventBridge Scheduler API reference and botocore's service model; answers recorded from real accounts; the
public Terraform AWS provider. `is not documented` marks what no source says; both ways compare as equal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ecsplan.core.normalize import Canon, Default, Derive, Drop, Keyed, Rule, Unordered
from ecsplan.kinds.schedule.target import comparable_input

T, E = "Target", "Target.EcsParameters"


def whole_seconds(value: Any) -> Any:
    """A date and time of ISO 8601 with an offset, in UTC and whole seconds. Other values as they are."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return value if at.tzinfo is None else at.astimezone(UTC).replace(microsecond=0).isoformat()


def lower_case_tags(tags: Any) -> Any:
    """Tags are free maps in the model: `key` and `value` are found in either case."""
    if not isinstance(tags, list):
        return tags
    return [{str(k).lower(): v for k, v in tag.items()} if isinstance(tag, dict) else tag for tag in tags]


RULES: tuple[Rule, ...] = (
    Drop(path="ClientToken", reason="of one request, never answered"),
    Default(path="GroupName", value="default", reason="the default"),
    Default(path="State", value="ENABLED", reason="the default"),
    Default(path="ScheduleExpressionTimezone", value="UTC", reason="the default"),
    Default(path="ActionAfterCompletion", value="NONE", reason="the default"),
    Canon(path="StartDate", to=whole_seconds, reason="one moment in any time zone"),
    Canon(path="EndDate", to=whole_seconds, reason="one moment in any time zone"),
    Derive(path=f"{T}.Input", of=comparable_input, reason="JSON as text; a revision in it is compared by itself"),
    Default(
        path=f"{T}.RetryPolicy",
        value={"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        reason="filled in, unlike for rules",
    ),
    Default(path=f"{T}.RetryPolicy.MaximumEventAgeInSeconds", value=86400, reason="filled in"),
    Default(path=f"{T}.RetryPolicy.MaximumRetryAttempts", value=185, reason="filled in; 0 is a value"),
    Default(path=f"{E}.TaskCount", value=1, reason="the default; whether it is filled in is not documented"),
    Default(path=f"{E}.EnableECSManagedTags", value=False, reason="absent is off"),
    Default(path=f"{E}.EnableExecuteCommand", value=False, reason="absent is off"),
    Drop(path=f"{E}.LaunchType", when=lambda value: value == "", reason='"" is none'),
    Drop(path=f"{E}.PropagateTags", when=lambda value: value == "", reason='"" is none'),
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
    Canon(path=f"{E}.Tags", to=lower_case_tags, reason="the case of key and value is not documented"),
    Keyed(path=f"{E}.Tags", by=("key",), value="value", reason="tags by key"),
)
