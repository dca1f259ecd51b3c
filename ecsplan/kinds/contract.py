"""The contract of a kind: a sort of thing that ecsplan deploys, as one frozen value in a package of this folder.

A kind is cut into facets, one for each stage of the pipeline that uses it:

    Document    what its documents look like, and what AWS does to them     plan/, redact, the checks of plan files
    Declare     its table in the spec, and from there to resources          spec/, plan/compile
    Compare     what is live, and what of it differs                        plan/read, diff, explain, rollback
    Change      the steps of a difference, each with its undo               plan/diff, steps, file
    Calls       what the answer to a call means                             apply/
    Track       what takes time after the answer                            apply/wait, logs, diagnose
    Revert      taking back what is still under way                         apply/revert, continue
    Beside      what others have started at the same address                apply/look, leftovers

A kind is found by its `KIND`; no other file names it. If its resources are read and put as one document each,
`put_kind` (put.py) makes all facets. Otherwise write `Document`, `Declare`, `Change` and `Calls` first. Without
`Compare`, a kind has no live state: it runs. Without `Track`, a step is done when its call is answered. Without
`Revert`, the undo is all there is. A kind never imports botocore. It is given a `Reader`, which refuses every operation
that does not read, and it returns data: documents, differences, calls. Only `apply/` is given the means to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ecsplan.core.checks import Check, Path, Problems, Request
from ecsplan.core.diagnosis import Diagnosis, Pause
from ecsplan.core.documents import layered
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address, Call, Doc, Outputs, Settings, Step, Value
from ecsplan.core.model import Change as Planned
from ecsplan.core.normalize import Normalized, Rule
from ecsplan.core.ports import Reader
from ecsplan.core.rates import Rate
from ecsplan.core.spec import Task
from ecsplan.kinds.values import (
    Awaited,
    Candidate,
    CompileScope,
    Live,
    Past,
    Poll,
    Progress,
    Ran,
    Reverting,
    Running,
    StepDraft,
    Stream,
    Unsettled,
    User,
    Wanted,
)

__all__ = [
    "Awaited", "Beside", "Calls", "Candidate", "Change", "Compare", "CompileScope", "Declare", "Delta", "Document",
    "Kind", "Live", "Past", "Poll", "Progress", "Ran", "Resource", "Revert", "Reverting", "Running", "StepDraft",
    "Stream", "Table", "Track", "Tracked", "Unsettled", "User", "Wanted", "nothing",
]  # fmt: skip

NOTHING = Normalized({}, ())


# --- values that carry their kind; the others stand in `values` ---


class Resource(Value, frozen=True, kw_only=True):
    """Something declared: the request that makes it, its kind, and the task of the spec that it belongs to."""

    kind: Kind
    address: Address
    task: str
    doc: Doc
    settings: Settings = Settings()
    facts: Doc = msgspec.field(default_factory=dict)
    """what the kind's own steps need to know of the rest of the spec"""
    optional: bool = False
    """left out, with a warning, where it cannot be carried out: what a rollback restores may be gone"""
    keep: int | None = None
    """task definitions only: how many ACTIVE revisions to leave; None leaves all"""
    pinned: str = ""
    """task definitions only: the revision (ARN) that a rollback goes back to"""
    retire: tuple[str, ...] = ()
    """task definitions only: revisions (ARNs) that a rollback deregisters, if nothing uses them"""


class Delta(Value, frozen=True, kw_only=True):
    """A change with what its steps are made from: what is `declared`, with the references that are known by now filled
    in; what is live (`candidate`, `current`); and the live document with the declared one over it (`merged`)."""

    change: Planned
    resource: Resource
    live: Live
    candidate: Candidate | None
    declared: Doc
    current: Normalized = NOTHING
    merged: Normalized = NOTHING
    uncertainties: tuple[str, ...] = ()
    """why what was found may differ from what is declared although it is kept, a sentence each"""

    @property
    def kind(self) -> Kind:
        return self.resource.kind

    @property
    def merged_doc(self) -> Doc:
        return self.merged.doc


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A step whose call was accepted and whose effect takes time. `call` is what was sent. `before` holds the outputs
    that the address had until then, where this deployment made them."""

    kind: Kind
    step: Step
    call: Call
    outputs: Outputs
    before: Outputs = field(default_factory=dict)
    old: bool = False
    """sent before the deployment was resumed, perhaps long ago"""
    state: object = None
    """the kind's own, as the last poll has left it (`Progress.state`); it is not journaled"""

    @property
    def address(self) -> Address:
        return self.step.address


def nothing(*_arguments: object) -> tuple[()]:
    return ()


# --- the facets ---


class Document(Value, frozen=True, kw_only=True):
    """What the documents of a kind look like: they have the form of the request of its table."""

    rules: tuple[Rule, ...] = ()
    """what AWS does to them, and where secrets stand in them (core/normalize)"""
    required: frozenset[str] = frozenset()
    """places that they always have: `Targets[].Id`"""


class Table(Value, frozen=True, kw_only=True):
    """The table of a kind in a spec: `[[tasks.NAME.KEY]]`, one for each resource."""

    key: str
    request: Request
    """the operation whose parameters the table holds; they are checked against botocore's model"""
    own: Mapping[str, Check] = {}
    """ecsplan's own keys beside them, each with its check. `wait`, `timeout` and `when` become the entry's settings."""
    inherits: tuple[str, ...] = ()
    """parameters for which a key of that name at the top of the spec stands where they are not declared: `cluster`"""
    single: bool = False
    """`[tasks.NAME.KEY]`: every task has exactly one"""


class Declare(Value, frozen=True, kw_only=True):
    """From the spec to resources. What checks tables takes them as they stand in the file: any value may stand
    anywhere, and what is malformed is a problem of the model's check."""

    table: Table
    compile: Callable[[Task, CompileScope], tuple[Resource, ...]]
    """the resources that a task of the spec declares"""
    lint: Callable[[Any, Path], Problems] = nothing
    """(task's table, its path): what AWS would refuse in this kind's tables"""
    cautions: Callable[[Any, Path, CompileScope], Problems] = nothing
    """(task's table, its path, what it is compiled with): what AWS would accept without the effect that was meant"""
    clashes: Callable[[Doc, Any], Problems] = nothing
    """(all tasks' tables by name, the spec's default cluster): what is declared twice, where AWS has one of it"""
    combine: Callable[[Doc, Doc], Doc] | None = None
    """the documents of one address that two tasks declare parts of, as one; None where an address has one declarer"""


class Compare(Value, frozen=True, kw_only=True):
    """What is live, and what of it differs from what is declared."""

    read: Callable[[Reader, Sequence[Resource]], tuple[Live, ...]]
    """the live state of ALL resources of the kind at once, so that it can batch"""
    read_used: Callable[[Reader, Sequence[Live], Mapping[Address, Sequence[str]]], tuple[Live, ...]] = (
        lambda _reader, lives, _used: tuple(lives)
    )
    """a second read after all kinds have read: which outputs of its addresses are in use elsewhere"""
    merge: Callable[[Doc, Doc], Doc] = lambda _live, declared: declared
    """(live, declared): the live document with the declared one over it, which is what would be live afterwards"""
    before: Callable[[Normalized, Normalized, Doc], Doc] = lambda current, _merged, _declared: current.doc
    """(current, merged, declared): the part of the live document that the change replaces; a rollback restores it"""
    merge_before: Callable[[Doc, Doc], Doc] = layered
    """(newer, older): two documents of `before` as one; the older deployment's values win"""
    tolerate: Callable[[Doc, Doc, Doc], tuple[Doc, tuple[str, ...]]] = lambda live, *_: (live, ())
    """(live, merged, sent): the live document with assumptions about what AWS may leave out, and a sentence on each.
    `sent` is the request that made it ({} if unknown). A difference that vanishes with them is a warning."""
    identity: Callable[[Doc], Doc] | None = None
    """the document that names a resource and declares nothing of it; None where reading one needs more"""
    revision_only: Callable[[Doc, frozenset[Address]], Doc] | None = None
    """a declared document with nothing left but its identity and the revisions of these addresses"""
    past: Callable[[Reader, Sequence[Resource]], tuple[Past, ...]] | None = None
    """what AWS itself remembers of their rollouts; None where it remembers none"""
    reads: frozenset[str] = frozenset()
    """every `service:operation` that it reads with and that no `Call(…)` in its code names, for docs/permissions.md"""
    versioned: bool = False
    """a difference makes a new one beside the old, and does not change the old one"""


class Change(Value, frozen=True, kw_only=True):
    """The steps that make a difference, each with its undo."""

    writes: frozenset[str]
    """every `service:operation` that its steps and undos may name; a plan file with another is refused"""
    steps: Callable[[Delta], tuple[StepDraft, ...]]
    blockers: Callable[[Resource, Live], tuple[str, ...]] = nothing
    """reasons why a difference cannot be carried out, a sentence each"""
    conflicts: Callable[[Delta, Mapping[Address, Delta]], tuple[str, ...]] = nothing
    """reasons why what will be live does not go with what the others will be, a sentence each"""
    remarks: Callable[[Delta], tuple[str, ...]] = nothing
    """what an operator should know about a difference beside its fields, a sentence each"""
    fill_in: Callable[[Resource, Doc, Mapping[Address, Delta]], tuple[Doc, str]] | None = None
    """for a kind without live state: the declared document with what it leaves out and the others have, and a note"""
    replaced: Callable[[Doc, Doc], str] = lambda *_: ""
    """(what a step expects, what it would expect by now): what has taken the place of what it was planned from, for
    people, after the address; "" where nothing has, and where that is not known"""
    cleanup: Callable[[Delta, frozenset[str]], tuple[StepDraft, ...]] = nothing
    """the calls that clean up after a deployment, given every revision in use then, by its ARN or
    as `FAMILY:REV`"""
    expect: type[Value] = Value
    """the type of `StepDraft.expect` and of `Resource.facts`; all its members are optional"""
    subject: Callable[[Call], str] = lambda _call: ""
    """the name, in addresses of this kind, of what a call changes; "" where the call alone does not say"""


class Calls(Value, frozen=True, kw_only=True):
    """What the answer to a call means, and what to do without one."""

    accept: Callable[[Step, Call, Doc], dict[str, str]]
    """the outputs of an answer; raises RefusedError, because a 200 is not success"""
    recover: Callable[[Reader, Step, Call], Outputs | None]
    """was this call carried out although its answer was lost? its outputs, or None if it certainly was not"""
    retryable: Callable[[AwsError], bool] = lambda _error: False
    """did AWS do nothing, so that the same call may succeed later? Throttling of any call is known without it"""
    again: Callable[[Call], Call] = lambda call: call
    """the call as it is sent once more after its effect has failed"""
    instead: Callable[[Step, Call, AwsError], tuple[Call, str] | None] = lambda *_: None
    """(step, call, why it was refused): the most of it that AWS accepts, and a sentence on what that leaves out"""
    assumed: Outputs = msgspec.field(default_factory=dict)
    """the outputs of a step of which an operator says that it was carried out"""
    token: str = ""
    """the parameter that makes a repeated call harmless; the engine fills it in"""
    marker: str = ""
    """the parameter by which `recover` finds what a step made; filled in where the spec declares none"""
    evidence: int | None = None
    """seconds for which AWS certainly shows what a call did, and takes the same token for the same call. After that,
    not finding it proves nothing. None where it is shown for good."""


class Track(Value, frozen=True, kw_only=True):
    """What takes time after the answer to a call."""

    polls: Callable[[Sequence[Tracked]], tuple[Poll, ...]]
    """the requests that report on those tracked"""
    judge: Callable[[Tracked, Sequence[Doc]], Progress]
    """what their answers (in order) mean for one of them"""
    awaited: Callable[[Step], Awaited] | None = None
    """what a step that waits (`Action.WAIT`) waits for; None where the kind plans no such step"""
    streams: Callable[[Tracked, Sequence[Doc]], tuple[Stream, ...]] = nothing
    """the log streams that it writes to, as far as these answers show"""
    diagnose: Callable[[Reader, Tracked, Progress], Diagnosis | None] = lambda *_: None
    """what a person would look up next about one that has failed"""
    expect_again: Callable[[Tracked, Sequence[Doc]], dict[str, str]] = lambda *_: {}
    """what a step that has failed expects when it is tried again, where that differs by then, given what these
    answers show"""
    stop: Callable[[Tracked, str], tuple[Call, ...]] = nothing
    """the calls that stop what is still under way although it has failed, given why, for people"""
    timeout: int = 900
    """seconds to wait, where neither spec nor command line sets it"""
    late_is_failure: bool = False
    """whether it has failed when the time is over, or is only not finished yet"""


class Revert(Value, frozen=True, kw_only=True):
    """Taking back what is still under way."""

    plan: Callable[[Reader, Tracked, Call], Reverting]
    """given its undo: by that, by what AWS itself can stop, or by nothing where AWS rolls back already"""
    is_reverting: Callable[[Outputs], bool]
    """do these outputs mean that AWS rolls back by itself, so that the rest must be restored afterwards?"""
    started_by: Callable[[Doc], Outputs | None]
    """by what a step expects: the outputs of the earlier step that it reverts while that may still be under way, as a
    rollback does; None where it reverts none"""
    resolve_pause: Callable[[Pause, bool], Call]
    """the call that ends a pause: onwards, or back"""


class Beside(Value, frozen=True, kw_only=True):
    """What runs at an address already: begun by an earlier deployment, or by another machine."""

    running: Callable[[Reader, Sequence[Wanted]], tuple[Running, ...]]
    """what has not stopped, oldest first"""
    joined: Callable[[Step, Sequence[Running]], dict[str, str] | None]
    """the outputs of a step that takes what runs for its own; None where that is not the same"""
    stopping: Callable[[Sequence[Running], str], Resource]
    """what stops that of one address, for a task of the spec"""


class Kind(Value, frozen=True, kw_only=True):
    """A sort of thing that ecsplan deploys. All functions are pure but for the `Reader` that some are given."""

    name: str
    """the first part of its addresses"""
    order: int
    """reference order: what is referred to comes first"""
    document: Document
    declare: Declare
    compare: Compare | None = None
    change: Change
    calls: Calls
    track: Track | None = None
    revert: Revert | None = None
    beside: Beside | None = None
    users: Callable[[Reader, Sequence[str], Sequence[str]], tuple[User, ...]] | None = None
    """(clusters, families): what shows a revision of these families in these clusters, whether or not it is declared;
    None where only what is declared is looked at"""
    rates: tuple[Rate, ...] = ()
    """how often AWS takes its operations, where they are not those of ECS (aws/pacing)"""

    def __repr__(self) -> str:
        return f"<kind {self.name}>"

    @property
    def versioned(self) -> bool:
        return self.compare is not None and self.compare.versioned
