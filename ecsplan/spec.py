"""Loads a spec and checks all of it, offline. What comes out is typed and sound, or every fault is reported at once.

AWS tables are checked against the installed botocore's model (`shapes`), and ecsplan's own keys taken out of them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import tomli

from ecsplan import shapes
from ecsplan.errors import Fault, SpecError, UsageError
from ecsplan.model import Doc, Notify, Settings, Value
from ecsplan.shapes import MISSING, Check, Problem, Request, dotted, entries_of, member, quoted, repeats
from ecsplan.shapes import Path as Where

ACTIVE_TASK_COUNT = 10
BLACKLIST_REGEX = "^describe_|get_|list_|.*register_task"
LONGEST = 30 * 86400  # seconds
_DURATION = re.compile("([0-9]{1,9})|(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
NO_TASKS = "a spec needs at least one task, [tasks.NAME.task_definition]"


class Entry(Value, frozen=True, kw_only=True):
    """An entry of `run_tasks`, `update_services` or `events__put_targets`; `path` is such as `tasks.web.run_tasks[0]`.

    `params` holds AWS's request parameters only, as declared, and the spec's default cluster where none is declared.
    `name` is for run_tasks only, and unique within the task."""

    params: Doc
    path: str
    name: str = ""
    settings: Settings = Settings()


class Task(Value, frozen=True, kw_only=True):
    """A `[tasks.NAME]` table. `task_definition` holds the parameters of RegisterTaskDefinition as declared: numbers may
    still stand where AWS wants text (`REQUESTS` says where). `notify` is None where nothing is published."""

    name: str
    path: str
    family: str
    task_definition: Doc
    run_tasks: tuple[Entry, ...] = ()
    update_services: tuple[Entry, ...] = ()
    put_targets: tuple[Entry, ...] = ()
    active_task_count: int = ACTIVE_TASK_COUNT
    notify: Notify | None = None


class Spec(Value, frozen=True, kw_only=True):
    """A sound spec; tasks and entries in the order of the file. `file` is as the user named it."""

    file: str
    app: str
    region: str | None = None
    profile: str | None = None
    assume_role: str | None = None
    account: str | None = None
    cluster: str | None = None
    tasks: tuple[Task, ...]


# --- own keys ---

Problems: TypeAlias = Iterator[Problem]


def _revisions(value: Any) -> str:
    if type(value) is not int:
        return shapes.wrong_type("an integer", value)
    if value < 1:
        return "must be at least 1, because the revision that was just deployed has to stay"
    return "" if value < 2**31 else "must fit in 32 bits"


def _regex(value: Any) -> str:
    if fault := shapes.text(value):
        return f'{fault}; write "^$" to publish every call' if value == "" else fault
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    return ""


def _duration(value: Any) -> str:
    if type(value) not in (int, str):
        return shapes.wrong_type('seconds or text such as "15m"', value)
    try:
        parse_duration(value)
    except ValueError as error:
        return str(error)
    return ""


def _when(value: Any) -> str:
    return shapes.text(value) or ("" if value in ("changed", "always") else 'must be "changed" or "always"')


_name = shapes.matching(  # it becomes the name of a folder
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "be 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit"
)
_family = shapes.matching("[A-Za-z0-9_-]{1,255}", "be 1 to 255 letters, digits, '_' and '-'")
_topic_arn = shapes.matching(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?",
    "be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:deploys",
)


_TOPIC, _BLACKLIST = "sns_notification_topic_arn", "notification_method_blacklist_regex"
TASK_KEYS: Mapping[str, Check] = {
    "active_task_count": _revisions,
    _TOPIC: lambda value: "" if value == "" else _topic_arn(value),  # an empty one switches notification off
    _BLACKLIST: _regex,
}
TOP_KEYS: Mapping[str, Check] = {
    "app": _name,
    "region": shapes.matching("[a-z0-9-]{1,64}", "be the name of a region, such as eu-west-1"),
    "account": shapes.matching("[0-9]{12}", "be 12 digits in quotes"),
    "profile": shapes.text,
    "assume_role": shapes.matching("arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "be the ARN of an IAM role"),
    "cluster": shapes.text,
    **TASK_KEYS,
}
RUN_KEYS: Mapping[str, Check] = {"name": _name, "timeout": _duration, "wait": shapes.truth, "when": _when}
UPDATE_KEYS: Mapping[str, Check] = {"timeout": _duration, "wait": shapes.truth}


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
        supplied=_BY_ECSPLAN,
        filled=frozenset({"cluster", "service"}),
        own=tuple(UPDATE_KEYS),
    ),
    TARGETS: Request(service="events", operation="put_targets", partial=True, required=_RULE, filled=_RULE),
}


def _problems(data: Doc, stem: str) -> Problems:
    """Everything wrong in a parsed file, in no order."""
    yield from _own_problems(data, (), TOP_KEYS, ("tasks",))
    if "app" not in data and _name(stem):
        said = f'{quoted(stem)}, from the name of the file, cannot be an app name; write app = "NAME" at the top'
        yield Problem(("app",), said)
    tasks = data.get("tasks", {})
    if not isinstance(tasks, dict):
        yield Problem(("tasks",), f"{shapes.wrong_type('a table', tasks)}; write [tasks.NAME]")
    elif not tasks:
        yield Problem(("tasks",), NO_TASKS)
    else:
        for name, task in tasks.items():
            yield from _task_problems(name, task, ("tasks", name))
        yield from _clashes(tasks, data.get("cluster"))


def _own_problems(table: Doc, path: Where, checks: Mapping[str, Check], others: tuple[str, ...]) -> Problems:
    for key, value in table.items():
        if key in checks:
            if fault := checks[key](value):
                yield Problem((*path, key), fault)
        elif key not in others:
            yield Problem((*path, key), shapes.unknown_key(key, [*checks, *others]))


def _task_problems(name: str, task: Any, path: Where) -> Problems:
    if fault := _name(name):
        yield Problem(path, f"the name of a task {fault}")
    if not isinstance(task, dict):
        yield Problem(path, shapes.want_table(path, task))
        return
    yield from _own_problems(task, path, TASK_KEYS, tuple(REQUESTS))
    if DEFINITION in task:
        yield from _definition_problems(task[DEFINITION], (*path, DEFINITION))
    else:
        yield Problem((*path, DEFINITION), MISSING)
    for key in OWN_KEYS:
        if not isinstance(entries := task.get(key, []), list):
            yield Problem((*path, key), shapes.want_tables((*path, key), entries))
        for index, entry in enumerate(entries_of(task, key)):
            yield from _entry_problems(key, entry, (*path, key, index))


def _definition_problems(definition: Any, path: Where) -> Problems:
    yield from shapes.check(REQUESTS[DEFINITION], definition, path)
    if isinstance(family := member(definition, "family"), str) and (fault := _family(family)):
        yield Problem((*path, "family"), fault)
    containers = enumerate(entries_of(definition, "containerDefinitions"))
    yield from _names_clash((member(it, "name"), (*path, "containerDefinitions", n, "name")) for n, it in containers)


def _entry_problems(key: str, entry: Any, path: Where) -> Problems:
    if not isinstance(entry, dict):
        yield Problem(path, shapes.wrong_type("a table", entry))
        return
    for own, check in OWN_KEYS[key].items():
        if own in entry and (fault := check(entry[own])):
            yield Problem((*path, own), fault)
    yield from shapes.check(REQUESTS[key], _params(key, entry), path)
    count = entry.get("count")
    if key == RUN and type(count) is int and not 1 <= count <= 10:
        yield Problem((*path, "count"), "must be from 1 to 10, which is what one RunTask can start")


def _clashes(tasks: Doc, cluster: Any) -> Problems:
    """What is declared twice, where AWS has one of it."""
    families, services = [], []
    for name, task in tasks.items():
        families.append((member(member(task, DEFINITION), "family"), ("tasks", name, DEFINITION, "family")))
        yield from _names_clash((_run_name(run, path), (*path, "name")) for path, run in _entries({name: task}, RUN))
    for family, again, first in repeats(families):
        yield Problem(again, f"{quoted(family)} is the family of {dotted(first[:2])} too; a family belongs to one task")
    for path, entry in _entries(tasks, UPDATE):
        where = _short(entry.get("cluster", cluster)) or "default"
        services.append(((where, _short(entry.get("service"))), (*path, "service")))
    for (where, service), again, first in repeats(services):
        said = f"{quoted(service)} in cluster {quoted(where)} is updated by {dotted(first[:-1])} too; declare it once"
        yield Problem(again, said)
    yield from _targets_clash(tasks)


def _targets_clash(tasks: Doc) -> Problems:
    rules, targets = [], []
    for path, entry in _entries(tasks, TARGETS):
        bus = str(entry.get("EventBusName", "default")).rpartition("event-bus/")[2]
        rule = entry.get("Rule")
        rules.append(((path[1], bus, rule), (*path, "Rule")))
        for index, target in enumerate(entries_of(entry, "Targets")):
            targets.append(((bus, rule, member(target, "Id")), (*path, "Targets", index, "Id")))
    for (_, _, rule), again, first in repeats(rules):
        yield Problem(again, f"{quoted(rule)} is the rule of {dotted(first[:-1])} too; put both targets in one entry")
    for (_, rule, name), again, first in repeats(targets):
        yield Problem(again, f"{quoted(name)} is the Id of {dotted(first[:-1])} too; {quoted(rule)} can have it once")


def _names_clash(named: Iterable[tuple[Any, Where]]) -> Problems:
    for name, again, first in repeats(named):
        yield Problem(again, f"{quoted(name)} is the name of {dotted(first[:-1])} too")


def _entries(tasks: Doc, key: str) -> Iterator[tuple[Where, Doc]]:
    """The entries of all tasks that are tables, whatever is in them, each with its path."""
    for name, task in tasks.items():
        for index, entry in enumerate(entries_of(task, key)):
            if isinstance(entry, dict):
                yield ("tasks", name, key, index), entry


def _short(name: Any) -> str:
    """A cluster or service by the last part of its ARN."""
    return name.rpartition("/")[2] if isinstance(name, str) else ""


def _run_name(entry: Doc, path: Where) -> Any:
    return entry.get("name", f"task-{int(path[-1]) + 1}")


def _params(key: str, entry: Doc) -> Doc:
    return {name: value for name, value in entry.items() if name not in OWN_KEYS[key]}


# --- building, from what was found sound ---


def _task(name: str, data: Doc) -> Task:
    table = data["tasks"][name]
    both = data | table  # a task's own keys win over those at the top
    topic, regex = both.get(_TOPIC, ""), both.get(_BLACKLIST, BLACKLIST_REGEX)
    run, update, targets = (
        tuple(_entry(key, entry, path, data) for path, entry in _entries({name: table}, key)) for key in OWN_KEYS
    )
    return Task(
        name=name,
        path=dotted(("tasks", name)),
        family=table[DEFINITION]["family"],
        task_definition=table[DEFINITION],
        run_tasks=run,
        update_services=update,
        put_targets=targets,
        active_task_count=both.get("active_task_count", ACTIVE_TASK_COUNT),
        notify=Notify(topic_arn=topic, blacklist_regex=regex) if topic else None,
    )


def _entry(key: str, entry: Doc, path: Where, data: Doc) -> Entry:
    params = _params(key, entry)
    if key != TARGETS and "cluster" in data:
        params.setdefault("cluster", data["cluster"])
    settings = Settings(
        wait=entry.get("wait", True),
        timeout=parse_duration(entry["timeout"]) if "timeout" in entry else None,
        when=entry.get("when", "changed"),
        # An action and no state: what is declared for ever would make a difference for ever.
        force=params.pop("forceNewDeployment", False),
    )
    return Entry(params=params, path=dotted(path), name=_run_name(entry, path) if key == RUN else "", settings=settings)


# --- reading ---


def load(path: Path) -> Spec:
    """The spec in a file. Raises SpecError with all faults, UsageError where there is no file to read."""
    hint = "Name another with -f FILE, or set ECSPLAN_FILE."
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no spec at {path}", hint=hint) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a spec", hint=hint) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        said = f"line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise SpecError([Fault(file=str(path), path="", message=said)]) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', error)}", hint=hint) from error
    return loads(text, str(path))


def loads(text: str, file: str) -> Spec:
    """The spec in a text; `file` is what faults call it, and its stem the default name of the app."""
    data = _parsed(text, file)
    stem = PurePath(file).stem
    if problems := shapes.in_order(data, _problems(data, stem)):
        raise SpecError([Fault(file=file, path=dotted(path), message=message) for path, message in problems])
    given = {key: data[key] for key in TOP_KEYS if key in data and key not in TASK_KEYS}
    return Spec(file=file, tasks=tuple(_task(name, data) for name in data["tasks"]), **({"app": stem} | given))


def _parsed(text: str, file: str) -> Doc:
    try:
        if text.strip():
            return tomli.loads(text)
        said = f"empty; {NO_TASKS}"
    except tomli.TOMLDecodeError as error:
        said = _syntax(str(error), text)
    except (RecursionError, ValueError):
        said = "nested too deeply, or an integer has too many digits"
    raise SpecError([Fault(file=file, path="", message=said)])


def _syntax(said: str, text: str) -> str:
    """tomli's message, `WHAT (at line 3, column 5)` or `WHAT (at end of document)`, with the place first."""
    what, _, place = said.rpartition(" (at ")
    if place == "end of document)":
        lines = text.replace("\r\n", "\n").split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file)"
    return f"{place[:-1]}: {what}"
