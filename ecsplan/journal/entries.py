"""The entries of a deployment, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import TypeAlias

import msgspec

from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.model import FORMAT_VERSION, Action, Address, Call, Doc, Outputs, Phase, Plan, Step, Undo, Value


class Outcome(Enum):
    """How a deployment ended, or that it runs. Without an end there is something left to `resume` or `rollback`."""

    SUCCEEDED = "succeeded"
    PUT_BACK = "put back"
    FAILED = "failed"
    """as PUT_BACK, but for a rollout that this deployment did not begin, or that had failed before it"""
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    UNFINISHED = "unfinished"
    SUPERSEDED = "superseded"
    """another deployment took the place of this one, in AWS or in the journal; what it did not take is as it is"""
    ABANDONED = "abandoned"
    """an operator ended it where it was"""
    RUNNING = "running"

    @property
    def ended(self) -> bool:
        return self in ENDS

    @property
    def left_nothing(self) -> bool:
        """Is everything that it had changed put back?"""
        return self in (Outcome.PUT_BACK, Outcome.FAILED)


ENDS = frozenset({Outcome.SUCCEEDED, Outcome.PUT_BACK, Outcome.FAILED, Outcome.SUPERSEDED, Outcome.ABANDONED})


class Origin(Value, frozen=True, kw_only=True):
    """The user, machine, process and command that a deployment was begun by."""

    user: str
    host: str
    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}, {self.command!r}"


class Holder(Value, frozen=True, kw_only=True):
    """The process that holds the lock of a journal. `since` is ISO 8601 in UTC."""

    since: str
    origin: Origin = msgspec.field(name="holder")

    def __str__(self) -> str:
        return f"{self.origin}, since {self.since}"


class Chosen(Value, frozen=True, kw_only=True):
    """The options that a deployment was begun with; they hold when it is resumed, too. `on_failure` is `rollback` or
    `stop`, and "" in format 1.0, which does not keep them. With `beside`, one-off tasks run beside those that others
    have started. How long to wait is not among them: that is a matter of each command."""

    on_failure: str = ""
    wait: bool = True
    beside: bool = False


class Opened(Value, tag_field="entry", tag="opened", frozen=True, kw_only=True):
    """The first entry, with the whole plan. Times are ISO 8601 in UTC."""

    format_version: str = FORMAT_VERSION
    number: int
    at: str
    origin: Origin
    plan: Plan
    options: Chosen | msgspec.UnsetType = msgspec.UNSET
    """unset in format 1.0"""

    @property
    def begun_with(self) -> Chosen:
        return self.options or Chosen()

    @property
    def deployment_key(self) -> str:
        """Unique to this deployment, even if another has the same plan and number (fresh machines restart at 1)."""
        return f"{self.number}/{self.at}/{self.origin.host}/{self.origin.pid}"


class Remade(Value, frozen=True, kw_only=True):
    """What a step became when what it was about to change was read again: it stands for what the plan has."""

    call: Call
    undo: Undo
    expect: Doc


class Began(Value, tag_field="entry", tag="began", frozen=True, kw_only=True):
    """The call of this step, or its undo, is about to be sent. With an `aside` it is another operation instead, which
    that field names and which continues the effect of the step; the entry that ends it has the same `aside`.

    `attempt` counts how often the step was tried again after its effect had failed; unset is none. `expect` is what
    then stands in place of members of the step's `expect`. `remade` stands where a second look made the step anew."""

    at: str
    step: int
    undo: bool = False
    aside: str = ""
    attempt: int | msgspec.UnsetType = msgspec.UNSET
    expect: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    remade: Remade | msgspec.UnsetType = msgspec.UNSET


class Done(Value, tag_field="entry", tag="done", frozen=True, kw_only=True):
    """AWS has accepted it."""

    at: str
    step: int
    outputs: dict[str, str]
    undo: bool = False
    aside: str = ""


class Failed(Value, tag_field="entry", tag="failed", frozen=True, kw_only=True):
    """It was refused, or its effect failed. `unclear`: whether it was carried out is not known. `outputs`: what it
    created where it was carried out in part. `stays`: neither an undo nor AWS puts back what has failed. `superseded`:
    nothing was sent, because another deployment had changed it since it was planned. Both stand only where that is
    so."""

    at: str
    step: int
    error: str
    undo: bool = False
    unclear: bool = False
    aside: str = ""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    stays: bool | msgspec.UnsetType = msgspec.UNSET
    superseded: bool | msgspec.UnsetType = msgspec.UNSET


class Closed(Value, tag_field="entry", tag="closed", frozen=True, kw_only=True):
    """The last entry of a process. `diagnoses`: why each address failed. `by` is the origin of the command that ended
    the deployment without carrying out any of it; unset for a process that worked on it."""

    at: str
    outcome: Outcome
    reason: str = ""
    diagnoses: dict[Address, Diagnosis] = msgspec.field(default_factory=dict)
    by: Origin | msgspec.UnsetType = msgspec.UNSET


Entry: TypeAlias = Opened | Began | Done | Failed | Closed


# --- the state of a step: the fold of its entries ---


class StepState(Value, frozen=True, kw_only=True):
    """What is known of one step."""

    begun: float | None = None
    """when its call was last about to be sent (epoch seconds)"""
    open: bool = False
    """begun, and unknown whether AWS carried it out"""
    outputs: Outputs | None = None
    """what it made, if only in part; None where it made nothing"""
    failed: str = ""
    """why its call was refused, or why its effect failed; "" again when it was carried out later"""
    stays: bool = False
    """its effect has failed, and nothing puts that back"""
    superseded: bool = False
    """it was not begun: another deployment had changed what it was to change"""
    undo_begun: bool = False
    undo_outputs: Outputs | None = None
    """what its undo made; None where it was not undone"""
    undo_failed: str = ""
    undo_tried: Outputs | None = None
    """what an undo made whose effect has failed"""
    attempt: int = 0
    """of its newest call: how often it was tried again after its effect had failed"""
    made_by: int = 0
    """the attempt that made the outputs"""
    word: str = "planned"
    """planned, begun, done, failed, undone or undo failed: its last entry, for people"""

    @property
    def undone(self) -> bool:
        return self.undo_outputs is not None

    @property
    def made(self) -> Outputs | None:
        """What it made and is still there."""
        return None if self.undone else self.outputs

    @property
    def outdated(self) -> bool:
        """Was what it made made by an earlier attempt than the newest one?"""
        return self.outputs is not None and self.made_by < self.attempt


def after(state: StepState, step: Step, entry: Began | Done | Failed) -> StepState:
    """The state of a step after an entry about it; side calls change nothing."""
    if entry.aside:
        return state
    changes: Mapping[str, object]
    match entry:
        case Began(undo=False):
            begun = datetime.fromisoformat(entry.at).timestamp()
            changes = {"attempt": entry.attempt or 0, "begun": begun, "open": True, "word": "begun"}
        case Began():
            changes = {"undo_begun": True}
        case Done(undo=False):
            made = {"outputs": entry.outputs, "made_by": state.attempt}
            changes = {**made, "open": False, "failed": "", "stays": False, "word": "done"}
        case Done():
            # A task that was stopped because it was late has run, and is not to run again.
            outputs = {"undo_outputs": entry.outputs, "undo_tried": None}
            undone = {**outputs, "undo_failed": ""} if isinstance(step.undo, Call) else {}
            changes = {"open": False, "word": "undone", **undone}
        case Failed(undo=False):
            made = {"outputs": entry.outputs, "made_by": state.attempt} if entry.outputs else {}
            state_now = {"open": entry.unclear and state.open, "stays": entry.stays is True, "word": "failed"}
            changes = {"failed": entry.error, "superseded": entry.superseded is True, **state_now, **made}
        case Failed():
            # What has failed to be undone is still there: the undo is sent again.
            tried = {"undo_outputs": None, "undo_tried": state.undo_outputs} if state.undone else {}
            undo = {"undo_failed": entry.error, **tried} if isinstance(step.undo, Call) else {}
            changes = {"word": "undo failed", **undo}
    return msgspec.structs.replace(state, **changes)


class Deployment(Value, frozen=True, kw_only=True):
    """A deployment with its entries so far."""

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
    def started(self) -> str:
        """When it began, in UTC, to the second: `2026-01-02 03:04:05Z`."""
        return self.opened.at.partition(".")[0].replace("T", " ").rstrip("Z") + "Z"

    @property
    def user(self) -> str:
        """Who began it, and on which machine: `ada@ci-7`."""
        return f"{self.opened.origin.user}@{self.opened.origin.host}"

    @property
    def outcome(self) -> Outcome:
        """That of the newest process; UNFINISHED where no process has written its last entry."""
        closings = [entry for entry in self.entries if isinstance(entry, Closed)]
        if self.running:
            return Outcome.RUNNING
        return closings[-1].outcome if closings else Outcome.UNFINISHED

    @property
    def rollback_target(self) -> int:
        """The number of the deployment to roll back to, so that this one is undone, and what it was undoing itself."""
        return min((self.number, *self.plan.undoes)) - 1

    @property
    def reason(self) -> str:
        closings = [entry for entry in self.entries if isinstance(entry, Closed)]
        if self.running:
            return ""
        return closings[-1].reason if closings else "the process was killed"

    @property
    def ended_by(self) -> Origin | None:
        """The command that ended it without carrying out any of it."""
        closings = [entry for entry in self.entries if isinstance(entry, Closed)]
        return (closings[-1].by or None) if closings and not self.running else None

    @property
    def diagnoses(self) -> dict[Address, Diagnosis]:
        """Why each address failed, as the newest process with a diagnosis found."""
        closings = [entry.diagnoses for entry in self.entries if isinstance(entry, Closed) and entry.diagnoses]
        return closings[-1] if closings else {}

    @property
    def rolling_back(self) -> bool:
        """Was the undo call of any of its steps begun?"""
        steps = {step.index: step for step in self.plan.steps}
        undone = {entry.step for entry in self.entries if isinstance(entry, Began) and entry.undo}
        return any(isinstance(steps[index].undo, Call) for index in undone if index in steps)

    def step_states(self) -> dict[int, StepState]:
        """The state of every step, by its index."""
        steps = {step.index: step for step in self.plan.steps}
        states = dict.fromkeys(steps, StepState())
        for entry in self.entries:
            if not isinstance(entry, Closed):
                states[entry.step] = after(states[entry.step], steps[entry.step], entry)
        return states

    def outputs(self) -> dict[int, Outputs]:
        """By step: the outputs of every step that was carried out, also in part, and whether or not it was undone
        since."""
        return {index: state.outputs for index, state in self.step_states().items() if state.outputs is not None}

    def begun(self) -> frozenset[int]:
        """The steps that were begun, whatever became of them. Those that only wait are not, unless a call let what they
        wait for continue. One that joined a task of another deployment is done without a call of its own."""
        waits = {step.index for step in self.plan.steps if step.action is Action.WAIT}
        return frozenset(
            entry.step
            for entry in self.entries
            if isinstance(entry, Began | Done)
            and not entry.undo
            and (isinstance(entry, Began) or entry.step not in waits)
        )

    @property
    def is_something(self) -> bool:
        """Was anything done for it, or has it ended? One that was cut off before its first call is no deployment."""
        return self.running or self.outcome.ended or any(not isinstance(entry, Closed) for entry in self.entries)

    @property
    def tries_again(self) -> bool:
        """Is what has failed to be tried again when it is resumed? It is where the deployment was begun to stop on a
        failure. Format 1.0 does not keep that: there it follows from how the deployment ended."""
        if policy := self.opened.begun_with.on_failure:
            return policy == "stop"
        failed = any(isinstance(entry, Failed) and not entry.undo for entry in self.entries)
        return failed and not self.rolling_back and self.outcome is Outcome.STOPPED

    def states(self) -> dict[int, str]:
        """By step: planned, begun, done, failed, undone or undo failed."""
        return {index: state.word for index, state in self.step_states().items()}

    def revisions(self) -> dict[str, str]:
        """By family, the revision that the deployment put in use: `{"web": "web:41"}`; empty where it was put back, or
        superseded."""
        if self.outcome.left_nothing or self.outcome is Outcome.SUPERSEDED:
            return {}
        outputs = self.outputs()
        pinned = [
            change.outputs["arn"]
            for change in self.plan.changes
            if "arn" in change.outputs
            and ":task-definition/" in change.outputs["arn"]
            and change.action is Action.KEEP
            and (change.after or change.pinned)
        ]
        registered = [
            outputs[step.index].get("arn", "")
            for step in self.plan.steps
            if step.phase is Phase.REGISTER and step.index in outputs
        ]
        names = [arn.rpartition("/")[2] for arn in (*pinned, *registered)]
        return {name.rpartition(":")[0]: name for name in names}


class Damaged(Value, frozen=True, kw_only=True):
    """A deployment that cannot be read, or is missing; `error` says where and why."""

    number: int
    error: str


def unfinished(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment that was left part-way and that no later rollback has undone. A deployment that began no
    step does not count."""
    return next(iter(all_unfinished(deployments)), None)


def all_unfinished(deployments: Sequence[Deployment]) -> list[Deployment]:
    """Those of them, newest first: behind a rollback that was left part-way stands what it was to undo."""
    undone = {n for d in deployments if d.outcome is Outcome.SUCCEEDED for n in d.plan.undoes}
    return [d for d in reversed(deployments) if not d.outcome.ended and d.begun() and d.number not in undone]


def waiting(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment, where nothing is sent for it and it was left while it waited for what was begun before. No
    other deployment has to care; to resume it is to wait on."""
    newest = deployments[-1] if deployments else None
    return newest if newest is not None and newest.plan.only_waits and not newest.outcome.ended else None
