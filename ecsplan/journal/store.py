"""Where journals and saved plans are kept, as the rest of ecsplan sees it: a port, and the choice of what is behind it.

A store holds a place for each app in each account and region. A place holds deployments by number, each a row of
entries, and a lock. Entries are opaque here: one line of JSON each, without its line feed. They are added, never
rewritten.

Everything raises JournalError for what cannot be read or written, with a message that says where.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Identity
from ecsplan.journal.entries import Holder
from ecsplan.journal.folder import Folder


class Appender(Protocol):
    """One deployment, open for more entries. Threads may use it at the same time."""

    def append(self, entry: bytes) -> None:
        """Returns when the entry is durable: a crash of the process or of the machine does not lose it. Entries that
        come at the same time may be written together. After an error nothing more can be appended, and what was not
        confirmed may be missing. A store whose locks expire raises here once its lock is lost."""

    def close(self) -> None:
        """Nothing is appended after this."""


class Place(Protocol):
    """The deployments of one app in one account and region."""

    @property
    def name(self) -> str:
        """As messages name it."""

    def where(self, number: int) -> str:
        """As messages name a deployment."""

    def numbers(self) -> Sequence[int]:
        """The numbers that were given, in order; none where nothing was deployed yet. It may have gaps."""

    def read(self, number: int) -> Sequence[tuple[str, bytes]]:
        """The entries that were written to their end, in order, each with where it is, as messages name it. None where
        the first was not written to its end."""

    def create(self, number: int, first: bytes, *more: bytes) -> Appender:
        """A new deployment with its first entry, or with several, which are durable when this returns. A number that
        was given already is an error, however many try at the same time; one whose entries cannot be written is not
        given."""

    def reopen(self, number: int) -> Appender:
        """A deployment that is continued, behind the last entry that was written to its end."""

    def lock(self, holder: Holder) -> AbstractContextManager[None]:
        """Held by one process at a time, and free again when the holder is gone. Raises LockedError that names the
        present holder, at once or after the short time that a new one has to write its name. A store whose locks
        expire renews them for as long as the context lasts."""

    def is_held(self) -> bool:
        """Is the lock known to be held by another process? Does not take it. False where that cannot be seen."""


class Store(Protocol):
    """All journals, and the saved plans."""

    @property
    def name(self) -> str:
        """As messages name it, and as `open_store` takes it."""

    def apps(self) -> Sequence[str]:
        """The apps that something was written for, sorted."""

    def identities(self, app: str) -> Sequence[Identity]:
        """The accounts and regions that this app has a place for, sorted by name."""

    def place(self, app: str, identity: Identity) -> Place:
        """Nothing is read or written yet."""

    def spec_name(self, file: str) -> str:
        """A spec's file as it is known here: the same name wherever it is named from, and another for another file."""

    def spec_file(self, name: str) -> str:
        """The file of a spec that is known here by this name, as it is named from the current folder."""

    def plan_name(self, app: str, spec: str = "") -> str:
        """As messages name the plan that was saved last for a spec, which is named as by `spec_name`. Without one, and
        for `ecsplan.toml`, it is the plan of the app."""

    def save_plan(self, app: str, content: bytes, spec: str = "") -> None:
        """Replaces the plan that was saved last for this spec, whole or not at all."""

    def load_plan(self, app: str, limit: int, spec: str = "") -> bytes | None:
        """The plan that was saved last for this spec, no more than `limit` bytes of it; None where none was saved."""

    def saved_plans(self, app: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """The saved plans of all specs of an app, each as messages name it and no more than `limit` bytes of it."""


def open_store(place: str | os.PathLike[str]) -> Store:
    """The store at a place: a folder. It need not exist yet. Raises UsageError for a URL."""
    if "://" in os.fspath(place):
        raise UsageError(f"the journal is a folder for now, and {place} is none")
    return Folder(Path(place))
