"""Documents laid over each other, and the parts of them that differ. Pure; arguments are never changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ecsplan.core.model import Doc
from ecsplan.core.normalize import is_empty


def layered(newer: Any, older: Any, maps: Collection[str] = ()) -> Any:
    """Two documents that put things back, as one: the older one's values win, also where it says that there was
    none."""
    if isinstance(newer, Mapping) and isinstance(older, Mapping):
        return {
            **newer,
            **{k: v if k in maps else layered(newer.get(k), v, maps) for k, v in older.items()},
        }
    return older


def overlay(live: Any, declared: Any, maps: Collection[str] = ()) -> Any:
    """The live document with the declared one over it. Structures are merged field by field; everything else is
    replaced, and so are members that are free-form maps (`maps`). None removes a member."""
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
