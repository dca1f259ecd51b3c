"""The executor's tests act on the embedded AWS: called directly, on the test's clock. A call of choice can fail."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecsplan.core.clock import Clock
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Answer
from ecsplan.sandbox import common
from tests.unit.builders import ACCOUNT, REGION
from tests.unit.live_account import LiveAccount

READS = ("describe_", "get_", "list_")


@dataclass
class Fault:
    """The calls `first` to `last` of this operation that mention `about` fail with `error`. `lost`: AWS carries the
    call out, and only its answer is lost. `for_all`: a read raises it, so that the other calls have no answer either.
    """

    operation: str
    error: AwsError
    about: str
    first: int
    last: int
    lost: bool
    for_all: bool
    seen: int = 0


class FailingAccount(LiveAccount):
    """One account and region. Thread-safe. `sent` and `asked` are the calls so far, `trace` their operations."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.sent: list[Call] = []
        self.asked: list[tuple[Call, ...]] = []
        self.trace: list[str] = []
        self.places: int | None = None
        """how many more one-off tasks find a place; None is any number"""
        self.answers: dict[str, Doc] = {"publish": {"MessageId": "1"}, "get_caller_identity": {"Account": ACCOUNT}}
        """by operation: answered instead of what the account would answer"""
        self.on_call: Callable[[Call], None] = lambda _call: None
        self.on_ask: Callable[[Sequence[Call]], None] = lambda _calls: None
        self._faults: list[Fault] = []
        self._lock = threading.RLock()

    # --- what fails ---

    def fail(
        self,
        operation: str,
        error: AwsError,
        *,
        about: str = "",
        at: int = 1,
        times: int = 1,
        lost: bool = False,
        for_all: bool = False,
    ) -> None:
        """Let `times` calls fail, from the one with the number `at` on, of those that mention `about`."""
        self._faults.append(Fault(operation, error, about, at, at + times - 1, lost, for_all))

    def _fault(self, call: Call) -> Fault | None:
        hit = None
        for fault in self._faults:
            if fault.operation == call.operation and fault.about in repr(call.params):
                fault.seen += 1
                if hit is None and fault.first <= fault.seen <= fault.last:
                    hit = fault
        return hit

    # --- the ports ---

    def write(self, call: Call) -> Doc:
        with self._lock:
            self.sent.append(call)
            self.trace.append(call.operation)
            fault = self._fault(call)
        self.on_call(call)
        if fault and not fault.lost:
            raise copy.copy(fault.error)
        with self._lock:
            answer = self._carried_out(call)
        if fault:
            raise copy.copy(fault.error)
        return answer

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        with self._lock:
            self.asked.append(tuple(calls))
            self.trace += [call.operation for call in calls]
        self.on_ask(calls)
        with self._lock:
            return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        assert call.operation.startswith(READS), f"{call} is not a question"
        fault = self._fault(call)
        if fault and fault.for_all:
            raise fault.error
        if fault:
            return Answer(call=call, error=fault.error)
        try:
            return Answer(call=call, data=self._carried_out(call))
        except AwsError as error:
            return Answer(call=call, error=error)

    def _carried_out(self, call: Call) -> Doc:
        if call.operation in self.answers:
            return self.answers[call.operation]
        operation = "".join(word.title() for word in call.operation.split("_"))
        try:
            if call.service == "events":
                return copy.deepcopy(self.events.call(operation, call.params))
            if call.service == "logs":
                return self.ecs.region.logs.call(REGION, operation, call.params, self.clock.now())
            unplaced = self._unplaced(call)
            reason = {"reason": "RESOURCE:CPU"} if unplaced else None
            return copy.deepcopy(self.ecs.call(operation, call.params, reason, unplaced))
        except common.AwsError as error:
            raise AwsError(error.message, code=error.code) from error

    def _unplaced(self, call: Call) -> int:
        """How many tasks of this RunTask find no place."""
        if call.operation != "run_task" or self.places is None:
            return 0
        count = call.params.get("count", 1)
        placed = min(count, self.places)
        self.places -= placed
        return int(count - placed)

    # --- what was sent ---

    def calls(self, operation: str) -> list[Doc]:
        """The parameters of each mutating call of this operation, in the order of arrival."""
        return [call.params for call in self.sent if call.operation == operation]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.sent]
