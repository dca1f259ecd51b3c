"""One call of a step: journal, send, judge, journal. What is unclear is looked up before it is sent again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ecsplan.core import events
from ecsplan.core.clock import Clock
from ecsplan.core.errors import AwsError, EcsplanError, Interrupted, JournalError, RefusedError
from ecsplan.core.model import Call, Doc, Step
from ecsplan.core.ports import Reader
from ecsplan.journal import Began, Done, Entry, Failed, Outcome
from ecsplan.kinds import kind_of
from ecsplan.redact import mask_step

# A refusal that means "later" is repeated after 1, 2, 4, … seconds, at most this many times in all.
PATIENCE = 8
# How often a call is sent again whose answer was lost, and which AWS does not show to have been carried out.
LOST = 2


class Log(Protocol):
    """The journal of this deployment; an entry is safe when `append` returns."""

    def append(self, entry: Entry) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """All that the executor touches. `ask` reads, `do` writes; `told` hears of every call that was carried out, `ended`
    once of how a deployment that may have changed something has ended, and why; `later` tells refusals that mean "not
    now"; `clean` takes secrets out of what AWS said."""

    ask: Reader
    do: Callable[[Call], Doc]
    log: Log
    clock: Clock
    emit: events.Listener
    told: Callable[[Step, Call, Doc], None] = lambda _step, _call, _answer: None
    ended: Callable[[Outcome, str], None] = lambda _outcome, _reason: None
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
        self.acted = False
        """may anything have been carried out?"""

    def send(self, step: Step, call: Call, sent: Sent, *, undo: bool = False) -> dict[str, str]:
        """The outputs of the call; raises what it was refused with, journaled and told. `sent` tells afterwards whether
        it may have been carried out all the same."""
        self.begin(step, undo=undo)
        try:
            answer, outputs = self._accepted(step, call, sent)
        except EcsplanError as error:
            made = error.outputs if isinstance(error, RefusedError) else None
            self.acted |= sent.may_have_acted or bool(made)
            self.fail(step, error, undo=undo, unclear=sent.may_have_acted and not made, outputs=made)
            raise
        self.acted = True
        self.done(step, outputs, undo=undo)
        self.ports.told(step, call, answer)
        return outputs

    def aside(self, step: Step, call: Call) -> None:
        """A call that is neither the step's nor its undo: it lets the step's effect go on. Raises what it was refused
        with, journaled."""
        name, log = str(call), self.ports.log
        log.append(Began(at=self.now(), step=step.index, aside=name))
        try:
            answer, _ = self._accepted(step, call, Sent())
        except EcsplanError as error:
            log.append(Failed(at=self.now(), step=step.index, error=self.ports.clean(error.message), aside=name))
            raise
        log.append(Done(at=self.now(), step=step.index, outputs={}, aside=name))
        self.ports.told(step, call, answer)

    def begin(self, step: Step, *, undo: bool = False) -> None:
        self.ports.log.append(Began(at=self.now(), step=step.index, undo=undo))
        self.ports.emit(events.StepStarted(step=mask_step(step), undo=undo))

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
                return answer, kind.calls.accept(step, call, answer)
            except RefusedError as error:
                sent.may_have_acted |= error.outputs is None or bool(error.outputs)  # what did not fail was carried out
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
                raise Interrupted
            # Looked up after the pause, so that AWS has had time to show what it did.
            if again and again.unclear and (found := self._found(step, call, again)) is not None:
                return {}, dict(found)
        raise AssertionError("the last attempt returns or raises")

    def _found(self, step: Step, call: Call, error: AwsError) -> Mapping[str, str] | None:
        """The outputs of a call whose answer was lost, if AWS shows that it was carried out."""
        try:
            return kind_of(step.address).calls.recover(self.ports.ask, step, call)
        except AwsError as unseen:
            raise error from unseen  # still nobody knows

    def fail(
        self,
        step: Step,
        error: EcsplanError,
        *,
        undo: bool,
        unclear: bool = False,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Journal and tell a failure, with what was made all the same; one that cannot be journaled is told too."""
        message, made = self.ports.clean(error.message), dict(outputs or {})
        entry = Failed(at=self.now(), step=step.index, error=message, undo=undo, unclear=unclear, outputs=made)
        self.ports.emit(events.StepFailed(step=mask_step(step), error=message, undo=undo))
        try:
            self.ports.log.append(entry)
        except JournalError as unwritten:
            raise JournalError(f"{error.message}; and {unwritten.message}") from error


def timestamp(clock: Clock) -> str:
    """ISO 8601 in UTC, milliseconds."""
    return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def worst(failures: Sequence[BaseException]) -> BaseException:
    """Of several failures at once, the one to act on: a surprise, then a journal that cannot be written (nothing
    more may be sent), then a known error with what the others said, then an interruption."""
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
