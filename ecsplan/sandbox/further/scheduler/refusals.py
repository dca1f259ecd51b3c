"""What AWS refuses of a schedule beyond what botocore's model says (aws-facts-2 section 1.2; for cron, "Schedule types
in EventBridge Scheduler" of the user guide). All refusals are ValidationExceptions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from ecsplan.sandbox.common import validation

Doc = dict[str, Any]
LONGEST_INPUT: Final = 256 * 1024
#: How long ago a StartDate may be, in seconds.
LATE: Final = 300
_RATE: Final = re.compile(r"rate\((\d+)\s+(minutes?|hours?|days?)\)")
_AT: Final = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON: Final = re.compile(r"cron\((.+)\)")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: The six fields of cron: the least and the greatest number, names for numbers, what else may stand there.
_FIELDS: Final[tuple[tuple[int, int, tuple[str, ...], str], ...]] = (
    (0, 59, (), ""),
    (0, 23, (), ""),
    (1, 31, (), r"\?|L|LW|\d\d?W"),
    (1, 12, _MONTHS, ""),
    (1, 7, _DAYS, rf"\?|L|[1-7]L|([1-7]|{'|'.join(_DAYS)})#[1-5]"),
    (1970, 2199, (), ""),
)


def check(params: Doc, now: float) -> None:
    """Raises AwsError for a schedule that AWS does not accept at ``now``, in epoch seconds."""
    expression = params["ScheduleExpression"]
    if not (_is_rate(expression) or _is_at(expression) or _is_cron(expression)):
        raise validation(f"Invalid Schedule Expression {expression}.")
    zone = params.get("ScheduleExpressionTimezone", "UTC")
    if not _is_timezone(zone):
        raise validation(f"Invalid ScheduleExpressionTimezone {zone}.")
    _check_window(params["FlexibleTimeWindow"])
    if not _is_at(expression):  # both dates are ignored for one-time schedules
        _check_dates(params.get("StartDate"), params.get("EndDate"), now)
    _check_target(params["Target"])


# --- when ---


def _is_rate(text: str) -> bool:
    found = _RATE.fullmatch(text)
    return found is not None and int(found[1]) > 0


def _is_at(text: str) -> bool:
    found = _AT.fullmatch(text)
    try:
        return found is not None and bool(datetime.fromisoformat(found[1]))
    except ValueError:
        return False


def _is_cron(text: str) -> bool:
    """Six fields; exactly one of day of month and day of week is ``?``."""
    found = _CRON.fullmatch(text)
    fields = found[1].split() if found else []
    if len(fields) != len(_FIELDS) or (fields[2] == "?") == (fields[4] == "?"):
        return False
    return all(_fits(field.upper(), *allowed) for field, allowed in zip(fields, _FIELDS, strict=True))


def _fits(field: str, least: int, greatest: int, names: tuple[str, ...], signs: str) -> bool:
    def is_value(text: str) -> bool:
        return text in names or (text.isdecimal() and least <= int(text) <= greatest)

    def is_part(text: str) -> bool:
        range_, slash, step = text.partition("/")
        if slash and not (step.isdecimal() and int(step)):
            return False
        ends = range_.split("-")
        return range_ == "*" or (len(ends) <= 2 and all(map(is_value, ends)))

    return bool(signs and re.fullmatch(signs, field)) or all(map(is_part, field.split(",")))


def _is_timezone(name: str) -> bool:
    """Any name counts as one on a machine without a database of time zones."""
    return name == "UTC" or name in _timezones() or not _timezones()


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_window(window: Doc) -> None:
    minutes = window.get("MaximumWindowInMinutes")
    if window["Mode"] == "OFF" and minutes is not None:
        raise validation("MaximumWindowInMinutes must not be set when FlexibleTimeWindow Mode is OFF.")
    if window["Mode"] == "FLEXIBLE" and minutes is None:
        raise validation("MaximumWindowInMinutes must be set when FlexibleTimeWindow Mode is FLEXIBLE.")


def _check_dates(start: float | None, end: float | None, now: float) -> None:
    if start is not None and start < now - LATE:
        raise validation("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if start is not None and end is not None and end < start:
        raise validation("The EndDate you specify cannot be earlier than the StartDate.")


# --- what ---


def is_cluster(arn: str) -> bool:
    """Is it the ARN of an ECS cluster, in any partition?"""
    service, resource = _parts(arn)
    return service == "ecs" and resource.startswith("cluster/")


def is_universal(arn: str) -> bool:
    """Is it an operation of an AWS service, as ``arn:aws:scheduler:::aws-sdk:ecs:runTask``?"""
    service, resource = _parts(arn)
    return service == "scheduler" and resource.startswith("aws-sdk:")


def _parts(arn: str) -> tuple[str, str]:
    """The service and the resource of an ARN; empty texts for what is none."""
    parts = arn.split(":", 5)
    return (parts[2], parts[5]) if len(parts) == 6 and parts[0] == "arn" else ("", "")


def _check_target(target: Doc) -> None:
    kinds = sorted(key for key in target if key.endswith("Parameters"))
    if len(kinds) > 1:
        raise validation(f"A target can have only one of {', '.join(kinds)}.")
    if is_cluster(target["Arn"]) != ("EcsParameters" in target):
        required = "is required" if is_cluster(target["Arn"]) else "is not valid"
        raise validation(f"EcsParameters {required} for the target {target['Arn']}.")
    _check_input(target)
    if "EcsParameters" in target:
        _check_parameters(target["EcsParameters"])


def _check_input(target: Doc) -> None:
    given = target.get("Input")
    if given is None:
        return
    if len(given.encode()) > LONGEST_INPUT:
        raise validation("Input must not be larger than 256 KB.")
    if is_universal(target["Arn"]) and not _is_object(given):
        raise validation(f"Input must be a JSON object for the target {target['Arn']}.")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), Mapping)
    except (ValueError, RecursionError):
        return False


def _check_parameters(parameters: Doc) -> None:
    launch_type = parameters.get("LaunchType")
    if launch_type and parameters.get("CapacityProviderStrategy"):
        raise validation("LaunchType and CapacityProviderStrategy exclude each other.")
    network = parameters.get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
    if network.get("AssignPublicIp") == "ENABLED" and launch_type != "FARGATE":
        raise validation("AssignPublicIp can be ENABLED only when LaunchType is FARGATE.")
