"""Letting a deployment go on that waits at lifecycle hooks for somebody to say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ecsplan.apply.backward import earlier_undos
from ecsplan.apply.engine import Options, Result, Run, told
from ecsplan.apply.send import Ports
from ecsplan.apply.state import UnknownState, remember
from ecsplan.apply.wait import poll
from ecsplan.core import events
from ecsplan.core.diagnosis import Pause
from ecsplan.core.errors import AwsError, Interrupted, JournalError
from ecsplan.core.model import Phase, Step
from ecsplan.journal import Deployment, Outcome
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Tracked

# Which service deployment is ours may take a look to learn, and another to find.
LOOKS = 3
NOBODY = "no rollout is paused at a hook: it was already continued, it timed out, or it never got there"


def go_on(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Tell every hook that waits to let its rollout go on, then go on with the deployment as `resume` does."""
    run = Run(deployment.plan, deployment.number, ports, options, deployment.opened.once, remember(deployment))

    def work(run: Run) -> Result:
        try:
            _answer(run, _paused(run))
        except Interrupted:
            return run.result(Outcome.INTERRUPTED, "it was interrupted")
        except (JournalError, UnknownState) as error:
            return run.result(Outcome.STOPPED, error.message, error)
        return run.go_back() if deployment.going_back else run.apply()

    return told(run, work)


def _paused(run: Run) -> list[tuple[Step, Pause]]:
    """What waits for somebody: rollouts of the steps, and of those that put them back."""
    waiting: Sequence[Tracked] = [
        *(run.carry_out(step) for step in run.plan.steps if step.index in run.made and kind_of(step.address).revert),
        *(one for phase in Phase for one in earlier_undos(run, phase) if one.kind.revert),
    ]
    for _ in range(LOOKS):
        try:
            seen = poll(waiting, run.ports.ask, run.ports.emit)
        except AwsError as error:
            raise UnknownState(f"could not determine what is paused: {error.message}", hint=error.hint) from error
        if unseen := [one.address for one in waiting if one.step.index not in seen]:
            raise UnknownState(f"could not determine whether {', '.join(unseen)} is paused")
        shown = [seen[one.step.index] for one in waiting]
        if found := [(one.one.step, one.progress.pause) for one in shown if one.progress.pause]:
            return found
        waiting = [
            dataclasses.replace(one.one, outputs={**one.one.outputs, **one.progress.outputs}, state=one.progress.state)
            for one in shown
            if not one.progress.done and (one.progress.outputs or one.progress.state != one.one.state)
        ]
        if not waiting:
            break
    return []


def _answer(run: Run, paused: Sequence[tuple[Step, Pause]]) -> None:
    """A hook that refuses is told of; the looks that follow tell whether it still waits."""
    if not paused:
        run.sender.warn(NOBODY)
    for step, pause in paused:
        if run.ports.stop.is_set():
            raise Interrupted
        revert = kind_of(step.address).revert
        assert revert is not None
        try:
            run.sender.aside(step, revert.resolve_pause(pause, True))
        except AwsError as error:
            run.sender.warn(f"{step.address}: {run.ports.clean(error.message)}")
            continue
        run.answered.add(pause.hook)
        run.ports.emit(events.Continued(address=step.address, hook=pause.hook, stage=pause.stage))
