"""Putting back what a deployment has done, in reverse, with the undos that its plan holds.

What is still under way is taken back as AWS itself can do it, and what AWS is taking back already is only waited for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ecsplan.apply.send import StepError
from ecsplan.apply.state import UnknownState, look_up
from ecsplan.apply.wait import WaitFailed, poll
from ecsplan.core.documents import refs_in
from ecsplan.core.errors import AwsError, RefusedError
from ecsplan.core.model import Call, Irreversible, Phase, Step
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Progress, Reverting, Tracked

if TYPE_CHECKING:
    from ecsplan.apply.engine import Run

# What AWS takes back by itself is looked at again when it is there; if that fails so often, it stays as it is.
ROUNDS = 4


def find_superseded(run: Run) -> None:
    """What somebody else has deployed since is not to be put back; raises UnseenError where that cannot be seen."""
    done = [step for step in run.done if step.index in run.made and kind_of(step.address).track]
    waiting = [run.carry_out(step) for step in done if isinstance(step.undo, Call)]
    try:
        seen = poll(waiting, run.ports.ask, run.ports.emit)
        taken = {one.address for one in waiting if one.step.index in seen and seen[one.step.index].progress.superseded}
        ours = {one.address for one in waiting if one.address in taken and _is_our_own(run, one.step)}
    except AwsError as error:
        raise UnknownState(f"who changed what since could not be seen: {error.message}", hint=error.hint) from error
    if unseen := [one.address for one in waiting if one.step.index not in seen]:
        raise UnknownState(f"whether somebody else has changed {', '.join(unseen)} since could not be seen")
    run.taken |= taken - ours


def _is_our_own(run: Run, step: Step) -> bool:
    """Is it an undo of ours, of which nobody saw the end, that has changed it since?"""
    if step.index not in run.memory.undoing or not isinstance(step.undo, Call):
        return False
    recover = kind_of(step.address).calls.recover
    return recover(run.ports.ask, step, run.with_outputs(step.undo)) is not None


def undo(run: Run) -> None:
    """What was done, in reverse; the rollouts that this starts are waited for together. What cannot be put back
    hinders nothing else from being put back; raises StepError with all of it at the end."""
    failures: list[str] = []
    for phase in reversed(Phase):
        waiting = earlier_undos(run, phase)
        if phase is Phase.REGISTER and failures:
            break
        for step in reversed([step for step in run.done if step.phase is phase]):
            if step.address in run.taken:
                failures.append(f"{step.address} was changed by somebody else and is left to them")
                continue
            try:
                waiting += _put_back(run, step)
            except (AwsError, RefusedError, UnknownState) as error:
                failures.append(error.message)
        while waiting:
            try:
                wait_reverting(run, waiting, undo=True)
                waiting = []
            except WaitFailed as lost:
                for one, progress in lost.failed:
                    run.sender.fail(one.step, StepError(progress.note), undo=True)
                failures.append(lost.notes)
                gone = {one.step.index for one, _ in lost.failed}
                waiting = [one for one in waiting if one.step.index not in gone]
            except (AwsError, RefusedError) as error:
                failures.append(error.message)
                waiting = []
    if failures:
        raise StepError("; ".join(failures))


def _put_back(run: Run, step: Step) -> list[Tracked]:
    if step.index not in run.made and kind_of(step.address).versioned:  # its answer was lost: what did it make?
        found = look_up(step, run.call_of(step), run.ports.clock.now(), run.sender)
        run.outputs[step.address] = run.made[step.index] = found or {}
    if (call := _undo_call(run, step)) is None:
        return []
    made = run.made.get(step.index, {})
    done = Tracked(kind=kind_of(step.address), step=step, call=run.call_of(step), outputs=made)
    return take_back(run, done, call, undo=True)


def earlier_undos(run: Run, phase: Phase) -> list[Tracked]:
    """Rollouts that undos had started before the deployment was resumed: waited for again."""
    undone, before = run.memory.undone, run.memory.before
    return [
        Tracked(
            kind=kind_of(step.address),
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


# --- what is still under way ---


def take_back(run: Run, one: Tracked, call: Call, *, undo: bool, again: bool = False) -> list[Tracked]:
    """Take back what is waited for, by `call` or by what AWS itself can do; what to wait for then. `again`: it has been
    taken back already, and only what is left is to be."""
    revert, step = one.kind.revert, one.step
    way = revert.plan(run.ports.ask, one, call) if revert else Reverting(call=call)
    if way.call is None:
        if again:
            return []
        run.sender.begin(step, undo=undo)
        outputs: Mapping[str, str] = way.outputs
        run.sender.done(step, dict(outputs), undo=undo)
    else:
        outputs = _sent(run, step, way.call, call, undo=undo)
    if not undo:
        run.remember(step, outputs)
    return [Tracked(kind=one.kind, step=step, call=call, outputs=outputs, before=one.outputs)]


def _sent(run: Run, step: Step, way: Call, call: Call, *, undo: bool) -> dict[str, str]:
    """What AWS could have done by itself and refuses is done by the call: it may have ended meanwhile."""
    try:
        return run.send(step, way, undo=undo)
    except AwsError as error:
        if way.operation == call.operation or error.locked_out:
            raise
        run.sender.warn(f"{step.address}: {run.ports.clean(error.message)}; it is put back by an update")
        return run.send(step, call, undo=undo)


def wait_reverting(run: Run, waiting: Sequence[Tracked], *, undo: bool, to_the_end: bool = False) -> None:
    """Until the effects of all these are there; raises LostError for those that failed. What AWS has taken back by
    itself, or failed to, is looked at again, and what is left is put back."""
    for _ in range(ROUNDS):
        again, rest = [], []
        try:
            run.until(waiting, to_the_end=to_the_end)
            again = [one for one in waiting if _is_reverting(one)]
        except WaitFailed as lost:
            if final := [pair for pair in lost.failed if not _may_go_on(*pair)]:
                raise WaitFailed(final, lost.late) from lost
            again = [one for one, _ in lost.failed]
            rest = [one for one in waiting if one.step.index not in {other.step.index for other in again}]
        left = [dataclasses.replace(one, outputs=one.before) for one in again]
        waiting = [*rest, *(new for one in left for new in take_back(run, one, one.call, undo=undo, again=True))]
        if not waiting:
            return


def _may_go_on(one: Tracked, progress: Progress) -> bool:
    return _is_reverting(one) and not progress.superseded


def _is_reverting(one: Tracked) -> bool:
    return one.kind.revert is not None and one.kind.revert.is_reverting(one.outputs)
