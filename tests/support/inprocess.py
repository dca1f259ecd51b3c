"""botocore's way to an embedded AWS in this process: all that a user runs but sockets.

What is replaced is botocore's own: `URLLib3Session.send`, behind which there is only the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.wire import Answer, Incoming
from tests.support.world import REGION


@contextmanager
def in_process(aws: Sandbox) -> Iterator[None]:
    """Requests to the URL of `aws` are answered here, in the thread that sends them; all others go out."""
    sent = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
        if not request.url.startswith(aws.url + "/"):
            return sent(session, request)
        answer = aws._respond(incoming(request))
        if answer is None:
            raise ConnectionClosedError(error="dropped", endpoint_url=request.url, request=request)
        return response(request, answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        yield


@contextmanager
def pausing(sleep: Callable[[float], object]) -> Iterator[None]:
    """botocore's pauses before it sends a request again go to `sleep`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=sleep))
        yield


def incoming(request: AWSPreparedRequest) -> Incoming:
    url = urlsplit(request.url)
    path = f"{url.path}?{url.query}" if url.query else url.path
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    body: Any = request.body
    return Incoming(method=request.method, path=path, headers=headers, body=_bytes(body), default_region=REGION)


def response(request: AWSPreparedRequest, answer: Answer) -> AWSResponse:
    raw: Any = SimpleNamespace(stream=lambda **_: iter((answer.body,)))
    headers: Any = HeadersDict(answer.headers)
    return AWSResponse(request.url, answer.status, headers, raw)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
