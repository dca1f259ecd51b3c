"""The entries of a deployment, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import TypeAlias

import msgspec

from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.model import FORMAT_VERSION, Action, Address, Call, Outputs, Phase, Plan, Step, Value


class Outcome(Enum):
    """How a deployment ended, or that it runs. Without an end there is something left to `resume` or `rollback`."""

    SUCCEEDED = "succeeded"
    PUT_BACK = "put back"
    FAILED = "failed"
    """as PUT_BACK, but for a rollout that this deployment did not begin, or that had failed before it"""
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    UNFINISHED = "unfinished"
    RUNNING = "running"

    @property
    def ended(self) -> bool:
        return self in (Outcome.SUCCEEDED, Outcome.PUT_BACK, Outcome.FAILED)

    @property
    def left_nothing(self) -> bool:
        """Is everything that it had changed put back?"""
        return self in (Outcome.PUT_BACK, Outcome.FAILED)


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


class Opened(Value, tag_field="entry", tag="opened", frozen=True, kw_only=True):
    """The first entry, with the whole plan. Times are ISO 8601 in UTC."""

    format_version: str = FORMAT_VERSION
    number: int
    at: str
    origin: Origin
    plan: Plan

    @property
    def deployment_key(self) -> str:
        """Unique to this deployment, even if another has the same plan and number (fresh machines restart at 1)."""
        return f"{self.number}/{self.at}/{self.origin.host}/{self.origin.pid}"


class Began(Value, tag_field="entry", tag="began", frozen=True, kw_only=True):
    """The call of this step, or its undo, is about to be sent. With an `aside` it is another operation instead, which
    that field names and which continues the effect of the step; the entry that ends it has the same `aside`."""

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
    """It was refused, or its effect failed. `unclear`: whether it was carried out is not known. `outputs`: what it
    created where it was carried out in part. `stays`: neither an undo nor AWS puts back what has failed; it stands only
    where that is so."""

    at: str
    step: int
    error: str
    undo: bool = False
    unclear: bool = False
    aside: str = ""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    stays: bool | msgspec.UnsetType = msgspec.UNSET


class Closed(Value, tag_field="entry", tag="closed", frozen=True, kw_only=True):
    """The last entry of a process. `diagnoses`: why each address failed."""

    at: str
    outcome: Outcome
    reason: str = ""
    diagnoses: dict[Address, Diagnosis] = msgspec.field(default_factory=dict)


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
    undo_begun: bool = False
    undo_outputs: Outputs | None = None
    """what its undo made; None where it was not undone"""
    undo_failed: str = ""
    word: str = "planned"
    """planned, begun, done, failed, undone or undo failed: its last entry, for people"""

    @property
    def undone(self) -> bool:
        return self.undo_outputs is not None

    @property
    def made(self) -> Outputs | None:
        """What it made and is still there."""
        return None if self.undone else self.outputs


def after(state: StepState, step: Step, entry: Began | Done | Failed) -> StepState:
    """The state of a step after an entry about it; side calls change nothing."""
    if entry.aside:
        return state
    changes: Mapping[str, object]
    match entry:
        case Began(undo=False):
            changes = {"begun": datetime.fromisoformat(entry.at).timestamp(), "open": True, "word": "begun"}
        case Began():
            changes = {"undo_begun": True}
        case Done(undo=False):
            changes = {"outputs": entry.outputs, "open": False, "failed": "", "stays": False, "word": "done"}
        case Done():
            # A task that was stopped because it was late has run, and is not to run again.
            undone = {"undo_outputs": entry.outputs, "undo_failed": ""} if isinstance(step.undo, Call) else {}
            changes = {"open": False, "word": "undone", **undone}
        case Failed(undo=False):
            made = {"outputs": entry.outputs} if entry.outputs else {}
            state_now = {"open": entry.unclear and state.open, "stays": entry.stays is True, "word": "failed"}
            changes = {"failed": entry.error, **state_now, **made}
        case Failed():
            undo = {"undo_failed": entry.error} if isinstance(step.undo, Call) else {}
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
        wait for continue."""
        return frozenset(e.step for e in self.entries if isinstance(e, Began) and not e.undo)

    def states(self) -> dict[int, str]:
        """By step: planned, begun, done, failed, undone or undo failed."""
        return {index: state.word for index, state in self.step_states().items()}

    def revisions(self) -> dict[str, str]:
        """By family, the revision that the deployment put in use: `{"web": "web:41"}`; empty where it was put back."""
        if self.outcome.left_nothing:
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
    undone = {n for d in deployments if d.outcome is Outcome.SUCCEEDED for n in d.plan.undoes}
    left = (d for d in reversed(deployments) if not d.outcome.ended and d.begun() and d.number not in undone)
    return next(left, None)


def waiting(deployments: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment, where nothing is sent for it and it was left while it waited for what was begun before. No
    other deployment has to care; to resume it is to wait on."""
    newest = deployments[-1] if deployments else None
    return newest if newest is not None and newest.plan.only_waits and not newest.outcome.ended else None
