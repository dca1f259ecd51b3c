"""The core values: changes, steps and the plan. Frozen; `codec` writes and reads them as typed JSON.

A `Doc` is a resource or a request shaped as AWS shapes it: `dict` of JSON values, plus `Ref` or `JsonText` where a
value is known only after an earlier step. Documents are never edited, only copies (`documents.copied` makes one).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

Doc: TypeAlias = dict[str, Any]

FORMAT_VERSION = "1.1"
UNKNOWN = "(known after apply)"


Outputs: TypeAlias = Mapping[str, str]
"""What a step makes, by name: `{"arn": …}`. References of other documents are filled with it."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the core values."""


class Address(str):
    """`kind.name`, for example `service.prod/web`; sorts and prints as that text."""

    __slots__ = ()

    def __new__(cls, text: str) -> Address:
        kind, dot, name = text.partition(".")
        if not (kind and dot and name):
            raise ValueError(f"not an address: {text!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, kind: str, name: str) -> Address:
        return cls(f"{kind}.{name}")

    @property
    def kind(self) -> str:
        return self.partition(".")[0]

    @property
    def name(self) -> str:
        return self.partition(".")[2]


class Ref(Value, tag_field="$ref", tag="output", frozen=True, kw_only=True):
    """A value that is known only after the step at `address`: its output of this name.

    In JSON: `{"$ref": "output", "address": "task_definition.web", "output": "arn"}`.
    """

    address: Address
    output: str


class JsonText(Value, tag_field="$ref", tag="json", frozen=True, kw_only=True):
    """A text of JSON in which one value is known only after an earlier step: `head`, the output of `ref` as a text of
    JSON, `tail`.

    In JSON: `{"$ref": "json", "head": …, "ref": {"$ref": "output", …}, "tail": …}`.
    """

    head: str
    ref: Ref
    tail: str

    def filled(self, value: str) -> str:
        """The text with this value in its place."""
        return f"{self.head}{json.dumps(value, ensure_ascii=False)}{self.tail}"


class Phase(Enum):
    """The order of a deployment. The value is the word in plans and in their summary."""

    STOP = "stop"
    REGISTER = "register"
    RUN = "run"
    UPDATE = "update"
    TARGETS = "targets"
    RETIRE = "deregister"

    @property
    def rank(self) -> int:
        return list(Phase).index(self)


class Action(Enum):
    """What a plan does with a resource. WAIT sends nothing: the resource is as declared, and what made it so is still
    under way."""

    KEEP = "keep"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RUN = "run"
    WAIT = "wait"

    @property
    def sign(self) -> str:
        return {"keep": "=", "create": "+", "update": "~", "delete": "-", "run": ">", "wait": "~"}[self.value]

    @property
    def changes(self) -> bool:
        """Is anything sent for it?"""
        return self not in (Action.KEEP, Action.WAIT)


class Settings(Value, frozen=True, kw_only=True):
    """What the spec declares for a step beside the AWS request. `timeout` is in seconds; None is the kind's default.

    `force` adds forceNewDeployment to an update; `redeploy` updates the resource even if nothing differs.
    """

    wait: bool = True
    timeout: int | None = None
    when: str = "changed"
    force: bool = False
    redeploy: bool = False


class FieldChange(Value, frozen=True, kw_only=True):
    """One difference, named by meaning (`containers.web.image`); None is absent. A value may hold a `Ref`."""

    path: str
    before: Any = None
    after: Any = None


class Change(Value, frozen=True, kw_only=True):
    """What differs at one address. `before` is the part of the live document that `after` replaces, and that a rollback
    restores. `outputs` are those of the live resource."""

    address: Address
    task: str
    action: Action
    before: Doc | None = None
    after: Doc | None = None
    fields: tuple[FieldChange, ...] = ()
    outputs: dict[str, str] = {}
    settings: Settings = Settings()
    facts: Doc = {}
    keep: int | None = None
    pinned: str = ""
    retire: tuple[str, ...] = ()
    note: str = ""


class Call(Value, tag_field="type", tag="call", frozen=True, kw_only=True):
    """An AWS request as data; names as boto3 spells them (`ecs`, `register_task_definition`)."""

    service: str
    operation: str
    params: Doc

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def action(self) -> str:
        """As IAM policies name it: `logs:GetLogEvents`."""
        return f"{self.service}:{''.join(part.title() for part in self.operation.split('_'))}"


class Irreversible(Value, tag_field="type", tag="irreversible", frozen=True, kw_only=True):
    """Why a step cannot be undone."""

    reason: str


Undo: TypeAlias = Call | Irreversible


class Step(Value, frozen=True, kw_only=True):
    """One mutating call of a plan, with the changes that it makes and its undo. A step that waits (`Action.WAIT`) sends
    nothing: its call is the request that shows what is under way.

    `expect` is what the kind needs to assess the outcome; `note` is one line for people.
    """

    index: int
    phase: Phase
    kind: str
    address: Address
    action: Action
    changes: tuple[FieldChange, ...] = ()
    call: Call
    undo: Undo
    task: str = ""
    note: str = ""
    settings: Settings = Settings()
    expect: Doc = {}

    @property
    def previous(self) -> str:
        """The revision (ARN) that it moves something from; "" for most."""
        return str(self.expect.get("previous", ""))


class Identity(Value, frozen=True, kw_only=True):
    """The account and region that a plan was made in. It is refused in any other."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}-{self.region}"

    @property
    def text(self) -> str:
        """For people."""
        return f"account {self.account}, {self.region}"


class Notify(Value, frozen=True, kw_only=True):
    """Where successful mutating calls are published. `blacklist_regex` excludes those whose method it matches at the
    start. `deployment_message`: is the end of the deployment published too?"""

    topic_arn: str
    blacklist_regex: str = ""
    deployment_message: bool = True


class Moved(Value, frozen=True, kw_only=True):
    """A resource that is not as deployment `deployment` of the journal left it, where the plan changes it: by field,
    `before` is what was left, `after` what is live. No fields: it cannot be put back, because it was deleted, say."""

    address: Address
    deployment: int
    fields: tuple[FieldChange, ...]


class Rollback(Value, frozen=True, kw_only=True):
    """Where a rollback goes back to: `12`, what deployment 12 left (`0`: before all); `before 12`, what deployment 12
    found; or revisions, `web:40, job:7`. `moved` is what others have changed and it takes back; `doubts` say why what
    it goes back to may never have run, a sentence each."""

    back_to: str
    moved: tuple[Moved, ...] = ()
    doubts: tuple[str, ...] = ()


class Scope(Value, frozen=True, kw_only=True):
    """What a plan covers within its account and region. `spec` is the spec's file, as `Store.spec_name` names it;
    `clusters` are the names of the ECS clusters that the plan touches, sorted. There are no environments yet."""

    env: str = ""
    spec: str = ""
    clusters: tuple[str, ...] = ()


class Plan(Value, frozen=True, kw_only=True):
    """A deployment before it happens.

    `base` is the number of the newest deployment in the journal when the plan was made. `observed` holds a digest of
    the live state of each address that was read, `seen` that state itself, so that a refusal can name what has
    changed. `notify` is by task. `undoes` are the numbers of the deployments that a rollback undoes. `scope` is unset
    in plans of an older ecsplan, `rollback` in all that are none, `replaces` (the numbers of unfinished deployments
    that end when this one begins) where there are none; and what is unset is not written: the digests of older plans
    stay what they are.
    """

    format_version: str = FORMAT_VERSION
    app: str
    tag: str
    identity: Identity
    base: int = 0
    changed: bool
    observed: dict[Address, str]
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    summary: dict[str, int]
    warnings: tuple[str, ...] = ()
    notify: dict[str, Notify] = {}
    undoes: tuple[int, ...] = ()
    replaces: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    seen: dict[Address, Any] = {}
    rollback: Rollback | UnsetType = UNSET
    scope: Scope | msgspec.UnsetType = msgspec.UNSET
    digest: str = ""

    @property
    def env(self) -> str:
        return self.scope.env if self.scope else ""

    @property
    def spec(self) -> str:
        """The spec's file; "" where it is not known."""
        return self.scope.spec if self.scope else ""

    @property
    def back_to(self) -> str:
        """Where a rollback goes; "" for any other plan, and one of an ecsplan that did not write it down."""
        return "" if isinstance(self.rollback, UnsetType) else self.rollback.back_to

    @property
    def moved(self) -> tuple[Moved, ...]:
        return () if isinstance(self.rollback, UnsetType) else self.rollback.moved

    @property
    def doubts(self) -> tuple[str, ...]:
        return () if isinstance(self.rollback, UnsetType) else self.rollback.doubts

    @property
    def only_waits(self) -> bool:
        """Is nothing sent for it?"""
        return bool(self.steps) and not any(step.action.changes for step in self.steps)
