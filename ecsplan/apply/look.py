"""Looking again, before a phase, at what its steps are about to change: a migration may have taken half an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ecsplan.apply.engine import Engine, UnknownState
from ecsplan.apply.send import StepError
from ecsplan.core.documents import texts_in
from ecsplan.core.errors import AwsError, Interrupted
from ecsplan.core.model import Address, Phase, Step
from ecsplan.kinds.contract import Live
from ecsplan.plan.again import again, to_look_at
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


def look_again(engine: Engine, steps: Sequence[Step]) -> None:
    """Read what these steps are about to change, unless it was just read, and make them anew from it. What another
    deployment has changed since the plan was made is superseded; raises StepError with all of it, before anything is
    sent."""
    state = engine.state
    pending = [step for step in steps if state.is_pending(step)]
    if not pending or _is_fresh(engine):
        return
    lives = _lives(engine, pending)
    found = again(state.plan, pending, lives, anyway=engine.options.anyway)
    planned = {id(step) for step in pending}
    for step in (step for one in found for step in one.steps if id(step) not in planned):
        state.remake(step)
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
