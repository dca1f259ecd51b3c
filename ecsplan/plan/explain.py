"""Why a plan shows a difference, or shows none: which row of a kind's table compared a field, and for what reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from ecsplan.core.model import Address, Doc, FieldChange, Value
from ecsplan.core.normalize import (
    Canon,
    Default,
    Derive,
    Drop,
    Keep,
    Keyed,
    Leaf,
    Rule,
    Secret,
    Unordered,
    leaves,
    normal,
)
from ecsplan.kinds.contract import Delta, Kind
from ecsplan.redact import mask_field

EXACTLY = "compared exactly"
NO_ROW = f"{EXACTLY}: no rule names it"
UNDECLARED = "not declared: what the spec leaves out stays as it is live"
CHOSEN = "AWS chooses it, whatever is declared"
NEW = "declared, and nothing is live to compare it with"


class Verdict(Enum):
    """DIFFERS is a difference of the plan; EQUAL is written in two ways and means one thing; LEFT is not declared, so
    neither compared nor changed."""

    DIFFERS = "differs"
    EQUAL = "equal"
    LEFT = "left alone"


class Explanation(Value, frozen=True, kw_only=True):
    """One field: how it stands live and in the spec (None is absent), what came of comparing it, and why. `rule` is the
    place that the row names, "" where no row had a say."""

    address: Address
    field: FieldChange
    verdict: Verdict
    rule: str = ""
    reason: str


def explain(deltas: Sequence[Delta]) -> tuple[Explanation, ...]:
    """Everything that a person may wonder about: each difference, each field that is equal only by a rule, and each
    that is left alone. Secret values are masked. By address in the order of the plan, differences first, then by
    path."""
    return tuple(
        _masked(one)
        for delta in deltas
        if delta.kind.compare is not None
        for one in sorted(_explanations(delta), key=lambda it: (list(Verdict).index(it.verdict), it.field.path))
    )


def _explanations(delta: Delta) -> Iterator[Explanation]:
    address, kind = delta.change.address, delta.kind
    live = delta.live.candidates[0].doc if delta.live.candidates else {}
    before, after = _Sides(live, kind), _Sides(delta.merged_doc, kind)
    for change in delta.change.fields:
        if not live:
            yield Explanation(address=address, field=change, verdict=Verdict.DIFFERS, reason=NEW)
            continue
        rule, reason = why(_place(change.path, before, after), kind.document.rules)
        yield Explanation(address=address, field=change, verdict=Verdict.DIFFERS, rule=rule, reason=reason)
    if live:
        yield from _without_difference(address, kind, delta, before, after)


class _Sides:
    """A document's leaves as it was answered or declared, and after the rules."""

    def __init__(self, doc: Doc, kind: Kind) -> None:
        self.raw = leaves(_named_alike(doc, kind), kind.document.rules)
        self.normal = leaves(normal(doc, kind.document.rules), kind.document.rules)


def _named_alike(doc: Doc, kind: Kind) -> Doc:
    """The document with nothing filled in but what items of lists go by, so that one item has one name on both
    sides."""
    names = {f"{row.path}.*.{field}" for row in kind.document.rules if isinstance(row, Keyed) for field in row.by}
    return normal(doc, [row for row in kind.document.rules if row.path in names])


def _without_difference(
    address: Address, kind: Kind, delta: Delta, before: _Sides, after: _Sides
) -> Iterator[Explanation]:
    differing = {change.path for change in delta.change.fields}
    asked = leaves(_named_alike(delta.declared, kind), kind.document.rules)
    declared = differing | asked.keys()
    paths = (before.raw.keys() | after.raw.keys()) - differing
    blocks = {above for path in paths | differing for above in _above(path)[:-1]}
    left: dict[str, Any] = {}
    for path in sorted(paths - blocks):  # an item with nothing but its name on one side is differing by its members
        old, new = _value(before.raw, path), _value(asked if path in asked else after.raw, path)
        if old != new and _value(before.normal, path) == _value(after.normal, path):
            rule, reason = why(_place(path, before, after), kind.document.rules)
            reason = CHOSEN if not rule else reason
            field = FieldChange(path=path, before=old, after=new)
            yield Explanation(address=address, field=field, verdict=Verdict.EQUAL, rule=rule, reason=reason)
        elif old == new and path not in declared:
            left[path] = _hidden(address, path, old)  # by its own name, which its block's would hide
    for path, value in _blocks(left, declared).items():
        field = FieldChange(path=path, before=value, after=value)
        yield Explanation(address=address, field=field, verdict=Verdict.LEFT, reason=UNDECLARED)


def _blocks(left: Mapping[str, Any], others: Iterable[str]) -> dict[str, Any]:
    """The same leaves, with blocks in which nothing else stands as one: `deploymentConfiguration`, not its members."""
    taken = {above for path in others for above in _above(path)}
    blocks: dict[str, Any] = {}
    for path, value in left.items():
        top = next((above for above in _above(path) if above not in taken), path)
        if top == path:
            blocks[path] = value
        else:
            blocks.setdefault(top, {})[path.removeprefix(f"{top}.")] = value
    return blocks


def _above(path: str) -> list[str]:
    """The path's own beginnings, shortest first: `a`, `a.b` and `a.b.c` of `a.b.c`."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _value(found: Mapping[str, Leaf], path: str) -> Any:
    return found[path].value if path in found else None


def _place(path: str, *sides: _Sides) -> str:
    """Where a field stands in AWS's shape, as rules name it."""
    for side in sides:
        for found in (side.raw, side.normal):
            if path in found:
                return found[path].path
    return path


def _masked(one: Explanation) -> Explanation:
    """A difference is masked as one; what has not changed is masked value by value."""
    if one.verdict is Verdict.DIFFERS:
        field = mask_field(one.address, one.field)
    else:
        path = one.field.path
        before, after = (_hidden(one.address, path, value) for value in (one.field.before, one.field.after))
        field = FieldChange(path=path, before=before, after=after)
    return msgspec.structs.replace(one, field=field)


def _hidden(address: Address, path: str, value: Any) -> Any:
    return mask_field(address, FieldChange(path=path, before=value)).before


# --- the table ---


def why(place: str, rules: Sequence[Rule]) -> tuple[str, str]:
    """The rows' place and what they do, in words, for a place in the rules' words; "" and NO_ROW where none has a
    say."""
    path, rows = deciding(place, rules)
    if not rows:
        return "", NO_ROW
    return path, "; ".join(dict.fromkeys(_words(row) for row in rows))


def deciding(place: str, rules: Sequence[Rule]) -> tuple[str, tuple[Rule, ...]]:
    """The rows that decide how a field is compared, and their place: its own; else those of the nearest block around
    it that they are about as a whole (one that is not compared, a list of values, a list of pairs)."""
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        above, rest = ".".join(parts[:end]), ".".join(parts[end:])
        rows = _rows(above, rules)
        dropped = tuple(row for row in rows if isinstance(row, Drop) and row.when is None)
        if not rest or dropped:
            found = rows if not rest else dropped
        else:
            values = {f"*.{row.value}" for row in rows if isinstance(row, Keyed) and row.value}
            found = rows if rest == "*" or rest in values else ()
        if found:
            return above, found
    return "", ()


def _rows(path: str, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(row for row in rules if row.path == path and not isinstance(row, Keep | Secret))


def _words(row: Rule) -> str:
    match row:
        case Default():
            return f"absent is {_brief(row.value)} ({row.reason})"
        case Derive():
            return f"where absent, as AWS derives it ({row.reason})"
        case Canon():
            return f"brought to one form ({row.reason})"
        case Drop(when=None):
            return f"not compared ({row.reason})"
        case Drop():
            return f"not compared where it says nothing ({row.reason})"
        case Keyed():
            return f"matched by {' and '.join(row.by)}, in any order ({row.reason})"
        case Unordered():
            return f"in any order ({row.reason})"
        case Keep() | Secret():
            return row.reason


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_brief(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_brief, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
