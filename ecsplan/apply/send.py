"""One call of a step: journal, send, judge the answer, journal. A lost answer is looked up before the call is sent
again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ecsplan.apply.state import RunState
from ecsplan.aws.errors import is_throttled
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock, timestamp
from ecsplan.core.errors import AwsError, EcsplanError, Interrupted, JournalError, RefusedError
from ecsplan.core.model import Call, Doc, Outputs, Step
from ecsplan.core.ports import Reader
from ecsplan.journal import Began, Done, Entry, Failed
from ecsplan.redact import mask_step

# A refusal that means "later" is repeated after 1, 2, 4, … seconds, at most this many times in all.
MAX_ATTEMPTS = 8
# How often a call is sent again whose answer was lost, and which AWS does not show to have been carried out.
MAX_RESENDS = 2


class Log(Protocol):
    """The journal of this deployment; an entry is safe when `append` returns."""

    def append(self, entry: Entry) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """All that a deployment touches. `write` sends one call that changes something; its clock says when to stop."""

    read: Reader
    write: Callable[[Call], Doc]
    journal: Log
    clock: StoppableClock
    emit: events.Emit


class StepError(EcsplanError):
    """A step was refused, or its effect failed."""


class Attempts:
    """What is known of the requests of one call so far."""

    may_have_acted = False


class Sender:
    """Sends the calls of one deployment. Every entry that is written is recorded in the state."""

    def __init__(self, ports: Ports, state: RunState) -> None:
        self._ports, self._state = ports, state
        self.acted = False
        """may this process have changed anything?"""

    def send(self, step: Step, call: Call, *, undo: bool = False) -> dict[str, str]:
        """The outputs of the call. Raises what it was refused with, journaled and reported; Interrupted, before it is
        sent, when the deployment is to stop."""
        if self._ports.clock.stopped:
            raise Interrupted
        attempts = Attempts()
        self.begin(step, undo=undo)
        try:
            answer, outputs = self._accepted(step, call, attempts)
        except EcsplanError as error:
            made = error.outputs if isinstance(error, RefusedError) else None
            self.acted |= attempts.may_have_acted or bool(made)
            self.fail(step, error, undo=undo, unclear=attempts.may_have_acted and not made, outputs=made)
            raise
        self.acted = True
        self.done(step, outputs, undo=undo)
        self._ports.emit(events.CallAnswered(step=step, call=call, answer=answer))
        return outputs

    def send_side_call(self, step: Step, call: Call) -> None:
        """A call that is neither the step's nor its undo: it lets the step's effect continue. Raises what it was
        refused with, journaled."""
        name = str(call)
        self._append(Began(at=self._now(), step=step.index, aside=name))
        try:
            answer, _ = self._accepted(step, call, Attempts())
        except EcsplanError as error:
            self._append(Failed(at=self._now(), step=step.index, error=error.message, aside=name))
            raise
        self._append(Done(at=self._now(), step=step.index, outputs={}, aside=name))
        self._ports.emit(events.CallAnswered(step=step, call=call, answer=answer))

    def begin(self, step: Step, *, undo: bool = False) -> None:
        self._append(self._state.began(step, self._now(), undo=undo))
        self._ports.emit(events.StepStarted(step=mask_step(step), undo=undo))

    def done(self, step: Step, outputs: dict[str, str], *, undo: bool = False) -> None:
        self._append(Done(at=self._now(), step=step.index, outputs=outputs, undo=undo))
        self._ports.emit(events.StepDone(step=mask_step(step), outputs=outputs, undo=undo))

    def wait_only(self, step: Step, outputs: Outputs) -> None:
        """Nothing is sent: what the step waits for was begun before. Raises Interrupted when the deployment is to
        stop."""
        if self._ports.clock.stopped:
            raise Interrupted
        self._ports.emit(events.StepStarted(step=mask_step(step)))
        self.done(step, dict(outputs))

    def recovered(self, step: Step, call: Call, outputs: dict[str, str]) -> None:
        """A call whose answer was lost, and which AWS shows to have been carried out."""
        self.done(step, outputs)
        self._ports.emit(events.CallAnswered(step=step, call=call, answer={}))

    def fail(
        self,
        step: Step,
        error: EcsplanError,
        *,
        undo: bool,
        unclear: bool = False,
        outputs: Mapping[str, str] | None = None,
        stays: bool = False,
        superseded: bool = False,
    ) -> None:
        """Record and report a failure, with the outputs of what succeeded anyway. It is reported even if the journal
        cannot be written."""
        made = dict(outputs or {})
        entry = Failed(
            at=self._now(),
            step=step.index,
            error=error.message,
            undo=undo,
            unclear=unclear,
            outputs=made,
            stays=stays or msgspec.UNSET,
            superseded=superseded or msgspec.UNSET,
        )
        self._ports.emit(events.StepFailed(step=mask_step(step), error=error.message, undo=undo))
        try:
            self._append(entry)
        except JournalError as unwritten:
            raise JournalError(f"{error.message}; and {unwritten.message}") from error

    def warn(self, message: str) -> None:
        self._ports.emit(events.Warned(message=message))

    def _append(self, entry: Entry) -> None:
        self._ports.journal.append(entry)
        self._state.record(entry)

    def _now(self) -> str:
        return timestamp(self._ports.clock)

    def _accepted(self, step: Step, call: Call, attempts: Attempts) -> tuple[Doc, dict[str, str]]:
        """The answer and its outputs. Refusals that mean "later" are repeated, and so are entries that failed alone;
        where the kind knows another call to make after one, that is sent. After each lost answer AWS is asked whether
        the call was carried out, before it is sent again."""
        calls, lost = self._state.kind(step).calls, 0
        for attempt in range(MAX_ATTEMPTS):
            last = attempt == MAX_ATTEMPTS - 1
            again: AwsError | None = None
            try:
                answer = self._ports.write(call)
                return answer, calls.accept(step, call, answer)
            except RefusedError as error:
                # What did not fail was carried out.
                attempts.may_have_acted |= error.outputs is None or bool(error.outputs)
                if last or not isinstance(error.again, Call):
                    raise
                call = error.again
            except AwsError as error:
                attempts.may_have_acted |= error.unclear
                lost += error.unclear
                other = None if error.unclear or last else calls.instead(step, call, error)
                if other is not None:
                    call, left_out = other
                    self.warn(f"{step.address}: {left_out}")
                    continue
                if last or lost > MAX_RESENDS or not (error.unclear or is_throttled(error) or calls.retryable(error)):
                    raise
                again = error
                self.warn(f"{step.address}: trying again: {error.message}")
            clock = self._ports.clock
            clock.sleep(min(2.0**attempt, 20) * (0.5 + clock.random() / 2))
            if clock.stopped:
                raise Interrupted
            # Looked up after the pause, so that AWS has had time to show what it did.
            if again and again.unclear and (found := self._recovered(step, call, again)) is not None:
                return {}, dict(found)
        raise AssertionError("the last attempt returns or raises")

    def _recovered(self, step: Step, call: Call, error: AwsError) -> Mapping[str, str] | None:
        """The outputs of a call whose answer was lost, if AWS shows that it was carried out."""
        try:
            return self._state.kind(step).calls.recover(self._ports.read, step, call)
        except AwsError as unknown:
            raise error from unknown
