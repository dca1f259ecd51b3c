"""What AWS does to a request before it returns it, as rows of a table, and the engine that applies them.

A kind lists its rows; each has a path, an effect and the reason (with its source). `normal` brings a declared and a
live document to one form, so that a plain comparison finds their differences. `by_identity` names list items by
identity, so that a difference reads `containers.web.environment.DEBUG`. Absent, null, [] and {} mean the same
throughout.

A path is AWS's own names joined by dots; `*` stands for every item of a list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias

from ecsplan.core.documents import PLAIN, copied, is_empty, pruned
from ecsplan.core.model import Doc, Value


class Default(Value, frozen=True, kw_only=True, eq=False):
    """AWS answers `value` if the parent exists and the field is absent."""

    path: str
    value: Any
    reason: str


class Derive(Value, frozen=True, kw_only=True, eq=False):
    """AWS's answer depends on other fields: `of(document, parent)` returns the value, or None to leave the field."""

    path: str
    of: Callable[[Doc, Doc], Any]
    reason: str


class Canon(Value, frozen=True, kw_only=True, eq=False):
    """One value has several spellings: `to` picks one. It must be idempotent."""

    path: str
    to: Callable[[Any], Any]
    reason: str


class CanonBeside(Value, frozen=True, kw_only=True, eq=False):
    """One value has several spellings, and which they are depends on its neighbours: `to(value, parent)` picks one. It
    must be idempotent."""

    path: str
    to: Callable[[Any, Doc], Any]
    reason: str


class Drop(Value, frozen=True, kw_only=True, eq=False):
    """The field is not compared; with `when`, only values for which it holds are left out."""

    path: str
    reason: str
    when: Callable[[Any], bool] | None = None


class Keyed(Value, frozen=True, kw_only=True, eq=False):
    """A list whose items have an identity and no order. `by` names the fields of the identity (absent ones are left
    out), `label` replaces the list's name in paths, and with `value` an item is represented by that field."""

    path: str
    by: tuple[str, ...]
    reason: str
    label: str = ""
    value: str = ""


class Unordered(Value, frozen=True, kw_only=True, eq=False):
    """A list that AWS treats as a set."""

    path: str
    reason: str


class Keep(Value, frozen=True, kw_only=True, eq=False):
    """A block that AWS replaces as a whole: sent as the live values with the declared ones over them."""

    path: str
    reason: str


class Secret(Value, frozen=True, kw_only=True, eq=False):
    """A map, or a list of name/value pairs, in which some names mark their value as secret."""

    path: str
    reason: str


class Leaf(Value, frozen=True, kw_only=True):
    """A value of a document, with its path as rules write it (`containerDefinitions.*.image`)."""

    path: str
    value: Any


Rule: TypeAlias = Default | Derive | Canon | CanonBeside | Drop | Keyed | Unordered | Keep | Secret


def normal(doc: Doc, rules: Sequence[Rule]) -> Doc:
    """The document in AWS's shape with every rule applied, in the table's order. Idempotent; returns a new document."""
    result: Doc = pruned(doc) or {}  # a new document, down to the leaves
    for above, rows in _table(tuple(rules)).runs:
        if above and above[0] not in result:  # true of most rows
            continue
        parents = _parents(result, above)
        for row in rows:
            for parent in parents:
                if row.fills or row.field in parent:
                    row.effect(row.rule, result, parent, row.field)
    return pruned(result) or {}


class Normalized:
    """A document of a kind with its normal form, which is computed when it is first needed. Neither may be edited."""

    __slots__ = ("_normal", "_rules", "doc")

    def __init__(self, doc: Doc, rules: tuple[Rule, ...], known: Doc | None = None) -> None:
        """`known` is the normal form, if it was computed already."""
        self.doc, self._rules, self._normal = doc, rules, known

    @property
    def normal(self) -> Doc:
        if self._normal is None:
            self._normal = normal(self.doc, self._rules)
        return self._normal


def by_identity(normal_doc: Doc, rules: Sequence[Rule]) -> Doc:
    """A normal document with keyed lists as maps from identity to item; paths of differences come from this form."""
    return _Namer(rules).of(normal_doc)


def leaves(doc: Doc, rules: Sequence[Rule]) -> dict[str, Leaf]:
    """The leaves of `by_identity(doc, rules)`, by path as differences name it. An ordered list is one leaf."""
    found: dict[str, Leaf] = {}

    def keep(path: str, name: str, value: Any) -> None:
        found[name] = Leaf(path=path, value=value)

    _Namer(rules, keep).of(doc)
    return found


def sort_key(value: Any) -> str:
    """Sorts any JSON values, references included."""
    return json.dumps(value, sort_keys=True, default=repr)


def identity(item: Any, rule: Keyed) -> str:
    """The name of a keyed item in paths: the fields of its identity joined by `/`."""
    if not isinstance(item, Mapping):
        return str(item)
    return "/".join(str(item[field]) for field in rule.by if not is_empty(item.get(field)))


def places(doc: Any, path: str) -> Sequence[tuple[Doc, str]]:
    """Every (parent, field name) that a path points at, whether or not the field exists; parents are maps."""
    *above, field = path.split(".")
    return [(parent, field) for parent in _parents(doc, above)]


def _parents(doc: Any, above: Sequence[str]) -> list[Doc]:
    parents = [doc]
    for name in above:
        if name == "*":
            parents = [item for parent in parents if isinstance(parent, list) for item in parent]
        else:
            parents = [parent[name] for parent in parents if isinstance(parent, dict) and name in parent]
    return [parent for parent in parents if isinstance(parent, dict)]


# --- what each row does to a field of a parent ---

Effect: TypeAlias = Callable[[Any, Doc, Doc, str], None]


def _default(rule: Default, doc: Doc, parent: Doc, field: str) -> None:
    if is_empty(parent.get(field)):
        parent[field] = copied(rule.value)


def _derive(rule: Derive, doc: Doc, parent: Doc, field: str) -> None:
    if (value := rule.of(doc, parent)) is not None:
        parent[field] = value


def _canon(rule: Canon, doc: Doc, parent: Doc, field: str) -> None:
    parent[field] = rule.to(parent[field])


def _canon_beside(rule: CanonBeside, doc: Doc, parent: Doc, field: str) -> None:
    parent[field] = rule.to(parent[field], parent)


def _drop(rule: Drop, doc: Doc, parent: Doc, field: str) -> None:
    if rule.when is None or rule.when(parent[field]):
        del parent[field]


def _unordered(rule: Unordered, doc: Doc, parent: Doc, field: str) -> None:
    if isinstance(parent[field], list):
        parent[field] = sorted(parent[field], key=sort_key)


def _keyed(rule: Keyed, doc: Doc, parent: Doc, field: str) -> None:
    if isinstance(parent[field], list):
        if rule.value:
            parent[field] = [_with_value(item, rule.value) for item in parent[field]]
        # A stable sort: of two items with one identity the later stays the later, as it is for AWS.
        parent[field] = sorted(parent[field], key=lambda item: identity(item, rule))


EFFECTS: Mapping[type, Effect] = {
    Default: _default,
    Derive: _derive,
    Canon: _canon,
    CanonBeside: _canon_beside,
    Drop: _drop,
    Unordered: _unordered,
    Keyed: _keyed,
}  # the other rows do not concern comparison


class _Row(Value, frozen=True, kw_only=True):
    rule: Rule
    field: str
    effect: Effect
    fills: bool
    """does it apply to an absent field?"""


class _Table(Value, frozen=True, kw_only=True):
    """Rows as they are applied. Neighbours whose fields have the same parents are a run, for which the parents are
    looked up once: no row replaces a parent."""

    runs: tuple[tuple[tuple[str, ...], tuple[_Row, ...]], ...]
    keyed: Mapping[str, Keyed]


@lru_cache(maxsize=64)
def _table(rules: tuple[Rule, ...]) -> _Table:
    """Cheap to look up: rows compare by identity (eq=False)."""
    effective = [rule for rule in rules if type(rule) in EFFECTS]
    runs = []
    for above, group in groupby(effective, key=lambda rule: tuple(rule.path.split(".")[:-1])):
        rows = [
            _Row(
                rule=rule,
                field=rule.path.rpartition(".")[2],
                effect=EFFECTS[type(rule)],
                fills=isinstance(rule, Default | Derive),
            )
            for rule in group
        ]
        runs.append((above, tuple(rows)))
    return _Table(runs=tuple(runs), keyed={rule.path: rule for rule in rules if isinstance(rule, Keyed)})


def _with_value(item: Any, field: str) -> Any:
    """An entry without a value has the empty value."""
    return {**item, field: ""} if isinstance(item, Mapping) and item.get(field) is None else item


class _Namer:
    """Names list items by identity. Calls `leaf` for every leaf with its path as rules write it, its path in
    differences and its value."""

    def __init__(self, rules: Sequence[Rule], leaf: Callable[[str, str, Any], None] | None = None) -> None:
        self.keyed, self.leaf = _table(tuple(rules)).keyed, leaf

    def of(self, doc: Doc) -> Doc:
        return self._members(doc, "", "")

    def _named(self, value: Any, path: str, name: str) -> Any:
        """`path` is the path as rules write it, `name` the one in differences."""
        if isinstance(value, Mapping):
            return self._members(value, path, name)
        if isinstance(value, list) and (rule := self.keyed.get(path)) is not None:
            return self._keyed_items(value, path, name, rule)
        return self._leaf(value, path, name)

    def _members(self, doc: Mapping[str, Any], path: str, name: str) -> Doc:
        result: Doc = {}
        for field, item in doc.items():
            here = _below(path, field)
            rule = self.keyed.get(here)
            label = (rule and rule.label) or field
            if self.leaf is None and type(item) in PLAIN:  # most of them; names are needed for leaves only
                result[label] = item
            else:
                result[label] = self._named(item, here, _below(name, label))
        return result

    def _leaf(self, value: Any, path: str, name: str) -> Any:
        if self.leaf is not None:
            self.leaf(path, name, value)
        return value

    def _keyed_items(self, items: list[Any], path: str, name: str, rule: Keyed) -> Doc:
        result: Doc = {}
        here = f"{path}.*"
        for item in items:
            label = identity(item, rule)
            key, count = label, 1
            while key in result:
                count += 1
                key = f"{label}#{count}"
            called = _below(name, key)
            if rule.value and isinstance(item, Mapping):
                result[key] = self._leaf(item.get(rule.value, ""), f"{here}.{rule.value}", called)
            elif isinstance(item, Mapping) and (rest := {k: v for k, v in item.items() if k not in rule.by}):
                result[key] = self._named(rest, here, called)
            elif isinstance(item, Mapping):
                # Nothing but its identity: all that can differ is whether it exists.
                result[key] = self._leaf(True, here, called)
            else:
                result[key] = self._leaf(item, here, called)
        return result


def _below(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
