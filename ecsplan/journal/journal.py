"""The deployments of one app in one account and region, on a store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

import msgspec

from ecsplan.core.codec import digest_of, from_data, from_json, to_json
from ecsplan.core.errors import EmptyJournalFile, JournalError
from ecsplan.core.model import FORMAT_VERSION, Identity, Plan
from ecsplan.journal.entries import (
    Began,
    Chosen,
    Closed,
    Damaged,
    Deployment,
    Done,
    Entry,
    Failed,
    Holder,
    Opened,
    Origin,
    Outcome,
)
from ecsplan.journal.store import Appender, Place, Store

NEWER = "Use the version of ecsplan that wrote it, or a newer one."
MOVE_IT = "Restore the file, or move it away: the other deployments can be shown and gone back to without it."


class Writer:
    """Appends entries to one deployment; `deployment_key` is that of its first entry.

    A new deployment is created with its first entry behind the plan: one that sent nothing leaves nothing. `create`
    takes that entry, encoded."""

    def __init__(self, opened: Opened, create: Callable[[bytes], Appender]) -> None:
        self.opened, self.number, self.deployment_key = opened, opened.number, opened.deployment_key
        self._create = create
        self._appender: Appender | None = None
        self._lock = threading.Lock()

    @classmethod
    def behind(cls, opened: Opened, appender: Appender) -> Writer:
        """Of a deployment that is there already."""
        writer = cls(opened, lambda _first: appender)
        writer._appender = appender
        return writer

    def append(self, entry: Entry) -> None:
        """The entry is durable when this returns. Threads may call it at the same time. Raises JournalError. That a
        deployment did not end is not written where it has begun nothing."""
        line = to_json(entry)
        if self._appender is None:
            if isinstance(entry, Closed) and not entry.outcome.ended:
                return
            with self._lock:
                if self._appender is None:
                    self._appender = self._create(line)
                    return
        self._appender.append(line)

    def close(self) -> None:
        if self._appender is not None:
            self._appender.close()


class Journal:
    """The deployments of one app in one account and region. All methods raise JournalError for what cannot be read or
    written."""

    def __init__(self, store: Store, app: str, identity: Identity) -> None:
        self.app, self.identity = app, identity
        self._place: Place = store.place(app, identity)

    @property
    def name(self) -> str:
        """As messages name it."""
        return self._place.name

    def numbers(self) -> list[int]:
        """In order; empty where nothing was deployed yet."""
        return list(self._place.numbers())

    def read(self, number: int) -> Deployment:
        """One deployment; what is wrong with it is named by place and entry. An entry that was not written to its end
        is ignored. Raises EmptyJournalFile where that holds for the first."""
        stored = self._place.read(number)
        if not stored:
            where = f"{self._place.where(number)}: line 1"
            raise EmptyJournalFile(f"{where}: its plan was only partly written; nothing was sent for it")
        deployment = _decoded(stored)
        if deployment.outcome.ended or number != self.numbers()[-1]:
            return deployment
        return msgspec.structs.replace(deployment, running=self._place.is_held())

    def all(self) -> list[Deployment | Damaged]:
        """Every deployment in order. One that cannot be read, or is missing, stands as Damaged in its place."""
        result: list[Deployment | Damaged] = []
        numbers = self.numbers()
        for number in range(numbers[0], numbers[-1] + 1) if numbers else ():
            if number not in numbers:
                result.append(Damaged(number=number, error=f"{self._place.where(number)} is missing"))
                continue
            try:
                result.append(self.read(number))
            except JournalError as error:
                result.append(Damaged(number=number, error=error.message))
        return result

    def deployments(self) -> list[Deployment]:
        """Every deployment in order, without those that sent nothing, also where their plan was not written to its end;
        raises JournalError if any other cannot be read."""
        found = []
        for number in self.numbers():
            with contextlib.suppress(EmptyJournalFile):
                found.append(self.read(number))
        return [deployment for deployment in found if deployment.is_something]

    def open(
        self,
        plan: Plan,
        origin: Origin,
        at: str,
        options: Chosen = Chosen(),  # noqa: B008  it is frozen
        before: Callable[[int], None] = lambda _number: None,
    ) -> Writer:
        """A new deployment, with the next number. Call it while holding the lock. It is created with its first entry;
        `before` is called with its number just before that."""
        number = (self.numbers() or [0])[-1] + 1
        opened = Opened(number=number, at=at, origin=origin, plan=plan, options=options)

        def create(first: bytes) -> Appender:
            before(number)
            return self._place.create(number, to_json(opened), first)

        return Writer(opened, create)

    def reopen(self, number: int) -> Writer:
        """A deployment that is continued. Call it while holding the lock."""
        opened = self.read(number).opened
        return Writer.behind(opened, self._place.reopen(number))

    def end(self, number: int, outcome: Outcome, reason: str, by: Origin, at: str) -> None:
        """Write the end of a deployment of which nothing more is carried out. Call it while holding the lock."""
        writer = self.reopen(number)
        try:
            writer.append(Closed(at=at, outcome=outcome, reason=reason, by=by))
        finally:
            writer.close()

    def locked(self, origin: Origin, at: str) -> AbstractContextManager[None]:
        """One deployment at a time; raises LockedError that names the holder."""
        return self._place.lock(Holder(since=at, origin=origin))


# --- reading ---


def _decoded(stored: Sequence[tuple[str, bytes]]) -> Deployment:
    (first, line), *rest = stored
    opened = _entry(line, first)
    if not isinstance(opened, Opened):
        raise JournalError(f"{first}: the plan of the deployment should stand here", hint=MOVE_IT)
    steps = {step.index for step in opened.plan.steps}
    try:
        entries = tuple(_checked(_entry(line, where), steps, where) for where, line in rest)
    except JournalError as error:
        if not _is_newer(opened.format_version):
            raise
        raise JournalError(
            f"{error.message}, or is one that this ecsplan does not know: the deployment is in format "
            f"{opened.format_version}, and this ecsplan reads {FORMAT_VERSION}",
            hint=NEWER,
        ) from error
    return Deployment(opened=opened, entries=entries)


def _is_newer(version: str) -> bool:
    """Is it a newer minor version, whose entries may be others?"""
    minor = version.partition(".")[2]
    return minor.isdecimal() and int(minor) > int(FORMAT_VERSION.partition(".")[2])


def _entry(line: bytes, where: str) -> Entry:
    try:
        if b'"opened"' not in line and b'"format_version"' not in line:  # every entry but the first, which has the plan
            later: Entry = from_json(line, Entry)  # type: ignore[arg-type]  # a union is what msgspec wants here
            return later
        data = msgspec.json.decode(line)
        check_version(data.get("format_version", FORMAT_VERSION) if isinstance(data, dict) else None, where)
        entry: Entry = from_data(data, Entry)  # type: ignore[arg-type]  # a union is what msgspec wants here
        if isinstance(entry, Opened):
            _check_plan(entry.plan, data["plan"])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise JournalError(f"{where} is damaged: {error}", hint=MOVE_IT) from error
    return entry


def _check_plan(plan: Plan, data: dict[str, object]) -> None:
    """A rollback and a resume must use the plan that was written."""
    if digest_of({field: value for field, value in data.items() if field != "digest"}) != plan.digest:
        raise ValueError("the plan was changed after it was written: its digest does not fit")


def _checked(entry: Entry, steps: Collection[int], where: str) -> Began | Done | Failed | Closed:
    """An entry behind the first."""
    if isinstance(entry, Opened):
        raise JournalError(f"{where}: a second deployment begins here", hint=MOVE_IT)
    if not isinstance(entry, Closed) and entry.step not in steps:
        raise JournalError(f"{where}: the plan has no step {entry.step}", hint=MOVE_IT)
    return entry


def check_version(version: object, where: str) -> None:
    """Minor versions add what older readers ignore. Raises JournalError for another major version."""
    major = version.partition(".")[0] if isinstance(version, str) else None
    if major != FORMAT_VERSION.partition(".")[0]:
        raise JournalError(
            f"{where}: written in format {version}, and this ecsplan reads {FORMAT_VERSION}",
            hint=NEWER,
        )
