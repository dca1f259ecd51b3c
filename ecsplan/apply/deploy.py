"""A deployment from its beginning to its end: applied, resumed, or continued past a hook."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ecsplan.apply.backward import LeftToOthers, find_superseded, resolve_for_undo, undo_all
from ecsplan.apply.engine import Engine, Options, UnknownState
from ecsplan.apply.forward import forward, start
from ecsplan.apply.look import take_up
from ecsplan.apply.send import Ports, StepError
from ecsplan.apply.state import RunState, addresses
from ecsplan.apply.wait import CONTINUE_HINT, Paused, WaitTimedOut
from ecsplan.core import events
from ecsplan.core.clock import timestamp
from ecsplan.core.diagnosis import Diagnosis, Pause
from ecsplan.core.errors import AwsError, EcsplanError, Interrupted, JournalError
from ecsplan.core.model import Action, Address, Irreversible, Phase, Plan, Step
from ecsplan.journal import Chosen, Closed, Deployment, Outcome, StepState
from ecsplan.kinds.contract import Live, Tracked
from ecsplan.plan.scope import clusters_touched

__all__ = ["Next", "Options", "Ports", "Result", "apply", "continue_", "resume"]

# Which service deployment is ours may take a poll to learn, and another to find.
MAX_PAUSE_POLLS = 3
NOTHING_PAUSED = "no rollout is paused at a hook: it was already continued, it timed out, or it never got there"
BY_SIGNAL = "stopped by a signal"
OVERTAKEN = "This deployment has ended; the next plan starts from what is live."


class Next(Enum):
    """What an operator can do about a deployment that did not end."""

    RESUME = "resume"
    CONTINUE = "continue"
    ROLLBACK = "rollback"
    ABANDON = "abandon"
    """end it, with everything as it is"""
    AGAIN = "again"
    """give the same command again: it had begun nothing"""
    DECIDE = "decide"
    """say with `--unclear` whether a one-off task was carried out"""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a deployment ended. `state` says what it left, `hint` what to do, both for people; `next` is empty where it
    has ended. It was `untouched` if nothing was begun: then it is no deployment, and is not in the journal."""

    number: int
    outcome: Outcome
    reason: str = ""
    state: str = ""
    hint: str = ""
    diagnoses: Mapping[Address, Diagnosis] = field(default_factory=dict)
    """why what has failed did so"""
    next: frozenset[Next] = frozenset()
    untouched: bool = False


def apply(
    plan: Plan,
    number: int,
    ports: Ports,
    options: Options,
    *,
    key: str,
    looked: float | None = None,
    lives: Mapping[Address, Live] | None = None,
) -> Result:
    """Carry out every step of the plan. What goes wrong is in the result. `key` is unique to this deployment
    (`Opened.deployment_key`); `looked` is when what it was planned from was last read (epoch seconds), `lives` what
    that has shown."""
    engine = Engine(RunState(plan, number, key), ports, options.over(Chosen()), looked)
    if lives is not None:
        take_up(engine, lives)
    return run_and_report(engine, _forward)


def resume(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Continue a deployment where it was left: forward, or backward if it was rolling back. What failed is tried again
    where it was begun to stop on a failure."""
    engine = _engine_of(deployment, ports, options)
    return run_and_report(engine, _backward if deployment.rolling_back else _forward)


def _engine_of(deployment: Deployment, ports: Ports, options: Options) -> Engine:
    return Engine(RunState.replay(deployment), ports, options.over(deployment.opened.begun_with))


def continue_(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Continue every rollout that is paused at a lifecycle hook, then the deployment as `resume` does."""
    engine = _engine_of(deployment, ports, options)

    def work(engine: Engine) -> Result:
        try:
            for step in engine.state.plan.steps:
                if step.action is Action.WAIT:
                    start(engine, step)  # what it waits for is known from now on
            _continue_paused(engine, _paused(engine))
        except (Interrupted, JournalError, UnknownState) as error:
            return _ended(engine, error)
        return (_backward if deployment.rolling_back else _forward)(engine)

    return run_and_report(engine, work)


def run_and_report(engine: Engine, work: Callable[[Engine], Result]) -> Result:
    """Run a deployment between the events of its beginning and its end, and write its end to the journal."""
    state, ports = engine.state, engine.ports
    engine.emit(_started(state))
    had_acted = bool(state.acted())
    result = work(engine)
    entry = Closed(
        at=timestamp(ports.clock),
        outcome=result.outcome,
        reason=result.reason,
        diagnoses=dict(result.diagnoses),
    )
    with contextlib.suppress(JournalError):  # a file without it says the same: cut off, part-way
        ports.journal.append(entry)
    # A resumed deployment may have had nothing to do but wait.
    changed = engine.acted or (result.outcome.ended and (had_acted or bool(state.acted())))
    engine.emit(events.DeploymentClosed(outcome=result.outcome.value, reason=result.reason, changed=changed))
    engine.emit(events.DeploymentEnded(number=state.number, outcome=result.outcome.value, reason=result.reason))
    return result


def _started(state: RunState) -> events.DeploymentStarted:
    planned = tuple(
        events.Planned(
            index=step.index,
            phase=step.phase,
            address=step.address,
            action=step.action,
            made=state[step].made is not None,
        )
        for step in state.plan.steps
    )
    return events.DeploymentStarted(
        number=state.number,
        app=state.plan.app,
        tag=state.plan.tag,
        steps=len(planned),
        planned=planned,
        identity=state.plan.identity,
        clusters=clusters_touched(state.plan),
    )


# --- forward and backward, each to its end ---


def _forward(engine: Engine) -> Result:
    try:
        forward(engine)
    except (Interrupted, EcsplanError) as error:
        if isinstance(error, Interrupted) or outcome_of(error) is not None:
            return _ended(engine, error)
        if engine.state.plan.only_waits:  # there is nothing to put back, and nothing to stop at
            return _undone(engine, error)
        if engine.options.on_failure == "stop":
            return _overtaken(engine, error.message) if engine.watch.superseded else _ended(engine, error)
        engine.emit(events.UndoStarted(reason=error.message))
        return _undone(engine, error)
    reason = "ecsplan did not wait for its rollouts" if engine.watch.skipped else ""
    return _result(engine, Outcome.SUCCEEDED, reason)


def _backward(engine: Engine) -> Result:
    try:
        resolve_for_undo(engine)
        find_superseded(engine)
    except (JournalError, UnknownState) as error:
        return _ended(engine, error)
    return _undone(engine, StepError("it had failed and was being put back"))


def _undone(engine: Engine, error: EcsplanError) -> Result:
    ran = [step for step in engine.state.acted(Phase.RUN) if isinstance(step.undo, Irreversible)]
    waits = [one.step for one in engine.watch.under_way if one.step.action is Action.WAIT]
    try:
        undo_all(engine)
    except Interrupted:
        reason = f"{error.message}; interrupted while putting things back"
        return _result(engine, Outcome.INTERRUPTED, reason, error)
    except Paused as paused:
        reason = f"{error.message}; and putting it back is paused at a hook: {paused.message}"
        return _result(engine, Outcome.UNFINISHED, reason, paused)
    except LeftToOthers as left:
        named = all(address in error.message for address in engine.watch.superseded)
        return _overtaken(engine, error.message if named else f"{error.message}; {left.message}", _not_undone(ran))
    except EcsplanError as second:
        reason = f"{error.message}; and putting things back failed: {second.message}"
        return _result(engine, Outcome.STOPPED, reason, error)
    parts = list(filter(None, [_not_undone(ran)]))
    parts += [f"Not begun by this deployment, and still under way: {addresses(waits)}."] if waits else []
    if engine.state.staying():
        return _failed(engine, error, parts)
    return _result(engine, Outcome.PUT_BACK, error.message, error, " ".join(parts))


def _failed(engine: Engine, error: EcsplanError, parts: Sequence[str]) -> Result:
    """What has failed stays as it is: nothing was sent for it, or what was there before had failed too."""
    plan, stays = engine.state.plan, engine.state.staying()
    state = [f"Left as it is: {addresses(stays)}."]
    if any(step not in stays and engine.state[step].begun for step in plan.steps):
        state.append("What else this deployment had changed was put back.")
    again = f"Deploy it again with `ecsplan deploy {plan.tag}`, or go" if plan.tag and not plan.undoes else "Go"
    more = EcsplanError("", state=" ".join([*state, *parts]), hint=f"{again} back with `ecsplan rollback`.")
    return _result(engine, Outcome.FAILED, error.message, more)


def _not_undone(ran: Sequence[Step]) -> str:
    return f"One-off tasks are not undone: {addresses(ran)}." if ran else ""


def _overtaken(engine: Engine, reason: str, more: str = "") -> Result:
    """Another deployment has taken the place of this one: that is its end, and what is not put back stays."""
    superseded = sorted(engine.watch.superseded)
    acted = [step for step in engine.state.plan.steps if engine.state[step].undone]
    left = [step for step in engine.state.acted() if step.address not in superseded and step.phase is not Phase.RUN]
    parts = [f"Left to the other deployment: {', '.join(superseded)}."]
    parts += [f"Put back: {addresses(acted)}."] if acted else []
    parts += [f"Left as it is: {addresses(left)}."] if left else []
    return dataclasses.replace(
        _result(engine, Outcome.SUPERSEDED, reason), state=" ".join(filter(None, [*parts, more])), hint=OVERTAKEN
    )


# --- ends ---

# Every other known error is a failure: `Options.on_failure` says what follows. Nothing is sent that could not be
# journaled, so nothing can be undone either; and what is unknown has not failed.
ENDS: tuple[tuple[type[EcsplanError], Outcome], ...] = (
    (WaitTimedOut, Outcome.UNFINISHED),
    (Paused, Outcome.UNFINISHED),
    (JournalError, Outcome.STOPPED),
    (UnknownState, Outcome.STOPPED),
)


def outcome_of(error: EcsplanError) -> Outcome | None:
    """The outcome of a deployment that this error ends where it is; None where the deployment has failed."""
    return next((outcome for kind, outcome in ENDS if isinstance(error, kind)), None)


def _ended(engine: Engine, error: Interrupted | EcsplanError) -> Result:
    if isinstance(error, EcsplanError):
        return _result(engine, outcome_of(error) or Outcome.STOPPED, error.message, error)
    paused = sorted(engine.watch.paused)
    more = EcsplanError("", state=f"Paused at a hook: {', '.join(paused)}.", hint=CONTINUE_HINT) if paused else None
    return _result(engine, Outcome.INTERRUPTED, BY_SIGNAL, more)


def _result(engine: Engine, outcome: Outcome, reason: str, error: EcsplanError | None = None, more: str = "") -> Result:
    left = "" if outcome.ended else _left(engine)
    state = " ".join(filter(None, (error.state if error else "", more, left)))
    return Result(
        number=engine.state.number,
        outcome=outcome,
        reason=reason,
        state=state,
        hint=error.hint if error else "",
        diagnoses=engine.watch.diagnoses,
        next=_next(engine, outcome, error),
        untouched=not outcome.ended and engine.state.untouched,
    )


def _next(engine: Engine, outcome: Outcome, error: EcsplanError | None) -> frozenset[Next]:
    if outcome.ended:
        return frozenset()
    if engine.state.untouched:  # what a rollback was to undo is as it was, and `resume` would finish that
        return frozenset({Next.ROLLBACK if engine.state.plan.undoes else Next.AGAIN})
    if outcome is Outcome.UNFINISHED and (isinstance(error, Paused) or getattr(error, "paused", False)):
        return frozenset({Next.CONTINUE, Next.ROLLBACK})
    decide = isinstance(error, UnknownState) and error.decidable
    return frozenset({Next.RESUME, Next.ROLLBACK, Next.ABANDON, *([Next.DECIDE] if decide else [])})


def _left(engine: Engine) -> str:
    """What a deployment that did not end leaves, for people."""
    state = engine.state
    going = dict.fromkeys(one.address for one in engine.watch.under_way)
    failed = [step for step in state.plan.steps if has_failed(state[step]) and step.address not in going]
    known = {*going, *(step.address for step in failed)}
    begun = [step for step in state.left_behind() if step.address not in known]
    parts = [f"Done: {addresses(begun)}."] if begun else []
    parts += [f"Failed: {addresses(failed)}."] if failed else []
    parts += [f"Still under way: {', '.join(going)}."] if going else []
    parts += [] if going or state.left_behind() else ["Nothing was changed."]
    return " ".join(parts)


def has_failed(step: StepState) -> bool:
    """Was its call refused, or has its effect failed, or its undo?"""
    return bool(step.undo_failed or (step.failed and not step.undone))


# --- hooks ---


def _paused(engine: Engine) -> list[tuple[Step, Pause]]:
    """What is paused at a hook: rollouts of the steps, and of their undos."""
    state = engine.state
    done = [*map(state.tracked, state.made_steps()), *(one for phase in Phase for one in state.tracked_undos(phase))]
    tracked: Sequence[Tracked] = [one for one in done if one.kind.revert is not None]
    for _ in range(MAX_PAUSE_POLLS):
        try:
            seen = engine.poll(tracked)
        except AwsError as error:
            raise UnknownState(f"could not read what is paused: {error.message}", hint=error.hint) from error
        if unknown := [one.address for one in tracked if one.step.index not in seen]:
            raise UnknownState(f"could not determine whether {', '.join(unknown)} is paused")
        shown = [seen[one.step.index] for one in tracked]
        if found := [(one.one.step, one.progress.pause) for one in shown if one.progress.pause]:
            return found
        tracked = [one.next for one in shown if not one.progress.done and one.next != one.one]
        if not tracked:
            break
    return []


def _continue_paused(engine: Engine, paused: Sequence[tuple[Step, Pause]]) -> None:
    """A hook that refuses is a warning; the polls that follow show whether it still waits."""
    if not paused:
        engine.sender.warn(NOTHING_PAUSED)
    for step, pause in paused:
        if engine.stopped:
            raise Interrupted
        try:
            engine.continue_past(step, pause)
        except AwsError as error:
            engine.sender.warn(f"{step.address}: {error.message}")
