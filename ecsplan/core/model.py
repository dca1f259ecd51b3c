"""The core values: what is declared, what is live, what differs, and the plan. Frozen, and typed JSON both ways.

A `Doc` is a resource or a request shaped as AWS shapes it: `dict` of JSON values, plus `Ref` where a value is known
only after an earlier step. Values that hold a `Doc` are never edited; whoever changes one copies it first (`copied`
does).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeAlias

import msgspec

Doc: TypeAlias = dict[str, Any]

FORMAT_VERSION = "1.0"
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
    """A value known only after the step at `address` was carried out: its output of this name.

    In JSON: `{"$ref": "output", "address": "task_definition.web", "output": "arn"}`.
    """

    address: Address
    output: str


class Phase(Enum):
    """The order of a deployment. The value is the word used in plans, and in their summary."""

    REGISTER = "register"
    RUN = "run"
    UPDATE = "update"
    TARGETS = "targets"
    RETIRE = "deregister"

    @property
    def rank(self) -> int:
        return list(Phase).index(self)


class Action(Enum):
    KEEP = "keep"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RUN = "run"

    @property
    def sign(self) -> str:
        return {"keep": "=", "create": "+", "update": "~", "delete": "-", "run": ">"}[self.value]


class Settings(Value, frozen=True, kw_only=True):
    """What the spec says about a step beside the AWS request itself. `timeout` is in seconds; None is the kind's
    default.

    `force` sends forceNewDeployment along with an update; `redeploy` makes an update of it where nothing differs.
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
    """What differs at one address. `before` is the part of the live state that `after` would replace: what a rollback
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


class Irreversible(Value, tag_field="type", tag="irreversible", frozen=True, kw_only=True):
    """Why a step cannot be undone."""

    reason: str


Undo: TypeAlias = Call | Irreversible


class Step(Value, frozen=True, kw_only=True):
    """One mutating call of a plan, with the change that it makes and its undo written beside it.

    `expect` is what the kind needs to judge the outcome; `note` is one line for people.
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
    """The account and region that a plan was made in, and is refused outside of."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}-{self.region}"


class Notify(Value, frozen=True, kw_only=True):
    """Where successful mutating calls are published, and which are not (a regex on the method, matched at its
    start). `deployment_message`: is the end of the deployment published too?"""

    topic_arn: str
    blacklist_regex: str = ""
    deployment_message: bool = True


class Plan(Value, frozen=True, kw_only=True):
    """A deployment before it happens. `base` is the number of the newest deployment in the journal when it was made;
    `observed` a digest per address that was read; `seen` what was digested, so that a refusal can name what has
    moved; `notify` is by task. `undoes` names the deployments a rollback
    undoes."""

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
    seen: dict[Address, Any] = {}
    digest: str = ""


# --- documents ---


def _refs_made(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, dict | Mapping):
        if value.get("$ref") == "output" and value.keys() == {"$ref", "address", "output"}:
            return msgspec.convert(value, Ref, dec_hook=_decode)
        return {k: _refs_made(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_refs_made(item) for item in value]
    return value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A deep copy of a document with `change` applied to each leaf (references count as leaves)."""
    if isinstance(value, str | int):  # most values; asking whether something is a mapping takes longest
        return change(value)
    if isinstance(value, dict | Mapping):
        return {k: mapped(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return change(value)


def copied(value: Any) -> Any:
    """A deep copy that its owner may edit."""
    return mapped(value, lambda leaf: leaf)


def filled(value: Any, outputs: Mapping[Address, Mapping[str, str]]) -> Any:
    """A deep copy with every reference whose output is known replaced by it."""

    def fill(leaf: Any) -> Any:
        return outputs.get(leaf.address, {}).get(leaf.output, leaf) if isinstance(leaf, Ref) else leaf

    return mapped(value, fill)


def refs_in(value: Any) -> Iterator[Ref]:
    """Every reference in a document."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from refs_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs_in(item)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a document, names of fields left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


# --- JSON ---


def _encode(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Address:
        if not isinstance(value, str):
            raise ValueError(f"not an address: {value!r:.80}")
        return Address(value)
    raise TypeError(f"cannot be read from JSON: {wanted.__name__}")


def to_data(value: Any) -> Any:
    """A core value, or anything made of them, as plain JSON data."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def to_json(value: Any) -> bytes:
    """One line of JSON, keys in the order of declaration."""
    return msgspec.json.encode(value, enc_hook=_encode)


def from_data(data: Any, wanted: type[Any]) -> Any:
    """Strict and typed: raises msgspec.ValidationError with the path of what is wrong. Unknown keys are ignored."""
    return msgspec.convert(_refs_made(data), wanted, dec_hook=_decode)


def from_json(line: bytes, wanted: type[Any]) -> Any:
    """The same of a line of JSON, and much faster where no reference is in it."""
    if b'"$ref"' in line:
        return from_data(msgspec.json.decode(line), wanted)
    return msgspec.json.decode(line, type=wanted, dec_hook=_decode)


def digest_of(value: Any) -> str:
    """`sha256:…` over JSON with sorted keys: equal for equal values, whatever their order of keys."""
    text = msgspec.json.encode(value, enc_hook=_encode, order="sorted")
    return "sha256:" + hashlib.sha256(text).hexdigest()
