"""Fakes of what the executor and the pipeline touch besides AWS: a clock, a journal, the clients of a gateway."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
from botocore.exceptions import ClientError, ReadTimeoutError

from ecsplan.aws.gateway import Gateway
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.journal import Began, Closed, Done, Entry, Failed
from tests.unit.builders import REGION, START
from tests.unit.failing_account import READS, FailingAccount


class FakeClock:
    """Time passes when somebody sleeps, and only then."""

    def __init__(self, chance: float = 1.0) -> None:
        self.time, self.chance = START, chance
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds
        self.on_sleep()

    def random(self) -> float:
        return self.chance


def refusal(code: str = "ClientException", message: str = "no") -> AwsError:
    """AWS has answered no."""
    return AwsError(message, code=code)


def lost(message: str = "the connection broke before an answer came") -> AwsError:
    """Nobody saw the answer."""
    return AwsError(message, code="NoConnection", unclear=True)


def throttled() -> AwsError:
    return AwsError("Rate exceeded", code="ThrottlingException")


class FakeLog:
    """A journal in memory. `on_append` may raise, and then the entry is not written."""

    def __init__(self, trace: list[str]) -> None:
        self.entries: list[Entry] = []
        self.on_append: Callable[[Entry], None] = lambda _entry: None
        self._trace, self._lock = trace, threading.Lock()

    def append(self, entry: Entry) -> None:
        with self._lock:
            self.on_append(entry)
            self.entries.append(entry)
            match entry:
                case Began() | Done() | Failed():
                    what = type(entry).__name__.lower()
                    self._trace.append(f"{'undo ' if entry.undo else ''}{what} {entry.step}")
                case Closed():
                    self._trace.append(f"closed {entry.outcome.value}")

    def of(self, kind: type[msgspec.Struct]) -> list[Any]:
        return [entry for entry in self.entries if isinstance(entry, kind)]


class FakeClient:
    """A boto3 client of one service, answered by that account."""

    def __init__(self, aws: FailingAccount, service: str) -> None:
        self._aws, self._service, self.closed = aws, service, False

    def __getattr__(self, operation: str) -> Callable[..., Doc]:
        def send(**params: Any) -> Doc:
            call = Call(service=self._service, operation=operation, params=params)
            try:
                if operation.startswith(READS):
                    return dict(self._aws.fetch([call])[0].value())
                return dict(self._aws.write(call))
            except AwsError as error:
                if error.unclear:
                    raise ReadTimeoutError(endpoint_url="https://aws") from error
                response: Any = {"Error": {"Code": error.code, "Message": error.message}}
                raise ClientError(response, operation) from error

        return send

    def close(self) -> None:
        self.closed = True


def gateway_to(aws: FailingAccount) -> Gateway:
    """A gateway whose clients are answered by that account; no session is made, and nothing is sent."""
    gateway = Gateway(region=REGION)
    gateway._session = SimpleNamespace(region_name=REGION)
    for service in ("ecs", "events", "sns", "sts"):
        for once in (True, False):
            gateway._clients[service, once] = FakeClient(aws, service)
    return gateway


def child_environment() -> dict[str, str]:
    """For a Python process of its own: it finds the same modules, wherever it is started."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
