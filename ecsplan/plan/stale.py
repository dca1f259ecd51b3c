"""Refuses a plan if the live state has changed since it was made, and names what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecsplan.core.codec import to_data
from ecsplan.core.errors import StaleError
from ecsplan.core.model import Address, Outputs, Plan, Step
from ecsplan.core.normalize import by_identity
from ecsplan.core.text import value_text
from ecsplan.kinds import kind_of, resource_of
from ecsplan.kinds.contract import Live, Resource
from ecsplan.plan.again import Again, again
from ecsplan.plan.diff import field_changes
from ecsplan.plan.read import fingerprints, observed_state
from ecsplan.redact import Redactor, mask_field

LONGEST = 60  # characters of a value that are shown
MOST = 20  # lines


def stale(
    plan: Plan, resources: Sequence[Resource], lives: Mapping[Address, Live], redactor: Redactor
) -> StaleError | None:
    """The refusal if the live state differs from the one that the plan was made for, else None. The digests decide. The
    message lists fields if the plan holds the state (a plan of an older ecsplan does not)."""
    digests = fingerprints(resources, lives)
    moved = sorted(address for address in plan.observed | digests if plan.observed.get(address) != digests.get(address))
    if not moved:
        return None
    now = observed_state(resources, lives)
    lines = [line for address in moved for line in _moved_fields(address, plan.seen.get(address), now.get(address))]
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"  and {len(lines) - MOST} more"]
    message = "\n".join([f"the plan is stale: since it was made, this has changed: {', '.join(moved)}", *lines])
    return StaleError(
        redactor.clean(message),
        state="Nothing was changed.",
        hint=f"Make the plan again and look at it: {planning_again(plan)}",
    )


def rest_is_stale(
    plan: Plan,
    number: int,
    steps: Sequence[Step],
    lives: Mapping[Address, Live],
    made: Mapping[Address, Outputs],
    redactor: Redactor,
    command: str,
) -> StaleError | None:
    """The refusal to go on with deployment `number` if what its `steps`, which are not begun, were planned from has
    moved, else None. `made` are the outputs of the steps that are done. `command` is the one that was to go on."""
    found = {one.address: moved_lines(one) for one in again(plan, steps, lives, made) if one.moved}
    resources = [resource_of(change) for change in plan.changes if change.address in lives]
    digests, now = fingerprints(resources, lives), observed_state(resources, lives)
    for address in {step.address for step in steps if kind_of(step.address).versioned}:
        if plan.observed.get(address) != digests.get(address):
            found[address] = list(_moved_fields(address, plan.seen.get(address), now.get(address)))
    if not found:
        return None
    lines = [line for _, lines in sorted(found.items()) for line in lines]
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"  and {len(lines) - MOST} more"]
    heading = f"the rest of deployment {number} is stale: since it was planned, this has changed: "
    return StaleError(
        redactor.clean("\n".join([heading + ", ".join(sorted(found)), *lines])),
        state="Nothing was changed.",
        hint="Go back with `ecsplan rollback`, end it as it is with `ecsplan abandon`, or lay the rest over what is "
        f"live with `{command} --anyway`.",
    )


def moved_lines(one: Again) -> list[str]:
    """A line for each field that has moved, secrets masked, or for what else has."""
    words = [f"  {one.address}: {one.words}"] if one.words and not one.fields else []
    masked = [mask_field(one.address, field) for field in one.fields]
    return [*words, *(f"  {one.address}: {field.path} {_difference(field.before, field.after)}" for field in masked)]


def planning_again(plan: Plan) -> str:
    """The command that makes the plan anew, as a hint names it. A rollback goes to the same place, whatever has been
    deployed since."""
    if plan.back_to and " " not in plan.back_to:  # a number, or one revision; what deployment N found has no name
        return f"ecsplan rollback --to {plan.back_to}"
    return "ecsplan rollback" if plan.undoes or not plan.tag else f"ecsplan plan {plan.tag}"


def _moved_fields(address: Address, before: Any, after: Any) -> Iterator[str]:
    """A line for each field that differs, secrets masked."""
    if before is None or after is None:
        return
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield f"  {address}: {'it is missing now' if after == 'missing' else 'it was missing'}"
        return
    rules = kind_of(Address(address)).document.rules
    try:
        old = by_identity(to_data(before), rules)
    except (KeyError, TypeError, AttributeError):  # a plan file may hold anything here
        return
    for change in field_changes(old, by_identity(to_data(after), rules)):
        masked = mask_field(Address(address), change)
        yield f"  {address}: {change.path} {_difference(masked.before, masked.after)}"


def _difference(before: Any, after: Any) -> str:
    """For lists of names, those that were added and removed; else both values."""
    if _names(before) and _names(after) and set(before) != set(after):
        changes = [f"+{name}" for name in after if name not in before]
        changes += [f"-{name}" for name in before if name not in after]
        return _cut(" ".join(changes))
    return f"{_short(before)} -> {_short(after)}"


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _short(value: Any) -> str:
    return _cut("none" if value is None else value_text(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
