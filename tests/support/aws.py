"""The stand-in for AWS: one account, with its clock, its faults and its log of requests, and two ways to it.

`Aws.in_process` is a gateway without botocore and HTTP, for what is played thousands of times; a fault or the end of
the process can be had at any of its requests. `Aws.http` leads there what users run: botocore, and other processes.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.httpsession import URLLib3Session

from ecsplan import pipeline
from ecsplan.aws.errors import FOR_ALL_CALLS, TOO_OFTEN, refused, unanswered
from ecsplan.aws.gateway import ATTEMPTS, ONCE, READS, AwsReader, Gateway
from ecsplan.core import events
from ecsplan.core.codec import to_data
from ecsplan.core.errors import AwsError, EcsplanError
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.core.ports import Answer
from ecsplan.core.spec import Spec
from ecsplan.journal import Origin, open_store
from ecsplan.plan.compile import requests
from ecsplan.sandbox import wire
from ecsplan.sandbox.account import Account
from ecsplan.sandbox.common import ACCOUNT
from ecsplan.sandbox.faults import Fault
from tests.support.clock import Clock
from tests.support.in_process import answer_of, aws_name, request_of
from tests.support.live import REGION, Live

__all__ = [
    "ACCOUNT",
    "REGION",
    "TROUBLES",
    "Aws",
    "Fault",
    "InProcess",
    "Killed",
    "Point",
    "aws_name",
    "pausing",
    "site",
]

#: A float as pickle writes it, of seconds since the epoch between 2004 and 2038.
TIME = re.compile(rb"G\x41[\xd0-\xdf].{6}", re.DOTALL)
#: What happens at a point. `repeated`: carried out, the answer lost, and sent again by botocore itself.
TROUBLES = ("killed before", "killed after", "lost before", "lost after", "repeated")


def unchanged(body: bytes) -> bytes:
    return body


class Aws(Live):
    """An account of its own, with all that can be ordered of the embedded AWS."""

    def __init__(self, clock: Clock | None = None, *, rates: bool = False) -> None:
        super().__init__(clock or Clock(), rates=rates)
        self.published: list[str] = []
        """what the messages were about that `in_process` published"""
        self.arrives: Callable[[wire.Incoming], None] = lambda _incoming: None
        """called with every request before it is answered, botocore's repetitions included"""
        self.edited: Callable[[Doc], None] | None = None
        """changes each answer of the JSON protocol in place, for commands that go there over HTTP"""
        self.rewrites: Callable[[bytes], bytes] = unchanged
        """what becomes of the body of every answer, on both ways"""
        self._settled = 0.0

    def seed_with(self, spec: Spec) -> None:
        """What is there before the spec's first deployment, without its topics: `in_process` needs none."""
        self.seed(requests(spec, "sandbox"), spec.cluster or "default")

    def reset(self) -> None:
        super().reset()
        self.published.clear()
        self.edited = None
        self.rewrites = unchanged

    def _respond(self, incoming: wire.Incoming) -> wire.Answer | None:
        self.arrives(incoming)
        answer = super()._respond(incoming)
        if answer is None:
            return None
        answer = replace(answer, body=self.rewrites(answer.body))
        if self.edited is None or "x-amz-target" not in incoming.headers:
            return answer
        data: Doc = json.loads(answer.body)
        self.edited(data)
        return replace(answer, body=json.dumps(data).encode())

    # --- the account as a value ---

    def copied(self) -> Aws:
        """The same account, settled, with a clock of its own. Faults and the log of requests are not copied."""
        if self.clock.time != self._settled:  # not once more for each copy
            self.settle()
            self._settled = self.clock.time
        account: Account = pickle.loads(pickle.dumps(self._account, pickle.HIGHEST_PROTOCOL))
        clock: Any = account.clock
        made = Aws(clock)
        made._account, made._outcomes = account, account.outcomes
        made.published = list(self.published)
        return made

    def content(self) -> bytes:
        """All that is in the account, for comparison: whole, but for the times, and for the clock."""
        written = io.BytesIO()
        _Content(written, pickle.HIGHEST_PROTOCOL).dump((self._account, self.published))
        return TIME.sub(b"", written.getvalue())

    # --- the ways to it ---

    def in_process(
        self,
        *,
        fault: Callable[[Call], Fault | None] = lambda _call: None,
        kill_at: Point | None = None,
        trouble: str = "killed before",
        edited: Callable[[Call, Doc], None] = lambda _call, _answer: None,
    ) -> InProcess:
        """A gateway for one command.

        `fault` is called before each request, and may return what it meets; not where it is one to STS or SNS, which
        are answered here. At `kill_at` there is `trouble`, one of TROUBLES. `edited` changes each answer in place.
        """
        return InProcess(self, fault=fault, kill_at=kill_at, trouble=trouble, edited=edited)

    @contextmanager
    def http(self) -> Iterator[Aws]:
        """Serves it on loopback. The requests of this process take no socket: what botocore would write to one is
        answered in the thread that sends it. What is replaced is botocore's own, `URLLib3Session.send`, behind which
        there is only the network."""
        sent = URLLib3Session.send

        def send(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
            if not request.url.startswith(self.url + "/"):
                return sent(session, request)
            answer = self._respond(_incoming(request))
            if answer is None:
                raise ConnectionClosedError(error="dropped", endpoint_url=request.url, request=request)
            return _response(request, answer)

        with self, pytest.MonkeyPatch.context() as patch:
            patch.setattr(URLLib3Session, "send", send)
            yield self

    @property
    def environment(self) -> dict[str, str]:
        """That in which botocore finds this AWS, and nothing of the user's own."""
        nowhere = {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
        return {**nowhere, **super().environment}


class _Content(pickle.Pickler):
    def persistent_id(self, value: object) -> str | None:
        return "clock" if isinstance(value, Clock) else None


@contextmanager
def pausing(sleep: Callable[[float], object]) -> Iterator[None]:
    """botocore's pauses before it sends a request again go to `sleep`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=sleep))
        yield


def site(root: Path, gateway: InProcess | Gateway, clock: Clock, app: str = "shop") -> pipeline.Site:
    """Where `pipeline` deploys to: what is behind that gateway, with the journal in `root`."""
    origin = Origin(user="tests", host="here", pid=1, command="ecsplan apply")
    return pipeline.Site(app=app, store=open_store(root), gateway=gateway, origin=origin, clock=clock)  # type: ignore[arg-type]


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True, kw_only=True, order=True)
class Point:
    """One request of a command, told from the others by what it asks for, and by how often that was asked before:
    requests that are sent at once arrive in no particular order."""

    request: str
    number: int

    def __str__(self) -> str:
        return f"{self.request} #{self.number}"

    @property
    def operation(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def reads(self) -> bool:
        return self.operation.partition(":")[2].startswith(READS)

    @property
    def repeatable(self) -> bool:
        """Does botocore send it again by itself?"""
        return self.operation not in ONCE


class InProcess:
    """The ports of `aws.Gateway`: every request is answered at once, in the thread that sends it, and repeated as
    botocore does, without its pauses. `points` lists the requests in order; `met` is whether `kill_at` was among them.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        fault: Callable[[Call], Fault | None],
        kill_at: Point | None,
        trouble: str,
        edited: Callable[[Call, Doc], None],
    ) -> None:
        self._aws, self._fault, self._kill_at, self._trouble, self._edited = aws, fault, kill_at, trouble, edited
        self.points: list[Point] = []
        self.met = False
        self._seen: Counter[str] = Counter()
        self._one, self._dead = threading.RLock(), False
        self._identity: Future[Identity] | None = None

    # --- the ports ---

    def close(self) -> None:
        """Nothing is held."""

    def listen(self, listener: events.Listener) -> None:
        """Nothing is waited for."""

    def identity(self) -> Future[Identity]:
        """Asked for once."""
        if self._identity is None:
            asked = Call(service="sts", operation="get_caller_identity", params={})
            self._identity = _future(lambda: Identity(account=self.do(asked)["Account"], region=REGION))
        return self._identity

    def reader(self) -> AwsReader:
        return AwsReader(self, remember=True)  # type: ignore[arg-type]

    def poller(self) -> AwsReader:
        return AwsReader(self, remember=False)  # type: ignore[arg-type]

    def submit(self, call: Call) -> Future[Answer]:
        return _future(lambda: self._answer(call))

    def _answer(self, call: Call) -> Answer:
        """As the gateway has it: what keeps any call from being answered is raised."""
        try:
            return Answer(call=call, data=self.do(call))
        except AwsError as error:
            if error.code in FOR_ALL_CALLS:
                raise
            return Answer(call=call, error=error)

    def do(self, call: Call) -> Doc:
        with self._one:
            if self._dead:
                raise Killed
            name = named(call)
            self._seen[name] += 1
            point = Point(request=name, number=self._seen[name])
            self.points.append(point)
            if point != self._kill_at:
                return self._carried_out(call)
            self.met = True
            if self._trouble.endswith("before"):
                raise self._broken(call)
            with suppress(EcsplanError):  # nobody sees that answer either
                self._carried_out(call)
            if self._trouble == "repeated":
                return self._carried_out(call)
            raise self._broken(call)

    # --- behind them ---

    def _broken(self, call: Call) -> BaseException:
        if self._trouble.startswith("killed"):
            self._dead = True
            return Killed()
        return _lost(call)

    def _carried_out(self, call: Call) -> Doc:
        fault = self._fault(call)
        if call.service == "sts":
            return {"Account": ACCOUNT}
        if call.service == "sns":
            self._aws.published.append(_about(call.params))
            return {"MessageId": "1"}
        answer = self._sent(call, fault)
        self._edited(call, answer)
        return answer

    def _sent(self, call: Call, fault: Fault | None) -> Doc:
        if fault is not None:
            more = {"code": fault.code, "message": fault.message, "status": fault.status, "count": fault.count}
            self._aws.fault(aws_name(call), fault.kind, **more)  # type: ignore[arg-type]
        request, attempts = request_of(call), 1 if str(call) in ONCE else ATTEMPTS
        for further in reversed(range(attempts)):
            answer = self._aws._respond(request)
            if answer is None:
                if not further:
                    raise _lost(call)
                continue
            data = answer_of(call, answer)
            if answer.status < 300:
                return data
            if not further or not (answer.status >= 500 or answer.error in TOO_OFTEN):
                raise _refused(call, answer.status, data, repeated=attempts - further - 1)
        raise AssertionError("the last attempt returns or raises")


# --- requests, answers and errors ---


def _refused(call: Call, status: int, data: Doc, *, repeated: int) -> AwsError:
    """As the gateway makes it of botocore's."""
    seen: Any = {"Error": data["Error"], "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": repeated}}
    return refused(call, ClientError(seen, aws_name(call)))


def _lost(call: Call) -> EcsplanError:
    return unanswered(call, ConnectionClosedError(endpoint_url="http://127.0.0.1/"))


def _future(work: Callable[[], Any]) -> Future[Any]:
    """What has been worked out already."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
    return future


def _incoming(request: AWSPreparedRequest) -> wire.Incoming:
    url = urlsplit(request.url)
    path = f"{url.path}?{url.query}" if url.query else url.path
    headers = {name.lower(): _bytes(value).decode() for name, value in request.headers.items()}
    return wire.Incoming(
        method=request.method, path=path, headers=headers, body=_bytes(request.body), default_region=REGION
    )


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _response(request: AWSPreparedRequest, answer: wire.Answer) -> AWSResponse:
    raw: Any = SimpleNamespace(stream=lambda **_: iter((answer.body,)))
    headers: Any = HeadersDict(answer.headers)
    return AWSResponse(request.url, answer.status, headers, raw)


def _about(params: Mapping[str, Any]) -> str:
    """What a message is about: a call's method, or `deployment`."""
    message = json.loads(params["Message"])
    return str(message.get("method") or message.get("event"))


def named(call: Call) -> str:
    """What a request asks for, without what differs from run to run."""
    params: Mapping[str, Any] = {"method": _about(call.params)} if call.service == "sns" else call.params
    differing = ("clientToken", "startedBy", "tasks", "nextToken", "task", "logStreamName")
    kept = {name: value for name, value in params.items() if name not in differing}
    return f"{call} {json.dumps(kept, sort_keys=True, default=to_data)}"
