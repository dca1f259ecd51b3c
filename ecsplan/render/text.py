"""Plans and deployments for people, at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ecsplan.core.documents import filled
from ecsplan.core.model import Action, Change, Phase, Plan, Step
from ecsplan.core.spec import DEFAULT_FILE
from ecsplan.journal import Damaged, Deployment
from ecsplan.plan.scope import clusters_touched
from ecsplan.render.diagnosis import diagnoses_text
from ecsplan.render.paint import SIGNS, WIDTH, Paint, plain
from ecsplan.render.rollback import NOTHING_TO_DO, moved_lines, rollback_heading
from ecsplan.render.wording import WAITED, WAITS_PLANNED, WORDS
from ecsplan.render.words import field_lines, heading

NO_CHANGES = "No changes. The live state matches the spec."


def plan_text(plan: Plan, paint: Paint = plain) -> str:
    """A block per task, then the summary. The plan is masked already."""
    lines = [plan_heading(plan, paint)]
    if plan.undoes or plan.back_to:
        lines.append(rollback_heading(plan))
    lines += ["", *moved_lines(plan, paint)]
    lines += [""] * bool(plan.moved or plan.doubts)
    steps: dict[str, list[Step]] = {}  # by task, in the order of their first steps; then those without one
    for step in plan.steps:
        steps.setdefault(step.task, []).append(step)
    changes: dict[str, list[Change]] = {}
    for change in plan.changes:
        changes.setdefault(change.task, []).append(change)
    for task in dict.fromkeys([*steps, *changes]):
        block = list(_task(changes.get(task, ()), steps.get(task, ()), paint))
        if block:
            lines += [paint(task, "bold"), *block, ""]
    lines += [f"{paint('!', 'yellow')} {warning}" for warning in plan.warnings] + [""] * bool(plan.warnings)
    lines.append(_summary(plan) if plan.changed else no_changes(plan))
    return "\n".join(lines)


def plan_heading(plan: Plan, paint: Paint = plain, *, before: str = "") -> str:
    """The line that every screen begins with that changes something."""
    return heading(plan.app, plan.tag, plan.identity, clusters_touched(plan), paint, before=before)


def no_changes(plan: Plan) -> str:
    """That a plan has no step, and what that means."""
    return NOTHING_TO_DO if plan.undoes or plan.back_to else NO_CHANGES


def _task(changes: Sequence[Change], steps: Sequence[Step], paint: Paint) -> Iterator[str]:
    moving = {step.address for step in steps if step.phase is not Phase.RETIRE}
    for change in changes:
        if change.address not in moving and change.fields:
            yield from _reused(change, paint)
    for step in steps:
        if step.phase is not Phase.RETIRE:
            yield from _step(step, paint)
    yield from _retired([step for step in steps if step.phase is Phase.RETIRE], paint)


def _reused(change: Change, paint: Paint) -> Iterator[str]:
    """A revision that is there already and equal, but not in use yet."""
    arn = change.outputs.get("arn", "").rpartition("/")[2]
    yield f"    {paint('=', 'dim')} {change.address}  {arn} is as declared and is used again"
    for field in change.fields:
        yield from field_lines(field, 8, paint)


def _step(step: Step, paint: Paint) -> Iterator[str]:
    sign = paint(step.action.sign, SIGNS[step.action.sign])
    note = f"  {step.note}" if step.note else ""
    yield f"{step.index:>3} {sign} {step.address}{note}"
    for field in step.changes:
        yield from field_lines(field, 8, paint)


def _retired(steps: Sequence[Step], paint: Paint) -> Iterator[str]:
    """Clean-up on one line, however many revisions: oldest first."""
    if not steps:
        return
    names = [step.note for step in steps]
    head = f"{steps[0].index:>3} - {steps[0].address}  deregister "
    count = f" ({len(names)} revisions)" if len(names) > 1 else ""
    shapes = (", ".join(names), f"{', '.join(names[:2])} … {names[-1]}", f"{names[0]} … {names[-1]}")
    # The fullest list that fits; the shortest where none does.
    fitting = [listed for listed in shapes if len(head) + len(listed) + len(count) <= WIDTH]
    listed = fitting[0] if fitting else shapes[-1]
    yield head.replace(" - ", f" {paint('-', 'red')} ", 1) + listed + count


def _summary(plan: Plan) -> str:
    planned = {phase.value: words.planned for phase, words in WORDS.items()} | {Action.WAIT.value: WAITS_PLANNED}
    # A plan file may name a phase that does not exist.
    parts = [f"{count} {planned.get(phase, phase)}" for phase, count in plan.summary.items() if count]
    return f"Plan: {', '.join(parts)}."


# --- the journal ---


def history_text(found: Sequence[Deployment | Damaged], paint: Paint = plain) -> str:
    """A line per deployment, oldest first."""
    rows = [("#", "when", "who", "tag", "outcome", "revisions")]
    rows += [_row(deployment) for deployment in found]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = []
    for row in rows:
        cells = [row[0].rjust(widths[0]), *(row[i].ljust(widths[i]) for i in range(1, 5)), row[5]]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([paint(lines[0], "bold"), *lines[1:]])


def _row(deployment: Deployment | Damaged) -> tuple[str, str, str, str, str, str]:
    if isinstance(deployment, Damaged):
        return (str(deployment.number), "", "", "", "unreadable", deployment.error)
    return (
        str(deployment.number),
        deployment.started,
        deployment.user,
        deployment.plan.tag or "-",
        deployment.outcome.value,
        (", ".join(deployment.revisions().values()) or "-") + _undoing(deployment.plan),
    )


def _undoing(plan: Plan) -> str:
    return f" (undoes {', '.join(map(str, plan.undoes))})" if plan.undoes else ""


def abandon_text(deployment: Deployment, running: Sequence[str], paint: Paint = plain) -> str:
    """What stays as it is when a deployment is abandoned: how far each step came, and the one-off tasks that still run,
    a sentence each. Its plan is masked already."""
    states, made = _ended(deployment.states()), deployment.outputs()
    lines = [*_head(deployment, paint), "", "Nothing is sent to AWS. This stays as it is:"]
    for step in deployment.plan.steps:
        sign = paint(step.action.sign, SIGNS[step.action.sign])
        revision = made.get(step.index, {}).get("arn", "").rpartition("/")[2]
        lines.append(f"{step.index:>3} {sign} {step.address}  {states[step.index]} {revision}".rstrip())
    return "\n".join([*lines, *(f"{paint('!', 'yellow')} {sentence}" for sentence in running)])


def _became(step: Step, state: str) -> str:
    """What became of a step, and its note."""
    if step.action is Action.WAIT:
        return WAITED if state == "done" else state
    return f"{state}  {step.note}" if step.note else state


def _head(deployment: Deployment, paint: Paint) -> list[str]:
    plan = deployment.plan
    lines = [
        plan_heading(plan, paint, before=f"deployment {deployment.number}: "),
        f"{deployment.outcome.value}, {deployment.started}, by {deployment.opened.origin}",
    ]
    if plan.spec not in ("", DEFAULT_FILE):
        lines.append(f"spec: {plan.spec}")
    if deployment.reason:
        lines.append(f"because: {deployment.reason}")
    if deployment.ended_by:
        lines.append(f"ended by: {deployment.ended_by}")
    if plan.undoes:
        lines.append(f"undoes: {', '.join(map(str, plan.undoes))}")
    return lines


def _ended(states: Mapping[int, str]) -> dict[int, str]:
    """What was planned and will not be begun any more says so."""
    return {index: "not begun" if state == "planned" else state for index, state in states.items()}


def deployment_text(deployment: Deployment, paint: Paint = plain, *, columns: int = WIDTH) -> str:
    """One deployment with its steps and how far each came, and what went wrong. Its plan is masked already."""
    plan, lines = deployment.plan, _head(deployment, paint)
    states = deployment.states() if deployment.running else _ended(deployment.states())
    made = deployment.outputs()
    known = {step.address: made[step.index] for step in plan.steps if step.index in made}
    lines.append("")
    for step in plan.steps:
        sign = paint(step.action.sign, SIGNS[step.action.sign])
        lines.append(f"{step.index:>3} {sign} {step.address}  {_became(step, states[step.index])}")
        for field in step.changes if step.action is not Action.KEEP else ():
            lines += field_lines(msgspec.structs.replace(field, after=filled(field.after, known)), 8, paint)
    if wrong := diagnoses_text(deployment.diagnoses, paint, already=deployment.reason, columns=columns):
        lines += ["", wrong]
    return "\n".join(lines)
