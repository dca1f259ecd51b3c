"""What the engine reports while it works: typed facts without wording. Words and colours belong to the listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ecsplan.core.diagnosis import Diagnosis, Pause, Tally
from ecsplan.core.model import Action, Address, Call, Doc, Identity, Phase, Step, Value


class Event(Value, tag_field="event", frozen=True, kw_only=True):
    """Base of all events."""


class Planned(Value, frozen=True, kw_only=True):
    """A planned step; `made`: it was carried out before the deployment was resumed."""

    index: int
    phase: Phase
    address: Address
    action: Action
    made: bool = False


class DeploymentStarted(Event, tag="deployment_started", frozen=True, kw_only=True):
    """`steps` is their number; `planned` holds them in order. `clusters` are the ECS clusters that it touches."""

    number: int
    app: str
    tag: str
    steps: int
    planned: tuple[Planned, ...] = ()
    identity: Identity | None = None
    clusters: tuple[str, ...] = ()


class StepStarted(Event, tag="step_started", frozen=True, kw_only=True):
    step: Step
    undo: bool = False


class StepDone(Event, tag="step_done", frozen=True, kw_only=True):
    """The call was accepted; its effect may take longer."""

    step: Step
    outputs: dict[str, str]
    undo: bool = False


class StepFailed(Event, tag="step_failed", frozen=True, kw_only=True):
    step: Step
    error: str
    undo: bool = False


class Progressed(Event, tag="progressed", frozen=True, kw_only=True):
    """One poll of something that takes time. `elapsed` is in seconds since waiting for it began. `step` is the index of
    its step: several steps of one address can be under way.

    `verdict` is a word of `diagnosis.Status`. `stage` is AWS's word for how far a rollout is, `traffic` the share of
    production traffic that the new revision gets, in percent, `newest` the newest of the service's events that this
    rollout has caused; each is left empty where there is none. `summary` is the note without counts, stage and traffic,
    or "" where the note has none; it is not part of the JSON stream.
    """

    address: Address
    note: str
    done: bool
    ok: bool
    elapsed: float
    verdict: str = "under way"
    tally: Tally | None = None
    stage: str = ""
    traffic: float | None = None
    newest: str = ""
    pause: Pause | None = None
    step: int = 0
    summary: str = ""


class Logged(Event, tag="logged", frozen=True, kw_only=True):
    """A log message of a container that is waited for, usually one line. `task` is the task's id. `source` is the name
    for people: the task's name, with the container and the task's id if there are several. `at` is when it was written
    (ISO 8601 in UTC)."""

    address: Address
    source: str
    task: str
    container: str
    at: str
    text: str


class Diagnosed(Event, tag="diagnosed", frozen=True, kw_only=True):
    """Why something that was waited for failed."""

    address: Address
    diagnosis: Diagnosis


class Continued(Event, tag="continued", frozen=True, kw_only=True):
    """A rollout that was paused at a lifecycle hook was continued. `stage` is AWS's word for where it was paused."""

    address: Address
    hook: str
    stage: str


class Warned(Event, tag="warned", frozen=True, kw_only=True):
    message: str


class Paced(Event, tag="paced", frozen=True, kw_only=True):
    """Requests wait for AWS's rate limit: `waiting` of `call` (`ecs:update_service`) and of the calls that share its
    limit. `per_second` of them are sent now."""

    call: str
    per_second: float
    waiting: int


class UndoStarted(Event, tag="undo_started", frozen=True, kw_only=True):
    reason: str


class DeploymentEnded(Event, tag="deployment_ended", frozen=True, kw_only=True):
    """`outcome` is a word of `journal.Outcome`; `reason` is why it did not succeed."""

    number: int
    outcome: str
    reason: str


Listener: TypeAlias = Callable[[Event], None]


class Notice(Value, frozen=True, kw_only=True):
    """Base of what is for notifications: it is no part of the stream. Documents in it are not masked."""


class CallAnswered(Notice, frozen=True, kw_only=True):
    """A call was carried out; `answer` is AWS's, {} where it was lost."""

    step: Step
    call: Call
    answer: Doc


class DeploymentClosed(Notice, frozen=True, kw_only=True):
    """The end of a deployment is in the journal. `changed`: it may have changed something."""

    outcome: str
    reason: str
    changed: bool


Emit: TypeAlias = Callable[[Event | Notice], None]
