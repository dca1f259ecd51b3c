"""Carry out a plan: journal, call, wait. The only code that changes anything in AWS.

Every step is journaled before its call and after it. A failure undoes what was done, in reverse, with the undos that
the plan holds, or stops where it is; either way the journal says where that is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from ecsplan.apply.backward import find_superseded, take_back, undo, wait_reverting
from ecsplan.apply.diagnose import diagnosed
from ecsplan.apply.forward import run_tasks
from ecsplan.apply.logs import Follower
from ecsplan.apply.send import Ports, Sender, Sent, StepError, timestamp, worst
from ecsplan.apply.state import DECIDE, EvidenceExpired, Memory, UnknownState, look_up, remember
from ecsplan.apply.wait import GO_ON, Observation, Paused, WaitFailed, WaitTimedOut, wait_for
from ecsplan.core import events
from ecsplan.core.diagnosis import Diagnosis
from ecsplan.core.documents import filled
from ecsplan.core.errors import AwsError, EcsplanError, Interrupted, JournalError, RefusedError
from ecsplan.core.model import Address, Call, Irreversible, Phase, Plan, Step
from ecsplan.journal import Closed, Deployment, Outcome
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Tracked

CONCURRENT = 25  # as many as `aws.THREADS`


@dataclass(frozen=True, kw_only=True)
class Options:
    """`on_failure` is `rollback` or `stop`. `timeout` in seconds wins over what the spec says. `unclear` is for
    `resume`: a one-off task of which nobody can tell any more whether it ran, or how it ended, is taken for `done`, or
    is to `run`; "" stops and asks."""

    on_failure: str = "rollback"
    wait: bool = True
    timeout: int | None = None
    unclear: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    number: int
    outcome: Outcome
    reason: str = ""
    state: str = ""
    hint: str = ""
    diagnoses: Mapping[Address, Diagnosis] = field(default_factory=dict)
    """why what has failed did so; secrets masked"""


def apply(plan: Plan, number: int, ports: Ports, options: Options, *, once: str) -> Result:
    """Carry out every step of the plan. What goes wrong is in the result. `once` is what tells this deployment from
    every other (`Opened.once`)."""
    return told(Run(plan, number, ports, options, once), Run.apply)


def resume(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Go on with a deployment where it was left: forward, or back if it was putting things back."""
    run = Run(deployment.plan, deployment.number, ports, options, deployment.opened.once, remember(deployment))
    return told(run, Run.go_back if deployment.going_back else Run.apply)


def told(run: Run, work: Callable[[Run], Result]) -> Result:
    ports = run.ports
    ports.emit(_started(run))
    result = work(run)
    with contextlib.suppress(JournalError):  # a file without a last word says the same: cut off, part-way
        ports.log.append(
            Closed(
                at=timestamp(ports.clock),
                outcome=result.outcome,
                reason=result.reason,
                diagnoses=dict(result.diagnoses),
            )
        )
    if run.sender.acted or (result.outcome.ended and run.done):  # a resume may have had nothing to do but wait
        ports.ended(result.outcome, result.reason)
    ports.emit(events.DeploymentEnded(number=run.number, outcome=result.outcome.value, reason=result.reason))
    return result


def _started(run: Run) -> events.DeploymentStarted:
    planned = tuple(
        events.Planned(
            index=step.index, phase=step.phase, address=step.address, action=step.action, made=step.index in run.made
        )
        for step in run.plan.steps
    )
    return events.DeploymentStarted(
        number=run.number, app=run.plan.app, tag=run.plan.tag, steps=len(planned), planned=planned
    )


class Run:
    def __init__(
        self, plan: Plan, number: int, ports: Ports, options: Options, once: str, memory: Memory | None = None
    ) -> None:
        self.plan, self.number, self.ports, self.options, self.once = plan, number, ports, options, once
        self.resumed, self.memory = memory is not None, memory or Memory()
        # What was refused was not done, and will be sent again.
        self.made: dict[int, Mapping[str, str]] = dict(self.memory.made)  # by step: its outputs
        self.done = [step for step in plan.steps if step.index in self.made or step.index in self.memory.open]
        self.outputs: dict[Address, Mapping[str, str]] = {
            step.address: self.made[step.index] for step in plan.steps if step.index in self.made
        }
        self.taken: set[Address] = set()
        self.under_way: tuple[Tracked, ...] = ()
        self.leaving: set[str] = set()
        self.answered: set[str] = set()  # hooks that were told to let it go on
        self.paused: set[Address] = set()
        self.diagnoses: dict[Address, Diagnosis] = {}
        self._lock = threading.Lock()
        self.sender = Sender(ports)
        self.follower = Follower(ports.ask, ports.clock, ports.emit, ports.stop, plan.identity.region)

    # --- what was begun before ---

    def _recall(self, *, back: bool = False) -> None:
        """Look up each step that was begun and has no end, before anything is sent. On the way back one that is not
        found still counts as one that may have been carried out."""
        for step in [step for step in self.plan.steps if step.index in self.memory.open]:
            try:
                found = look_up(step, self.call_of(step), self.memory.open[step.index], self.sender)
            except UnknownState as error:
                if (found := self.decided(step, error, back=back)) is None and back:
                    continue
            if found is not None:
                self.outputs[step.address] = self.made[step.index] = found
            elif not back:
                self.done.remove(step)

    def decided(self, step: Step, error: UnknownState, *, back: bool = False) -> dict[str, str] | None:
        """What a person has said of a one-off task that nobody can tell of; without that, the error stands. To what is
        put back it makes no difference."""
        if error.hint != DECIDE or not (self.options.unclear or back):
            raise error
        if back or self.options.unclear == "run":
            return None
        outputs = {"tasks": ""}
        self.sender.done(step, outputs)
        return outputs

    # --- forward ---

    def apply(self) -> Result:
        try:
            self._recall()
            for phase in Phase:
                self._phase(phase, [step for step in self.plan.steps if step.phase is phase])
                self.under_way = ()
        except Interrupted:
            return self.result(Outcome.INTERRUPTED, "it was interrupted", self._interrupted())
        except (WaitTimedOut, Paused) as late:
            return self.result(Outcome.UNFINISHED, late.message, late)
        except (JournalError, UnknownState) as error:
            # Nothing is sent that could not be journaled, so nothing can be put back either; and what could not be
            # seen has not failed.
            return self.result(Outcome.STOPPED, error.message, error)
        except EcsplanError as error:
            return self._after(error)
        return self.result(Outcome.SUCCEEDED, "its rollouts were not waited for" if self.leaving else "")

    def _phase(self, phase: Phase, steps: Sequence[Step]) -> None:
        if not steps:
            return
        if phase is Phase.RETIRE:
            self._retire(steps)
        elif phase is Phase.RUN:
            run_tasks(self, steps)
        else:
            self.wait(self._together(steps))

    def _together(self, steps: Sequence[Step]) -> list[Tracked]:
        """Steps that do not depend on each other, at once; those of one address in order. All end before one fails."""
        lanes: dict[Address, list[Step]] = {}
        for step in steps:
            lanes.setdefault(step.address, []).append(step)
        with ThreadPoolExecutor(max_workers=min(CONCURRENT, len(lanes)), thread_name_prefix="do") as pool:
            futures = [pool.submit(self._in_order, lane) for lane in lanes.values()]
        failures = [error for future in futures if (error := future.exception())]
        if failures:
            raise worst(failures)
        return [waiting for future in futures for waiting in future.result()]

    def _in_order(self, steps: Sequence[Step]) -> list[Tracked]:
        return [self.carry_out(step) for step in steps]

    def carry_out(self, step: Step) -> Tracked:
        """Send the step's call, unless it was sent before this deployment was resumed."""
        call, kind = self.call_of(step), kind_of(step.address)
        earlier = kind.revert.started_by(step.expect) if kind.revert else None
        one = Tracked(kind=kind, step=step, call=call, outputs=earlier or {})
        if step.index in self.made:
            return dataclasses.replace(one, outputs=self.made[step.index], before=earlier or {}, old=True)
        if earlier is not None:
            return take_back(self, one, call, undo=False)[0]
        outputs = self.send(step, call)
        self.remember(step, outputs)
        return dataclasses.replace(one, outputs=outputs)

    def remember(self, step: Step, outputs: Mapping[str, str]) -> None:
        with self._lock:
            self.outputs[step.address] = self.made[step.index] = outputs
            if step not in self.done:
                self.done.append(step)

    def call_of(self, step: Step) -> Call:
        """The step's call with everything filled in: outputs of earlier steps, its token, and its mark."""
        call, calls, own = self.with_outputs(step.call), kind_of(step.address).calls, self._token(step)
        marked = {calls.marker: f"ecsplan-{own[:28]}"} if calls.marker else {}
        token = {calls.token: own} if calls.token else {}
        return msgspec.structs.replace(call, params={**marked, **call.params, **token})

    def _retire(self, steps: Sequence[Step]) -> None:
        """The deployment has succeeded by now: what goes wrong in cleaning up, or interrupts it, is a warning."""
        for step in steps:
            if self.leaving.intersection(map(str, step.call.params.values())):
                self.sender.warn(f"{step.note} is left: it may still run, since its service was not waited for")
                continue
            try:
                self.carry_out(step)
            except Interrupted:
                self.sender.warn("the clean-up was interrupted; the next deployment goes on with it")
                return
            except (AwsError, RefusedError) as error:
                self.sender.warn(f"{step.note} was not deregistered: {self.ports.clean(error.message)}")

    # --- one call ---

    def send(self, step: Step, call: Call, *, undo: bool = False) -> dict[str, str]:
        """Send a call, and remember the step as done unless AWS has said no, and only that."""
        if self.ports.stop.is_set():
            raise Interrupted
        if undo:
            return self.sender.send(step, call, Sent(), undo=True)
        sent = Sent()
        with self._lock:
            if step not in self.done:
                self.done.append(step)
        try:
            return self.sender.send(step, call, sent)
        except (AwsError, RefusedError):
            if not sent.may_have_acted:
                with self._lock:
                    self.done.remove(step)
            raise

    # --- waiting ---

    def wait(self, waiting: Sequence[Tracked], *, to_the_end: bool = False) -> None:
        """Until the effects of these steps are there; raises StepError for those that failed, ForgottenError where
        nobody can tell. `to_the_end` waits for the others when one has failed."""
        waiting = [one for one in waiting if not self._was_awaited(one.step)]
        every = set(Phase) if self.options.wait else {Phase.RUN}  # what others depend on is waited for all the same
        wanted = [one for one in waiting if one.step.settings.wait and one.step.phase in every]
        self.leaving |= {
            str(one.step.expect["previous"]) for one in waiting if one not in wanted and "previous" in one.step.expect
        }
        try:
            wait_reverting(self, wanted, undo=False, to_the_end=to_the_end)
        except WaitTimedOut as late:
            self.diagnoses |= diagnosed(late.late, self.ports)
            raise
        except AwsError as error:
            if not self.resumed:
                raise
            raise UnknownState(f"how it goes could not be seen: {error.message}", hint=error.hint) from error
        except WaitFailed as lost:
            if all(progress.unknown and one.step.index not in self.memory.failed for one, progress in lost.failed):
                raise EvidenceExpired(lost.notes, [one.step for one, _ in lost.failed]) from lost
            self.diagnoses |= diagnosed(lost.failed, self.ports)
            for one, progress in lost.failed:
                self.sender.fail(one.step, StepError(progress.note), undo=False)
                if progress.superseded:
                    self.taken.add(one.address)
            for one in lost.late:
                self.abandon(one, f"{one.address} did not end in time")
            raise StepError(lost.notes) from lost

    def _was_awaited(self, step: Step) -> bool:
        """In a deployment that is resumed: was this one-off task over when the next step began? Of rollouts, which
        are not always waited for, another look tells."""
        last = self.memory.last
        if last is None or step.index not in self.made:
            return False
        return step.phase is Phase.RUN and last.index > step.index and last.address != step.address

    def until(self, waiting: Sequence[Tracked], *, to_the_end: bool = False) -> None:
        ports, self.under_way, hooks, limit = self.ports, tuple(waiting), self.answered, self.options.timeout
        poll, clock, emit = ports.ask, ports.clock, ports.emit
        try:
            wait_for(waiting, poll, clock, emit, ports.stop, limit, self._heard, hooks, to_the_end=to_the_end)
        except WaitFailed:
            self.follower.finish()
            raise
        self.follower.finish()
        if ports.stop.is_set():
            raise Interrupted
        self.under_way = ()

    def _heard(self, seen: Observation) -> None:
        self.follower.heard(seen)
        one, progress = seen.one, seen.progress
        (self.paused.add if progress.pause else self.paused.discard)(one.address)
        if progress.done:
            self.under_way = tuple(other for other in self.under_way if other.step.index != one.step.index)

    def abandon(self, one: Tracked, why: str) -> None:
        """Stop what has failed and still runs; journaled as the step's undo, which it is as far as there can be one."""
        refused: dict[str, None] = {}
        for call in one.kind.track.stop(one, why) if one.kind.track else ():
            try:
                self.send(one.step, call, undo=True)
            except (AwsError, RefusedError) as error:
                refused[self.ports.clean(error.message)] = None
        for message in refused:
            self.sender.warn(f"{one.address} may still be running: {message}")

    # --- backward ---

    def _after(self, error: EcsplanError) -> Result:
        if self.options.on_failure == "stop":
            return self.result(Outcome.STOPPED, error.message, error)
        self.ports.emit(events.UndoStarted(reason=error.message))
        return self._back(error)

    def go_back(self) -> Result:
        try:
            self._recall(back=True)
            find_superseded(self)
        except (JournalError, UnknownState) as error:
            return self.result(Outcome.STOPPED, error.message, error)
        return self._back(StepError("it had failed and was being put back"))

    def _back(self, error: EcsplanError) -> Result:
        try:
            undo(self)
        except Interrupted:
            return self.result(Outcome.INTERRUPTED, f"{error.message}; interrupted while putting things back", error)
        except Paused as paused:
            reason = f"{error.message}; and putting it back waits for somebody: {paused.message}"
            return self.result(Outcome.UNFINISHED, reason, paused)
        except EcsplanError as second:
            reason = f"{error.message}; and putting things back failed: {second.message}"
            return self.result(Outcome.STOPPED, reason, error)
        ran = [step.address for step in self.done if step.phase is Phase.RUN and isinstance(step.undo, Irreversible)]
        stays = f"What {', '.join(dict.fromkeys(ran))} did stays done." if ran else ""
        return self.result(Outcome.PUT_BACK, error.message, error, stays)

    # --- small things ---

    def _interrupted(self) -> EcsplanError | None:
        """What there is to do beside `resume` and `rollback`, where something waits for somebody."""
        if not self.paused:
            return None
        return EcsplanError("", state=f"Paused at a hook: {', '.join(sorted(self.paused))}.", hint=GO_ON)

    def with_outputs(self, call: Call) -> Call:
        with self._lock:
            return msgspec.structs.replace(call, params=filled(call.params, self.outputs))

    def _left(self) -> str:
        """What a deployment that did not end leaves, for people."""
        going = [one.address for one in self.under_way]
        begun = [step.address for step in self.done if step.address not in going]
        parts = [f"Done: {', '.join(dict.fromkeys(begun))}." if begun else "Nothing was changed."]
        if going:
            parts = [*parts[: len(begun)], f"Still under way: {', '.join(dict.fromkeys(going))}."]
        return " ".join(parts)

    def _token(self, step: Step) -> str:
        """The same for each repetition of this step of this deployment, and for no other, also where the journal of an
        earlier one is lost; 64 characters at most."""
        text = f"{self.plan.digest}/{self.once}/{step.index}"
        return hashlib.sha256(text.encode()).hexdigest()

    def result(self, outcome: Outcome, reason: str = "", error: EcsplanError | None = None, more: str = "") -> Result:
        left = "" if outcome.ended else self._left()
        state = " ".join(filter(None, (error.state if error else "", more, left)))
        hint = error.hint if error else ""
        clean = self.ports.clean
        return Result(
            number=self.number,
            outcome=outcome,
            reason=clean(reason),
            state=clean(state),
            hint=hint,
            diagnoses=self.diagnoses,
        )
