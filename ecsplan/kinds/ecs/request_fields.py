"""The fields of requests, by the installed botocore.

An AWS that is newer than botocore answers members that the request does not have. They can be neither declared nor
sent, so they are no difference and never part of a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ecsplan.aws.api import check, walk
from ecsplan.core.checks import MISSING, Request, dotted
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Delta


@cache
def _fields(service: str, operation: str) -> tuple[frozenset[str], frozenset[str]]:
    """The patterns of all fields of a request, and of those that have members of their own."""
    fields = frozenset(field.pattern for field in walk(service, operation))
    return fields, frozenset(field.rpartition(".")[0] for field in fields)


@cache
def map_fields(service: str, operation: str) -> frozenset[str]:
    """The names of members that are maps with free keys: compared and replaced as a whole."""
    return frozenset(field.pattern.rpartition(".")[2] for field in walk(service, operation) if field.type == "map")


def unknown_fields(service: str, operation: str, declared: Doc) -> frozenset[str]:
    """The patterns of declared members that are not in the model: an older deployment may have been made with a newer
    botocore."""
    fields, parents = _fields(service, operation)
    return frozenset(at for at in _places(declared, "", fields, parents) if at not in fields)


def request_fields_only(
    service: str, operation: str, doc: Doc, also: frozenset[str] = frozenset(), *, top: bool = True
) -> Doc:
    """The document without members that neither the request nor the patterns `also` have. Without `top`, members at its
    top are kept."""
    fields, parents = _fields(service, operation)
    result: Doc = {
        name: _known(value, name, fields | also, parents)
        for name, value in doc.items()
        if not top or name in fields or name in also
    }
    return result


def _known(value: Any, at: str, fields: frozenset[str], parents: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_known(item, f"{at}[]", fields, parents) for item in value]
    if isinstance(value, Mapping) and at in parents:
        return {
            name: _known(item, f"{at}.{name}", fields, parents)
            for name, item in value.items()
            if f"{at}.{name}" in fields
        }
    return value  # a scalar, a map with free keys, or free-form


def _places(value: Any, at: str, fields: frozenset[str], parents: frozenset[str]) -> Iterator[str]:
    """The patterns of the members that a document has."""
    if isinstance(value, list):
        for item in value:
            yield from _places(item, f"{at}[]", fields, parents)
    elif isinstance(value, Mapping) and at in parents:
        for name, item in value.items():
            place = f"{at}.{name}" if at else name
            yield place
            yield from _places(item, place, fields, parents)


@cache
def _filled(service: str, operation: str) -> frozenset[str]:
    found = (field for field in walk(service, operation) if field.filled and field.type in ("string", "list"))
    return frozenset(field.pattern for field in found)


def without_empty(service: str, operation: str, doc: Doc) -> Doc:
    """The document without members that are "" or [] where the request demands more: other implementations of AWS
    answer so what is not there."""
    filled, parents = _filled(service, operation), _fields(service, operation)[1]

    def kept(value: Any, at: str) -> Any:
        if isinstance(value, list):
            return [kept(item, f"{at}[]") for item in value]
        if not isinstance(value, Mapping) or (at and at not in parents):
            return value
        places = {name: f"{at}.{name}" if at else name for name in value}
        return {
            name: kept(item, places[name])
            for name, item in value.items()
            if not (item in ("", []) and places[name] in filled)
        }

    result: Doc = kept(doc, "")
    return result


def missing(service: str, operation: str, params: Doc, delta: Delta) -> tuple[str, ...]:
    """A sentence on each required member that neither the spec nor the live resource has: botocore would reject the
    call, which is too late."""
    problems = check(Request(service=service, operation=operation), params)
    return tuple(
        f"{delta.change.address}: {dotted(problem.path)} is required, and neither the spec nor the live resource has it"
        for problem in problems
        if problem.message == MISSING
    )


def has_network(doc: Doc) -> bool:
    """Has it an awsvpc network? Without subnets it has none, whatever else is filled in."""
    return bool(((doc.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}).get("subnets"))
