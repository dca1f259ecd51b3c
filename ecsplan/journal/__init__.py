"""What happened, on disk: a file of JSON lines per deployment, each line safe on disk before the next thing is done.

ROOT/APP/ACCOUNT-REGION/000012.jsonl    deployment 12; its first line holds the whole plan with every undo
ROOT/APP/ACCOUNT-REGION/lock            held (flock) while a deployment runs; holder.json says by whom
ROOT/APP/plan.json                      the plan that was saved last
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import msgspec

from ecsplan.core.codec import digest_of, from_data, from_json
from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.errors import JournalError, NeverBegunError
from ecsplan.core.model import FORMAT_VERSION, Address, Call, Identity, Plan, Value
from ecsplan.journal.files import make_folders, sync_folder, told
from ecsplan.journal.lock import Origin, hold, works
from ecsplan.journal.writer import Writer

MOVE_IT = "Restore the file, or move it away: the other deployments can be shown and gone back to without it."


class Outcome(Enum):
    """How a deployment ended. Those that did not end leave something to `resume` or `rollback`."""

    SUCCEEDED = "succeeded"
    PUT_BACK = "put back"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    UNFINISHED = "unfinished"
    RUNNING = "running"

    @property
    def ended(self) -> bool:
        return self in (Outcome.SUCCEEDED, Outcome.PUT_BACK)


class Opened(Value, tag_field="entry", tag="opened", frozen=True, kw_only=True):
    """The first line. Times are ISO 8601 in UTC."""

    format_version: str = FORMAT_VERSION
    number: int
    at: str
    origin: Origin
    plan: Plan

    @property
    def once(self) -> str:
        """What no other deployment has, also none of the same plan and number: where the journal is not kept (a fresh
        machine for each run), numbers begin anew."""
        return f"{self.number}/{self.at}/{self.origin.host}/{self.origin.pid}"


class Began(Value, tag_field="entry", tag="began", frozen=True, kw_only=True):
    """This step's call (or its undo) is about to be sent. With an `aside`, it is neither, but that other operation,
    which lets the effect of the step go on; the same holds for the entry that ends it."""

    at: str
    step: int
    undo: bool = False
    aside: str = ""


class Done(Value, tag_field="entry", tag="done", frozen=True, kw_only=True):
    """AWS has accepted it."""

    at: str
    step: int
    outputs: dict[str, str]
    undo: bool = False
    aside: str = ""


class Failed(Value, tag_field="entry", tag="failed", frozen=True, kw_only=True):
    """It was refused, or its effect failed. `unclear`: nobody saw whether it was carried out. `outputs`: what it has
    made all the same, where it was carried out in part."""

    at: str
    step: int
    error: str
    undo: bool = False
    unclear: bool = False
    aside: str = ""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)


class Closed(Value, tag_field="entry", tag="closed", frozen=True, kw_only=True):
    """The last word of a process on the deployment; `diagnoses` tell more of what has failed."""

    at: str
    outcome: Outcome
    reason: str = ""
    diagnoses: dict[Address, Diagnosis] = msgspec.field(default_factory=dict)


Entry: TypeAlias = Opened | Began | Done | Failed | Closed


class Deployment(Value, frozen=True, kw_only=True):
    """A deployment as the journal tells it."""

    opened: Opened
    entries: tuple[Began | Done | Failed | Closed, ...] = ()
    running: bool = False
    """by another process, right now"""

    @property
    def number(self) -> int:
        return self.opened.number

    @property
    def plan(self) -> Plan:
        return self.opened.plan

    @property
    def outcome(self) -> Outcome:
        """A deployment without a last word was cut off."""
        closings = [entry for entry in self.entries if isinstance(entry, Closed)]
        if self.running:
            return Outcome.RUNNING
        return closings[-1].outcome if closings else Outcome.UNFINISHED

    @property
    def back_to(self) -> int:
        """The deployment to go back to so that this one, and what it was itself undoing, is undone."""
        return min((self.number, *self.plan.undoes)) - 1

    @property
    def reason(self) -> str:
        closings = [entry for entry in self.entries if isinstance(entry, Closed)]
        if self.running:
            return ""
        return closings[-1].reason if closings else "it was cut off"

    @property
    def diagnoses(self) -> dict[Address, Diagnosis]:
        """Why what has failed did so, as the newest process that went on with it has found."""
        closings = [entry.diagnoses for entry in self.entries if isinstance(entry, Closed) and entry.diagnoses]
        return closings[-1] if closings else {}

    @property
    def going_back(self) -> bool:
        """Was it putting back what it had done?"""
        steps = {step.index: step for step in self.plan.steps}
        undone = {entry.step for entry in self.entries if isinstance(entry, Began) and entry.undo}
        return any(isinstance(steps[index].undo, Call) for index in undone if index in steps)

    def steps_told(self) -> tuple[Began | Done | Failed, ...]:
        """What became of the steps themselves, in order."""
        return tuple(entry for entry in self.entries if not isinstance(entry, Closed) and not entry.aside)

    def outputs(self) -> dict[int, dict[str, str]]:
        """By step: what AWS answered, for every step that was done, if only in part, whether or not it was undone
        later."""
        return {
            e.step: e.outputs
            for e in self.steps_told()
            if not isinstance(e, Began) and not e.undo and (e.outputs or isinstance(e, Done))
        }

    def unclear(self) -> frozenset[int]:
        """The steps of which nobody saw whether they were carried out: begun without an end, or ended in a lost
        answer; and not undone since, although that may have been tried."""
        unclear: set[int] = set()
        for entry in self.steps_told():
            match entry:
                case Began(undo=False):
                    unclear.add(entry.step)
                case Done() | Failed(undo=False, unclear=False):
                    unclear.discard(entry.step)
        return frozenset(unclear)

    def touched(self) -> frozenset[int]:
        """The steps that were begun: whether each was carried out, live state tells."""
        return frozenset(e.step for e in self.entries if isinstance(e, Began) and not e.undo)

    def states(self) -> dict[int, str]:
        """By step: planned, begun, done, failed or undone."""
        states = {step.index: "planned" for step in self.plan.steps}
        for entry in self.steps_told():
            match entry:
                case Began(undo=False):
                    states[entry.step] = "begun"
                case Done():
                    states[entry.step] = "undone" if entry.undo else "done"
                case Failed():
                    states[entry.step] = "undo failed" if entry.undo else "failed"
        return states


class Damaged(Value, frozen=True, kw_only=True):
    """A file of the journal that cannot be read."""

    number: int
    error: str


class Journal:
    """The deployments of one app in one account and region, below `root`."""

    def __init__(self, root: Path, app: str, identity: Identity) -> None:
        self.root, self.app = root, app
        self.folder = root / app / str(identity)

    def numbers(self) -> list[int]:
        """In order; empty where nothing was deployed yet."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"the journal {self.folder} cannot be read: {error.strerror}") from error
        return sorted(int(match[1]) for name in names if (match := re.fullmatch(r"(\d{6,})\.jsonl", name)))

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.jsonl"

    def read(self, number: int) -> Deployment:
        """Raises JournalError, with file and line, on anything but a torn last line."""
        deployment = read_file(self.path(number))
        if deployment.outcome.ended or number != self.numbers()[-1]:
            return deployment
        return msgspec.structs.replace(deployment, running=works(self.folder / "holder.json"))

    def all(self) -> list[Deployment | Damaged]:
        """Every deployment in order; a file that cannot be read, or is missing, takes its place and hides no other."""
        result: list[Deployment | Damaged] = []
        numbers = self.numbers()
        for number in range(numbers[0], numbers[-1] + 1) if numbers else ():
            if number not in numbers:
                result.append(Damaged(number=number, error=f"{self.path(number)} is missing"))
                continue
            try:
                result.append(self.read(number))
            except JournalError as error:
                result.append(Damaged(number=number, error=error.message))
        return result

    def deployments(self) -> list[Deployment]:
        """Every deployment in order, without those that were cut off before their plan was on disk; raises
        JournalError if one cannot be read."""
        found = []
        for number in self.numbers():
            with contextlib.suppress(NeverBegunError):
                found.append(self.read(number))
        return found

    def open(self, plan: Plan, origin: Origin, at: str) -> Writer:
        """A new deployment, with the next number. Call it while holding the lock."""
        number = (self.numbers() or [0])[-1] + 1
        opened = Opened(number=number, at=at, origin=origin, plan=plan)
        with told(f"the journal {self.folder} cannot be written"):
            make_folders(self.root, self.folder)
            handle = os.open(self.path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        writer = Writer(number, self.path(number), handle, opened.once)
        try:
            writer.append(opened)
        except JournalError:
            writer.close()
            self.path(number).unlink(missing_ok=True)
            raise
        with told(f"the journal {self.folder} cannot be written"):
            sync_folder(self.folder)
        return writer

    def reopen(self, number: int) -> Writer:
        """A deployment that goes on, without the line that was torn off. Call it while holding the lock."""
        path = self.path(number)
        with told(f"the journal {path} cannot be written"):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(handle, path.read_bytes().rfind(b"\n") + 1)
        return Writer(number, path, handle)

    @contextlib.contextmanager
    def locked(self, origin: Origin, at: str) -> Iterator[None]:
        """One deployment at a time; raises LockedError naming the holder."""
        with told(f"the journal {self.folder} cannot be written"):
            make_folders(self.root, self.folder)
        with hold(self.folder, self.app, origin, at):
            yield


def read_file(path: Path) -> Deployment:
    """One deployment's file. A last line that was not written to its end is as if it had never been begun."""
    with told(f"the journal {path} cannot be read"):
        lines = path.read_bytes().split(b"\n")
    complete = lines[:-1]  # what stands behind the last line feed was torn off while it was written
    if not complete:
        raise NeverBegunError(f"{path}: line 1: its plan was never written to its end; nothing was sent for it")
    entries = [_entry(path, number, line) for number, line in enumerate(complete, 1)]
    opened, rest = entries[0], entries[1:]
    if not isinstance(opened, Opened):
        raise JournalError(f"{path}: line 1: the plan of the deployment should stand here", hint=MOVE_IT)
    steps = {step.index for step in opened.plan.steps}
    return Deployment(opened=opened, entries=tuple(_later(path, n, entry, steps) for n, entry in enumerate(rest, 2)))


def _entry(path: Path, number: int, line: bytes) -> Entry:
    where = f"{path}: line {number}"
    try:
        if b'"opened"' not in line and b'"format_version"' not in line:  # all lines but the first, which has the plan
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
    """What a rollback and a resumption go by is what was written."""
    if digest_of({field: value for field, value in data.items() if field != "digest"}) != plan.digest:
        raise ValueError("the plan was changed after it was written: its digest does not fit")


def _later(path: Path, number: int, entry: Entry, steps: Collection[int]) -> Began | Done | Failed | Closed:
    if isinstance(entry, Opened):
        raise JournalError(f"{path}: line {number}: a second deployment begins here", hint=MOVE_IT)
    if not isinstance(entry, Closed) and entry.step not in steps:
        raise JournalError(f"{path}: line {number}: the plan has no step {entry.step}", hint=MOVE_IT)
    return entry


def check_version(version: object, where: str) -> None:
    """Minor versions add what older readers ignore; of a newer major version nothing is understood."""
    major = version.partition(".")[0] if isinstance(version, str) else None
    if major != FORMAT_VERSION.partition(".")[0]:
        raise JournalError(
            f"{where}: written in format {version}, and this ecsplan reads {FORMAT_VERSION}",
            hint="Use the version of ecsplan that wrote it, or a newer one.",
        )


def unfinished(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment that was left part-way and that no later rollback has undone. One of which nothing was
    begun has left nothing."""
    undone = {n for d in deployments if d.outcome is Outcome.SUCCEEDED for n in d.plan.undoes}
    left = (d for d in reversed(deployments) if not d.outcome.ended and d.touched() and d.number not in undone)
    return next(left, None)
