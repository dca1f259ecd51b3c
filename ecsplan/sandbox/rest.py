"""REST-JSON by botocore's model of a service: which operation a request is, its parameters, the form of answers.

``PUT /schedules/nightly`` with a JSON body is UpdateSchedule, with the name out of the path. Of an operation's input,
members in the path, in the query string and in the body are read, those in headers are not. Answers have no members in
headers, and members of bodies have their names in the model: no service that is simulated needs more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from .common import epoch
from .inputs import model

Doc = dict[str, Any]
_LABEL: Final = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True)
class _Route:
    """``query`` is what the model writes behind the path of some operations: ``/things?action=count``."""

    operation: str
    method: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    query: Mapping[str, list[str]]


def speaks(service: str) -> bool:
    """Is REST-JSON the protocol of the service in botocore's models?"""
    return bool(_routes(service))


def read(service: str, method: str, path: str, body: bytes) -> tuple[str, object] | None:
    """The operation's name and its parameters, those of a body that is no JSON object as None; None for a request that
    is no operation of the service. ``path`` includes the query string."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    for route in _routes(service):
        found = route.path.fullmatch(parts.path)
        if found and route.method == method and route.query.items() <= query.items():
            labels = dict(zip(route.labels, map(unquote, found.groups()), strict=True))
            return route.operation, _params(_operation(service, route.operation), labels, query, body)
    return None


def status(service: str, operation: str) -> int:
    """The HTTP status of the operation's answer."""
    return int(_operation(service, operation).http.get("responseCode", 200))


def error_body(service: str, code: str, message: str) -> Doc:
    """What an error's body says; its code is in a header. Services differ in how they write ``message``."""
    known = model(service)
    shape = known.shape_for(code) if code in known.shape_names else None
    members = shape.members if isinstance(shape, StructureShape) else ()
    return {next((name for name in members if name.lower() == "message"), "message"): message}


def _operation(service: str, operation: str) -> OperationModel:
    return model(service).operation_model(operation)


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    """Paths with fewer labels come first: ``/things/all`` before ``/things/{Name}``."""
    try:
        known = model(service)
    except UnknownServiceError:
        return ()
    if known.metadata.get("protocol") != "rest-json":
        return ()
    routes = (_route(known.operation_model(name)) for name in known.operation_names)
    return tuple(sorted(routes, key=lambda route: (len(route.labels), -len(route.query))))


def _route(operation: OperationModel) -> _Route:
    path, _, query = str(operation.http["requestUri"]).partition("?")
    labels = tuple(found[1] for found in _LABEL.finditer(path))
    literals = map(re.escape, _LABEL.sub("\0", path).split("\0"))
    fields = ["(.+)" if found[2] else "([^/]+)" for found in _LABEL.finditer(path)]
    pattern = "".join(part for pair in zip(literals, [*fields, ""], strict=True) for part in pair)
    constant = parse_qs(query, keep_blank_values=True)
    return _Route(operation.name, str(operation.http["method"]), re.compile(pattern), labels, constant)


def _params(
    operation: OperationModel, labels: Mapping[str, str], query: Mapping[str, list[str]], body: bytes
) -> object:
    """One object of all members, wherever they are in the request."""
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    params = _body(shape, body)
    if not isinstance(params, dict):
        return None
    for name, member in shape.members.items():
        written = str(member.serialization.get("name", name))
        place = member.serialization.get("location")
        if place:
            params.pop(name, None)
        if place == "uri" and written in labels:
            params[name] = _number(member, labels[written])
        elif place == "querystring" and written in query:
            params[name] = _value(member, query[written])
    return params


def _body(shape: StructureShape, body: bytes) -> object:
    """The members in the body. An operation can have one member that is the whole body."""
    whole = shape.serialization.get("payload")
    if whole and shape.members[whole].type_name != "structure":
        return {whole: body.decode(errors="replace")} if body else {}
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return {whole: found} if whole and body else found


def _value(shape: Shape, texts: list[str]) -> Any:
    if isinstance(shape, ListShape):
        return [_number(shape.member, text) for text in texts]
    return _number(shape, texts[0])


def _number(shape: Shape, text: str) -> Any:
    """The value of a text in a path or a query string. A text that is no value of its type stays a text, which the
    check of parameters refuses."""
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
        if shape.type_name == "timestamp":
            return epoch(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text
