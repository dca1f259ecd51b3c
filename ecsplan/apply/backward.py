"""Undoing what a deployment has done, in reverse, with the undos that its plan holds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ecsplan.apply.engine import Engine, UnknownState
from ecsplan.apply.revert import revert, wait_reverting
from ecsplan.apply.send import StepError
from ecsplan.apply.wait import WaitFailed, joined_notes
from ecsplan.core.errors import AwsError, RefusedError, SupersededError
from ecsplan.core.model import Call, Outputs, Phase, Step
from ecsplan.kinds.contract import Tracked


class LeftToOthers(StepError):
    """All was undone, but for what another deployment has changed since."""


def resolve_for_undo(engine: Engine) -> None:
    """Look up the open steps before anything is undone. One that is not found, or that AWS cannot know any more, still
    counts as one that may have been carried out."""
    for step in engine.state.open_steps():
        try:
            engine.resolve(step)
        except UnknownState as error:
            if not error.decidable:
                raise


def find_superseded(engine: Engine) -> None:
    """What another deployment has changed since is not undone; raises UnknownState where that cannot be determined."""
    state = engine.state
    steps = [step for step in state.made_steps() if state.kind(step).track and isinstance(step.undo, Call)]
    tracked = [state.tracked(step) for step in steps]
    try:
        seen = engine.poll(tracked)
        superseded = [one for one in seen.values() if one.progress.superseded]
        found = {one.one.address for one in superseded if not _is_our_undo(engine, one.one.step)}
    except AwsError as error:
        raise UnknownState(f"could not check for changes made by others: {error.message}", hint=error.hint) from error
    if unknown := [one.address for one in tracked if one.step.index not in seen]:
        raise UnknownState(f"could not determine whether another deployment has changed {', '.join(unknown)}")
    engine.watch.superseded |= found


def _is_our_undo(engine: Engine, step: Step) -> bool:
    """Was it changed by our own undo, whose answer was lost?"""
    state, call = engine.state, engine.state.undo_of(step)
    if call is None or not state[step].undo_begun or state[step].undone:
        return False
    return engine.was_carried_out(step, call)


def undo_all(engine: Engine) -> None:
    """Undo what was done, in reverse; the rollouts that this starts are awaited together. What cannot be undone stops
    nothing else from being undone; raises StepError with all of it at the end, and LeftToOthers where the only reason
    is that another deployment has changed it since."""
    failures: list[str] = []
    superseded = engine.watch.superseded
    for phase in reversed(Phase):
        tracked = engine.state.tracked_undos(phase)  # also those of an earlier process
        if phase is Phase.REGISTER and (failures or superseded):
            break  # a revision may be in use, also by the other deployment
        for step in reversed(engine.state.acted(phase)):
            if step.address in superseded:
                continue
            try:
                tracked += _undo(engine, step)
            except SupersededError:
                superseded.add(step.address)
            except (AwsError, RefusedError, UnknownState) as error:
                failures.append(error.message)
        failures += _awaited(engine, tracked)
    left = [f"{address} was changed by another deployment; left as it is" for address in sorted(superseded)]
    if failures:
        raise StepError("; ".join([*failures, *left]))
    if left:
        raise LeftToOthers("; ".join(left))


def _undo(engine: Engine, step: Step) -> list[Tracked]:
    state = engine.state
    if state[step].made is None and state.kind(step).versioned:  # its answer was lost: what did it make?
        engine.resolve(step)
    call, tried = state.undo_of(step), state[step].undo_tried
    if call is None:
        return []
    if tried is not None and state.kind(step).track is not None:
        return _undo_again(engine, step, call, tried)
    sent, outputs = state.as_sent(step), state[step].made or {}
    done = Tracked(kind=state.kind(step), step=sent, call=state.call_of(step), outputs=outputs)
    return revert(engine, done, call, undo=True)


def _undo_again(engine: Engine, step: Step, call: Call, tried: Outputs) -> list[Tracked]:
    """An earlier undo of the step was accepted, and its effect failed. It is sent once more, unless that effect is
    under way again, or there by now."""
    state = engine.state
    kind, sent = state.kind(step), state.as_sent(step)
    before = {"deployment": tried["deployment"]} if tried.get("deployment") else {}
    again, known = kind.calls.again(call), msgspec.structs.replace(sent, expect={**sent.expect, **before})
    if (found := kind.calls.recover(engine.ports.read, known, again)) is not None:  # its answer was lost
        engine.sender.begin(step, undo=True)
        engine.sender.done(step, dict(found), undo=True)
        return [Tracked(kind=kind, step=known, call=again, outputs=found)]
    one = Tracked(kind=kind, step=sent, call=call, outputs=tried, before=state[step].outputs or {}, old=True)
    seen = engine.poll([one]).get(step.index)
    if seen is None:
        raise UnknownState(f"could not determine what became of putting {step.address} back")
    if seen.progress.superseded:
        raise SupersededError(f"{step.address} was changed by another deployment; left as it is")
    if seen.progress.ok:
        engine.sender.begin(step, undo=True)
        engine.sender.done(step, dict(tried), undo=True)
        return [one]
    assert kind.track is not None
    anew = msgspec.structs.replace(sent, expect={**sent.expect, **kind.track.expect_again(one, seen.documents)})
    outputs = engine.sender.send(anew, again, undo=True)
    return [Tracked(kind=kind, step=anew, call=again, outputs=outputs)]


def _awaited(engine: Engine, tracked: Sequence[Tracked]) -> list[str]:
    """Await all of them; why some have failed."""
    failures: list[str] = []
    while tracked:
        try:
            wait_reverting(engine, tracked, undo=True)
            break
        except WaitFailed as lost:
            engine.fail(lost.failed, undo=True)
            if final := [(one.address, progress.note) for one, progress in lost.failed if not progress.superseded]:
                failures.append(joined_notes(final))
            failed = {one.step.index for one, _ in lost.failed}
            tracked = [one for one in tracked if one.step.index not in failed]
        except (AwsError, RefusedError) as error:
            failures.append(error.message)
            break
    return failures
