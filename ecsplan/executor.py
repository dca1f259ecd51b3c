"""Carry out a plan: journal, call, wait. The only code that changes anything in AWS.

Every step is journaled before its call and after it. A failure undoes what was done, in reverse, with the undos that
the plan holds, or stops where it is; either way the journal says where that is.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from ecsplan import events
from ecsplan.errors import AwsError, EcsplanError, JournalError, RefusedError
from ecsplan.journal import Began, Closed, Done, Entry, Failed, Outcome
from ecsplan.kinds import kind_of
from ecsplan.kinds.base import Ask, Waiting
from ecsplan.model import Address, Call, Doc, Irreversible, Phase, Plan, Step, filled, refs_in
from ecsplan.redact import mask_step
from ecsplan.waiting import Clock, LateError, LostError, wait_for

CONCURRENT = 8
# A refusal that means "later" is repeated after 1, 2, 4, … seconds, at most this many times in all.
PATIENCE = 8


class Log(Protocol):
    """The journal of this deployment; an entry is safe when `append` returns."""

    def append(self, entry: Entry) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """All that the executor touches. `ask` reads, `do` writes; `told` hears of every call that was carried out; `later`
    tells refusals that mean "not now"; `clean` takes secrets out of what AWS said."""

    ask: Ask
    do: Callable[[Call], Doc]
    log: Log
    clock: Clock
    emit: events.Listener
    told: Callable[[Step, Call, Doc], None] = lambda _step, _call, _answer: None
    later: Callable[[AwsError], bool] = lambda _error: False
    clean: Callable[[str], str] = lambda text: text
    stop: threading.Event = field(default_factory=threading.Event)


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


class StepError(EcsplanError):
    """A step was refused, or its effect failed."""


class StoppingError(Exception):
    """Somebody asked to stop; nothing new is begun."""


def apply(plan: Plan, number: int, ports: Ports, options: Options) -> Result:
    """Carry out every step of the plan. What goes wrong is in the result."""
    ports.emit(events.DeploymentStarted(number=number, app=plan.app, tag=plan.tag, steps=len(plan.steps)))
    result = _Run(plan, number, ports, options).apply()
    with contextlib.suppress(JournalError):  # a file without a last word says the same: cut off, part-way
        ports.log.append(Closed(at=timestamp(ports.clock), outcome=result.outcome, reason=result.reason))
    ports.emit(events.DeploymentEnded(number=number, outcome=result.outcome.value, reason=result.reason))
    return result


class _Sent:
    """What is known of a step's requests so far."""

    may_have_acted = False


class _Run:
    def __init__(self, plan: Plan, number: int, ports: Ports, options: Options) -> None:
        self.plan, self.number, self.ports, self.options = plan, number, ports, options
        self.outputs: dict[Address, Mapping[str, str]] = {}
        self.done: list[Step] = []
        self._lock = threading.Lock()

    # --- forward ---

    def apply(self) -> Result:
        try:
            for phase in Phase:
                self._phase(phase, [step for step in self.plan.steps if step.phase is phase])
        except StoppingError:
            return self._result(Outcome.INTERRUPTED)
        except LateError as late:
            return self._result(Outcome.UNFINISHED, str(late), late)
        except JournalError as error:
            # Nothing is sent that could not be journaled, so nothing can be put back either.
            return self._result(Outcome.STOPPED, error.message, error)
        except EcsplanError as error:
            return self._after(error)
        return self._result(Outcome.SUCCEEDED)

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
        call = self._filled(step.call)
        if token := kind_of(step.address).token:
            params = {token: self._token(step), **call.params}
            call = msgspec.structs.replace(call, params=params)
        outputs = self._send(step, call)
        with self._lock:
            self.outputs[step.address] = outputs
        return Waiting(address=step.address, step=step, call=call, outputs=outputs)

    def _retire(self, steps: Sequence[Step]) -> None:
        """The deployment has succeeded by now: what goes wrong in cleaning up is a warning."""
        for step in steps:
            try:
                self._carry_out(step)
            except (AwsError, RefusedError) as error:
                self.ports.emit(events.Warned(message=f"{step.note} was not deregistered: {error}"))

    # --- one call ---

    def _send(self, step: Step, call: Call, *, undo: bool = False) -> dict[str, str]:
        """Journal, call, judge the answer, journal."""
        if self.ports.stop.is_set():
            raise StoppingError
        self.ports.log.append(Began(at=self._at(), step=step.index, undo=undo))
        self.ports.emit(events.StepStarted(step=mask_step(step), undo=undo))
        if not undo:
            with self._lock:
                self.done.append(step)
        sent = _Sent()
        try:
            answer, outputs = self._accepted(step, call, sent)
        except EcsplanError as error:
            if isinstance(error, AwsError) and not sent.may_have_acted and not undo:
                with self._lock:
                    self.done.remove(step)  # AWS has said no, and only that: there is nothing to undo
            self._fail(step, error, undo=undo, unclear=sent.may_have_acted)
            raise
        self.ports.log.append(Done(at=self._at(), step=step.index, outputs=outputs, undo=undo))
        self.ports.emit(events.StepDone(step=mask_step(step), outputs=outputs, undo=undo))
        self.ports.told(step, call, answer)
        return outputs

    def _accepted(self, step: Step, call: Call, sent: _Sent) -> tuple[Doc, dict[str, str]]:
        """The answer and its outputs. Refusals that mean "later" are repeated, and so are entries that failed alone;
        after a lost answer AWS is asked whether the call was carried out before it is sent once more."""
        kind = kind_of(step.address)
        lost = False
        for attempt in range(PATIENCE):
            last = attempt == PATIENCE - 1
            try:
                answer = self.ports.do(call)
                return answer, kind.accept(step, call, answer)
            except RefusedError as error:
                sent.may_have_acted = True  # what did not fail was carried out
                if last or not isinstance(error.again, Call):
                    raise
                call = error.again
            except AwsError as error:
                sent.may_have_acted |= error.unclear
                if last or not (self.ports.later(error) or (error.unclear and not lost)):
                    raise
                if error.unclear:
                    lost = True
                    if (found := self._found(step, call, error)) is not None:
                        return {}, dict(found)
            self.ports.clock.sleep(min(2.0**attempt, 20) * (0.5 + self.ports.clock.random() / 2))
            if self.ports.stop.is_set():
                raise StoppingError
        raise AssertionError("the last attempt returns or raises")

    def _found(self, step: Step, call: Call, error: AwsError) -> Mapping[str, str] | None:
        """The outputs of a call whose answer was lost, if AWS shows that it was carried out."""
        try:
            return kind_of(step.address).reconcile(self.ports.ask, step, call)
        except AwsError as unseen:
            raise error from unseen  # still nobody knows

    def _fail(self, step: Step, error: EcsplanError, *, undo: bool, unclear: bool = False) -> None:
        """Journal and tell a failure; one that cannot be journaled is told all the same."""
        message = self.ports.clean(error.message)
        self.ports.emit(events.StepFailed(step=mask_step(step), error=message, undo=undo))
        try:
            self.ports.log.append(Failed(at=self._at(), step=step.index, error=message, undo=undo, unclear=unclear))
        except JournalError as unwritten:
            raise JournalError(f"{error.message}; and {unwritten.message}") from error

    # --- waiting ---

    def _wait(self, waiting: Iterable[Waiting]) -> None:
        """Until the effects of these steps are there; raises StepError for the first that failed."""
        wanted = [one for one in waiting if one.step.settings.wait and (self.options.wait or _is_task(one))]
        try:
            wait_for(wanted, self.ports.ask, self.ports.clock, self.ports.emit, self.ports.stop, self.options.timeout)
        except LostError as lost:
            for one, note in lost.failed:
                self._fail(one.step, StepError(note), undo=False)
            raise StepError("; ".join(f"{one.address}: {note}" for one, note in lost.failed)) from lost
        if self.ports.stop.is_set():
            raise StoppingError

    # --- backward ---

    def _after(self, error: EcsplanError) -> Result:
        if self.options.on_failure == "stop":
            return self._result(Outcome.STOPPED, error.message, error)
        self.ports.emit(events.UndoStarted(reason=error.message))
        try:
            self._undo()
        except StoppingError:
            return self._result(Outcome.INTERRUPTED, f"{error.message}; interrupted while putting things back", error)
        except EcsplanError as second:
            reason = f"{error.message}; and putting things back failed: {second.message}"
            return self._result(Outcome.STOPPED, reason, error)
        return self._result(Outcome.PUT_BACK, error.message, error)

    def _undo(self) -> None:
        """What was done, in reverse; the rollouts that this starts are waited for together."""
        for phase in reversed(Phase):
            waiting = []
            for step in reversed([step for step in self.done if step.phase is phase]):
                if (call := self._undo_call(step)) is not None:
                    outputs = self._send(step, call, undo=True)
                    waiting.append(Waiting(address=step.address, step=step, call=call, outputs=outputs))
            if phase is Phase.UPDATE:
                self._wait_for_undo(waiting)

    def _wait_for_undo(self, waiting: Sequence[Waiting]) -> None:
        try:
            ports = self.ports
            wait_for(waiting, ports.ask, ports.clock, ports.emit, ports.stop, self.options.timeout)
        except LostError as lost:
            for one, note in lost.failed:
                self._fail(one.step, StepError(note), undo=True)
            raise StepError("; ".join(f"{one.address}: {note}" for one, note in lost.failed)) from lost
        if self.ports.stop.is_set():
            raise StoppingError

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

    def _token(self, step: Step) -> str:
        """The same for each repetition of this step of this deployment, and for no other; 64 characters at most."""
        text = f"{self.plan.digest}/{self.number}/{step.index}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _at(self) -> str:
        return timestamp(self.ports.clock)

    def _result(self, outcome: Outcome, reason: str = "", error: EcsplanError | None = None) -> Result:
        state, hint = (error.state, error.hint) if error else ("", "")
        clean = self.ports.clean
        return Result(number=self.number, outcome=outcome, reason=clean(reason), state=clean(state), hint=hint)


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


def timestamp(clock: Clock) -> str:
    """ISO 8601 in UTC, milliseconds."""
    return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
