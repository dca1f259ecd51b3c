"""What AWS does to a request before it answers it back, as rows of a table, and the few lines that apply them.

A kind lists its rows at the top of its file; each has a path, an effect and the reason (with its source). `normal`
brings a declared and a live document to one form, so that they can be compared naively; `view` names list items by
identity, so that a difference reads `containers.web.environment.DEBUG`. Absent, null, [] and {} are one and the same
throughout.

A path is AWS's own names joined by dots; `*` stands for every item of a list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from ecsplan.model import Doc, copied


@dataclass(frozen=True, kw_only=True)
class Default:
    """Where the parent is there and the field is not, AWS answers `value`."""

    path: str
    value: Any
    reason: str


@dataclass(frozen=True, kw_only=True)
class Derive:
    """What AWS answers depends on other fields: `of(document, parent)` gives the value, None to leave the field as
    it is."""

    path: str
    of: Callable[[Doc, Doc], Any]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Canon:
    """Several spellings of one value: `to` picks one. `to(value)` must be idempotent."""

    path: str
    to: Callable[[Any], Any]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Not part of what is compared; with `when`, only the values for which it holds."""

    path: str
    reason: str
    when: Callable[[Any], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """A list whose items have an identity: compared by it, in any order. `by` names the fields that make it (those
    absent are left out), `label` replaces the list's name in paths, and with `value` the item stands for that field."""

    path: str
    by: tuple[str, ...]
    reason: str
    label: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Unordered:
    """A list that AWS treats as a set."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Keep:
    """A block that AWS replaces whole: it is sent as the live values with the declared ones over them."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A map, or a list of name/value pairs, in which a name may say that its value is secret."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A value of a document, with the place that it has in the rules' words (`containerDefinitions.*.image`)."""

    path: str
    value: Any


# Asked for in this order, because most values are scalars and asking whether something is a Mapping takes longest.
SCALARS = (str, int, float)
CONTAINERS = (dict, list, tuple, Mapping)

Rule: TypeAlias = Default | Derive | Canon | Drop | Keyed | Unordered | Keep | Secret


def normal(doc: Doc, rules: Sequence[Rule]) -> Doc:
    """The document in AWS's shape with every rule applied, in the table's order. Idempotent; the argument is not
    edited."""
    result: Doc = pruned(doc) or {}  # a new document, down to the leaves
    for rule in rules:
        head, *below = _parts(rule.path)
        if not below or head in result:  # of most rows' fields a document has nothing
            _apply(rule, result)
    return pruned(result) or {}


def view(normal_doc: Doc, rules: Sequence[Rule]) -> Doc:
    """A normal document with keyed lists as maps from identity to item: the form in which differences are named."""
    return _View(rules).of(normal_doc)


def leaves(doc: Doc, rules: Sequence[Rule]) -> dict[str, Leaf]:
    """The leaves of `view(doc, rules)`, by path as differences name it; a list whose order matters is one leaf."""
    made = _View(rules)
    made.of(doc)
    return made.leaves


def is_empty(value: Any) -> bool:
    """Absent, null, [] and {} are one and the same to AWS; "", 0 and false are values."""
    if value is None:
        return True
    return not isinstance(value, SCALARS) and isinstance(value, CONTAINERS) and len(value) == 0


def pruned(value: Any) -> Any:
    """The value without anything empty in it, as a copy that its owner may edit; None if nothing is left."""
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, dict | Mapping):
        return {k: kept for k, v in value.items() if (kept := pruned(v)) is not None} or None
    if isinstance(value, list | tuple):
        return [kept for item in value if (kept := pruned(item)) is not None] or None
    return value


def sort_key(value: Any) -> str:
    """An order for any JSON values, references included."""
    return json.dumps(value, sort_keys=True, default=repr)


def identity(item: Any, rule: Keyed) -> str:
    """The name of a keyed item in paths: its identifying fields joined by `/`."""
    if not isinstance(item, Mapping):
        return str(item)
    return "/".join(str(item[field]) for field in rule.by if not is_empty(item.get(field)))


def places(doc: Any, path: str) -> Sequence[tuple[Doc, str]]:
    """Every (parent, field name) that a path points at, whether or not the field is there; parents are maps."""
    *above, field = _parts(path)
    parents = [doc]
    for name in above:
        if name == "*":
            parents = [item for parent in parents if isinstance(parent, list) for item in parent]
        else:
            parents = [parent[name] for parent in parents if isinstance(parent, dict) and name in parent]
    return [(parent, field) for parent in parents if isinstance(parent, dict)]


@cache
def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _apply(rule: Rule, doc: Doc) -> None:
    for parent, field in places(doc, rule.path):
        match rule:
            case Default():
                if is_empty(parent.get(field)):
                    parent[field] = copied(rule.value)
            case Derive():
                if (value := rule.of(doc, parent)) is not None:
                    parent[field] = value
            case Canon():
                if field in parent:
                    parent[field] = rule.to(parent[field])
            case Drop():
                if field in parent and (rule.when is None or rule.when(parent[field])):
                    del parent[field]
            case Unordered():
                if isinstance(parent.get(field), list):
                    parent[field] = sorted(parent[field], key=sort_key)
            case Keyed():
                if isinstance(parent.get(field), list):
                    if rule.value:
                        parent[field] = [_with_value(item, rule.value) for item in parent[field]]
                    # A stable sort: of two items with one identity the later stays the later, as it is for AWS.
                    parent[field] = sorted(parent[field], key=lambda item: identity(item, rule))
            case Keep() | Secret():
                return


def _with_value(item: Any, field: str) -> Any:
    """An entry without its value is one whose value is empty."""
    return {**item, field: ""} if isinstance(item, Mapping) and item.get(field) is None else item


class _View:
    """Names list items by identity, and keeps the leaves with the places in AWS's shape that they came from."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.keyed = {rule.path: rule for rule in rules if isinstance(rule, Keyed)}
        self.leaves: dict[str, Leaf] = {}

    def of(self, doc: Doc) -> Doc:
        result = self._named(doc, "", "")
        assert isinstance(result, dict)
        return result

    def _named(self, value: Any, path: str, name: str) -> Any:
        """`path` is the place in the rules' words, `name` in those of differences."""
        if isinstance(value, Mapping):
            result = {}
            for field, item in value.items():
                here = _below(path, field)
                rule = self.keyed.get(here)
                label = (rule and rule.label) or field
                result[label] = self._named(item, here, _below(name, label))
            return result
        if isinstance(value, list) and (rule := self.keyed.get(path)) is not None:
            return self._by_identity(value, path, name, rule)
        return self._leaf(value, path, name)

    def _leaf(self, value: Any, path: str, name: str) -> Any:
        self.leaves[name] = Leaf(path=path, value=value)
        return value

    def _by_identity(self, items: list[Any], path: str, name: str, rule: Keyed) -> Doc:
        result: Doc = {}
        for item in items:
            label = identity(item, rule)
            key, count = label, 1
            while key in result:
                count += 1
                key = f"{label}#{count}"
            here, called = f"{path}.*", _below(name, key)
            if rule.value and isinstance(item, Mapping):
                result[key] = self._leaf(item.get(rule.value, ""), f"{here}.{rule.value}", called)
            elif isinstance(item, Mapping) and (rest := {k: v for k, v in item.items() if k not in rule.by}):
                result[key] = self._named(rest, here, called)
            elif isinstance(item, Mapping):
                # Nothing but its identity: that it is there is all there is to tell.
                result[key] = self._leaf(True, here, called)
            else:
                result[key] = self._leaf(item, here, called)
        return result


def _below(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
