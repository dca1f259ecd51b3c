"""The values that the stages of a deployment hand to a kind, and get from it. Those that carry their kind stand in
`contract`, which names these too: a kind imports that one module."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ecsplan.core.diagnosis import Pause, Status, Tally
from ecsplan.core.model import Action, Address, Call, Doc, FieldChange, Outputs, Phase, Settings, Undo, Value


class CompileScope(Value, frozen=True, kw_only=True):
    """What a spec is compiled with: the image tag, whether services are redeployed without a difference, and the time
    by the deployment's clock (seconds since the epoch; 0 where nothing depends on it)."""

    tag: str
    redeploy: bool = False
    now: float = 0.0


class Candidate(Value, frozen=True, kw_only=True):
    """Something live. `outputs` fill references to it. It is `reusable` if AWS would accept it."""

    doc: Doc
    outputs: dict[str, str]
    reusable: bool = True
    normal: Doc | None = None
    """the document's normal form, where the kind has made it"""


class Unsettled(Value, frozen=True, kw_only=True):
    """What made a live resource as it is has not ended well: UNDER_WAY, PAUSED or FAILED. `note` says so for people,
    after the address: `is still rolling out (1/2 running)`. `more` says why, or until when."""

    status: Status
    note: str
    more: str = ""


class Live(Value, frozen=True, kw_only=True):
    """What AWS answered about one address.

    `candidates`, best first, are empty where there is nothing: an equal one is kept, else differences are shown against
    the first. `wanted` is the document of a pinned revision, which stands for the declared one. `observed` must not
    move between plan and apply. `facts` are what the kind's own steps need.
    """

    address: Address
    candidates: tuple[Candidate, ...] = ()
    wanted: Doc | None = None
    observed: object = None
    rolling: bool = False
    """an earlier deployment of it is still rolling out"""
    unsettled: Unsettled | None = None
    """where no field differs, this is a difference by itself"""
    in_use: tuple[str, ...] = ()
    """revisions (ARNs) that still run although nothing declares them, such as those that are draining"""
    facts: Doc = msgspec.field(default_factory=dict)


class Ran(Value, frozen=True, kw_only=True):
    """A rollout that AWS remembers: the revision (ARN; "" where it does not say), when it began (epoch seconds), and
    whether it went to its end (`well`), failed, or AWS itself took it back."""

    revision: str
    began: float | None = None
    well: bool = False
    failed: bool = False
    taken_back: bool = False


class Past(Value, frozen=True, kw_only=True):
    """The rollouts of one address that AWS remembers, newest first. `refused` says why AWS does not say, if so."""

    address: Address
    rollouts: tuple[Ran, ...] = ()
    refused: str = ""

    def never_well(self, revision: str) -> bool:
        """Has every rollout of this revision (ARN) that AWS remembers failed, or been taken back or given up?"""
        ended = [ran for ran in self.rollouts if ran.revision == revision]
        return any(ran.failed or ran.taken_back for ran in ended) and not any(ran.well for ran in ended)


class StepDraft(Value, frozen=True, kw_only=True):
    """A step before it has a number."""

    phase: Phase
    action: Action
    call: Call
    undo: Undo
    changes: tuple[FieldChange, ...] = ()
    note: str = ""
    expect: Doc = msgspec.field(default_factory=dict)
    """what the kind needs to judge the outcome, as `Change.expect` types it; `previous` is the revision that this moves
    something from"""
    settings: Settings = Settings()


class Poll(Value, frozen=True, kw_only=True):
    """A request that reports the progress of some tracked steps. An optional one adds detail; tracking works without
    it."""

    call: Call
    steps: tuple[int, ...]
    """the indexes of the steps that it reports on"""
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The judgement of one poll. `note` is one line for people: the state while under way, the outcome when done, the
    reason when not ok."""

    done: bool
    ok: bool = True
    note: str = ""
    summary: str = ""
    """the note without counts, stage and traffic, where it has any"""
    superseded: bool = False
    """it failed because another deployment changed it since: it is not restored"""
    unknown: bool = False
    """it has ended, and AWS no longer shows how: neither ok nor failed"""
    stated: Status | None = None
    """its status, where `done` and `ok` do not say it all"""
    tally: Tally | None = None
    stage: str = ""
    traffic: float | None = None
    newest: str = ""
    pause: Pause | None = None
    """it waits at a lifecycle hook, not done, until someone acts"""
    outputs: Outputs = field(default_factory=dict)
    """outputs that only this poll has shown; later polls find them among those of `Tracked`"""
    state: object = None
    """the kind's own; the next poll finds it in `Tracked.state`"""

    @property
    def status(self) -> Status:
        if self.stated is not None:
            return self.stated
        if self.pause is not None:
            return Status.PAUSED
        if not self.done:
            return Status.UNDER_WAY
        return Status.SUCCEEDED if self.ok else Status.FORGOTTEN if self.unknown else Status.FAILED


class Awaited(Value, frozen=True, kw_only=True):
    """What a step that sends nothing waits for: the call that would have begun it, and the outputs of that call."""

    call: Call
    outputs: Outputs


class Reverting(Value, frozen=True, kw_only=True):
    """How to revert a step whose effect may still be under way. Without a `call`, AWS is already rolling back or has
    finished; `outputs` identify what to wait for."""

    call: Call | None = None
    outputs: Outputs = msgspec.field(default_factory=dict)


class Wanted(Value, frozen=True, kw_only=True):
    """A step that has no live state and runs, for which what runs already is looked for: by the beginnings of marks, or
    by the mark that its own `params` (of the request) declare."""

    address: Address
    marks: tuple[str, ...]
    params: Doc


class Running(Value, frozen=True, kw_only=True):
    """Something that an earlier deployment, or another machine, has started at this address, and that has not stopped.
    `revision` is a name (`web:41`), `since` in epoch seconds by AWS's clock (0.0 where that is not shown). It is the
    `same` if revision and overrides are those of the step that it was looked for."""

    address: Address
    cluster: str
    task: str
    """its ARN"""
    mark: str
    revision: str
    since: float
    same: bool = False


class User(Value, frozen=True, kw_only=True):
    """Something in AWS, declared or not, that shows a revision (ARN); `name` is for people."""

    name: str
    revision: str


class Stream(Value, frozen=True, kw_only=True):
    """Where a container of a tracked task writes its lines: a stream of CloudWatch Logs. `task` is the task's id,
    `source` what people call the writer. `name` is "" where it cannot be known. `ended` is when the container had
    stopped (epoch seconds; infinite where AWS does not say), None while it runs."""

    task: str
    container: str
    source: str
    region: str
    group: str
    name: str
    ended: float | None = None
