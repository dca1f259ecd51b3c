"""A sound spec: what `spec/` makes of a file, and what the kinds compile."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ecsplan.core.model import Doc, Notify, Settings, Value

DEFAULT_FILE = "ecsplan.toml"
ACTIVE_TASK_COUNT = 10  # revisions of a family that a deployment leaves ACTIVE
DEFINITION = "task_definition"  # the table, and the kind, that every task has


class Entry(Value, frozen=True, kw_only=True):
    """A table of a kind, as declared; `path` is such as `tasks.web.run_tasks[0]`.

    `params` holds the parameters of AWS's request, including those that the spec declares for all entries, such as its
    default cluster. `own` holds ecsplan's own keys that are not in `settings`.
    """

    params: Doc
    path: str
    own: Doc = msgspec.field(default_factory=dict)
    settings: Settings = Settings()


class Task(Value, frozen=True, kw_only=True):
    """A `[tasks.NAME]` table. `entries` holds the tables of each kind, by the kind's name and in the order of the file.
    Numbers may stand where AWS wants text. `notify` is None if nothing is published."""

    name: str
    path: str
    entries: Mapping[str, tuple[Entry, ...]]
    active_task_count: int = ACTIVE_TASK_COUNT
    notify: Notify | None = None

    @property
    def task_definition(self) -> Doc:
        """The parameters of RegisterTaskDefinition."""
        return self.entries[DEFINITION][0].params

    @property
    def family(self) -> str:
        return str(self.task_definition["family"])


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
