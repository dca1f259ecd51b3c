"""The contract of a kind: a sort of thing that ecsplan handles, as one frozen value in one file of this folder.

A kind never imports botocore. It is given `reader`, which refuses every operation that does not read, and it answers
with data: documents, differences, calls. Only the executor is given the means to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ecsplan.core.diagnosis import Diagnosis, Pause, Tally, Verdict
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Candidate,
    Change,
    Doc,
    FieldChange,
    Live,
    Phase,
    Resource,
    Settings,
    Step,
    Undo,
    Value,
)
from ecsplan.core.normalize import Normalized, Rule, is_empty
from ecsplan.core.ports import Reader
from ecsplan.spec.load import Task

NOTHING = Normalized({}, ())


class CompileScope(Value, frozen=True, kw_only=True):
    """What a spec is compiled with, beside itself: the image tag, and whether services are to be redeployed without a
    difference."""

    tag: str
    redeploy: bool = False


class Delta(Value, frozen=True, kw_only=True):
    """A change with what its steps are made from: what is declared, with every reference filled that is known by now
    (`desired`), what is live (`found`, `before`), and the live document with the declared one laid over it (`wanted`,
    `after`)."""

    change: Change
    resource: Resource
    live: Live
    found: Candidate | None
    desired: Doc
    before: Normalized = NOTHING
    after: Normalized = NOTHING
    doubts: tuple[str, ...] = ()
    """why what was found may not be quite what is declared although it is kept, a sentence each"""

    @property
    def wanted(self) -> Doc:
        return self.after.doc


class StepDraft(Value, frozen=True, kw_only=True):
    """A step before the planner numbers it."""

    phase: Phase
    action: Action
    call: Call
    undo: Undo
    changes: tuple[FieldChange, ...] = ()
    note: str = ""
    expect: Doc = msgspec.field(default_factory=dict)
    """what the kind needs to judge the outcome; `previous` is the revision that this moves something from"""
    settings: Settings = Settings()


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A step whose call was accepted and whose effect takes time. `call` is what was sent, `before` the outputs that
    the address had until then, where this deployment made them."""

    address: Address
    step: Step
    call: Call
    outputs: Mapping[str, str]
    before: Mapping[str, str] = field(default_factory=dict)
    old: bool = False
    """sent before the deployment was resumed, perhaps long ago"""


class Poll(Value, frozen=True, kw_only=True):
    """One request that tells how some of those waited for are doing. One that is `optional` tells more, where AWS
    answers it: without it the others tell enough."""

    call: Call
    steps: tuple[int, ...]
    """the indexes of the steps that it tells of"""
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`note` is one line for people: the state while under way, the outcome when done, the reason when not ok. `taken`
    where it failed because somebody else has changed it since: it is theirs, and not to be put back. `forgotten`
    where it has ended, and AWS no longer tells how: neither ok nor failed."""

    done: bool
    ok: bool = True
    note: str = ""
    taken: bool = False
    forgotten: bool = False
    verdict: Verdict = Verdict.UNDER_WAY
    """where it says no more than `done` and `ok` do, it may be left as it is: see `judged`"""
    tally: Tally | None = None
    stage: str = ""
    traffic: float | None = None
    newest: str = ""
    pause: Pause | None = None
    """it waits at a lifecycle hook, not done, and will for as long as nobody acts"""
    learned: Mapping[str, str] = field(default_factory=dict)
    """outputs that only this look has told; later looks find them among the outputs"""

    @property
    def judged(self) -> Verdict:
        if self.verdict is not Verdict.UNDER_WAY:
            return self.verdict
        if self.pause is not None:
            return Verdict.PAUSED
        if not self.done:
            return Verdict.UNDER_WAY
        return Verdict.SUCCEEDED if self.ok else Verdict.FORGOTTEN if self.forgotten else Verdict.FAILED


class Reverting(Value, frozen=True, kw_only=True):
    """How to put back a step whose effect may still be under way. Without a `call` nothing is to be sent: it is on its
    way back by itself, or there already, and `outputs` are what it is waited for with."""

    call: Call | None = None
    outputs: Mapping[str, str] = {}


class Stream(Value, frozen=True, kw_only=True):
    """Where a container of a task that is waited for writes its lines: a stream of CloudWatch Logs. `task` is the
    task's id, `source` what people call the writer. `name` is "" where nothing tells it. `ended` is when the container
    had stopped (epoch seconds; infinite where that is not told), None while it runs."""

    task: str
    container: str
    source: str
    region: str
    group: str
    name: str
    ended: float | None = None


def _nothing_read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    return tuple(Live(address=resource.address) for resource in resources)


def _nothing_more(reader: Reader, lives: Sequence[Live], used: Mapping[Address, Sequence[str]]) -> tuple[Live, ...]:
    return tuple(lives)


def _as_declared(live: Doc, declared: Doc) -> Doc:
    return declared


def layered(newer: Any, older: Any, maps: Collection[str] = ()) -> Any:
    """Two documents that put things back, as one: the older one's values win, also where it says that there was
    none."""
    if isinstance(newer, Mapping) and isinstance(older, Mapping):
        return {
            **newer,
            **{k: v if k in maps else layered(newer.get(k), v, maps) for k, v in older.items()},
        }
    return older


def _older(newer: Doc, older: Doc) -> Doc:
    merged: Doc = layered(newer, older)
    return merged


def _whole(found: Normalized, wanted: Normalized, declared: Doc) -> Doc:
    return found.doc


def _no_doubts(found: Doc, wanted: Doc, sent: Doc) -> tuple[Doc, tuple[str, ...]]:
    return found, ()


def _no_faults(resource: Resource, live: Live) -> tuple[str, ...]:
    return ()


def _complete_already(resource: Resource, desired: Doc, others: Mapping[Address, Delta]) -> tuple[Doc, str]:
    return desired, ""


def _no_conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    return ()


def _no_retirement(delta: Delta, used: frozenset[str]) -> tuple[StepDraft, ...]:
    return ()


def _at_once(waiting: Tracked, answers: Sequence[Doc]) -> Progress:
    return Progress(done=True)


def _no_streams(waiting: Tracked, answers: Sequence[Doc]) -> tuple[Stream, ...]:
    return ()


def _no_diagnosis(reader: Reader, waiting: Tracked, progress: Progress) -> Diagnosis | None:
    return None


def _as_planned(reader: Reader, waiting: Tracked, undo: Call) -> Reverting:
    return Reverting(call=undo)


def _not_known(reader: Reader, step: Step, call: Call) -> Mapping[str, str] | None:
    return None


class Kind(Value, frozen=True, kw_only=True):
    """A sort of thing that ecsplan handles. All functions are pure but for `reader`.

    name            the first part of its addresses
    rank            where its things stand in reference order: whoever is referred to comes first
    rules           what AWS does to its documents (`normalize`)
    writes          every `service:operation` that its steps and undos may name; a plan file with another is refused
    shape           the `service:operation` whose request its documents have the form of
    required        places that its documents always have (`Targets[].Id`)
    expects         the types of what its steps expect and its resources tell (`StepDraft.expect`, `Resource.facts`)
    compile         the declared resources of a task of the spec
    read            what is live, for ALL its resources at once, so that it can batch
    read_used       a second look, once all kinds have read: which outputs of its addresses others hold live
    merge           the live document with the declared one over it: what would be live afterwards
    before          the part of the live document that going from it to `wanted` replaces
    older           two documents of `before` as one: the older deployment's values win
    names           the document that names a resource and declares nothing of it
    revision_only   a declared document with nothing left but its names and the revisions of these addresses
    doubtful        the live document as if AWS had answered what nobody knows that it answers, and a sentence on each;
                    given what is live, what is wanted, and the request that made what is live ({} if not known)
                    such thing: where only that is left of a difference, it is a warning
    plan_faults     reasons why a difference cannot be carried out, each a sentence
    complete        of an ephemeral kind: the declared document with what it leaves out and the others tell, and a note
    conflicts       reasons why what will be live does not go with what the others will be, each a sentence
    steps           the calls that make a change, each with its undo
    retire          the calls that clean up after a deployment, given every revision that is used then
    accept          the outputs of an answer; raises RefusedError, because a 200 is not success
    watch           which requests tell how those waited for are doing; None where there is nothing to wait for
    progress        what their answers (in order) mean for one address
    streams         which log streams those waited for write to, as far as the answers of a look tell
    diagnose        what a person would look up next about one that has failed; what AWS does not answer is in `unseen`
    way_back        how to put back a step whose effect may still be under way, given its undo: by that, by what AWS
                    itself can stop, or by nothing where live state is on its way back already
    goes_back       do these outputs of a way back stand for AWS going back by itself, so that there may be more to put
                    back when it is there?
    reverts         by what a step expects: the outputs of an earlier step that it takes back while that may still be
                    under way, as a rollback does; None where it takes none back
    resolve         the call that ends a pause: onwards, or back
    reconcile       was this call carried out although nobody saw the answer? its outputs, or None
    kept            seconds for which AWS certainly shows what a call did, and takes the same token for the same call;
                    after that, not finding it proves nothing. None where it is shown for good
    versioned       a difference makes a new one beside the old, and does not change the old one
    ephemeral       it has no live state: it runs when something of its task is switched to another revision
    token           the parameter that makes a repeated call harmless; the executor fills it in
    mark            the parameter by which `reconcile` knows what a step made; filled in where the spec declares none
    late_is_failure whether it has failed when the time is over, or is only not finished yet
    abandon         the calls that stop what is still under way although it has failed, given why, for people
    concerns        the name, in addresses of this kind, of what a call changes; "" where the call alone does not tell
    join            the documents of one address that two tasks declare parts of, as one
    timeout         seconds to wait for it, where neither spec nor command line says
    """

    name: str
    rank: int
    rules: tuple[Rule, ...]
    writes: frozenset[str]
    compile: Callable[[Task, CompileScope], tuple[Resource, ...]]
    steps: Callable[[Delta], tuple[StepDraft, ...]]
    accept: Callable[[Step, Call, Doc], dict[str, str]]
    shape: str = ""
    required: frozenset[str] = frozenset()
    expects: Mapping[str, type] = {}
    read: Callable[[Reader, Sequence[Resource]], tuple[Live, ...]] = _nothing_read
    read_used: Callable[[Reader, Sequence[Live], Mapping[Address, Sequence[str]]], tuple[Live, ...]] = _nothing_more
    merge: Callable[[Doc, Doc], Doc] = _as_declared
    before: Callable[[Normalized, Normalized, Doc], Doc] = _whole
    older: Callable[[Doc, Doc], Doc] = _older
    doubtful: Callable[[Doc, Doc, Doc], tuple[Doc, tuple[str, ...]]] = _no_doubts
    names: Callable[[Doc], Doc] | None = None
    revision_only: Callable[[Doc, frozenset[Address]], Doc] = lambda doc, _addresses: doc
    plan_faults: Callable[[Resource, Live], tuple[str, ...]] = _no_faults
    complete: Callable[[Resource, Doc, Mapping[Address, Delta]], tuple[Doc, str]] = _complete_already
    conflicts: Callable[[Delta, Mapping[Address, Delta]], tuple[str, ...]] = _no_conflicts
    retire: Callable[[Delta, frozenset[str]], tuple[StepDraft, ...]] = _no_retirement
    watch: Callable[[Sequence[Tracked]], tuple[Poll, ...]] | None = None
    progress: Callable[[Tracked, Sequence[Doc]], Progress] = _at_once
    streams: Callable[[Tracked, Sequence[Doc]], tuple[Stream, ...]] = _no_streams
    diagnose: Callable[[Reader, Tracked, Progress], Diagnosis | None] = _no_diagnosis
    way_back: Callable[[Reader, Tracked, Call], Reverting] = _as_planned
    goes_back: Callable[[Mapping[str, str]], bool] = lambda _outputs: False
    reverts: Callable[[Doc], Mapping[str, str] | None] = lambda _expect: None
    resolve: Callable[[Pause, bool], Call] | None = None
    reconcile: Callable[[Reader, Step, Call], Mapping[str, str] | None] = _not_known
    versioned: bool = False
    ephemeral: bool = False
    token: str = ""
    mark: str = ""
    kept: int | None = None
    late_is_failure: bool = False
    abandon: Callable[[Tracked, str], tuple[Call, ...]] = lambda _waiting, _why: ()
    concerns: Callable[[Call], str] = lambda _call: ""
    join: Callable[[Doc, Doc], Doc] | None = None
    timeout: int = 900


def overlay(live: Any, declared: Any, maps: Collection[str] = ()) -> Any:
    """The live document with the declared one over it: structures field by field, everything else replaced, also the
    members that are free-form maps (`maps`); None removes."""
    if isinstance(live, Mapping) and isinstance(declared, Mapping):
        over = {k: v if k in maps else overlay(live.get(k), v, maps) for k, v in declared.items()}
        return {k: v for k, v in {**live, **over}.items() if v is not None}
    return declared


def without_none(value: Any) -> Any:
    """The document without members that are None, which say that there was nothing."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


def replaced(found: Doc, wanted: Doc, declared: Doc, raw: Doc, maps: Collection[str] = ()) -> Doc:
    """The live values at the declared places where `wanted` differs from `found`; None where nothing is live.

    `found` and `wanted` are normal documents, so that a default that AWS filled in is there to be put back; where `raw`
    (the live document as AWS answered it) has the value, that is taken.
    """
    result: Doc = {}
    for name, value in declared.items():
        old, new = found.get(name), wanted.get(name)
        as_answered = old if is_empty(raw.get(name)) else raw[name]
        if name not in maps and isinstance(value, Mapping) and isinstance(old, Mapping) and isinstance(new, Mapping):
            answered = as_answered if isinstance(as_answered, dict) else {}
            if inner := replaced(dict(old), dict(new), dict(value), answered, maps):
                result[name] = inner
        elif old != new:
            result[name] = as_answered
    return result


def short_arn(arn: object) -> str:
    """The last part of an ARN, as people say it: `web:41`, a cluster's or service's name."""
    return str(arn).rpartition("/")[2]
