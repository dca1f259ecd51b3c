"""The embedded AWS without HTTP and without botocore: a gateway for what is played thousands of times."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ecsplan import pipeline
from ecsplan.aws.errors import EXPIRED, FOR_ALL_CALLS
from ecsplan.aws.gateway import ATTEMPTS, ONCE, AwsReader
from ecsplan.core import events
from ecsplan.core.codec import to_data
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.core.ports import Answer
from ecsplan.journal import Origin, open_store
from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.wire import Incoming
from tests.support.world import ACCOUNT, REGION, Clock

PREFIX = {"ecs": "AmazonEC2ContainerServiceV20141113", "events": "AWSEvents"}
AGAIN = ("ThrottlingException",)


class Ports:
    """The ports of `aws.Gateway` around `do`: every request is answered at once, in the thread that sends it."""

    def do(self, call: Call) -> Doc:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held."""

    def listen(self, told: events.Listener) -> None:
        """Nothing is waited for."""

    def identity(self) -> Future[Identity]:
        return answered(Identity(account=ACCOUNT, region=REGION))

    def reader(self) -> AwsReader:
        return AwsReader(self, remember=True)  # type: ignore[arg-type]

    def poller(self) -> AwsReader:
        return AwsReader(self, remember=False)  # type: ignore[arg-type]

    def submit(self, call: Call) -> Future[Answer]:
        """As the gateway has it: what keeps any call from being answered is raised by the future."""
        try:
            return answered(Answer(call=call, data=self.do(call)))
        except AwsError as error:
            return failed(error) if error.code in FOR_ALL_CALLS else answered(Answer(call=call, error=error))
        except BaseException as error:
            return failed(error)


class Direct(Ports):
    """An embedded AWS. Requests are repeated as botocore does, without its pauses."""

    def __init__(self, aws: Sandbox, before: Callable[[Call], None] = lambda _call: None) -> None:
        self.aws, self._before = aws, before

    def do(self, call: Call) -> Doc:
        self._before(call)
        if call.service == "sns":
            return {}
        for attempt in range(1, (1 if str(call) in ONCE else ATTEMPTS) + 1):
            last = attempt == (1 if str(call) in ONCE else ATTEMPTS)
            answer = self.aws._respond(request(call))
            if answer is None:
                if last:
                    raise failure(call, "NoConnection", "the connection broke before an answer came", unclear=True)
                continue
            data: Doc = json.loads(answer.body)
            if answer.status < 300:
                return data
            code, message = str(data.get("__type")), str(data.get("message"))
            if last or not (answer.status >= 500 or code in AGAIN):
                raise failure(call, code, message, unclear=answer.status >= 500 or attempt > 1)
        raise AssertionError("the last attempt returns or raises")


def answered(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def request(call: Call) -> Incoming:
    operation = "".join(part.capitalize() for part in call.operation.split("_"))
    headers = {"x-amz-target": f"{PREFIX[call.service]}.{operation}"}
    return Incoming(
        method="POST", path="/", headers=headers, body=json.dumps(to_data(call.params)).encode(), default_region=REGION
    )


def failure(call: Call, code: str, message: str, *, unclear: bool) -> AwsError:
    return AwsError(
        f"{call}: {code}: {message}",
        service=call.service,
        operation=call.operation,
        code=code,
        unclear=unclear,
        locked_out=code in EXPIRED,
    )


def site(root: Path, gateway: Direct, clock: Clock, app: str = "shop") -> pipeline.Site:
    """Where `pipeline` deploys to: that AWS, with the journal in `root`."""
    origin = Origin(user="tests", host="here", pid=1, command="ecsplan apply")
    return pipeline.Site(app=app, store=open_store(root), gateway=gateway, origin=origin, clock=clock)  # type: ignore[arg-type]
