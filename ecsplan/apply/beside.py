"""One-off tasks of other deployments, and of other machines, that run at the address of a step that is to run."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.apply.engine import Engine, UnknownState
from ecsplan.apply.send import StepError
from ecsplan.apply.wait import GROWTH, LONGEST_PAUSE
from ecsplan.aws.errors import is_throttled
from ecsplan.core import events
from ecsplan.core.errors import AwsError, Interrupted
from ecsplan.core.model import Step
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Running

FIRST_PAUSE = 1.0  # seconds between two looks at what must end first
BESIDE = "Start it beside that one with --beside, or stop that one and try again."
CANNOT_LOOK = "Without that look it might run twice at once; to run it in any case, add --beside."


def make_way(engine: Engine, group: Sequence[Step]) -> None:
    """Before steps of one address run: what others have started there and has not stopped is joined where it is the
    same, and awaited where it is another. Raises StepError where that takes longer than the step may, and where AWS
    refuses to look (UnknownState in a resumed deployment). A look that AWS does not answer is made again."""
    state, clock = engine.state, engine.ports.clock
    steps = [step for step in group if state[step].made is None or state[step].outdated]
    if engine.options.beside or not steps or state.kind(steps[0]).beside is None:
        return
    first, since, pause, said = steps[0], clock.now(), FIRST_PAUSE, ""
    while True:
        found = _others(engine, first)
        if found is not None and (not found or _joined(engine, steps, found)):
            return
        named = _named(found) if found else "what AWS did not show"
        elapsed, limit = clock.now() - since, engine.limit(first)
        if elapsed >= limit:
            still = f"{named} still runs" if found else "AWS did not show what runs there"
            raise StepError(f"{first.address}: {still} after {limit} s", hint=BESIDE if found else CANNOT_LOOK)
        if found and named != said:
            engine.sender.warn(f"{first.address}: {named} runs already; it is awaited first")
            said = named
        note = f"waiting for {named}"
        engine.emit(
            events.Progressed(address=first.address, note=note, done=False, ok=True, elapsed=elapsed, step=first.index)
        )
        clock.sleep(pause)
        if engine.stopped:
            raise Interrupted
        pause = min(pause * GROWTH, LONGEST_PAUSE)


def _others(engine: Engine, step: Step) -> tuple[Running, ...] | None:
    """What runs at the address of this step and is not of this deployment; None where AWS did not answer."""
    state = engine.state
    beside = state.kind(step).beside
    assert beside is not None
    try:
        found = beside.running(engine.ports.read, [state.wanted(step)])
    except AwsError as error:
        message = f"could not look for one-off tasks of {step.address} that still run: {error.message}"
        if not (error.unclear or is_throttled(error)):
            # As with any status that cannot be read: a resumed deployment stays as it is.
            unknown = UnknownState if state.resumed else StepError
            raise unknown(message, hint=" ".join(filter(None, (error.hint, CANNOT_LOOK)))) from error
        engine.sender.warn(f"{message}; looking again")
        return None
    own = state.own_runs(step.address)
    return tuple(one for one in found if one.mark not in own and one.task not in own)


def _joined(engine: Engine, steps: Sequence[Step], found: Sequence[Running]) -> bool:
    """Do the steps take what runs for their own? All of them, or none."""
    left, taken = list(found), []
    for step in steps:
        beside = engine.state.kind(step).beside
        assert beside is not None
        outputs = beside.joined(step, left)
        if outputs is None:
            return False
        taken.append((step, outputs))
        left = [one for one in left if one.task not in outputs["tasks"].split()]
    if left:
        return False
    engine.sender.warn(f"{steps[0].address}: {_named(found)} is the same and runs already; it counts as this one's")
    for step, outputs in taken:
        engine.sender.done(step, outputs)
    return True


def _named(found: Sequence[Running]) -> str:
    """The first ones, for people: `task 0f3a of web:2`."""
    names = [f"task {short_arn(one.task)} of {one.revision}" for one in found[:2]]
    more = [f"{len(found) - 2} others"] if len(found) > 2 else []
    return ", ".join([*names, *more])
