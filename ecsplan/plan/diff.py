"""Compares desired with live resources: both are normalized, then compared (the only importer of deepdiff)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import filled, mapped, pruned
from ecsplan.core.errors import PlanningError
from ecsplan.core.model import Action, Address, Change, Doc, FieldChange, Ref, Value
from ecsplan.core.normalize import Normalized, Rule, by_identity
from ecsplan.kinds.contract import Candidate, Compare, Delta, Kind, Live, Resource
from ecsplan.plan.read import referenced_values


def without_impossible(
    resources: Sequence[Resource], lives: Mapping[Address, Live]
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """Drops optional resources that cannot be changed, with the reasons. One that exists is kept as a read-only entry,
    so that the revisions it uses are not deregistered."""
    left, reasons = [], []
    for resource in resources:
        change, compare, live = resource.kind.change, resource.kind.compare, lives[resource.address]
        faults = change.blockers(resource, live) if resource.optional else ()
        reasons += [f"left out: {fault}" for fault in faults]
        if not faults:
            left.append(resource)
        elif live.candidates and compare is not None and compare.identity is not None:
            left.append(msgspec.structs.replace(resource, doc=compare.identity(resource.doc)))
    return tuple(left), tuple(reasons)


def diff(
    resources: Sequence[Resource], lives: Mapping[Address, Live], sent: Mapping[str, Doc] | None = None
) -> tuple[Delta, ...]:
    """A delta for each resource, unchanged ones included, in their order. `sent` holds, by ARN, the request that
    created a live resource, if the journal knows it.

    References to an unchanged resource are filled with its outputs; other references stay and are `(known after
    apply)`. Raises PlanningError with everything that AWS would reject.
    """
    faults = [
        fault
        for resource in resources
        if not resource.optional  # `without_impossible` has checked those
        for fault in resource.kind.change.blockers(resource, lives[resource.address])
    ]
    if faults:
        raise PlanningError(faults)
    outputs: dict[Address, dict[str, str]] = {}
    switched: set[str] = set()
    # A rule can have targets of several tasks: switched is the task whose revision changes.
    tasks = {resource.address: resource.task for resource in resources if resource.kind.versioned}
    deltas: dict[Address, Delta] = {}
    for resource in resources:
        if resource.kind.compare is None:
            continue
        delta = _delta(resource.kind, resource.kind.compare, resource, lives[resource.address], outputs, sent or {})
        deltas[resource.address] = delta
        if not delta.change.action.changes:
            outputs[resource.address] = delta.change.outputs
        switched |= {tasks.get(address, resource.task) for address in _switches(delta, outputs)}
    for resource in resources:
        if resource.kind.compare is None:
            deltas[resource.address] = _run(resource, lives[resource.address], switched, outputs, deltas)
    # For optional resources `cautions` warns instead: half a rollback is better than none.
    asked_for = [delta for delta in deltas.values() if not delta.resource.optional]
    if faults := [fault for delta in asked_for for fault in conflicts(delta, deltas)]:
        raise PlanningError(faults)
    return tuple(deltas[resource.address] for resource in resources)


def delta_of(resource: Resource, live: Live, outputs: Mapping[Address, Mapping[str, str]]) -> Delta:
    """The delta of one resource that has a live state. `outputs` fill its references."""
    assert resource.kind.compare is not None
    return _delta(resource.kind, resource.kind.compare, resource, live, outputs, {})


def conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """Why AWS would reject this change together with the others. Unchanged resources are not checked."""
    if not delta.change.action.changes:
        return ()
    return delta.kind.change.conflicts(delta, others)


def _delta(
    kind: Kind,
    compare: Compare,
    resource: Resource,
    live: Live,
    outputs: Mapping[Address, Mapping[str, str]],
    sent: Mapping[str, Doc],
) -> Delta:
    rules = kind.document.rules
    declared = filled(live.wanted if live.wanted is not None else resource.doc, outputs)
    first = live.candidates[0] if live.candidates else None
    if first is None and not declared:  # nothing is live, and nothing is declared
        change = _change(resource, Action.KEEP)
        return Delta(change=change, resource=resource, live=live, candidate=None, declared={})
    if first is None:
        merged = Normalized(compare.merge({}, declared), rules)
        fields = tuple(FieldChange(path=p, after=v) for p, v in _leaves(_declared_by_identity(kind, merged.doc)))
        change = _change(resource, Action.CREATE, after=resource.doc, fields=fields)
        return Delta(change=change, resource=resource, live=live, candidate=None, declared=declared, merged=merged)
    comparisons = [Comparison.of(compare, rules, candidate, declared) for candidate in live.candidates]
    equal, uncertainties = _equal(kind, compare, live, comparisons, sent)
    if equal is not None:
        return _kept(kind, compare, resource, live, comparisons[0], equal, declared, uncertainties)
    base = comparisons[0]
    # Uncertain differences are left out of the diff, but not for a new version, which is made of all that is declared.
    shown, uncertainties = base.current, ()
    if not kind.versioned:
        assumed, uncertainties = compare.tolerate(base.current.doc, base.merged.doc, {})
        shown = Normalized(assumed, rules) if uncertainties else shown
    change = _change(
        resource,
        Action.CREATE if kind.versioned else Action.UPDATE,
        before=compare.before(base.current, base.merged, declared),
        after=resource.doc,
        fields=_fields(kind, shown, base.merged),
        outputs=first.outputs,
    )
    return _delta_of(change, resource, live, base, declared, uncertainties)


class Comparison(Value, frozen=True, kw_only=True):
    """A live document and the one that would replace it, each normalized once at most."""

    candidate: Candidate
    current: Normalized
    merged: Normalized

    @classmethod
    def of(cls, compare: Compare, rules: tuple[Rule, ...], candidate: Candidate, declared: Doc) -> Comparison:
        return cls(
            candidate=candidate,
            current=Normalized(candidate.doc, rules, candidate.normal),
            merged=Normalized(compare.merge(candidate.doc, declared), rules),
        )


def _delta_of(
    change: Change, resource: Resource, live: Live, found: Comparison, declared: Doc, uncertainties: tuple[str, ...]
) -> Delta:
    return Delta(
        change=change,
        resource=resource,
        live=live,
        candidate=found.candidate,
        declared=declared,
        current=found.current,
        merged=found.merged,
        uncertainties=uncertainties,
    )


def _equal(
    kind: Kind, compare: Compare, live: Live, comparisons: Sequence[Comparison], sent: Mapping[str, Doc]
) -> tuple[Comparison | None, tuple[str, ...]]:
    """The candidate that is equal to what is declared. Without one, the candidate in use counts as equal if it differs
    only in what AWS may have dropped. Others do not, so that nothing is moved to an uncertain revision."""
    for one in comparisons:
        if one.candidate.reusable and one.merged.normal == one.current.normal:
            return one, ()
    first = comparisons[0]
    if first.candidate.reusable and live.wanted is None:
        registered = sent.get(first.candidate.outputs.get("arn", ""), {})
        assumed, uncertainties = compare.tolerate(first.candidate.doc, first.merged.doc, registered)
        if uncertainties and first.merged.normal == Normalized(assumed, kind.document.rules).normal:
            return first, uncertainties
    return None, ()


def _kept(
    kind: Kind,
    compare: Compare,
    resource: Resource,
    live: Live,
    base: Comparison,
    equal: Comparison,
    declared: Doc,
    uncertainties: tuple[str, ...],
) -> Delta:
    """A resource that is as declared. If the equal candidate is not the one in use, shows the differences between the
    two."""
    fields = _fields(kind, base.current, equal.current) if equal is not base else ()
    action, note = _without_difference(resource, live)
    change = _change(
        resource,
        action,
        before=compare.before(equal.current, equal.current, declared) if action is Action.UPDATE else None,
        after=resource.doc,
        fields=fields,
        outputs=equal.candidate.outputs,
        note=note,
    )
    return _delta_of(change, resource, live, equal, declared, uncertainties)


def _without_difference(resource: Resource, live: Live) -> tuple[Action, str]:
    """What is left to do where no field differs, and a note: what has failed is made again, what is under way is waited
    for."""
    if resource.settings.redeploy:
        return Action.UPDATE, "redeploy"
    if live.unsettled is None:
        return Action.KEEP, ""
    return Action.UPDATE if live.unsettled.status is Status.FAILED else Action.WAIT, live.unsettled.note


def _run(
    resource: Resource,
    live: Live,
    switched: set[str],
    outputs: Mapping[Address, Mapping[str, str]],
    others: Mapping[Address, Delta],
) -> Delta:
    """A resource without live state: it runs when its task is switched to another revision, or always."""
    runs = resource.settings.when == "always" or resource.task in switched
    declared, note, fill_in = filled(resource.doc, outputs), "", resource.kind.change.fill_in
    if fill_in is not None:
        declared, note = fill_in(resource, declared, others)
    change = _change(resource, Action.RUN if runs else Action.KEEP, after=resource.doc, note=note)
    merged = Normalized(declared, resource.kind.document.rules)
    return Delta(change=change, resource=resource, live=live, candidate=None, declared=declared, merged=merged)


def _change(resource: Resource, action: Action, **more: Any) -> Change:
    return Change(
        address=resource.address,
        task=resource.task,
        action=action,
        settings=resource.settings,
        facts=resource.facts,
        keep=resource.keep,
        pinned=resource.pinned,
        retire=resource.retire,
        **more,
    )


def _switches(delta: Delta, outputs: Mapping[Address, Mapping[str, str]]) -> set[Address]:
    """The addresses to whose revision this change moves something: its own for a new revision, and those of references
    whose value changes."""
    if not delta.change.action.changes:
        return set()
    if delta.kind.versioned or delta.candidate is None:
        return {delta.change.address}
    pairs = referenced_values(delta.kind, delta.resource.doc, delta.candidate.doc)
    return {ref.address for ref, value in pairs if value != filled(ref, outputs)}


# --- fields ---


def _declared_by_identity(kind: Kind, doc: Doc) -> Doc:
    """The declared document with items by identity, without what AWS would fill in."""
    return by_identity(pruned(doc) or {}, kind.document.rules)


def _fields(kind: Kind, before: Normalized, after: Normalized) -> tuple[FieldChange, ...]:
    """The differences of two documents. Only members that differ are brought to the form by identity."""
    old, new = before.normal, after.normal
    apart = [name for name in {**old, **new} if not _same(old.get(name), new.get(name))]
    return field_changes(*(by_identity({n: d[n] for n in apart if n in d}, kind.document.rules) for d in (old, new)))


def field_changes(before: Doc, after: Doc) -> tuple[FieldChange, ...]:
    """The differences of two documents by identity, one for each leaf, sorted by path. An ordered list is one leaf."""
    changes = tuple(_leaf_changes((), before, after))
    if not all(_is_plain(change) for change in changes):
        return _compared(before, after)
    return tuple(sorted(changes, key=lambda change: change.path))


def _is_plain(change: FieldChange) -> bool:
    """Can ours decide it without deepdiff, whose import takes a quarter of a plan's time? Mostly only text differs."""
    kinds = {type(value) for value in (change.before, change.after)} - {type(None)}
    return len(kinds - {Ref}) <= 1 and kinds <= {str, int, bool, Ref}


def _compared(before: Doc, after: Doc) -> tuple[FieldChange, ...]:
    from deepdiff import DeepDiff

    marked: dict[str, Ref] = {}

    def mark(leaf: Any) -> Any:
        if not isinstance(leaf, Ref):
            return leaf
        text = f"\0{leaf.address}\0{leaf.output}"
        marked[text] = leaf
        return text

    old, new = _apart(before, after)
    tree = DeepDiff(
        mapped(old, mark),
        mapped(new, mark),
        view="tree",
        ignore_numeric_type_changes=True,
        threshold_to_diff_deeper=0,
        ignore_private_variables=False,  # an environment variable may be named __DEBUG
    )
    paths = {_to_list(level.path(output_format="list")) for levels in tree.values() for level in levels}
    changes = {
        change.path: change for path in paths for change in _leaf_changes(path, _at(before, path), _at(after, path))
    }
    return tuple(changes[path] for path in sorted(changes))


def _apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Doc, Doc]:
    """Both without their equal members, so that little is left to compare."""
    old, new = {**before}, {**after}
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if _same(one, other):
            del old[name], new[name]
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            old[name], new[name] = _apart(one, other)
    return old, new


def _same(one: Any, other: Any) -> bool:
    """Equal, and of equal types down to the leaves: true is not 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _to_list(path: Sequence[Any]) -> tuple[str, ...]:
    """The path up to the first list."""
    result: list[str] = []
    for part in path:
        if isinstance(part, int):
            break
        result.append(part)
    return tuple(result)


def _at(doc: Any, path: Sequence[str]) -> Any:
    for part in path:
        doc = doc.get(part) if isinstance(doc, Mapping) else None
    return doc


def _leaf_changes(path: tuple[str, ...], before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        old = before if isinstance(before, Mapping) else {}
        new = after if isinstance(after, Mapping) else {}
        for name in dict.fromkeys((*old, *new)):
            yield from _leaf_changes((*path, name), old.get(name), new.get(name))
    elif before != after or type(before) is not type(after):
        yield FieldChange(path=".".join(path), before=before, after=after)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from _leaves(value[name], (*path, name))
    elif value is not None:
        yield ".".join(path), value
