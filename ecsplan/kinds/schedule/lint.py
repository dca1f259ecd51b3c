"""What UpdateSchedule rejects, and what it takes without the effect that was meant. The limits are those of botocore's
EventBridge Scheduler model, and of its user guide."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, entries_of, member, quoted
from ecsplan.core.model import Doc
from ecsplan.core.text import is_json, json_object
from ecsplan.kinds.contract import CompileScope
from ecsplan.kinds.ecs.lint import integer, longer, tables
from ecsplan.kinds.schedule.target import CAPACITY, CLUSTER, OF_OTHERS, REVISION, UNIVERSAL

KEY = "scheduler__update_schedules"
NAME = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
RATE = re.compile(r"rate\(0*[1-9][0-9]* (minutes?|hours?|days?)\)")
CRON = re.compile(r"cron\(\S+ \S+ (?P<month_day>\S+) \S+ (?P<week_day>\S+) \S+\)")
AT = re.compile(r"at\((?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)")
# Of ISO 8601 what AWS's SDK reads too, and with an offset.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})")
MAX_WINDOW = 1440  # minutes
MAX_INPUT = 256 * 1024  # bytes
MAX_DESCRIPTION = 512
MAX_TASKS = 10
MAX_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}  # the least are in the model
MAX_ENTRIES = {"Subnets": 16, "SecurityGroups": 5}
MAX_PROVIDERS = 6
LATE = 300  # seconds that a StartDate may be past
CHOICES = {"State": ("ENABLED", "DISABLED"), "ActionAfterCompletion": ("NONE", "DELETE")}
ARNS = {
    ("KmsKeyArn",): re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[0-9a-zA-Z_-]*"),
    ("Target", "RoleArn"): re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"),
    ("Target", "DeadLetterConfig", "Arn"): re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+"),
}


def problems(task: Any, path: Path) -> Problems:
    """Everything in a task's schedules that AWS would reject, each with its path."""
    for entry, at in tables(task, KEY, path):
        yield from _names(entry, at)
        yield from _times(entry, at)
        yield from _window(member(entry, "FlexibleTimeWindow"), (*at, "FlexibleTimeWindow"))
        yield from longer(entry, "Description", MAX_DESCRIPTION, at)
        for key, choices in CHOICES.items():
            yield from _one_of(entry, key, choices, at)
        for place, pattern in ARNS.items():
            yield from _arn(entry, place, pattern, at)
        yield from _target(member(entry, "Target"), (*at, "Target"))


def cautions(task: Any, path: Path, scope: CompileScope) -> Problems:
    """What AWS takes, and what may not do what was meant."""
    for entry, at in tables(task, KEY, path):
        expression = member(entry, "ScheduleExpression")
        if isinstance(expression, str) and expression.startswith("rate(") and member(entry, "StartDate") is None:
            yield Problem(
                (*at, "ScheduleExpression"),
                "each deployment updates the schedule, and AWS does not say whether rate() is then counted anew: if it "
                "is, deployments that are more frequent keep it from ever running; use cron(), or declare a StartDate",
            )
        target = member(entry, "Target")
        parameters = member(target, "EcsParameters")
        network = member(member(parameters, "NetworkConfiguration"), "awsvpcConfiguration")
        if member(network, "AssignPublicIp") == "ENABLED" and member(parameters, "CapacityProviderStrategy"):
            at_ip = (*at, "Target", "EcsParameters", "NetworkConfiguration", "awsvpcConfiguration", "AssignPublicIp")
            said = "AWS documents it for LaunchType FARGATE only, and may refuse it beside a CapacityProviderStrategy"
            yield Problem(at_ip, said)
        if is_past(member(entry, "StartDate"), scope.now):
            said = "is past; AWS does not accept it, so the schedule keeps the one that it has; remove it from the spec"
            yield Problem((*at, "StartDate"), said)


def _names(entry: Any, path: Path) -> Problems:
    for key in ("Name", "GroupName"):
        name = member(entry, key)
        if isinstance(name, str) and name and not NAME.fullmatch(name):
            yield Problem((*path, key), "a name is 1 to 64 letters, digits and - _ . only; it is no ARN")


def _times(entry: Any, path: Path) -> Problems:
    expression = member(entry, "ScheduleExpression")
    if isinstance(expression, str) and (said := _malformed(expression)):
        yield Problem((*path, "ScheduleExpression"), said)
    moments = {}
    for key in ("StartDate", "EndDate"):
        value = member(entry, key)
        at = _moment(value)
        if at is not None:
            moments[key] = at
        elif isinstance(value, str | date | time):
            said = "must be a date and a time with an offset, such as 2026-12-24T18:00:00Z"
            yield Problem((*path, key), said)
    if len(moments) == 2 and moments["EndDate"] <= moments["StartDate"]:
        yield Problem((*path, "EndDate"), "must be later than StartDate")


def is_past(start: Any, now: float) -> bool:
    """Is it a StartDate that AWS no longer accepts at this time (seconds since the epoch)?"""
    at = _moment(start)
    return at is not None and at.timestamp() < now - LATE


def unsound(doc: Doc) -> str:
    """Why AWS would refuse a schedule that is whole, live values included; "" if nothing speaks against it."""
    window = doc.get("FlexibleTimeWindow")
    if member(window, "Mode") == "FLEXIBLE" and member(window, "MaximumWindowInMinutes") is None:
        return "its FlexibleTimeWindow is FLEXIBLE, and neither the spec nor AWS has its MaximumWindowInMinutes"
    start, end = _moment(doc.get("StartDate")), _moment(doc.get("EndDate"))
    if start and end and end < start and not str(doc.get("ScheduleExpression", "")).startswith("at("):
        return f"its EndDate {doc['EndDate']} would be before its StartDate {doc['StartDate']}"
    return ""


def _malformed(expression: str) -> str:
    """What is wrong with an expression; "" where nothing is."""
    if found := CRON.fullmatch(expression):
        if (found["month_day"] == "?") is not (found["week_day"] == "?"):
            return ""
        return "cron() needs ? as day of the month or as day of the week, and not as both: cron(0 3 * * ? *)"
    if found := AT.fullmatch(expression):
        return "" if _parsed(found["moment"]) else f"there is no {found['moment']}"
    if RATE.fullmatch(expression):
        return ""
    return "must be rate(5 minutes), cron(0 3 * * ? *) with six fields, or at(2026-12-24T18:00:00)"


def _moment(value: Any) -> datetime | None:
    """A date and time with an offset, of the years that UTC has; None for everything else."""
    at = _parsed(value) if isinstance(value, str) and MOMENT.fullmatch(value) else value
    if not isinstance(at, datetime) or at.tzinfo is None:
        return None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return None


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _window(window: Any, path: Path) -> Problems:
    yield from _one_of(window, "Mode", ("OFF", "FLEXIBLE"), path)
    minutes = integer(member(window, "MaximumWindowInMinutes"))
    if minutes > MAX_WINDOW:
        yield Problem((*path, "MaximumWindowInMinutes"), f"must be at most {MAX_WINDOW}, not {minutes}")
    if minutes and member(window, "Mode") == "OFF":
        yield Problem((*path, "MaximumWindowInMinutes"), "goes only with Mode FLEXIBLE")


def _target(target: Any, path: Path) -> Problems:
    text, arn = member(target, "Input"), member(target, "Arn")
    if isinstance(text, str) and len(text.encode(errors="replace")) > MAX_INPUT:
        yield Problem((*path, "Input"), f"longer than {MAX_INPUT} bytes, which is the most that AWS takes")
    for key, most in MAX_RETRIES.items():
        if (number := integer(member(member(target, "RetryPolicy"), key))) > most:
            yield Problem((*path, "RetryPolicy", key), f"must be at most {most}, not {number}")
    universal = isinstance(arn, str) and UNIVERSAL.fullmatch(arn)
    if universal and member(target, "EcsParameters"):
        said = f"does not go with this Arn: the task definition is the {REVISION} in its Input, which ecsplan sets"
        yield Problem((*path, "EcsParameters"), said)
    if universal and isinstance(text, str) and json_object(text) is None:
        yield Problem((*path, "Input"), "must be the request of RunTask as a JSON object")
    elif isinstance(text, str) and text and not universal and not is_json(text):
        yield Problem((*path, "Input"), "must be JSON; a text is written with quotes of its own, '\"text\"'")
    if isinstance(arn, str) and arn and not universal and not CLUSTER.fullmatch(arn):
        said = f"{quoted(arn)} runs no ECS task; declare a cluster's ARN, or leave it out to keep the live one"
        yield Problem((*path, "Arn"), said)
    for key in OF_OTHERS:
        if member(target, key):
            yield Problem((*path, key), "does not go with a target that runs an ECS task; leave it out")
    yield from _ecs_parameters(member(target, "EcsParameters"), (*path, "EcsParameters"))


def _ecs_parameters(parameters: Any, path: Path) -> Problems:
    if all(member(parameters, key) for key in CAPACITY):
        said = f"goes without {CAPACITY[0]}; declare one of the two, not both"
        yield Problem((*path, CAPACITY[1]), said)
    if (count := integer(member(parameters, "TaskCount"))) > MAX_TASKS:
        yield Problem((*path, "TaskCount"), f"must be at most {MAX_TASKS}, not {count}")
    if member(parameters, "LaunchType") == "MANAGED_INSTANCES":
        said = "MANAGED_INSTANCES is no launch type here; declare a CapacityProviderStrategy instead"
        yield Problem((*path, "LaunchType"), said)
    else:
        yield from _one_of(parameters, "LaunchType", ("EC2", "FARGATE", "EXTERNAL"), path)
    propagate = member(parameters, "PropagateTags")
    if isinstance(propagate, str) and propagate != "TASK_DEFINITION":
        said = "a schedule can only propagate the tags of the TASK_DEFINITION; write that, or leave it out"
        yield Problem((*path, "PropagateTags"), said)
    if len(entries_of(parameters, "CapacityProviderStrategy")) > MAX_PROVIDERS:
        yield Problem((*path, "CapacityProviderStrategy"), f"more than {MAX_PROVIDERS}, which is the most AWS takes")
    network = member(member(parameters, "NetworkConfiguration"), "awsvpcConfiguration")
    at = (*path, "NetworkConfiguration", "awsvpcConfiguration")
    for key, most in MAX_ENTRIES.items():
        if len(entries_of(network, key)) > most:
            yield Problem((*at, key), f"more than {most}, which is the most that AWS takes")
    yield from _one_of(network, "AssignPublicIp", ("ENABLED", "DISABLED"), at)
    if member(network, "AssignPublicIp") == "ENABLED" and member(parameters, "LaunchType") in ("EC2", "EXTERNAL"):
        yield Problem((*at, "AssignPublicIp"), "goes only with LaunchType FARGATE")


def _one_of(table: Any, key: str, choices: tuple[str, ...], path: Path) -> Problems:
    value = member(table, key)
    if isinstance(value, str) and value not in choices:
        yield Problem((*path, key), f"must be {' or '.join(choices)}, not {quoted(value)}")


def _arn(entry: Any, place: tuple[str, ...], pattern: re.Pattern[str], path: Path) -> Problems:
    value = entry
    for key in place:
        value = member(value, key)
    if isinstance(value, str) and not pattern.fullmatch(value):
        yield Problem((*path, *place), f"{quoted(value)} is no ARN of the sort that AWS takes here")
