"""The services that are not simulated here: moto, imported at the first request for it, and the caller's identity."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from . import common
from .common import AwsError
from .wire import Answer, Incoming, refusal

MISSING = "the embedded AWS serves all but ECS, EventBridge and Scheduler through moto: pip install 'ecsplan[sandbox]'"


class MotoMissingError(ImportError):
    """The request needs the extra ``sandbox``, which is not installed."""


class Others:
    """moto behind one lock. Its import takes about a second, so it happens at the first request that needs it."""

    def __init__(self) -> None:
        self._app: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Import moto, once. Raises MotoMissingError."""
        with self._lock:
            if self._app is not None:
                return
            try:
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
            except ImportError as error:
                raise MotoMissingError(f"{MISSING} ({error})") from error
            self._app = DomainDispatcherApplication(create_backend_app)

    def respond(self, incoming: Incoming) -> Answer:
        """moto's answer, or HTTP 500 with what to install if moto is missing."""
        try:
            self.load()
        except MotoMissingError as error:
            return refusal(incoming, AwsError("InternalFailure", str(error), 500))
        with self._lock:
            return _call(self._app, incoming)

    def reset(self) -> None:
        """Reset moto's state if moto was imported."""
        if self._app is not None:
            self.respond(Incoming(method="POST", path="/moto-api/reset", headers={}, body=b"", default_region=""))

    def create_topic(self, arn: str) -> None:
        """Create an SNS topic, in the region of its ARN. Raises MotoMissingError."""
        self.load()
        _, _, _, region, _, name = arn.split(":", 5)
        self._ask("sns", region, {"Action": "CreateTopic", "Name": name, "Version": "2010-03-31"})

    def _ask(self, service: str, region: str, form: dict[str, str]) -> Answer:
        headers = _signed(service, region) | {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return self.respond(Incoming(method="POST", path="/", headers=headers, body=body, default_region=region))


def _signed(service: str, region: str) -> dict[str, str]:
    scope = f"AWS4-HMAC-SHA256 Credential=sandbox/20260101/{region}/{service}/aws4_request"
    return {"authorization": f"{scope}, SignedHeaders=host, Signature=0", "host": "127.0.0.1"}


def _call(app: Callable[..., Iterable[bytes]], incoming: Incoming) -> Answer:
    """One WSGI call."""
    parts = urlsplit(incoming.path)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": incoming.method, "SCRIPT_NAME": "", "PATH_INFO": unquote(parts.path, "latin-1"),
        "QUERY_STRING": parts.query, "RAW_URI": incoming.path, "REQUEST_URI": incoming.path,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(incoming.body)), "CONTENT_TYPE": incoming.headers.get("content-type", ""),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(incoming.body),
        "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip
    environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in incoming.headers.items()}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    started: list[Any] = []
    chunks = app(environ, lambda status, headers, exc_info=None: started.extend((status, headers)))
    body = b"".join(chunks)
    status = int(started[0].split()[0])
    skipped = ("connection", "transfer-encoding", "date", "server")
    headers = tuple((name, value) for name, value in started[1] if name.lower() not in skipped)
    return Answer(status=status, body=body, headers=headers, error=_error(status, body, headers))


def _error(status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> str:
    if status < 400:
        return ""
    text = body.decode(errors="replace")
    if "<Code>" in text:
        return text.partition("<Code>")[2].partition("</Code>")[0]
    try:
        return str(json.loads(text).get("__type", status)).rpartition("#")[2]
    except (ValueError, AttributeError):
        return str(status)


def identity() -> Answer:
    """GetCallerIdentity without moto, because it is the first request of most runs."""
    arn = f"arn:aws:iam::{common.ACCOUNT}:user/sandbox"
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>AIDASANDBOX</UserId><Account>{common.ACCOUNT}</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )
    return Answer(status=200, body=body.encode(), headers=(("Content-Type", "text/xml"),))
