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
from dataclasses import dataclass

import msgspec

from ecsplan import events
from ecsplan.errors import AwsError, EcsplanError, JournalError, RefusedError
from ecsplan.journal import Closed, Deployment, Outcome
from ecsplan.kinds import kind_of
from ecsplan.kinds.base import Waiting
from ecsplan.model import Address, Call, Irreversible, Phase, Plan, Step, filled, refs_in
from ecsplan.sending import Ports, Sender, Sent, StepError, StoppingError, timestamp
from ecsplan.waiting import LateError, LostError, wait_for

CONCURRENT = 8


@dataclass(frozen=True, kw_only=True)
class Options:
    """`on_failure` is `rollback` or `stop`. `timeout` in seconds wins over what the spec says."""

    on_failure: str = "rollback"
    wait: bool = True
    timeout: int | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    number: int
    outcome: Outcome
    reason: str = ""
    state: str = ""
    hint: str = ""


def apply(plan: Plan, number: int, ports: Ports, options: Options) -> Result:
    """Carry out every step of the plan. What goes wrong is in the result."""
    return _told(_Run(plan, number, ports, options), _Run.apply)


def resume(deployment: Deployment, ports: Ports, options: Options) -> Result:
    """Go on with a deployment where it was left: forward, or back if it was putting things back."""
    run = _Run(deployment.plan, deployment.number, ports, options)
    run.recall(deployment)
    return _told(run, _Run.go_back if deployment.going_back else _Run.apply)


def _told(run: _Run, work: Callable[[_Run], Result]) -> Result:
    plan, number, ports = run.plan, run.number, run.ports
    ports.emit(events.DeploymentStarted(number=number, app=plan.app, tag=plan.tag, steps=len(plan.steps)))
    result = work(run)
    with contextlib.suppress(JournalError):  # a file without a last word says the same: cut off, part-way
        ports.log.append(Closed(at=timestamp(ports.clock), outcome=result.outcome, reason=result.reason))
    ports.emit(events.DeploymentEnded(number=number, outcome=result.outcome.value, reason=result.reason))
    return result


class _Run:
    def __init__(self, plan: Plan, number: int, ports: Ports, options: Options) -> None:
        self.plan, self.number, self.ports, self.options = plan, number, ports, options
        self.outputs: dict[Address, Mapping[str, str]] = {}
        self.done: list[Step] = []
        self.made: dict[int, Mapping[str, str]] = {}
        self.taken: set[Address] = set()
        self.under_way: tuple[Waiting, ...] = ()
        self.open: set[int] = set()
        self.last: Step | None = None
        self.leaving: set[str] = set()
        self._lock = threading.Lock()
        self.sender = Sender(ports)

    def recall(self, deployment: Deployment) -> None:
        """What was done already, and which steps were begun without an end."""
        steps = {step.index: step for step in self.plan.steps}
        states = deployment.states()
        self.open = set(deployment.unclear())
        self.last = max((steps[index] for index in deployment.touched()), key=lambda step: step.index, default=None)
        for index, outputs in deployment.outputs().items():
            if states[index] != "undone":
                self.outputs[steps[index].address] = self.made[index] = outputs
        # What was refused was not done, and will be sent again.
        self.done = [step for i, step in steps.items() if i in self.made or i in self.open]

    # --- forward ---

    def apply(self) -> Result:
        try:
            for phase in Phase:
                self._phase(phase, [step for step in self.plan.steps if step.phase is phase])
                self.under_way = ()
        except StoppingError:
            return self._result(Outcome.INTERRUPTED, "it was interrupted")
        except LateError as late:
            return self._result(Outcome.UNFINISHED, late.message, late)
        except JournalError as error:
            # Nothing is sent that could not be journaled, so nothing can be put back either.
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
                self._wait([self._carry_out(step)])
        else:
            self._wait(self._together(steps))

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
        return [self._carry_out(step) for step in steps]

    def _carry_out(self, step: Step) -> Waiting:
        """Send the step's call, unless it was sent before this deployment was resumed."""
        call = self._filled(step.call)
        if step.index in self.made:
            return Waiting(address=step.address, step=step, call=call, outputs=self.made[step.index], old=True)
        if token := kind_of(step.address).token:
            params = {**call.params, token: self._token(step)}
            call = msgspec.structs.replace(call, params=params)
        outputs = self._recovered(step, call) if step.index in self.open else None
        if outputs is None:
            outputs = self._send(step, call)
        with self._lock:
            self.outputs[step.address] = self.made[step.index] = outputs
        return Waiting(address=step.address, step=step, call=call, outputs=outputs)

    def _recovered(self, step: Step, call: Call) -> dict[str, str] | None:
        """The outputs of a call that was begun before, if AWS shows that it was carried out."""
        found = kind_of(step.address).reconcile(self.ports.ask, step, call)
        if found is None:
            with self._lock:
                self.done.remove(step)
            return None
        self.sender.done(step, dict(found))
        return dict(found)

    def _retire(self, steps: Sequence[Step]) -> None:
        """The deployment has succeeded by now: what goes wrong in cleaning up, or interrupts it, is a warning."""
        for step in steps:
            if self.leaving.intersection(map(str, step.call.params.values())):
                self.sender.warn(f"{step.note} is left: it may still run, since its service was not waited for")
                continue
            try:
                self._carry_out(step)
            except StoppingError:
                self.sender.warn("the clean-up was interrupted; the next deployment goes on with it")
                return
            except (AwsError, RefusedError) as error:
                self.sender.warn(f"{step.note} was not deregistered: {self.ports.clean(error.message)}")

    # --- one call ---

    def _send(self, step: Step, call: Call, *, undo: bool = False) -> dict[str, str]:
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
            self._until(wanted)
        except LostError as lost:
            for one, progress in lost.failed:
                self.sender.fail(one.step, StepError(progress.note), undo=False)
                if progress.taken:
                    self.taken.add(one.address)
            for one in lost.late:
                self._abandon(one)
            raise StepError(_notes(lost)) from lost

    def _was_awaited(self, step: Step) -> bool:
        """In a deployment that is resumed: was this one-off task over when the next step began? Of rollouts, which
        are not always waited for, another look tells."""
        if self.last is None or step.index not in self.made:
            return False
        return step.phase is Phase.RUN and self.last.index > step.index

    def _until(self, waiting: Sequence[Waiting]) -> None:
        ports, self.under_way = self.ports, tuple(waiting)
        wait_for(waiting, ports.ask, ports.clock, ports.emit, ports.stop, self.options.timeout)
        if ports.stop.is_set():
            raise StoppingError
        self.under_way = ()

    def _abandon(self, one: Waiting) -> None:
        """Stop what has run out of time; journaled as the step's undo, which it is as far as there can be one."""
        for call in kind_of(one.address).abandon(one):
            try:
                self._send(one.step, call, undo=True)
            except (AwsError, RefusedError) as error:
                self.sender.warn(f"{one.address} may still be running: {self.ports.clean(error.message)}")

    # --- backward ---

    def _after(self, error: EcsplanError) -> Result:
        if self.options.on_failure == "stop":
            return self._result(Outcome.STOPPED, error.message, error)
        self.ports.emit(events.UndoStarted(reason=error.message))
        return self._back(error)

    def go_back(self) -> Result:
        return self._back(StepError("it had failed and was being put back"))

    def _back(self, error: EcsplanError) -> Result:
        try:
            self._undo()
        except StoppingError:
            return self._result(Outcome.INTERRUPTED, f"{error.message}; interrupted while putting things back", error)
        except EcsplanError as second:
            reason = f"{error.message}; and putting things back failed: {second.message}"
            return self._result(Outcome.STOPPED, reason, error)
        ran = [step.address for step in self.done if step.phase is Phase.RUN and isinstance(step.undo, Irreversible)]
        stays = f"What {', '.join(ran)} did stays done." if ran else ""
        return self._result(Outcome.PUT_BACK, error.message, error, stays)

    def _undo(self) -> None:
        """What was done, in reverse; the rollouts that this starts are waited for together. What cannot be put back
        hinders nothing else from being put back; raises StepError with all of it at the end."""
        failures: list[str] = []
        for phase in reversed(Phase):
            waiting = []
            if phase is Phase.REGISTER and failures:
                break
            for step in reversed([step for step in self.done if step.phase is phase]):
                if step.address in self.taken:
                    failures.append(f"{step.address} was changed by somebody else and is left to them")
                    continue
                try:
                    waiting += self._put_back(step)
                except (AwsError, RefusedError) as error:
                    failures.append(error.message)
            try:
                self._until(waiting)
            except LostError as lost:
                for one, progress in lost.failed:
                    self.sender.fail(one.step, StepError(progress.note), undo=True)
                failures.append(_notes(lost))
        if failures:
            raise StepError("; ".join(failures))

    def _put_back(self, step: Step) -> list[Waiting]:
        if (call := self._undo_call(step)) is None:
            return []
        outputs = self._send(step, call, undo=True)
        before = self.made.get(step.index, {})
        return [Waiting(address=step.address, step=step, call=call, outputs=outputs, before=before)]

    def _undo_call(self, step: Step) -> Call | None:
        """None where there is nothing to undo, or no way to: a task that ran, a registration whose ARN is not known."""
        if isinstance(step.undo, Irreversible):
            return None
        call = self._filled(step.undo)
        return None if any(True for _ in refs_in(call.params)) else call

    # --- small things ---

    def _filled(self, call: Call) -> Call:
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
        return Result(number=self.number, outcome=outcome, reason=clean(reason), state=clean(state), hint=hint)


def _notes(lost: LostError) -> str:
    return "; ".join(f"{one.address}: {progress.note}" for one, progress in lost.failed)


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
