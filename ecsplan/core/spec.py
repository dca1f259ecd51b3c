"""A sound spec: what `spec/` makes of a file, and what the kinds compile."""

from __future__ import annotations

from ecsplan.core.model import Doc, Notify, Settings, Value

ACTIVE_TASK_COUNT = 10  # revisions of a family that a deployment leaves ACTIVE


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
    still stand where AWS wants text. `notify` is None where nothing is published."""

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
