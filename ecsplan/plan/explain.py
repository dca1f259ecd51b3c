"""Explains why a plan shows a difference or none: which rule of a kind compared a field, and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Address, Doc, FieldChange, Value
from ecsplan.core.normalize import (
    Canon,
    CanonBeside,
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
UNSETTLED = "compared too: fields that are as declared are not enough where the rollout has not ended well"


class Verdict(Enum):
    """DIFFERS: a difference of the plan. EQUAL: two spellings of one value. LEFT: not declared, so neither compared nor
    changed."""

    DIFFERS = "differs"
    EQUAL = "equal"
    LEFT = "left alone"


class Explanation(Value, frozen=True, kw_only=True):
    """One field: its live and its declared value (None is absent), the verdict, and why. `rule` is the path of the
    rule, "" if none applies."""

    address: Address
    field: FieldChange
    verdict: Verdict
    rule: str = ""
    reason: str


def explain(deltas: Sequence[Delta]) -> tuple[Explanation, ...]:
    """Explains each difference, each field that is equal only by a rule, and each field that is left alone. Secrets are
    masked. By address in the order of the plan, differences first, then by path."""
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
    unsettled = delta.live.unsettled
    if unsettled is not None and delta.change.note == unsettled.note:
        field = FieldChange(path="rollout", before=unsettled.status.value, after=Status.SUCCEEDED.value)
        yield Explanation(address=address, field=field, verdict=Verdict.DIFFERS, reason=UNSETTLED)
    if live:
        yield from _without_difference(address, kind, delta, before, after)


class _Sides:
    """The leaves of a document as it was answered or declared, and after the rules."""

    def __init__(self, doc: Doc, kind: Kind) -> None:
        self.raw = leaves(_named_alike(doc, kind), kind.document.rules)
        self.normal = leaves(normal(doc, kind.document.rules), kind.document.rules)


def _named_alike(doc: Doc, kind: Kind) -> Doc:
    """The document with only the identities of list items normalized, so that an item has one name on both sides."""
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
    for path in sorted(paths - blocks):  # an item that has members on one side is explained by them
        old, new = _value(before.raw, path), _value(asked if path in asked else after.raw, path)
        if old != new and _value(before.normal, path) == _value(after.normal, path):
            rule, reason = why(_place(path, before, after), kind.document.rules)
            reason = CHOSEN if not rule else reason
            field = FieldChange(path=path, before=old, after=new)
            yield Explanation(address=address, field=field, verdict=Verdict.EQUAL, rule=rule, reason=reason)
        elif old == new and path not in declared:
            left[path] = _hidden(address, path, old)  # by its own path: a block's path hides that it is secret
    for path, value in _blocks(left, declared).items():
        field = FieldChange(path=path, before=value, after=value)
        yield Explanation(address=address, field=field, verdict=Verdict.LEFT, reason=UNDECLARED)


def _blocks(left: Mapping[str, Any], others: Iterable[str]) -> dict[str, Any]:
    """Joins leaves into blocks that hold nothing else: `deploymentConfiguration` instead of its members."""
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
    """The prefixes of a path, shortest first: `a`, `a.b` and `a.b.c` of `a.b.c`."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _value(found: Mapping[str, Leaf], path: str) -> Any:
    return found[path].value if path in found else None


def _place(path: str, *sides: _Sides) -> str:
    """The path of a field as rules write it."""
    for side in sides:
        for found in (side.raw, side.normal):
            if path in found:
                return found[path].path
    return path


def _masked(one: Explanation) -> Explanation:
    """A difference is masked as a whole; equal values are masked one by one."""
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
    """The path of the rules that apply to `place`, and what they do, in words; "" and NO_ROW if none applies."""
    path, rows = deciding(place, rules)
    if not rows:
        return "", NO_ROW
    return path, "; ".join(dict.fromkeys(_words(row) for row in rows))


def deciding(place: str, rules: Sequence[Rule]) -> tuple[str, tuple[Rule, ...]]:
    """The rules that apply to a field, and their path. These are its own, else those of the nearest block around it
    that concern the whole block (one that is not compared, a list of values, a list of pairs)."""
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
        case Canon() | CanonBeside():
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
