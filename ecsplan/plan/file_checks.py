"""Checks that a plan file has the form that the kinds rely on: it may hold anything, and a digest that fits proves
nothing about its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from ecsplan.aws.api import walk
from ecsplan.core.documents import refs_in
from ecsplan.core.model import Call, Doc, JsonText, Plan, Ref
from ecsplan.kinds import kinds_of
from ecsplan.kinds.contract import Kind

# Python's types by botocore's; a reference stands for a text that is known later.
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str, Ref, JsonText),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list,),
}


def misshapen(plan: Plan) -> str:
    """The first document, call or expectation of another form, and what is wrong with it; empty where all are right."""
    kinds = kinds_of(plan)
    for change in plan.changes:
        kind, doc = kinds[change.address], change.after or {}
        request = kind.declare.table.request
        lacking = [place for place in sorted(kind.document.required) if not _has(doc, place.split("[]."))]
        missing = f"{lacking[0]} is missing" if lacking else ""
        if kind.compare is not None and kind.compare.identity is not None and not missing:
            missing = "its name is not known yet" if any(refs_in(kind.compare.identity(doc))) else ""
        if fault := missing or _fault(request.service, request.operation, doc) or _unlike(kind, change.facts):
            return f"{change.address}: {fault}"
    for step in plan.steps:
        fault = _unlike(kinds[step.address], step.expect)
        for call in (step.call, step.undo):
            if isinstance(call, Call):
                fault = fault or _fault(call.service, call.operation, call.params)
        if fault:
            return f"step {step.index}: {fault}"
    return ""


def _has(value: Any, places: Sequence[str]) -> bool:
    """Is there a value at this place, in each item of a list?"""
    found = value.get(places[0]) if isinstance(value, Mapping) else None
    if len(places) == 1:
        return found is not None
    return isinstance(found, list) and all(_has(item, places[1:]) for item in found)


def _unlike(kind: Kind, found: Doc) -> str:
    try:
        msgspec.convert(found, kind.change.expect)
    except msgspec.ValidationError as error:
        return f"{str(error).rpartition('$.')[2].rstrip('`')} is of another type"
    return ""


@cache
def _types(service: str, operation: str) -> Mapping[str, str]:
    return {field.pattern: field.type for field in walk(service, operation)}


def _fault(service: str, operation: str, doc: Doc) -> str:
    """The first place of a request that has another type than in botocore's model. Nothing else is checked."""
    types = _types(service, operation) if service else {}
    pending: list[tuple[str, Any]] = list(doc.items())
    while pending:
        at, value = pending.pop()
        wanted = TYPES.get(types.get(at, ""))
        if value is None or wanted is None:  # nothing, or a member that the model does not have
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            return f"{at} is of another type"
        if isinstance(value, list):
            pending += [(f"{at}[]", item) for item in value]
        elif isinstance(value, Mapping):
            free = types[at] == "map"
            pending += [(f"{at}{{}}" if free else f"{at}.{name}", item) for name, item in value.items()]
    return ""
