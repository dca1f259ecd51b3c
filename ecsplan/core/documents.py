"""Documents: walked, copied, laid over each other, and the parts of them that differ. Pure; arguments are never
changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ecsplan.core.model import Address, Doc, JsonText, Ref

# Checked in this order: most values are scalars, and isinstance with Mapping takes longest. What is called for each
# value of a document is a good part of the time of a large plan, hence the shortcuts below.
SCALARS = (str, int, float)
CONTAINERS = (dict, list, tuple, Mapping)
PLAIN = frozenset({str, int, float, bool})  # the types of scalars from JSON and TOML


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A deep copy of a document with `change` applied to each leaf (references count as leaves)."""
    if isinstance(value, str | int):
        return change(value)
    if isinstance(value, dict | Mapping):
        return {k: mapped(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return change(value)


def copied(value: Any) -> Any:
    """A deep copy, which may be edited."""
    return mapped(value, lambda leaf: leaf)


def filled(value: Any, outputs: Mapping[Address, Mapping[str, str]]) -> Any:
    """A deep copy in which each reference with a known output is replaced by that output."""

    def fill(leaf: Any) -> Any:
        if isinstance(leaf, Ref):
            return outputs.get(leaf.address, {}).get(leaf.output, leaf)
        if isinstance(leaf, JsonText):
            known = fill(leaf.ref)
            return leaf.filled(known) if isinstance(known, str) else leaf
        return leaf

    return mapped(value, fill)


def refs_in(value: Any) -> Iterator[Ref]:
    """Every reference in a document."""
    for leaf in _leaves(value):
        if isinstance(leaf, Ref):
            yield leaf
        elif isinstance(leaf, JsonText):
            yield leaf.ref


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a document; names of fields are left out."""
    return (leaf for leaf in _leaves(value) if isinstance(leaf, str))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def is_empty(value: Any) -> bool:
    """Absent, null, [] and {} mean the same to AWS; "", 0 and false are values."""
    if value is None:
        return True
    return not isinstance(value, SCALARS) and isinstance(value, CONTAINERS) and len(value) == 0


def pruned(value: Any) -> Any:
    """A copy without anything empty in it, which may be edited; None if nothing is left."""
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, dict | Mapping):
        fields = {}
        for name, item in value.items():
            if type(item) in PLAIN or (item := pruned(item)) is not None:
                fields[name] = item
        return fields or None
    if isinstance(value, list | tuple):
        return [kept for item in value if (kept := pruned(item)) is not None] or None
    return value


def layered(newer: Any, older: Any, maps: Collection[str] = ()) -> Any:
    """Merges two documents that a rollback restores. The older one's values win, also its None, which means that there
    was no value."""
    if isinstance(newer, Mapping) and isinstance(older, Mapping):
        return {
            **newer,
            **{k: v if k in maps else layered(newer.get(k), v, maps) for k, v in older.items()},
        }
    return older


def overlay(live: Any, declared: Any, maps: Collection[str] = ()) -> Any:
    """The live document with the declared one over it. Structures are merged field by field. Everything else is
    replaced, and so are members that are free-form maps (`maps`). None removes a member."""
    if isinstance(live, Mapping) and isinstance(declared, Mapping):
        over = {k: v if k in maps else overlay(live.get(k), v, maps) for k, v in declared.items()}
        return {k: v for k, v in {**live, **over}.items() if v is not None}
    return declared


def without_none(value: Any) -> Any:
    """The document without members that are None (there was no value)."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


def replaced(found: Doc, wanted: Doc, declared: Doc, raw: Doc, maps: Collection[str] = ()) -> Doc:
    """The live values that a change replaces: those at the declared places where `wanted` differs from `found`. None
    where nothing is live.

    `found` and `wanted` are normal documents, so that defaults that AWS filled in can be restored. A value that `raw`
    (the live document as AWS answered it) has is taken from there.
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
