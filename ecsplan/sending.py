"""One call of a step: journal, send, judge, journal. What is unclear is looked up before it is sent again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ecsplan import events
from ecsplan.errors import AwsError, EcsplanError, JournalError, RefusedError, StoppingError
from ecsplan.journal import Began, Done, Entry, Failed
from ecsplan.kinds import kind_of
from ecsplan.kinds.base import Ask
from ecsplan.model import Call, Doc, Step
from ecsplan.redact import mask_step
from ecsplan.waiting import Clock

# A refusal that means "later" is repeated after 1, 2, 4, … seconds, at most this many times in all.
PATIENCE = 8
# How often a call is sent again whose answer was lost, and which AWS does not show to have been carried out.
LOST = 2


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


class StepError(EcsplanError):
    """A step was refused, or its effect failed."""


class Sent:
    """What is known of a step's requests so far."""

    may_have_acted = False


class Sender:
    """Sends the calls of one deployment."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def send(self, step: Step, call: Call, sent: Sent, *, undo: bool = False) -> dict[str, str]:
        """The outputs of the call; raises what it was refused with, journaled and told. `sent` tells afterwards whether
        it may have been carried out all the same."""
        self.ports.log.append(Began(at=self.now(), step=step.index, undo=undo))
        self.ports.emit(events.StepStarted(step=mask_step(step), undo=undo))
        try:
            answer, outputs = self._accepted(step, call, sent)
        except EcsplanError as error:
            self.fail(step, error, undo=undo, unclear=sent.may_have_acted)
            raise
        self.done(step, outputs, undo=undo)
        self.ports.told(step, call, answer)
        return outputs

    def done(self, step: Step, outputs: dict[str, str], *, undo: bool = False) -> None:
        self.ports.log.append(Done(at=self.now(), step=step.index, outputs=outputs, undo=undo))
        self.ports.emit(events.StepDone(step=mask_step(step), outputs=outputs, undo=undo))

    def warn(self, message: str) -> None:
        self.ports.emit(events.Warned(message=message))

    def now(self) -> str:
        return timestamp(self.ports.clock)

    def _accepted(self, step: Step, call: Call, sent: Sent) -> tuple[Doc, dict[str, str]]:
        """The answer and its outputs. Refusals that mean "later" are repeated, and so are entries that failed alone;
        after each lost answer AWS is asked whether the call was carried out before it is sent again."""
        kind = kind_of(step.address)
        lost = 0
        for attempt in range(PATIENCE):
            last = attempt == PATIENCE - 1
            again: AwsError | None = None
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
                lost += error.unclear
                if last or lost > LOST or not (error.unclear or self.ports.later(error)):
                    raise
                again = error
                self.warn(f"{step.address}: trying again: {self.ports.clean(error.message)}")
            self.ports.clock.sleep(min(2.0**attempt, 20) * (0.5 + self.ports.clock.random() / 2))
            if self.ports.stop.is_set():
                raise StoppingError
            # Looked up after the pause, so that AWS has had time to show what it did.
            if again and again.unclear and (found := self._found(step, call, again)) is not None:
                return {}, dict(found)
        raise AssertionError("the last attempt returns or raises")

    def _found(self, step: Step, call: Call, error: AwsError) -> Mapping[str, str] | None:
        """The outputs of a call whose answer was lost, if AWS shows that it was carried out."""
        try:
            return kind_of(step.address).reconcile(self.ports.ask, step, call)
        except AwsError as unseen:
            raise error from unseen  # still nobody knows

    def fail(self, step: Step, error: EcsplanError, *, undo: bool, unclear: bool = False) -> None:
        """Journal and tell a failure; one that cannot be journaled is told all the same."""
        message = self.ports.clean(error.message)
        self.ports.emit(events.StepFailed(step=mask_step(step), error=message, undo=undo))
        try:
            self.ports.log.append(Failed(at=self.now(), step=step.index, error=message, undo=undo, unclear=unclear))
        except JournalError as unwritten:
            raise JournalError(f"{error.message}; and {unwritten.message}") from error


def timestamp(clock: Clock) -> str:
    """ISO 8601 in UTC, milliseconds."""
    return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
