"""What a spec may hold: ecsplan's own keys at its top and in its tasks, and the tables of the kinds. The checks return
problems and raise nothing."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import msgspec

from ecsplan.aws import api
from ecsplan.core.checks import (
    MISSING,
    Check,
    Path,
    Problem,
    Problems,
    Request,
    boolean,
    entries_of,
    matching,
    nonempty,
    plain_name,
    quoted,
    unknown_key,
    want_table,
    want_tables,
    wrong_type,
)
from ecsplan.core.model import Doc
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import Table

BLACKLIST_REGEX = "^describe_|get_|list_|.*register_task"
NO_TASKS = "a spec needs at least one task, [tasks.NAME.task_definition]"


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


_topic_arn = matching(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?",
    "be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:deploys",
)


TOPIC, BLACKLIST = "sns_notification_topic_arn", "notification_method_blacklist_regex"
DEPLOYMENT_MESSAGE = "sns_deployment_message"
TASK_KEYS: Mapping[str, Check] = {
    "active_task_count": _revisions,
    TOPIC: lambda value: "" if value == "" else _topic_arn(value),  # an empty one turns notifications off
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


def problems(data: Doc, stem: str, *, tables: bool) -> Problems:
    """Everything wrong in a parsed file, in no order; without `tables`, only what is wrong at its top."""
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
        for kind in kinds():
            yield from kind.declare.clashes(tasks, data.get("cluster"))


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
    yield from _own_problems(task, path, TASK_KEYS, tuple(kind.declare.table.key for kind in kinds()))
    for kind in kinds():
        yield from _table_problems(kind.declare.table, task, path)
        yield from kind.declare.lint(task, path)


def _table_problems(table: Table, task: Doc, path: Path) -> Problems:
    at = (*path, table.key)
    if table.single:
        found = task.get(table.key)
        yield from [Problem(at, MISSING)] if table.key not in task else api.check(_request(table), found, at)
        return
    if not isinstance(entries := task.get(table.key, []), list):
        yield Problem(at, want_tables(at, entries))
    for index, entry in enumerate(entries_of(task, table.key)):
        yield from _entry_problems(table, entry, (*at, index))


def _entry_problems(table: Table, entry: Any, path: Path) -> Problems:
    if not isinstance(entry, dict):
        yield Problem(path, wrong_type("a table", entry))
        return
    for key, check in table.own.items():
        if key in entry and (fault := check(entry[key])):
            yield Problem((*path, key), fault)
    params = {name: value for name, value in entry.items() if name not in table.own}
    yield from api.check(_request(table), params, path)


def _request(table: Table) -> Request:
    """With ecsplan's own keys, for suggestions."""
    return msgspec.structs.replace(table.request, own=tuple(table.own))
