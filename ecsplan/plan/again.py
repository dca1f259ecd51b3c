"""A second look at what is about to be changed: what has moved since it was planned, and what the steps become. Pure.

A field that a step changes, or that was as declared, may not have moved: it would be overwritten. What is not declared
may have: the step is made anew from what is live now, so that it sends that back as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ecsplan.core.codec import to_data
from ecsplan.core.model import Action, Address, FieldChange, Outputs, Plan, Step, Value
from ecsplan.kinds import resource_of
from ecsplan.kinds.contract import Live, Resource, StepDraft
from ecsplan.plan.diff import delta_of


class Again(Value, frozen=True, kw_only=True):
    """What a second look at one address has shown: its steps, made anew; or what has moved, by field (from what the
    plan saw to what is live), and in words."""

    address: Address
    steps: tuple[Step, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    words: str = ""

    @property
    def moved(self) -> bool:
        return bool(self.fields or self.words)


def to_look_at(plan: Plan, steps: Iterable[Step]) -> tuple[Resource, ...]:
    """The resources of these steps that have a live state, each once."""
    wanted = {step.address for step in steps}
    resources = [resource_of(change) for change in plan.changes if change.address in wanted]
    return tuple(one for one in resources if one.kind.compare is not None and not one.kind.versioned)


def again(
    plan: Plan,
    steps: Sequence[Step],
    lives: Mapping[Address, Live],
    made: Mapping[Address, Outputs],
    *,
    anyway: bool = False,
) -> list[Again]:
    """For each address of these steps that was read, what a second look has shown. `made` are the outputs of the steps
    that are done. What has moved to what the steps would make of it stays as planned. With `anyway` steps are made anew
    also where something else has moved."""
    known = {change.address: change.outputs for change in plan.changes if not change.action.changes}
    return [
        _again(plan, resource, [step for step in steps if step.address == resource.address], lives, known, made, anyway)
        for resource in to_look_at(plan, steps)
    ]


def _again(
    plan: Plan,
    resource: Resource,
    steps: Sequence[Step],
    lives: Mapping[Address, Live],
    known: Mapping[Address, Outputs],
    made: Mapping[Address, Outputs],
    anyway: bool,
) -> Again:
    address, live = resource.address, lives[resource.address]
    if not live.candidates:
        return Again(address=address, words="it is missing now")
    delta = delta_of(resource, live, known)
    drafts = delta.kind.change.steps(delta) if delta.change.action.changes else ()
    fields = _moved(plan, steps, delta.change.fields)
    words = next(
        (words for draft in drafts if (words := delta.kind.change.replaced(steps[0].expect, draft.expect))), ""
    )
    if (fields or words) and not delta_of(resource, live, {**known, **made}).change.fields:
        return Again(address=address, steps=tuple(steps))  # another machine has deployed the same
    if (fields or words) and not anyway:
        return Again(address=address, fields=fields, words=words)
    return Again(address=address, steps=tuple(_made_anew(step, drafts) for step in steps))


def _moved(plan: Plan, steps: Sequence[Step], now: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """The fields that a plan would show otherwise by now. What other steps of the address change is left out."""
    address, indexes = steps[0].address, {step.index for step in steps}
    others = {
        field.path
        for step in plan.steps
        if step.address == address and step.index not in indexes
        for field in step.changes
    }
    planned = {field.path: field for step in steps for field in step.changes}
    live = {field.path: field for field in now if field.path in planned or field.path not in others}
    moved = []
    for path in sorted(planned | live):
        # A field that a plan does not show is as declared.
        seen = planned[path].before if path in planned else live[path].after
        found = live[path].before if path in live else planned[path].after
        if to_data(seen) != to_data(found):
            moved.append(FieldChange(path=path, before=seen, after=found))
    return tuple(moved)


def _made_anew(step: Step, drafts: Sequence[StepDraft]) -> Step:
    """The step by what is live now; as it was where that asks for none, or for the same."""
    alike = [draft for draft in drafts if draft.action is step.action and draft.phase is step.phase]
    if step.action is not Action.DELETE and len(alike) > 1:
        alike = [draft for draft in alike if to_data(draft.changes) == to_data(step.changes)]
    if len(alike) != 1:
        return step
    (draft,) = alike
    made = msgspec.structs.replace(step, call=draft.call, undo=draft.undo, expect=draft.expect)
    return step if to_data(made) == to_data(step) else made
