"""Carry out a plan: journal, call, wait. The only code that changes anything in AWS.

Every step is journaled before its call and after it. A failure undoes what was done, in reverse, with the undos that
the plan holds, or stops where it is; either way the journal says where that is.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from ecsplan import events
from ecsplan.diagnosis import Diagnosis
from ecsplan.errors import AwsError, EcsplanError, JournalError, RefusedError, StoppingError
from ecsplan.journal import Closed, Deployment, Outcome
from ecsplan.kinds import kind_of
from ecsplan.kinds.base import Progress, Waiting
from ecsplan.model import Address, Call, Irreversible, Phase, Plan, Step, filled
from ecsplan.recalling import DECIDE, Memory, UnseenError, look_up, remember
from ecsplan.redact import clean_all
from ecsplan.sending import Ports, Sender, Sent, StepError, timestamp
from ecsplan.undoing import see_who_took_over, undo
from ecsplan.waiting import LateError, LostError, PausedError, wait_for

CONCURRENT = 8


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


def apply(plan: Plan, number: int, ports: Ports, options: Options) -> Result:
    """Carry out every step of the plan. What goes wrong is in the result."""
    return _told(Run(plan, number, ports, options), Run.apply)


def resume(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Go on with a deployment where it was left: forward, or back if it was putting things back."""
    run = Run(deployment.plan, deployment.number, ports, options, remember(deployment))
    return _told(run, Run.go_back if deployment.going_back else Run.apply)


def _told(run: Run, work: Callable[[Run], Result]) -> Result:
    plan, number, ports = run.plan, run.number, run.ports
    ports.emit(events.DeploymentStarted(number=number, app=plan.app, tag=plan.tag, steps=len(plan.steps)))
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
    ports.emit(events.DeploymentEnded(number=number, outcome=result.outcome.value, reason=result.reason))
    return result


class Run:
    def __init__(self, plan: Plan, number: int, ports: Ports, options: Options, memory: Memory | None = None) -> None:
        self.plan, self.number, self.ports, self.options = plan, number, ports, options
        self.resumed, self.memory = memory is not None, memory or Memory()
        # What was refused was not done, and will be sent again.
        self.made: dict[int, Mapping[str, str]] = dict(self.memory.made)  # by step: its outputs
        self.done = [step for step in plan.steps if step.index in self.made or step.index in self.memory.open]
        self.outputs: dict[Address, Mapping[str, str]] = {
            step.address: self.made[step.index] for step in plan.steps if step.index in self.made
        }
        self.taken: set[Address] = set()
        self.under_way: tuple[Waiting, ...] = ()
        self.leaving: set[str] = set()
        self.diagnoses: dict[Address, Diagnosis] = {}
        self._lock = threading.Lock()
        self.sender = Sender(ports)

    # --- what was begun before ---

    def _recall(self, *, back: bool = False) -> None:
        """Look up each step that was begun and has no end, before anything is sent. On the way back one that is not
        found still counts as one that may have been carried out."""
        for step in [step for step in self.plan.steps if step.index in self.memory.open]:
            try:
                found = look_up(step, self.call_of(step), self.memory.open[step.index], self.sender)
            except UnseenError as error:
                if (found := self._decided(step, error, back=back)) is None and back:
                    continue
            if found is not None:
                self.outputs[step.address] = self.made[step.index] = found
            elif not back:
                self.done.remove(step)

    def _decided(self, step: Step, error: UnseenError, *, back: bool = False) -> dict[str, str] | None:
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
        except StoppingError:
            return self._result(Outcome.INTERRUPTED, "it was interrupted")
        except (LateError, PausedError) as late:
            return self._result(Outcome.UNFINISHED, late.message, late)
        except (JournalError, UnseenError) as error:
            # Nothing is sent that could not be journaled, so nothing can be put back either; and what could not be
            # seen has not failed.
            return self._result(Outcome.STOPPED, error.message, error)
        except EcsplanError as error:
            return self._after(error)
        return self._result(Outcome.SUCCEEDED, "its rollouts were not waited for" if self.leaving else "")

    def _phase(self, phase: Phase, steps: Sequence[Step]) -> None:
        if not steps:
            return
        if phase is Phase.RETIRE:
            self._retire(steps)
        elif phase is Phase.RUN:
            for step in steps:
                self._to_its_end(step)
        else:
            self._wait(self._together(steps))

    def _to_its_end(self, step: Step) -> None:
        """A one-off task that others depend on."""
        try:
            self._wait([self.carry_out(step)])
        except UnseenError as error:
            if self._decided(step, error) is None:
                self.made.pop(step.index)
                self.done.remove(step)
                self._wait([self.carry_out(step)])

    def _together(self, steps: Sequence[Step]) -> list[Waiting]:
        """Steps that do not depend on each other, at once; those of one address in order. All end before one fails."""
        lanes: dict[Address, list[Step]] = {}
        for step in steps:
            lanes.setdefault(step.address, []).append(step)
        with ThreadPoolExecutor(max_workers=min(CONCURRENT, len(lanes)), thread_name_prefix="do") as pool:
            futures = [pool.submit(self._in_order, lane) for lane in lanes.values()]
        failures = [error for future in futures if (error := future.exception())]
        if failures:
            raise _worst(failures)
        return [waiting for future in futures for waiting in future.result()]

    def _in_order(self, steps: Sequence[Step]) -> list[Waiting]:
        return [self.carry_out(step) for step in steps]

    def carry_out(self, step: Step) -> Waiting:
        """Send the step's call, unless it was sent before this deployment was resumed."""
        call = self.call_of(step)
        if step.index in self.made:
            return Waiting(address=step.address, step=step, call=call, outputs=self.made[step.index], old=True)
        outputs = self.send(step, call)
        with self._lock:
            self.outputs[step.address] = self.made[step.index] = outputs
        return Waiting(address=step.address, step=step, call=call, outputs=outputs)

    def call_of(self, step: Step) -> Call:
        """The step's call with everything filled in: outputs of earlier steps, its token, and its mark."""
        call, kind, own = self.with_outputs(step.call), kind_of(step.address), self._token(step)
        marked = {kind.mark: f"ecsplan-{own[:28]}"} if kind.mark else {}  # 36 characters, which ECS has always taken
        token = {kind.token: own} if kind.token else {}
        return msgspec.structs.replace(call, params={**marked, **call.params, **token})

    def _retire(self, steps: Sequence[Step]) -> None:
        """The deployment has succeeded by now: what goes wrong in cleaning up, or interrupts it, is a warning."""
        for step in steps:
            if self.leaving.intersection(map(str, step.call.params.values())):
                self.sender.warn(f"{step.note} is left: it may still run, since its service was not waited for")
                continue
            try:
                self.carry_out(step)
            except StoppingError:
                self.sender.warn("the clean-up was interrupted; the next deployment goes on with it")
                return
            except (AwsError, RefusedError) as error:
                self.sender.warn(f"{step.note} was not deregistered: {self.ports.clean(error.message)}")

    # --- one call ---

    def send(self, step: Step, call: Call, *, undo: bool = False) -> dict[str, str]:
        """Send a call, and remember the step as done unless AWS has said no, and only that."""
        if self.ports.stop.is_set():
            raise StoppingError
        if undo:
            return self.sender.send(step, call, Sent(), undo=True)
        sent = Sent()
        with self._lock:
            self.done.append(step)
        try:
            return self.sender.send(step, call, sent)
        except AwsError:
            if not sent.may_have_acted:
                with self._lock:
                    self.done.remove(step)
            raise

    # --- waiting ---

    def _wait(self, waiting: Sequence[Waiting]) -> None:
        """Until the effects of these steps are there; raises StepError for those that failed."""
        waiting = [one for one in waiting if not self._was_awaited(one.step)]
        wanted = [one for one in waiting if one.step.settings.wait and (self.options.wait or _is_task(one))]
        self.leaving |= {
            str(one.step.expect["previous"]) for one in waiting if one not in wanted and "previous" in one.step.expect
        }
        try:
            self.until(wanted)
        except LateError as late:
            self._diagnose(late.late)
            raise
        except AwsError as error:
            if not self.resumed:
                raise
            raise UnseenError(f"how it goes could not be seen: {error.message}", hint=error.hint) from error
        except LostError as lost:
            if any(progress.forgotten and one.step.index not in self.memory.failed for one, progress in lost.failed):
                raise UnseenError(lost.notes, state="It was not run again.", hint=DECIDE) from lost
            self._diagnose(lost.failed)
            for one, progress in lost.failed:
                self.sender.fail(one.step, StepError(progress.note), undo=False)
                if progress.taken:
                    self.taken.add(one.address)
            for one in lost.late:
                self._abandon(one)
            raise StepError(lost.notes) from lost

    def _diagnose(self, failed: Sequence[tuple[Waiting, Progress]]) -> None:
        """Look up what a person would look up next, now: what AWS shows of it fades."""
        for one, progress in failed:
            found = kind_of(one.address).diagnose(self.ports.ask, one, progress)
            if found is not None:
                self.diagnoses[one.address] = clean_all(found, self.ports.clean)
                self.ports.emit(events.Diagnosed(address=one.address, diagnosis=found))

    def _was_awaited(self, step: Step) -> bool:
        """In a deployment that is resumed: was this one-off task over when the next step began? Of rollouts, which
        are not always waited for, another look tells."""
        last = self.memory.last
        if last is None or step.index not in self.made:
            return False
        return step.phase is Phase.RUN and last.index > step.index

    def until(self, waiting: Sequence[Waiting]) -> None:
        ports, self.under_way = self.ports, tuple(waiting)
        wait_for(waiting, ports.ask, ports.clock, ports.emit, ports.stop, self.options.timeout)
        if ports.stop.is_set():
            raise StoppingError
        self.under_way = ()

    def _abandon(self, one: Waiting) -> None:
        """Stop what has run out of time; journaled as the step's undo, which it is as far as there can be one."""
        for call in kind_of(one.address).abandon(one):
            try:
                self.send(one.step, call, undo=True)
            except (AwsError, RefusedError) as error:
                self.sender.warn(f"{one.address} may still be running: {self.ports.clean(error.message)}")

    # --- backward ---

    def _after(self, error: EcsplanError) -> Result:
        if self.options.on_failure == "stop":
            return self._result(Outcome.STOPPED, error.message, error)
        self.ports.emit(events.UndoStarted(reason=error.message))
        return self._back(error)

    def go_back(self) -> Result:
        try:
            self._recall(back=True)
            see_who_took_over(self)
        except (JournalError, UnseenError) as error:
            return self._result(Outcome.STOPPED, error.message, error)
        return self._back(StepError("it had failed and was being put back"))

    def _back(self, error: EcsplanError) -> Result:
        try:
            undo(self)
        except StoppingError:
            return self._result(Outcome.INTERRUPTED, f"{error.message}; interrupted while putting things back", error)
        except EcsplanError as second:
            reason = f"{error.message}; and putting things back failed: {second.message}"
            return self._result(Outcome.STOPPED, reason, error)
        ran = [step.address for step in self.done if step.phase is Phase.RUN and isinstance(step.undo, Irreversible)]
        stays = f"What {', '.join(ran)} did stays done." if ran else ""
        return self._result(Outcome.PUT_BACK, error.message, error, stays)

    # --- small things ---

    def with_outputs(self, call: Call) -> Call:
        with self._lock:
            return msgspec.structs.replace(call, params=filled(call.params, self.outputs))

    def _left(self) -> str:
        """What a deployment that did not end leaves, for people."""
        going = [one.address for one in self.under_way]
        begun = [step.address for step in self.done if step.address not in going]
        parts = [f"Done: {', '.join(dict.fromkeys(begun))}." if begun else "Nothing was changed."]
        if going:
            parts = [*parts[: len(begun)], f"Still under way: {', '.join(going)}."]
        return " ".join(parts)

    def _token(self, step: Step) -> str:
        """The same for each repetition of this step of this deployment, and for no other; 64 characters at most."""
        text = f"{self.plan.digest}/{self.number}/{step.index}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _result(self, outcome: Outcome, reason: str = "", error: EcsplanError | None = None, more: str = "") -> Result:
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


def _is_task(waiting: Waiting) -> bool:
    """Steps that others depend on are waited for even when rollouts are not."""
    return waiting.step.phase is Phase.RUN


def _worst(failures: Sequence[BaseException]) -> BaseException:
    """Of several failures at once, the one to act on: a surprise, then a journal that cannot be written (nothing
    more may be sent), then a known error with what the others said, then an interruption."""
    for failure in failures:
        if not isinstance(failure, EcsplanError | StoppingError):
            return failure
    known = [failure for failure in failures if isinstance(failure, EcsplanError)]
    if not known:
        return failures[0]
    message = "; ".join(dict.fromkeys(error.message for error in known))
    if any(isinstance(error, JournalError) for error in known):
        return JournalError(message)
    return known[0] if len(known) == 1 else StepError(message, state=known[0].state, hint=known[0].hint)
