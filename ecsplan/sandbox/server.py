"""The embedded AWS as a whole: one server, one state, and what can be ordered of it. See docs/sandbox.md."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from . import rollouts
from .account import Account
from .control import Control
from .ecs import Clock
from .errors import AwsError
from .exchange import Answer, Incoming, Request, refusal, success
from .faults import Fault, Gate
from .http import HttpServer
from .orders import Orders
from .others import Others, identity
from .outcomes import AlarmRule
from .seed import Seeded, seed
from .state import Doc

#: The log keeps this many requests, the newest.
KEPT_REQUESTS: Final = 10_000


class _RealTime:
    def now(self) -> float:
        return time.time()


class Sandbox(Orders):
    """An AWS on loopback, for tests and rehearsals. A context manager; ``start`` and ``stop`` do the same.

    Every method may be called from any thread. ``clock`` has ``now()``, in epoch seconds; rollouts and tasks go on as
    far as it says whenever somebody asks, so a clock that tests move makes waiting unnecessary. With ``rates`` it
    throttles as AWS does, by the same clock.
    """

    def __init__(
        self, port: int = 0, clock: Clock | None = None, *, region: str = "eu-west-1", rates: bool = False
    ) -> None:
        self._port = port
        self._clock: Clock = clock or _RealTime()
        self._region = region
        super().__init__()
        self.rates = self._rates_at_first = rates
        self._log_lock = threading.Lock()
        self._gate = Gate()
        self._others = Others()
        self._control = Control(self)
        self._http: HttpServer | None = None
        self._forget()

    def _forget(self) -> None:
        self._account = Account(self._clock, self._outcomes)
        self._requests: dict[int, Request] = {}
        self._numbers = itertools.count(1)

    # -- running -------------------------------------------------------------------------------------------------

    def start(self) -> Sandbox:
        """Listen. Raises OSError when the port is taken."""
        if self._http is None:
            self._http = HttpServer(self._port, self._respond, self._region)
            threading.Thread(target=self._http.serve, name="ecsplan-sandbox", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening; requests that are being held are dropped."""
        if self._http is not None:
            self._gate.release(abandon=True)
            self._http.stop()
            self._http = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; raises RuntimeError unless started."""
        if self._http is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._http.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 and the AWS CLI need in their environment to use the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": self._region,
        }

    # -- looking back ----------------------------------------------------------------------------------------------

    @property
    def requests(self) -> tuple[Request, ...]:
        """The finished requests in the order in which they arrived."""
        with self._log_lock:
            return tuple(self._requests[number] for number in sorted(self._requests))

    def clear_requests(self) -> None:
        """Forget the requests that have finished; numbers go on."""
        with self._log_lock:
            self._requests.clear()

    def reset(self) -> None:
        """Forget everything: state, faults, outcomes, settings and the log of requests. Held requests are dropped."""
        self._gate.release(abandon=True)
        with self._lock, self._log_lock:
            self._faults.clear()
            self._outcomes.clear()
            self._others.reset()
            self._forget()
            self.latency = 0.0
            self.rates = self._rates_at_first

    # -- ordering what is under way; the rest of it is in Orders ---------------------------------------------------

    def clear_faults(self) -> None:
        """Forget the faults that were ordered and have not happened yet."""
        self._faults.clear()

    def release(self, drop: bool = False) -> None:
        """Let the requests that are being held go on; with ``drop`` close their connections and carry out none."""
        self._gate.release(abandon=drop)

    @property
    def holding(self) -> int:
        """How many requests are being held."""
        return self._gate.waiting

    def alarm(
        self,
        name: str,
        seconds: float | None = None,
        stage: str | None = None,
        service: str | None = None,
        image: str | None = None,
    ) -> None:
        """Have a CloudWatch alarm go off: in rollouts that begin from now on, ``seconds`` after their beginning or
        when they enter ``stage``; without either of these, now, for those that are under way.

        It makes those fail whose deploymentConfiguration watches it. ``service`` and ``image`` are globs.
        """
        rule = AlarmRule(name=name, seconds=seconds, stage=stage, service=service, image=image)
        if seconds is not None or stage is not None:
            self._order_alarm(rule)
            return
        with self._lock:
            for ecs in self._account.settle():
                rollouts.ring_now(ecs.region, rule)

    # -- state -----------------------------------------------------------------------------------------------------

    def seed(self, requests: Mapping[str, Any], cluster: str = "default", topics: Iterable[str] = ()) -> Seeded:
        """Make what the compiled ``requests`` of a spec refer to, as it would have been before the first deployment."""
        with self._lock:
            ecs, events = self._account.ecs(self._region), self._account.events(self._region)
            made = seed(ecs, events, requests, cluster)
        for topic in topics:
            self._others.create_topic(topic)
        return made.with_topics(topics)

    def ecs(self, region: str | None = None) -> EcsHandle:
        """The ECS of a region without HTTP, faults and log: ``call(operation, params) -> answer``."""
        return EcsHandle(self, region or self._region)

    # -- answering -------------------------------------------------------------------------------------------------

    def _respond(self, incoming: Incoming) -> Answer | None:
        """The answer to an HTTP request; None closes the connection."""
        if incoming.path.startswith("/_sandbox/"):
            return self._control.respond(incoming)
        began = time.monotonic()
        operation, params = incoming.read()
        with self._log_lock:
            number, log = next(self._numbers), self._requests
        try:
            answer = self._through_faults(incoming, operation, params)
        except Exception as error:
            # A fault of the sandbox itself must not look like a network that breaks.
            text = f"the sandbox failed in {operation}: {type(error).__name__}: {error}"
            answer = refusal(incoming, AwsError("InternalFailure", text, 500))
        request = Request(
            number=number,
            service=incoming.service,
            operation=operation,
            params=params if isinstance(params, dict) else {},
            status=answer.status if answer else 0,
            error=answer.error if answer else "",
            began=began,
            ended=time.monotonic(),
        )
        with self._log_lock:
            log[number] = request  # which is nobody's log any more after a reset
            if len(log) > KEPT_REQUESTS:
                del log[min(log)]
        return answer

    def _through_faults(self, incoming: Incoming, operation: str, params: object) -> Answer | None:
        """A fault that was ordered comes first; a request that is throttled is not carried out."""
        fault = self._faults.take(operation, params if isinstance(params, dict) else {})
        throttled = self._throttled(incoming, operation) if self.rates and not fault else None
        if self.latency:
            time.sleep(self.latency)
        if throttled:
            return refusal(incoming, throttled)
        kind = fault.kind if fault else ""
        if fault and kind in ("throttle", "error"):
            return refusal(incoming, fault.refusal())
        if kind == "drop_before" or (kind == "hold" and not self._gate.wait()):
            return None
        answer = self._carry_out(incoming, operation, params, fault)
        return None if kind == "drop_after" else answer

    def _throttled(self, incoming: Incoming, operation: str) -> AwsError | None:
        with self._lock:
            return self._account.buckets.take(incoming.service, operation, incoming.region, self._clock.now())

    def _carry_out(self, incoming: Incoming, operation: str, params: object, fault: Fault | None) -> Answer:
        partial = fault if fault and fault.kind in ("failures", "failed_entries") else None
        try:
            if incoming.service == "ecs":
                usual = "RESOURCE:MEMORY" if operation == "RunTask" else "MISSING"
                unplaced = {"reason": partial.code or usual, "detail": partial.message} if partial else None
                count = partial.count if partial else 1
                with self._lock:
                    return success(self._account.ecs(incoming.region).call(operation, params, unplaced, count))
            if incoming.service == "events":
                code = (
                    {"ErrorCode": partial.code or "InternalException", "ErrorMessage": partial.message}
                    if partial
                    else None
                )
                with self._lock:
                    return success(self._account.events(incoming.region).call(operation, params, code))
            if incoming.service == "logs" and isinstance(params, dict):
                answer = self._log_answer(incoming.region, operation, params)
                if answer is not None:
                    return success(answer)
        except AwsError as error:
            return refusal(incoming, error)
        own = not incoming.access_key.startswith(("ASIA", "LSIA"))  # credentials of a role are moto's to know
        if incoming.service == "sts" and operation == "GetCallerIdentity" and own:
            return identity()
        return self._others.respond(incoming)

    def _log_answer(self, region: str, operation: str, params: Doc) -> Doc | None:
        """What containers have written; None for what is moto's. Raises AwsError."""
        with self._lock:
            self._account.settle()
            if self._account.logs.holds(region, operation, params):
                return self._account.logs.call(region, operation, params, self._clock.now())
        return None


class EcsHandle:
    """A region's ECS for tests: no HTTP, no faults, no log."""

    def __init__(self, sandbox: Sandbox, region: str) -> None:
        self._sandbox = sandbox
        self._region = region

    def call(self, operation: str, params: Mapping[str, Any] | None = None) -> Doc:
        """The answer of an operation, such as ``call("DescribeServices", {"services": ["web"]})``. Raises AwsError."""
        with self._sandbox._lock:
            return copy.deepcopy(self._sandbox._account.ecs(self._region).call(operation, dict(params or {})))
