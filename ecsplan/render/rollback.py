"""What a rollback says of where it goes, and of what others have changed, for people. Plans are masked already."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecsplan.core.errors import StaleError
from ecsplan.core.model import Plan
from ecsplan.render.paint import Paint, plain
from ecsplan.render.words import field_lines

NOTHING_TO_DO = "No changes. There is nothing to put back."


def where_to(plan: Plan) -> str:
    """`what deployment 12 left`."""
    match plan.back_to.partition(" "):
        case ("0", _, _):
            return "what was there before the first deployment"
        case ("before", _, number):
            return f"what deployment {number} found"
        case (number, _, "") if number.isdigit():
            return f"what deployment {number} left"
    return plan.back_to


def rollback_heading(plan: Plan) -> str:
    """What a rollback undoes, and where it goes."""
    to = where_to(plan)
    if not plan.undoes:
        return f"goes back to {to}; one-off tasks are not undone"
    word = "deployments" if len(plan.undoes) > 1 else "deployment"
    numbers = ", ".join(map(str, plan.undoes))
    return f"rolls back {word} {numbers}{f' to {to}' if to else ''}; one-off tasks are not undone"


def moved_lines(plan: Plan, paint: Paint = plain) -> Iterator[str]:
    """What others have changed, and this plan takes back, or cannot put back; then its doubts."""
    mark = paint("!", "yellow")
    for moved in plan.moved:
        if not moved.fields:
            yield f"{mark} {moved.address}, which deployment {moved.deployment} left, cannot be put back"
            continue
        yield f"{mark} {moved.address} is not as deployment {moved.deployment} left it; this takes that back:"
        for field in moved.fields:
            yield from field_lines(field, 8, paint)
    for doubt in plan.doubts:
        yield f"{mark} {doubt}"


def not_agreed(plan: Plan) -> StaleError | None:
    """The refusal of a rollback that a person has to agree to; None for any other."""
    if not plan.moved and not plan.doubts:
        return None
    lines = []
    for moved in plan.moved:
        how = ":" if moved.fields else ": it is gone, or cannot be changed now"
        lines.append(f"  {moved.address}, since deployment {moved.deployment}{how}")
        lines += [line for field in moved.fields for line in field_lines(field, 6, plain)]
    if lines:
        lines.insert(0, "others have changed what this rollback would take back:")
    return StaleError(
        "\n".join([*lines, *plan.doubts]),
        state="Nothing was changed.",
        hint=_how_to_agree(plan),
    )


def _how_to_agree(plan: Plan) -> str:
    """With the place named, so that it is the same one when the command is pasted later."""
    named = f" --to {plan.back_to}" if re.fullmatch(r"\d+|[^ ,]+:\d+", plan.back_to) and not plan.doubts else ""
    over, leave = (f"ecsplan rollback{named} --{how}" for how in ("over", "leave"))
    if not plan.moved:
        return f"Name a revision that ran with --to FAMILY:REV, or go there nevertheless: {over}"
    if not all(moved.fields for moved in plan.moved):
        return f"To put back all the rest: {over}\nTo leave all that others have changed as it is: {leave}"
    return f"To take that back too: {over}\nTo leave what others have changed as it is: {leave}"


def question(plan: Plan) -> str:
    """What is asked before it is applied."""
    if without := [moved.address for moved in plan.moved if not moved.fields]:
        return f"Apply this plan, although it is not whole, without {', '.join(without)}?"
    if plan.moved:
        return f"Apply this plan, and take back what others have changed in {', '.join(m.address for m in plan.moved)}?"
    if plan.doubts:
        return f"Apply this plan, although it is not known whether {plan.back_to} ever ran?"
    return "Apply this plan?"
