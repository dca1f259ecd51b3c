"""Carrying out the steps of a plan, phase by phase."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ecsplan.apply.engine import Engine, EvidenceExpired, UnknownState
from ecsplan.apply.look import PHASES, look_again, make_way, overtaken, still_in_use
from ecsplan.apply.revert import revert, wait_reverting
from ecsplan.apply.send import StepError
from ecsplan.apply.wait import WaitFailed, WaitTimedOut
from ecsplan.core.errors import AwsError, EcsplanError, Interrupted, JournalError, RefusedError
from ecsplan.core.model import Action, Address, Phase, Step
from ecsplan.kinds.contract import Tracked

CONCURRENT = 25  # as many as the gateway has threads
CLEAN_UP_INTERRUPTED = "the clean-up was interrupted; the next deployment continues it"
GROUP_STOPPED = "stopped, because not all of its tasks could be started"


def forward(engine: Engine) -> None:
    """Look up what an earlier process left open, then carry out what is not done yet."""
    for step in engine.state.open_steps():
        try:
            if engine.resolve(step) is None:
                engine.state.rule_out(step)
        except UnknownState as error:
            _decide(engine, step, error)
    overtaken(engine)
    for phase in Phase:
        if phase in PHASES:
            look_again(engine, engine.state.steps_of(phase))
        if steps := engine.state.steps_of(phase):
            STRATEGY[phase](engine, steps)
        engine.watch.under_way = ()


def _decide(engine: Engine, step: Step, error: UnknownState) -> None:
    """The operator's decision (`--unclear`) on a one-off task whose result AWS no longer shows; raises `error` without
    one."""
    decision = engine.options.unclear
    if not error.decidable or not decision:
        raise error
    if decision == "run":
        engine.state.rule_out(step)
    else:
        engine.assume_done(step)


def start(engine: Engine, step: Step) -> Tracked:
    """Send the step's call, unless it was sent before this deployment was resumed, or only waits. What had failed then
    is sent again where the deployment tries again."""
    state = engine.state
    if step.action is Action.WAIT and state[step].made is None:
        engine.sender.wait_only(step, state.awaited(step).outputs)
    if state[step].made is not None and not state[step].outdated and not is_tried_again(engine, step):
        return state.tracked(step)
    call, earlier, kind = state.call_of(step), state.reverts(step), state.kind(step)
    if earlier is not None and not state[step].attempt:
        return revert(engine, Tracked(kind=kind, step=step, call=call, outputs=earlier), call, undo=False)[0]
    sent = state.as_sent(step)
    return Tracked(kind=kind, step=sent, call=call, outputs=engine.sender.send(sent, call))


def is_tried_again(engine: Engine, step: Step) -> bool:
    """Had the step's effect failed in an earlier process, is it still so, and is it to be tried again? Then its next
    attempt is prepared. What another deployment has changed since is not tried again."""
    state = engine.state
    if not (state.tries_again and state[step].failed) or step.action is Action.WAIT:
        return False
    one = state.tracked(step)
    if one.kind.track is None:
        state.try_again(step, {})
        return True
    try:
        seen = engine.poll([one]).get(step.index)
    except AwsError as error:
        raise UnknownState(f"could not read its status: {error.message}", hint=error.hint) from error
    if seen is None:
        raise UnknownState(f"could not determine what became of {step.address}")
    progress = seen.progress
    if not progress.done or progress.ok or progress.superseded:
        return False
    state.try_again(step, one.kind.track.expect_again(one, seen.documents))
    return True


# --- one strategy for each phase ---


def together(engine: Engine, steps: Sequence[Step]) -> None:
    """Steps that do not depend on each other, at once; those of one address in order. All end before one fails."""
    lanes = _by_address(steps)
    with ThreadPoolExecutor(max_workers=min(CONCURRENT, len(lanes)), thread_name_prefix="do") as pool:
        futures = [pool.submit(lambda lane: [start(engine, step) for step in lane], lane) for lane in lanes]
    failures = [error for future in futures if (error := future.exception())]
    if failures:
        raise worst(failures)
    await_effects(engine, [one for future in futures for one in future.result()])


def in_file_order(engine: Engine, steps: Sequence[Step]) -> None:
    """One-off tasks, each to its end before the next begins. More tasks than one RunTask can start are several steps of
    one address, a group: started together, awaited together, and failed together."""
    for group in _by_address(steps):
        if any(engine.state[step].failed and engine.state[step].made is not None for step in group):
            (_end_what_failed if engine.state.tries_again else _fail_again)(engine, group)
        _run_group(engine, group)


def best_effort(engine: Engine, steps: Sequence[Step]) -> None:
    """Clean-up. The deployment has succeeded by now: a failure or an interruption is a warning."""
    sender, due = engine.sender, [step for step in steps if engine.state.is_pending(step)]
    try:
        kept = still_in_use(engine, due) if due else {}
    except Interrupted:
        sender.warn(CLEAN_UP_INTERRUPTED)
        return
    for step in steps:
        if engine.watch.unawaited.intersection(map(str, step.call.params.values())):
            sender.warn(f"kept {step.note}: it may still be in use (its rollout was not awaited)")
            continue
        if step.index in kept:
            sender.warn(f"kept {step.note}: {kept[step.index]}")
            continue
        try:
            start(engine, step)
        except Interrupted:
            sender.warn(CLEAN_UP_INTERRUPTED)
            return
        except (AwsError, RefusedError) as error:
            sender.warn(f"{step.note} was not deregistered: {error.message}")


def stop_first(engine: Engine, steps: Sequence[Step]) -> None:
    """One-off tasks that earlier deployments have left. Where one cannot be stopped the rest is done all the more: a
    warning says so."""
    started = []
    for step in steps:
        try:
            started.append(start(engine, step))
        except (AwsError, RefusedError) as error:
            engine.sender.warn(f"{step.address} may still be running: {error.message}")
    try:
        await_effects(engine, started)
    except StepError as error:
        engine.sender.warn(f"it may still be running: {error.message}")


STRATEGY: Mapping[Phase, Callable[[Engine, Sequence[Step]], None]] = {
    Phase.STOP: stop_first,
    Phase.REGISTER: together,
    Phase.RUN: in_file_order,
    Phase.UPDATE: together,
    Phase.TARGETS: together,
    Phase.RETIRE: best_effort,
}


def _by_address(steps: Sequence[Step]) -> list[list[Step]]:
    lanes: dict[Address, list[Step]] = {}
    for step in steps:
        lanes.setdefault(step.address, []).append(step)
    return list(lanes.values())


# --- effects ---


def await_effects(engine: Engine, tracked: Sequence[Tracked], *, to_the_end: bool = False) -> None:
    """Until the effects of these steps are there. Raises StepError for those that failed, EvidenceExpired where AWS can
    no longer tell. `to_the_end` awaits the others when one has failed."""
    state = engine.state
    # A rollout is polled again: it may not have been awaited.
    tracked = [one for one in tracked if not (one.step.phase is Phase.RUN and state.was_passed(one.step))]
    awaited = [one for one in tracked if engine.awaits(one.step)]
    skipped = [one.step for one in tracked if not engine.awaits(one.step)]
    engine.watch.skipped |= {step.address for step in skipped}
    engine.watch.unawaited |= {step.previous for step in skipped} - {""}
    try:
        wait_reverting(engine, awaited, undo=False, to_the_end=to_the_end)
    except WaitTimedOut as late:
        engine.diagnose(late.late)
        raise
    except AwsError as error:
        if not state.resumed and not state.plan.only_waits:
            raise
        raise UnknownState(f"could not read its status: {error.message}", hint=error.hint) from error
    except WaitFailed as lost:
        if all(progress.unknown and not state[one.step].failed for one, progress in lost.failed):
            raise EvidenceExpired(lost.notes, [one.step for one, _ in lost.failed]) from lost
        engine.diagnose(lost.failed)
        engine.fail(lost.failed)
        for one in lost.late:
            engine.stop(one, f"{one.address} did not end in time")
        raise StepError(lost.notes) from lost


# --- groups of one-off tasks ---


def _run_group(engine: Engine, group: Sequence[Step]) -> None:
    engine.looked = None  # what was read before it is read again after it
    make_way(engine, group)
    while True:
        try:
            await_effects(engine, _started(engine, group), to_the_end=True)
        except EvidenceExpired as error:
            for step in error.steps:
                _decide(engine, step, error)
        else:
            return


def _started(engine: Engine, group: Sequence[Step]) -> list[Tracked]:
    """All of the group, or none: what did start is stopped when something could not be started."""
    started: list[Tracked] = []
    for step in group:
        try:
            started.append(start(engine, step))
        except (AwsError, RefusedError) as error:
            for one in started:
                engine.sender.fail(one.step, StepError(GROUP_STOPPED), undo=False)
            if isinstance(error, RefusedError) and error.outputs:
                started.append(engine.state.tracked(step))
            for one in started:
                engine.stop(one, f"not all tasks of {one.address} could be started")
            raise
    return started


def _fail_again(engine: Engine, group: Sequence[Step]) -> None:
    """It had failed before the deployment was cut off: nothing more of it is started, what still runs is stopped."""
    state = engine.state
    tracked = [state.tracked(step) for step in group if state[step].made is not None]
    failed = [(step, state[step].failed) for step in group if state[step].failed]
    for one in _still_running(engine, tracked):
        engine.stop(one, f"{one.address} has failed")
    with contextlib.suppress(EvidenceExpired, StepError):  # what it was is known
        await_effects(engine, tracked, to_the_end=True)
    reasons = [why if why.startswith(step.address) else f"{step.address}: {why}" for step, why in failed]
    raise StepError("; ".join(dict.fromkeys(reasons)))


def _end_what_failed(engine: Engine, group: Sequence[Step]) -> None:
    """What has failed is run again: by then nothing of it may run any more."""
    state = engine.state
    tracked = [state.tracked(step) for step in group if state[step].failed and state[step].made is not None]
    running = _still_running(engine, tracked)
    for one in running:
        engine.stop(one, f"{one.address} has failed")
    with contextlib.suppress(WaitFailed):
        engine.wait(running, to_the_end=True)


def _still_running(engine: Engine, tracked: Sequence[Tracked]) -> list[Tracked]:
    try:
        seen = engine.poll(tracked)
    except AwsError as error:
        raise UnknownState(f"could not read its status: {error.message}", hint=error.hint) from error
    return [one for one in tracked if one.step.index not in seen or not seen[one.step.index].progress.done]


def worst(failures: Sequence[BaseException]) -> BaseException:
    """Of several failures at once, the one to act on: a surprise, then a journal that cannot be written (nothing more
    may be sent), then a known error with the messages of the others, then an interruption."""
    for failure in failures:
        if not isinstance(failure, EcsplanError | Interrupted):
            return failure
    known = [failure for failure in failures if isinstance(failure, EcsplanError)]
    if not known:
        return failures[0]
    message = "; ".join(dict.fromkeys(error.message for error in known))
    if any(isinstance(error, JournalError) for error in known):
        return JournalError(message)
    return known[0] if len(known) == 1 else StepError(message, state=known[0].state, hint=known[0].hint)
