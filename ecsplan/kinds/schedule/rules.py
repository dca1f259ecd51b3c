"""What EventBridge Scheduler makes of a schedule between UpdateSchedule and GetSchedule, a row each.

Sources: the EventBridge Scheduler API reference and botocore's service model; answers recorded from real accounts; the
public Terraform AWS provider. `is not documented` marks what no source says; both ways compare as equal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ecsplan.core.normalize import Canon, CanonBeside, Default, Drop, Keyed, Rule
from ecsplan.kinds.ecs.target_rules import ecs_parameters
from ecsplan.kinds.schedule.target import comparable_input, revision_alone

T, E = "Target", "Target.EcsParameters"


def whole_seconds(value: Any) -> Any:
    """A date and time of ISO 8601 with an offset, in UTC and whole seconds. Other values as they are."""
    try:
        at = datetime.fromisoformat(value)
        return value if at.tzinfo is None else at.astimezone(UTC).replace(microsecond=0).isoformat()
    except (TypeError, ValueError, OverflowError):  # no date, or one that is beyond Python's in UTC
        return value


def lower_case_tags(tags: Any) -> Any:
    """Tags are free maps in the model. In a pair of key and value, these two are found in any case. What other maps
    mean is not documented: each of their members counts as a tag of its own, which is named in braces, as no key is."""
    return [one for tag in tags for one in _pairs(tag)] if isinstance(tags, list) else tags


def _pairs(tag: Any) -> list[Any]:
    if not isinstance(tag, dict):
        return [tag]
    folded = {str(name).lower(): value for name, value in tag.items()}
    if len(folded) == len(tag) and sorted(folded) in (["key"], ["key", "value"]):
        return [folded]
    return [{"key": f"{{{name}}}", "value": value} for name, value in tag.items()]


RULES: tuple[Rule, ...] = (
    Drop(path="ClientToken", reason="of one request, never answered"),
    Default(path="GroupName", value="default", reason="the default"),
    Default(path="State", value="ENABLED", reason="the default"),
    Default(path="ScheduleExpressionTimezone", value="UTC", reason="the default"),
    Default(path="ActionAfterCompletion", value="NONE", reason="the default"),
    Canon(path="StartDate", to=whole_seconds, reason="one moment in any time zone"),
    Canon(path="EndDate", to=whole_seconds, reason="one moment in any time zone"),
    CanonBeside(path=f"{T}.Input", to=comparable_input, reason="JSON as text; a revision in it is compared by itself"),
    Default(
        path=f"{T}.RetryPolicy",
        value={"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        reason="filled in, unlike for rules",
    ),
    Default(path=f"{T}.RetryPolicy.MaximumEventAgeInSeconds", value=86400, reason="filled in"),
    Default(path=f"{T}.RetryPolicy.MaximumRetryAttempts", value=185, reason="filled in; 0 is a value"),
    Default(path=f"{E}.TaskCount", value=1, reason="the default; whether it is filled in is not documented"),
    Drop(path=f"{E}.LaunchType", when=lambda value: value == "", reason='"" is none'),
    Drop(path=f"{E}.PropagateTags", when=lambda value: value == "", reason='"" is none'),
    *ecs_parameters(E),
    Canon(path=f"{E}.Tags", to=lower_case_tags, reason="the case of key and value is not documented"),
    Keyed(path=f"{E}.Tags", by=("key",), value="value", reason="tags by key"),
    CanonBeside(path=E, to=revision_alone, reason="a universal target has its revision there, and nothing else"),
)
