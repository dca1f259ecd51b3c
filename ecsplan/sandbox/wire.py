"""HTTP requests and answers in AWS's protocols: service, operation, region, parameters, errors."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from . import rest
from .common import AwsError

Doc = dict[str, Any]
_SCOPE: Final = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_PREFIXES: Final = {"AmazonEC2ContainerServiceV20141113": "ecs", "AWSEvents": "events"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A finished request.

    ``status`` is 0 if the connection was closed without an answer. ``error`` is AWS's code, "" for none. ``began`` and
    ``ended`` are from ``time.monotonic``.
    """

    number: int
    service: str
    operation: str
    params: Mapping[str, Any]
    status: int
    error: str
    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """An HTTP request. Its signature names the service and the region, its headers or its path name the operation."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    default_region: str
    _scope: tuple[str, str, str] = field(init=False)

    def __post_init__(self) -> None:
        found = _SCOPE.search(self.headers.get("authorization", "") or self.path.replace("%2F", "/"))
        object.__setattr__(self, "_scope", (found[1], found[2], found[3]) if found else ("", self.default_region, ""))

    @property
    def access_key(self) -> str:
        return self._scope[0]

    @property
    def region(self) -> str:
        return self._scope[1]

    @property
    def service(self) -> str:
        prefix = self.target.partition(".")[0]
        return _PREFIXES.get(prefix, self._scope[2])

    @property
    def rest_json(self) -> bool:
        """Is it a request in the protocol REST-JSON? S3's is REST-XML."""
        return not self.target and not self.form and self.service != "s3" and rest.speaks(self.service)

    @property
    def target(self) -> str:
        """What names the operation in the protocol JSON 1.1: ``AWSEvents.PutRule``."""
        return self.headers.get("x-amz-target", "")

    @property
    def form(self) -> bool:
        """Is it a request in the query protocol?"""
        return "x-www-form-urlencoded" in self.headers.get("content-type", "")

    def read(self) -> tuple[str, Doc | object]:
        """The operation's name and its parameters, as far as the protocol names them."""
        if self.target:
            return self.target.rpartition(".")[2], _json(self.body)
        if self.form:
            form: Doc = dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))
            return str(form.pop("Action", "")), form
        found = rest.read(self.service, self.method, self.path, self.body) if self.rest_json else None
        return found or _rest(self.method, self.path, self.service)


def _json(body: bytes) -> object:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None


def _rest(method: str, path: str, service: str) -> tuple[str, Doc]:
    """Operation names for the usual requests to S3, else the method and the path."""
    parts = urlsplit(path)
    bucket, _, key = parts.path.lstrip("/").partition("/")
    if service != "s3":
        return f"{method} {parts.path}", {}
    kind = "Object" if key else "Bucket"
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head"}.get(method, method)
    operation = {"GetBucket": "ListObjectsV2", "PutBucket": "CreateBucket"}.get(verb + kind, verb + kind)
    return operation, {"Bucket": bucket} | ({"Key": key} if key else {})


def success(incoming: Incoming, operation: str, document: Doc) -> Answer:
    """The answer of an operation in the protocol of the request: JSON 1.1, or REST-JSON."""
    if incoming.rest_json:
        return _json_answer(rest.status(incoming.service, operation), document, "", form="json")
    return _json_answer(200, document, "")


def refusal(incoming: Incoming, error: AwsError) -> Answer:
    """An error in the protocol of the request: JSON, REST-JSON, the query protocol's XML, or that of S3."""
    if incoming.rest_json:
        document = rest.error_body(incoming.service, error.code, error.message)
        answer = _json_answer(error.status, document, error.code, form="json")
        return replace(answer, headers=(*answer.headers, ("x-amzn-errortype", error.code)))
    form = incoming.form
    if not form and incoming.service != "s3":
        return _json_answer(error.status, {"__type": error.code, "message": error.message}, error.code)
    number = str(uuid.uuid4())
    inner = f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
    body = f"<ErrorResponse>{inner}<RequestId>{number}</RequestId></ErrorResponse>" if form else inner
    headers = (("x-amzn-requestid", number), ("Content-Type", "text/xml"))
    return Answer(status=error.status, body=body.encode(), headers=headers, error=error.code)


def _json_answer(status: int, document: Doc, error: str, form: str = "x-amz-json-1.1") -> Answer:
    headers = (("x-amzn-requestid", str(uuid.uuid4())), ("Content-Type", f"application/{form}"))
    return Answer(status=status, body=json.dumps(document).encode(), headers=headers, error=error)
