"""How documents of a kind that is read and put whole (`put_kind`) correspond to its requests and answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from ecsplan.core.documents import is_empty
from ecsplan.core.model import Doc, Value


class Form(Value, frozen=True, kw_only=True):
    """How documents of a kind and its requests correspond. `document(request(doc), …)` is `doc` for every document that
    was live or is to be put; `request` takes references as they are."""

    document: Callable[[Doc, str], Doc] = lambda request, _arn: request
    """(request or answer, the resource's ARN; "" where it is not known)"""
    request: Callable[[Doc], Doc] = lambda doc: doc
    complete: Callable[[Doc, Doc], Doc] = lambda declared, _live: declared
    """(declared, live): the declared document with what only a live one of the same resource shows, such as its account
    and region"""


AS_SENT = Form()


def as_text(leaf: Any) -> Any:
    """Dates and times, for which TOML and AWS's SDK have types and JSON has none, in ISO 8601. Those with an offset are
    converted to UTC, so that equal times are equal texts."""
    if isinstance(leaf, datetime) and leaf.tzinfo is not None:
        with contextlib.suppress(OverflowError):  # beyond Python's years in UTC
            return leaf.astimezone(UTC).isoformat()
    return leaf.isoformat() if isinstance(leaf, date) else leaf


def as_answered(values: Doc, raw: Mapping[str, Any]) -> Doc:
    """The values with None for what AWS has not answered: put without it, the resource has its default again."""
    result: Doc = {}
    for name, value in values.items():
        live = raw.get(name)
        if isinstance(value, Mapping) and isinstance(live, Mapping):
            result[name] = as_answered(dict(value), live)
        else:
            result[name] = None if is_empty(live) else value
    return result


def at_place(doc: Doc, place: str) -> Any:
    found: Any = doc
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def with_revision(doc: Doc, place: str, ref: Any) -> Doc:
    """A copy with the revision at its place, unless one is declared."""
    name, _, below = place.partition(".")
    if not below:
        return {**doc, name: doc.get(name, ref)}
    inner = doc.get(name, {})
    return {**doc, name: with_revision(inner, below, ref)}
