"""One-off tasks: run in file order before anything is switched, each to its end. More tasks than one RunTask can start
are several steps of one address; these are a group: started together, awaited together, and lost together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecsplan.apply.send import StepError
from ecsplan.apply.state import EvidenceExpired, UnknownState
from ecsplan.apply.wait import poll
from ecsplan.core.errors import AwsError, RefusedError
from ecsplan.core.model import Address, Step
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Tracked

if TYPE_CHECKING:
    from ecsplan.apply.engine import Run

STOPPED = "stopped, because not all of its tasks could be started"


def run_tasks(run: Run, steps: Sequence[Step]) -> None:
    """Group by group; raises for the first that fails, and nothing of it is left running then."""
    groups: dict[Address, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.address, []).append(step)
    for group in groups.values():
        if any(step.index in run.memory.failed and step.index in run.made for step in group):
            _fail_again(run, group)
        _run(run, group)


def _run(run: Run, group: Sequence[Step]) -> None:
    while True:
        waiting = _started(run, group)
        try:
            run.wait(waiting, to_the_end=True)
        except EvidenceExpired as error:
            for step in error.steps:
                if (found := run.decided(step, error)) is not None:
                    run.made[step.index] = found
                else:
                    run.made.pop(step.index)
                    run.done.remove(step)
        else:
            return


def _started(run: Run, group: Sequence[Step]) -> list[Tracked]:
    """All of the group, or none: what did start is stopped when something could not be."""
    started: list[Tracked] = []
    for step in group:
        try:
            started.append(run.carry_out(step))
        except (AwsError, RefusedError) as error:
            for one in started:
                run.sender.fail(one.step, StepError(STOPPED), undo=False)
            if isinstance(error, RefusedError) and error.outputs:
                run.made[step.index] = error.outputs
                started.append(
                    Tracked(kind=kind_of(step.address), step=step, call=run.call_of(step), outputs=error.outputs)
                )
            for one in started:
                run.abandon(one, f"not all tasks of {one.address} could be started")
            raise
    return started


def _fail_again(run: Run, group: Sequence[Step]) -> None:
    """It had failed before the deployment was cut off: nothing more of it is started, what still runs is stopped."""
    waiting = [run.carry_out(step) for step in group if step.index in run.made]
    failed = [(step, run.memory.failed[step.index]) for step in group if step.index in run.memory.failed]
    try:
        seen = poll(waiting, run.ports.ask, run.ports.emit)
    except AwsError as error:
        raise UnknownState(f"could not read its status: {error.message}", hint=error.hint) from error
    for one in waiting:
        if one.step.index not in seen or not seen[one.step.index].progress.done:
            run.abandon(one, f"{one.address} has failed")
    with contextlib.suppress(EvidenceExpired, StepError):  # what it was is known
        run.wait(waiting, to_the_end=True)
    said = [why if why.startswith(step.address) else f"{step.address}: {why}" for step, why in failed]
    raise StepError("; ".join(dict.fromkeys(said)))
