"""What the executor says while it works: typed facts, no wording. Words and colours belong to whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ecsplan.model import Address, Step, Value


class Event(Value, tag_field="event", frozen=True, kw_only=True):
    """Base of all events."""


class DeploymentStarted(Event, tag="deployment_started", frozen=True, kw_only=True):
    number: int
    app: str
    tag: str
    steps: int


class StepStarted(Event, tag="step_started", frozen=True, kw_only=True):
    step: Step
    undo: bool = False


class StepDone(Event, tag="step_done", frozen=True, kw_only=True):
    """The call was accepted; its effect may still be under way."""

    step: Step
    outputs: dict[str, str]
    undo: bool = False


class StepFailed(Event, tag="step_failed", frozen=True, kw_only=True):
    step: Step
    error: str
    undo: bool = False


class Progressed(Event, tag="progressed", frozen=True, kw_only=True):
    """One look at something that takes time. `elapsed` is in seconds since waiting for it began."""

    address: Address
    note: str
    done: bool
    ok: bool
    elapsed: float


class Warned(Event, tag="warned", frozen=True, kw_only=True):
    message: str


class UndoStarted(Event, tag="undo_started", frozen=True, kw_only=True):
    reason: str


class DeploymentEnded(Event, tag="deployment_ended", frozen=True, kw_only=True):
    """`outcome` is a word of `journal.Outcome`; `reason` says why where it did not succeed."""

    number: int
    outcome: str
    reason: str


Listener: TypeAlias = Callable[[Event], None]
