"""What PutTargets rejects. The limits are those of botocore's EventBridge model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member, quoted, repeats, tables_of
from ecsplan.core.model import Doc
from ecsplan.core.text import is_json
from ecsplan.kinds.ecs.lint import integer, longer, tables

KEY = "events__put_targets"
MAX_TARGETS = 5  # of a rule (EventBridge quotas)
MAX_GROUP = 255
MAX_INPUT = 8192  # characters
MAX_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}  # the least are in the model
INPUTS = ("Input", "InputPath", "InputTransformer")


def problems(task: Any, path: Path) -> Problems:
    """Everything in a task's targets that AWS would reject, each with its path."""
    for entry, at in tables(task, KEY, path):
        for target, where in tables(entry, "Targets", at):
            yield from _target(target, where)


def clashes(tasks: Doc, cluster: Any) -> Problems:
    """A rule is declared once in a task, a target once in a rule, and a rule has at most MAX_TARGETS targets."""
    rules, targets = [], []
    counts: Counter[tuple[str, Any]] = Counter()
    for path, entry in tables_of(tasks, KEY):
        bus = str(entry.get("EventBusName", "default")).rpartition("event-bus/")[2]
        rule = entry.get("Rule")
        rules.append(((path[1], bus, rule), (*path, "Rule")))
        for index, target in enumerate(entries_of(entry, "Targets")):
            targets.append(((bus, rule, member(target, "Id")), (*path, "Targets", index, "Id")))
        if not isinstance(rule, str):
            continue
        fitted = counts[bus, rule] <= MAX_TARGETS
        counts[bus, rule] += len(entries_of(entry, "Targets"))
        if fitted and counts[bus, rule] > MAX_TARGETS:
            said = f"more than {MAX_TARGETS} targets of {quoted(rule)}, which is the most that a rule can have"
            yield Problem((*path, "Targets"), said)
    for (_, _, rule), again, first in repeats(rules):
        yield Problem(again, f"{quoted(rule)} is the rule of {dotted(first[:-1])} too; put both targets in one entry")
    for (_, rule, name), again, first in repeats(targets):
        yield Problem(again, f"{quoted(name)} is the Id of {dotted(first[:-1])} too; {quoted(rule)} can have it once")


def _target(target: Any, path: Path) -> Problems:
    given = [key for key in INPUTS if member(target, key)]
    if len(given) > 1:
        yield Problem((*path, given[1]), f"goes without {given[0]}; a target has one of {', '.join(INPUTS)}")
    yield from longer(target, "Input", MAX_INPUT, path)
    text = member(target, "Input")
    if isinstance(text, str) and text and not is_json(text):
        yield Problem((*path, "Input"), "must be JSON; a text is written with quotes of its own, '\"text\"'")
    for key, most in MAX_RETRIES.items():
        if (number := integer(member(member(target, "RetryPolicy"), key))) > most:
            yield Problem((*path, "RetryPolicy", key), f"must be at most {most}, not {number}")
    yield from _ecs_parameters(member(target, "EcsParameters"), (*path, "EcsParameters"))


def _ecs_parameters(parameters: Any, path: Path) -> Problems:
    if member(parameters, "LaunchType") and member(parameters, "CapacityProviderStrategy"):
        said = "goes without LaunchType; declare one of the two, not both"
        yield Problem((*path, "CapacityProviderStrategy"), said)
    propagate = member(parameters, "PropagateTags")
    if isinstance(propagate, str) and propagate != "TASK_DEFINITION":
        said = "a target can only propagate the tags of the TASK_DEFINITION; write that, or leave it out"
        yield Problem((*path, "PropagateTags"), said)
    yield from longer(parameters, "Group", MAX_GROUP, path)
