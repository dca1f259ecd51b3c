"""Loads a spec and checks all of it, offline. The result is typed and sound, or all faults are reported at once.

AWS's tables are checked against the installed botocore's model, without ecsplan's own keys.
"""

from __future__ import annotations

from pathlib import Path, PurePath

import tomli

from ecsplan.core.checks import Path as Where
from ecsplan.core.checks import dotted, in_order, parse_duration
from ecsplan.core.errors import Fault, SpecError, UsageError
from ecsplan.core.model import Doc, Notify, Settings
from ecsplan.core.spec import ACTIVE_TASK_COUNT, Entry, Spec, Task
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import Table
from ecsplan.spec.checks import (
    BLACKLIST,
    BLACKLIST_REGEX,
    DEPLOYMENT_MESSAGE,
    NO_TASKS,
    TASK_KEYS,
    TOP_KEYS,
    TOPIC,
    problems,
)

# --- building the spec, after the checks ---


def _task(name: str, data: Doc) -> Task:
    declared = data["tasks"][name]
    both = data | declared  # a task's own keys win over those at the top
    topic, regex = both.get(TOPIC, ""), both.get(BLACKLIST, BLACKLIST_REGEX)
    return Task(
        name=name,
        path=dotted(("tasks", name)),
        entries={kind.name: _entries(kind.declare.table, name, data) for kind in kinds()},
        active_task_count=both.get("active_task_count", ACTIVE_TASK_COUNT),
        notify=Notify(topic_arn=topic, blacklist_regex=regex, deployment_message=both.get(DEPLOYMENT_MESSAGE, True))
        if topic
        else None,
    )


def _entries(table: Table, name: str, data: Doc) -> tuple[Entry, ...]:
    """A task's tables of one kind, each with the parameters that the spec declares for all of them."""
    found, path = data["tasks"][name].get(table.key, []), ("tasks", name, table.key)
    inherited = {key: data[key] for key in table.inherits if key in data}
    if table.single:
        return (_entry(table, found, path, inherited),)
    return tuple(_entry(table, entry, (*path, index), inherited) for index, entry in enumerate(found))


def _entry(table: Table, entry: Doc, path: Where, inherited: Doc) -> Entry:
    params = {name: value for name, value in entry.items() if name not in table.own}
    params |= {name: value for name, value in inherited.items() if name not in params}
    own = {name: value for name, value in entry.items() if name in table.own}
    settings = Settings(
        wait=own.pop("wait", True),
        timeout=parse_duration(own.pop("timeout")) if "timeout" in own else None,
        when=own.pop("when", "changed"),
    )
    return Entry(params=params, path=dotted(path), own=own, settings=settings)


# --- reading ---


def load(path: Path, *, tables: bool = True) -> Spec:
    """The spec in a file. Raises SpecError with all faults, UsageError if the file cannot be read. Without `tables`,
    only its top is read and checked, and the spec has no tasks: enough to find a journal, and fast."""
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
    return loads(text, str(path), tables=tables)


def loads(text: str, file: str, *, tables: bool = True) -> Spec:
    """The spec in a text; `file` is its name in faults, and its stem the default name of the app."""
    data = _parsed(text, file)
    stem = PurePath(file).stem
    if found := in_order(data, problems(data, stem, tables=tables)):
        raise SpecError([Fault(file=file, path=dotted(path), message=message) for path, message in found])
    given = {key: data[key] for key in TOP_KEYS if key in data and key not in TASK_KEYS}
    return Spec(
        file=file, tasks=tuple(_task(name, data) for name in data["tasks"]) if tables else (), **({"app": stem} | given)
    )


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
