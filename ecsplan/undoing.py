"""Putting back what a deployment has done, in reverse, with the undos that its plan holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecsplan.errors import AwsError, RefusedError
from ecsplan.kinds import kind_of
from ecsplan.kinds.base import Waiting
from ecsplan.model import Call, Irreversible, Phase, Step, refs_in
from ecsplan.recalling import UnseenError, look_up
from ecsplan.sending import StepError
from ecsplan.waiting import LostError, look

if TYPE_CHECKING:
    from ecsplan.executor import Run


def see_who_took_over(run: Run) -> None:
    """What somebody else has deployed since is not to be put back; raises UnseenError where that cannot be seen."""
    done = [step for step in run.done if step.index in run.made and kind_of(step.address).watch]
    waiting = [run.carry_out(step) for step in done if isinstance(step.undo, Call)]
    try:
        seen = look(waiting, run.ports.ask, run.ports.emit)
    except AwsError as error:
        raise UnseenError(f"who changed what since could not be seen: {error.message}", hint=error.hint) from error
    if unseen := [one.address for one in waiting if one.step.index not in seen]:
        raise UnseenError(f"whether somebody else has changed {', '.join(unseen)} since could not be seen")
    run.taken |= {one.address for one in waiting if seen[one.step.index].progress.taken}


def undo(run: Run) -> None:
    """What was done, in reverse; the rollouts that this starts are waited for together. What cannot be put back
    hinders nothing else from being put back; raises StepError with all of it at the end."""
    failures: list[str] = []
    for phase in reversed(Phase):
        waiting = _put_back_before(run, phase)
        if phase is Phase.REGISTER and failures:
            break
        for step in reversed([step for step in run.done if step.phase is phase]):
            if step.address in run.taken:
                failures.append(f"{step.address} was changed by somebody else and is left to them")
                continue
            try:
                waiting += _put_back(run, step)
            except (AwsError, RefusedError, UnseenError) as error:
                failures.append(error.message)
        try:
            run.until(waiting)
        except LostError as lost:
            for one, progress in lost.failed:
                run.sender.fail(one.step, StepError(progress.note), undo=True)
            failures.append(lost.notes)
    if failures:
        raise StepError("; ".join(failures))


def _put_back(run: Run, step: Step) -> list[Waiting]:
    if step.index not in run.made and kind_of(step.address).versioned:  # its answer was lost: what did it make?
        found = look_up(step, run.call_of(step), run.ports.clock.now(), run.sender)
        run.outputs[step.address] = run.made[step.index] = found or {}
    if (call := _undo_call(run, step)) is None:
        return []
    outputs = run.send(step, call, undo=True)
    before = run.made.get(step.index, {})
    return [Waiting(address=step.address, step=step, call=call, outputs=outputs, before=before)]


def _put_back_before(run: Run, phase: Phase) -> list[Waiting]:
    """Rollouts that undos had started before the deployment was resumed: waited for again."""
    undone, before = run.memory.undone, run.memory.before
    return [
        Waiting(
            address=step.address,
            step=step,
            call=run.with_outputs(step.undo),
            outputs=undone[step.index],
            before=before.get(step.index, {}),
            old=True,
        )
        for step in run.plan.steps
        if step.phase is phase and step.index in undone and isinstance(step.undo, Call)
    ]


def _undo_call(run: Run, step: Step) -> Call | None:
    """None where there is nothing to undo, or no way to: a task that ran, a registration whose ARN is not known."""
    if isinstance(step.undo, Irreversible):
        return None
    call = run.with_outputs(step.undo)
    return None if any(True for _ in refs_in(call.params)) else call
