"""The embedded AWS: one HTTP server over the simulated account and moto. See docs/sandbox.md."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from .common import AwsError, Clock
from .control import Control, Orders
from .ecs.state import Doc
from .faults import Fault
from .further import services
from .http import HttpServer
from .others import identity
from .rates import throttled
from .seed import Seeded, seed
from .wire import Answer, Incoming, Request, refusal, success

#: The log keeps this many requests, the newest.
KEPT_REQUESTS: Final = 10_000


class _RealTime:
    def now(self) -> float:
        return time.time()


class Sandbox(Orders):
    """An AWS on loopback, for tests and rehearsals. A context manager; ``start`` and ``stop`` do the same.

    Thread-safe. ``clock`` has ``now()``, in epoch seconds. Rollouts and tasks progress by this clock alone, so tests
    that move it need not wait. With ``rates`` it throttles as AWS does, by the same clock.
    """

    def __init__(
        self, port: int = 0, clock: Clock | None = None, *, region: str = "eu-west-1", rates: bool = False
    ) -> None:
        super().__init__(clock or _RealTime(), rates=rates)
        self._port, self._region = port, region
        self._control = Control(self)
        self._http: HttpServer | None = None

    # -- running -------------------------------------------------------------------------------------------------

    def start(self) -> Sandbox:
        """Listen. Raises OSError when the port is taken."""
        if self._http is None:
            self._http = HttpServer(self._port, self._respond, self._region)
            threading.Thread(target=self._http.serve, name="ecsplan-sandbox", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening. Held requests are dropped."""
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
        """``http://127.0.0.1:PORT``. Raises RuntimeError unless started."""
        if self._http is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._http.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which boto3 and the AWS CLI use the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": self._region,
        }

    # -- state -----------------------------------------------------------------------------------------------------

    def seed(self, requests: Mapping[str, Any], cluster: str = "default", topics: Iterable[str] = ()) -> Seeded:
        """Create what the compiled ``requests`` of a spec refer to, as before its first deployment."""
        with self._lock:
            further = {name: self._account.further(name, self._region) for name in services()}
            made = seed(self._account.ecs(self._region), further, requests, cluster)
        for topic in topics:
            self._others.create_topic(topic)
        return made.with_topics(topics)

    def ecs(self, region: str | None = None) -> EcsHandle:
        """The ECS of a region without HTTP, faults and log: ``call(operation, params) -> answer``."""
        return EcsHandle(self, region or self._region)

    # -- answering -------------------------------------------------------------------------------------------------

    def _respond(self, incoming: Incoming) -> Answer | None:
        """The answer to an HTTP request. None closes the connection."""
        if incoming.path.startswith("/_sandbox/"):
            return self._control.respond(incoming)
        began = time.monotonic()
        operation, params = incoming.read()
        with self._log_lock:
            number, log = next(self._numbers), self._requests
        try:
            answer = self._through_faults(incoming, operation, params)
        except Exception as error:
            # A bug of the sandbox must not appear as a network failure.
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
            log[number] = request  # after a reset this is the old log, which is not read again
            if len(log) > KEPT_REQUESTS:
                del log[min(log)]
        return answer

    def _through_faults(self, incoming: Incoming, operation: str, params: object) -> Answer | None:
        """An ordered fault comes first, then throttling. A throttled request is not carried out."""
        fault = self._faults.take(operation, params if isinstance(params, dict) else {})
        too_many = self._throttled(incoming, operation) if self.rates and not fault else None
        if self.latency:
            time.sleep(self.latency)
        if too_many:
            return refusal(incoming, too_many)
        kind = fault.kind if fault else ""
        if fault and kind in ("throttle", "error"):
            return refusal(incoming, fault.refusal(throttled(incoming.service, operation)))
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
                    ecs = self._account.ecs(incoming.region)
                    return success(incoming, operation, ecs.call(operation, params, unplaced, count))
            if incoming.service in services():
                code = (
                    {"ErrorCode": partial.code or "InternalException", "ErrorMessage": partial.message}
                    if partial
                    else None
                )
                with self._lock:
                    service = self._account.further(incoming.service, incoming.region)
                    return success(incoming, operation, service.call(operation, params, code))
            if incoming.service == "logs" and isinstance(params, dict):
                answer = self._log_answer(incoming.region, operation, params)
                if answer is not None:
                    return success(incoming, operation, answer)
        except AwsError as error:
            return refusal(incoming, error)
        own = not incoming.access_key.startswith(("ASIA", "LSIA"))  # moto knows the credentials of roles
        if incoming.service == "sts" and operation == "GetCallerIdentity" and own:
            return identity()
        return self._others.respond(incoming)

    def _log_answer(self, region: str, operation: str, params: Doc) -> Doc | None:
        """What containers have written, None for what moto serves. Raises AwsError."""
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
