"""Reverting what is still under way: as AWS itself can do it, by the undo, or by waiting where AWS does it already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ecsplan.apply.engine import Engine
from ecsplan.apply.wait import WaitFailed
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Step
from ecsplan.kinds.contract import Progress, Reverting, Tracked

# What AWS rolls back by itself is planned again when it has finished. If that fails so often, it stays as it is.
REVERT_ROUNDS = 4


def revert(engine: Engine, one: Tracked, call: Call, *, undo: bool, again: bool = False) -> list[Tracked]:
    """Revert what is tracked, by `call` or by what AWS itself can do; what to await then. `again`: it was reverted
    already, and only the rest is to be."""
    way = one.kind.revert.plan(engine.ports.read, one, call) if one.kind.revert else Reverting(call=call)
    outputs: Mapping[str, str]
    if way.call is not None:
        outputs = _sent(engine, one.step, way.call, call, undo=undo)
    elif again:
        return []
    else:
        outputs = way.outputs
        engine.sender.begin(one.step, undo=undo)
        engine.sender.done(one.step, dict(outputs), undo=undo)
    return [Tracked(kind=one.kind, step=one.step, call=call, outputs=outputs, before=one.outputs)]


def _sent(engine: Engine, step: Step, way: Call, call: Call, *, undo: bool) -> dict[str, str]:
    """If AWS refuses to stop the rollout (it may have ended), send the undo instead."""
    try:
        return engine.sender.send(step, way, undo=undo)
    except AwsError as error:
        if way.operation == call.operation or error.locked_out:
            raise
        engine.sender.warn(f"{step.address}: {error.message}; ecsplan reverts it with an update")
        return engine.sender.send(step, call, undo=undo)


def wait_reverting(engine: Engine, tracked: Sequence[Tracked], *, undo: bool, to_the_end: bool = False) -> None:
    """Until the effects of all these are there; raises WaitFailed for those that failed. Where AWS has rolled back by
    itself, or failed to, the rest is reverted."""
    for _ in range(REVERT_ROUNDS):
        again: list[Tracked] = []
        rest: list[Tracked] = []
        try:
            engine.wait(tracked, to_the_end=to_the_end)
            again = [one for one in tracked if _is_reverting(one)]
        except WaitFailed as lost:
            if final := [pair for pair in lost.failed if not _can_continue(*pair)]:
                raise WaitFailed(final, lost.late) from lost
            again = [one for one, _ in lost.failed]
            indexes = {one.step.index for one in again}
            rest = [one for one in tracked if one.step.index not in indexes]
        reverted = [dataclasses.replace(one, outputs=one.before) for one in again]
        tracked = [*rest, *(new for one in reverted for new in revert(engine, one, one.call, undo=undo, again=True))]
        if not tracked:
            return


def _can_continue(one: Tracked, progress: Progress) -> bool:
    return _is_reverting(one) and not progress.superseded


def _is_reverting(one: Tracked) -> bool:
    return one.kind.revert is not None and one.kind.revert.is_reverting(one.outputs)
