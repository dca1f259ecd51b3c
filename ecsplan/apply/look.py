"""Looking before a phase begins: at what it is about to change (a migration may have taken half an hour), at what uses
what it is about to take away, and at one-off tasks of others that run at the address of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ecsplan.apply.engine import Engine, UnknownState
from ecsplan.apply.send import StepError
from ecsplan.apply.wait import GROWTH, LONGEST_PAUSE
from ecsplan.aws.errors import is_throttled
from ecsplan.core import events
from ecsplan.core.documents import texts_in
from ecsplan.core.errors import AwsError, Interrupted
from ecsplan.core.model import Address, Phase, Step
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Live, Running
from ecsplan.plan.again import Again, again, to_look_at
from ecsplan.plan.in_use import users
from ecsplan.plan.read import read
from ecsplan.plan.stale import moved_lines

T = TypeVar("T")

PHASES = (Phase.UPDATE, Phase.TARGETS)
FRESH = 5.0  # seconds for which the look that a plan was made from, or checked by, needs no second one
MAX_LOOKS = 5
LOOK = "could not look again at what is about to be changed"
LOOK_FOR_USERS = "could not look for what uses it"
PAUSE = 2.0  # seconds before a look that AWS did not answer is made again

FIRST_PAUSE = 1.0  # seconds between two looks at what must end first
BESIDE = "Start it beside that one with --beside, or stop that one and try again."
CANNOT_LOOK = "Without that look it might run twice at once; to run it in any case, add --beside."


def look_again(engine: Engine, steps: Sequence[Step]) -> None:
    """Read what these steps are about to change, unless it was just read, and make them anew from it. What another
    deployment has changed since the plan was made is superseded; raises StepError with all of it, before anything is
    sent."""
    state = engine.state
    pending = [step for step in steps if state.is_pending(step)]
    if not pending or _is_fresh(engine):
        return
    lives = _lives(engine, pending)
    found = again(state.plan, pending, lives, state.outputs, anyway=engine.options.anyway)
    _remake(engine, pending, found)
    reasons = []
    for one in found:
        if one.moved:
            reason = f"{one.address} was changed by another deployment, and is left as it is"
            lines = moved_lines(one)
            reasons.append("\n".join([reason, *lines]) if lines else reason)
            engine.watch.superseded.add(one.address)
            first = next(step for step in pending if step.address == one.address)
            engine.sender.fail(first, StepError(reason), undo=False, superseded=True)
    if reasons:
        raise StepError("\n".join(reasons))


def take_up(engine: Engine, lives: Mapping[Address, Live]) -> None:
    """Make the steps of a plan that is not stale anew from what is live when it is begun: a service may have been
    restarted since."""
    pending = [step for step in engine.state.plan.steps if step.phase in PHASES and engine.state.is_pending(step)]
    _remake(engine, pending, again(engine.state.plan, pending, lives, {}, anyway=True))


def _remake(engine: Engine, pending: Sequence[Step], found: Sequence[Again]) -> None:
    planned = {id(step) for step in pending}
    for step in (step for one in found for step in one.steps if id(step) not in planned):
        engine.state.remake(step)


def overtaken(engine: Engine) -> None:
    """Raises StepError where an earlier process has found something superseded."""
    state = engine.state
    if reasons := [state[step].failed for step in state.plan.steps if state[step].superseded]:
        raise StepError("; ".join(reasons))


def _is_fresh(engine: Engine) -> bool:
    """Was everything read a moment ago, with nothing run since?"""
    return engine.looked is not None and 0 <= engine.ports.clock.now() - engine.looked < FRESH


def _lives(engine: Engine, steps: Sequence[Step]) -> Mapping[Address, Live]:
    """What is live by now. An answer that leaves something out is not believed at once."""
    resources = to_look_at(engine.state.plan, steps)
    lives: Mapping[Address, Live] = {}
    try:
        for _ in range(MAX_LOOKS):
            lives = _looked(engine, LOOK, lambda: read(engine.ports.read, resources)) if resources else {}
            if all(live.candidates for live in lives.values()):
                break
            engine.ports.clock.sleep(PAUSE)
    except AwsError as error:
        raise UnknownState(f"{LOOK}: {error.message}", hint=error.hint) from error
    return lives


def still_in_use(engine: Engine, steps: Sequence[Step]) -> Mapping[int, str]:
    """Of steps that are to take something away: by index, why it is kept, for people. What cannot be looked for is kept
    too."""
    revisions = {step.index: next(texts_in(step.call.params)) for step in steps}
    try:
        found = _looked(
            engine, LOOK_FOR_USERS, lambda: users(engine.ports.read, engine.state.plan, set(revisions.values()))
        )
    except AwsError as error:
        return {step.index: f"{LOOK_FOR_USERS}: {error.message}" for step in steps}
    return {index: f"{found[arn]} is on it" for index, arn in revisions.items() if arn in found}


def _looked(engine: Engine, what: str, look: Callable[[], T]) -> T:
    """A look that AWS does not answer is made again. Raises what it does not permit, and what it never answers."""
    for _ in range(MAX_LOOKS - 1):
        try:
            return look()
        except AwsError as error:
            if error.locked_out or "AccessDenied" in error.code:
                raise
            engine.sender.warn(f"{what}: {error.message}; looking again")
        engine.ports.clock.sleep(PAUSE)
        if engine.stopped:
            raise Interrupted
    return look()


# --- one-off tasks of others ---


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
