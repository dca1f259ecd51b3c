"""What may stand in a spec: ecsplan's own keys, the AWS requests behind its tables, and what is declared twice. Each
check answers with problems; none raises."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from ecsplan.aws import api
from ecsplan.aws.api import Request
from ecsplan.core.checks import (
    MISSING,
    Check,
    Path,
    Problem,
    boolean,
    dotted,
    entries_of,
    matching,
    member,
    nonempty,
    quoted,
    repeats,
    unknown_key,
    want_table,
    want_tables,
    wrong_type,
)
from ecsplan.core.model import Doc
from ecsplan.spec import lint

BLACKLIST_REGEX = "^describe_|get_|list_|.*register_task"
LONGEST = 30 * 86400  # seconds
_DURATION = re.compile("([0-9]{1,9})|(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
MAX_TARGETS = 5  # of a rule (EventBridge quotas)
MAX_COUNT = 10_000  # of a one-off task: more is a slip, and each ten are a request
NO_TASKS = "a spec needs at least one task, [tasks.NAME.task_definition]"


Problems: TypeAlias = Iterator[Problem]


def _revisions(value: Any) -> str:
    if type(value) is not int:
        return wrong_type("an integer", value)
    if value < 1:
        return "must be at least 1, because the revision that was just deployed has to stay"
    return "" if value < 2**31 else "must fit in 32 bits"


def _regex(value: Any) -> str:
    if fault := nonempty(value):
        return f'{fault}; write "^$" to publish every call' if value == "" else fault
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    return ""


def _duration(value: Any) -> str:
    if type(value) not in (int, str):
        return wrong_type('seconds or text such as "15m"', value)
    try:
        parse_duration(value)
    except ValueError as error:
        return str(error)
    return ""


def _when(value: Any) -> str:
    return nonempty(value) or ("" if value in ("changed", "always") else 'must be "changed" or "always"')


plain_name = matching(  # it becomes the name of a folder
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "be 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit"
)
_family = matching("[A-Za-z0-9_-]{1,255}", "be 1 to 255 letters, digits, '_' and '-'")
_topic_arn = matching(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?",
    "be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:deploys",
)


TOPIC, BLACKLIST = "sns_notification_topic_arn", "notification_method_blacklist_regex"
DEPLOYMENT_MESSAGE = "sns_deployment_message"
TASK_KEYS: Mapping[str, Check] = {
    "active_task_count": _revisions,
    TOPIC: lambda value: "" if value == "" else _topic_arn(value),  # an empty one switches notification off
    BLACKLIST: _regex,
    DEPLOYMENT_MESSAGE: boolean,
}
TOP_KEYS: Mapping[str, Check] = {
    "app": plain_name,
    "region": matching("[a-z0-9-]{1,64}", "be the name of a region, such as eu-west-1"),
    "account": matching("[0-9]{12}", "be 12 digits in quotes"),
    "profile": nonempty,
    "assume_role": matching("arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "be the ARN of an IAM role"),
    "cluster": nonempty,
    **TASK_KEYS,
}
RUN_KEYS: Mapping[str, Check] = {"name": plain_name, "timeout": _duration, "wait": boolean, "when": _when}
UPDATE_KEYS: Mapping[str, Check] = {"timeout": _duration, "wait": boolean}


def parse_duration(text: str | int) -> int:
    """Seconds, from 1 to 30 days: 90, "90", "90s", "15m", "2h", "1h30m". Raises ValueError, with one sentence that says
    what was given and how to write it."""
    if isinstance(text, int):
        total = text
    elif (match := _DURATION.fullmatch(text)) and text:
        plain, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        total = plain + hours * 3600 + minutes * 60 + seconds
    else:
        raise ValueError(f'not a duration: {quoted(text[:40])}; write seconds or units, 90, "90s", "15m" or "1h30m"')
    if not 0 < total <= LONGEST:
        raise ValueError("a duration must be from 1 second to 30 days")
    return total


# --- AWS tables ---

# The model does not demand them, AWS does: "Container.name should not be null or empty".
_CONTAINER = frozenset({"containerDefinitions[].name", "containerDefinitions[].image"})
_SCALAR = (int, float, bool)
_BY_ECSPLAN = {"taskDefinition": "set by ecsplan to the task's own revision; leave it out"}
_UNCHANGED = {
    "launchType": "a live service keeps its launch type; leave it out, or declare capacityProviderStrategy",
    "role": "a live service keeps its role; leave it out",
    "schedulingStrategy": "a live service keeps its scheduling strategy; leave it out",
}  # in CreateService, and not in UpdateService
_TOKEN = {"clientToken": "set by ecsplan, so that a retry never runs the task twice; leave it out"}

DEFINITION, RUN, UPDATE, TARGETS = "task_definition", "run_tasks", "update_services", "events__put_targets"
OWN_KEYS: Mapping[str, Mapping[str, Check]] = {RUN: RUN_KEYS, UPDATE: UPDATE_KEYS, TARGETS: {}}
_RULE = frozenset({"Rule", "Targets", "Targets[].Id"})
REQUESTS: Mapping[str, Request] = {
    DEFINITION: Request(
        service="ecs",
        operation="register_task_definition",
        required=_CONTAINER,
        filled=_CONTAINER | {"containerDefinitions"},
        lenient={"cpu": (int,), "memory": (int,), "containerDefinitions[].environment[].value": _SCALAR},
    ),
    RUN: Request(
        service="ecs",
        operation="run_task",
        supplied=_BY_ECSPLAN | _TOKEN,
        filled=frozenset({"cluster"}),
        lenient={"overrides.containerOverrides[].environment[].value": _SCALAR},
        own=tuple(RUN_KEYS),
    ),
    UPDATE: Request(
        service="ecs",
        operation="update_service",
        partial=True,
        required=frozenset({"service"}),
        supplied=_BY_ECSPLAN | _UNCHANGED,
        filled=frozenset({"cluster", "service"}),
        own=tuple(UPDATE_KEYS),
    ),
    TARGETS: Request(
        service="events",
        operation="put_targets",
        partial=True,
        merged=frozenset({"Targets"}),
        required=_RULE,
        filled=_RULE,
    ),
}


def problems(data: Doc, stem: str, *, tables: bool) -> Problems:
    """Everything wrong in a parsed file, in no order; without `tables`, in what stands at its top."""
    yield from _own_problems(data, (), TOP_KEYS, ("tasks",))
    if "app" not in data and plain_name(stem):
        said = f'{quoted(stem)}, from the name of the file, cannot be an app name; write app = "NAME" at the top'
        yield Problem(("app",), said)
    if tables:
        yield from _tasks_problems(data)


def _tasks_problems(data: Doc) -> Problems:
    tasks = data.get("tasks", {})
    if not isinstance(tasks, dict):
        yield Problem(("tasks",), f"{wrong_type('a table', tasks)}; write [tasks.NAME]")
    elif not tasks:
        yield Problem(("tasks",), NO_TASKS)
    else:
        for name, task in tasks.items():
            yield from _task_problems(name, task, ("tasks", name))
        yield from _clashes(tasks, data.get("cluster"))


def _own_problems(table: Doc, path: Path, checks: Mapping[str, Check], others: tuple[str, ...]) -> Problems:
    for key, value in table.items():
        if key in checks:
            if fault := checks[key](value):
                yield Problem((*path, key), fault)
        elif key not in others:
            yield Problem((*path, key), unknown_key(key, [*checks, *others]))


def _task_problems(name: str, task: Any, path: Path) -> Problems:
    if fault := plain_name(name):
        yield Problem(path, f"the name of a task {fault}")
    if not isinstance(task, dict):
        yield Problem(path, want_table(path, task))
        return
    yield from _own_problems(task, path, TASK_KEYS, tuple(REQUESTS))
    yield from lint.problems(task, path)
    if DEFINITION in task:
        yield from _definition_problems(task[DEFINITION], (*path, DEFINITION))
    else:
        yield Problem((*path, DEFINITION), MISSING)
    for key in OWN_KEYS:
        if not isinstance(entries := task.get(key, []), list):
            yield Problem((*path, key), want_tables((*path, key), entries))
        for index, entry in enumerate(entries_of(task, key)):
            yield from _entry_problems(key, entry, (*path, key, index))


def _definition_problems(definition: Any, path: Path) -> Problems:
    yield from api.check(REQUESTS[DEFINITION], definition, path)
    if isinstance(family := member(definition, "family"), str) and (fault := _family(family)):
        yield Problem((*path, "family"), fault)
    containers = enumerate(entries_of(definition, "containerDefinitions"))
    yield from _names_clash((member(it, "name"), (*path, "containerDefinitions", n, "name")) for n, it in containers)


def _entry_problems(key: str, entry: Any, path: Path) -> Problems:
    if not isinstance(entry, dict):
        yield Problem(path, wrong_type("a table", entry))
        return
    for own, check in OWN_KEYS[key].items():
        if own in entry and (fault := check(entry[own])):
            yield Problem((*path, own), fault)
    yield from api.check(REQUESTS[key], params_of(key, entry), path)
    count = entry.get("count")
    if key == RUN and type(count) is int and not 1 <= count <= MAX_COUNT:
        yield Problem((*path, "count"), f"must be from 1 to {MAX_COUNT:,}")


def _clashes(tasks: Doc, cluster: Any) -> Problems:
    """What is declared twice, where AWS has one of it."""
    families, services = [], []
    for name, task in tasks.items():
        families.append((member(member(task, DEFINITION), "family"), ("tasks", name, DEFINITION, "family")))
        yield from _names_clash((run_name(run, path), (*path, "name")) for path, run in entries({name: task}, RUN))
    for family, again, first in repeats(families):
        yield Problem(again, f"{quoted(family)} is the family of {dotted(first[:2])} too; a family belongs to one task")
    for path, entry in entries(tasks, UPDATE):
        where = _short(entry.get("cluster", cluster)) or "default"
        services.append(((where, _short(entry.get("service"))), (*path, "service")))
    for (where, service), again, first in repeats(services):
        said = f"{quoted(service)} in cluster {quoted(where)} is updated by {dotted(first[:-1])} too; declare it once"
        yield Problem(again, said)
    yield from _targets_clash(tasks)


def _targets_clash(tasks: Doc) -> Problems:
    rules, targets = [], []
    counts: Counter[tuple[str, Any]] = Counter()
    for path, entry in entries(tasks, TARGETS):
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


def _names_clash(named: Iterable[tuple[Any, Path]]) -> Problems:
    for name, again, first in repeats(named):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too")


def entries(tasks: Doc, key: str) -> Iterator[tuple[Path, Doc]]:
    """The entries of all tasks that are tables, whatever is in them, each with its path."""
    for name, task in tasks.items():
        for index, entry in enumerate(entries_of(task, key)):
            if isinstance(entry, dict):
                yield ("tasks", name, key, index), entry


def _short(name: Any) -> str:
    """A cluster or service by the last part of its ARN."""
    return name.rpartition("/")[2] if isinstance(name, str) else ""


def run_name(entry: Doc, path: Path) -> Any:
    return entry.get("name", f"task-{int(path[-1]) + 1}")


def params_of(key: str, entry: Doc) -> Doc:
    return {name: value for name, value in entry.items() if name not in OWN_KEYS[key]}
