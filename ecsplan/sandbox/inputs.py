"""Checks a request's parameters against the installed botocore's model of the operation, as AWS's front end does.

Unknown members are ignored (an older front end does not know newer members), and ``null`` counts as absent. A value of
another JSON type is a SerializationException. A missing member, or a value outside an enum, a length, a range or a
pattern, gets the service's own error.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationNotFoundError, ServiceModel, Shape, StringShape, StructureShape

from .common import AwsError, client, invalid, serialization, validation

Doc = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "long": (int,), "float": (int, float), "double": (int, float),
    "boolean": (bool,), "timestamp": (int, float), "structure": (dict,), "list": (list,), "map": (dict,),
}  # fmt: skip
_TOKENS: dict[type, str] = {
    bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", str: "STRING_VALUE", list: "START_ARRAY",
    dict: "START_OBJECT",
}  # fmt: skip

#: 9999-12-31T23:59:59Z, in epoch seconds.
_LATEST = 253_402_300_799
_SURROGATE = re.compile("[\ud800-\udfff]")

#: Members that the model calls required, but that ECS fills in. Source: CDKD's live probe of UpdateService.
_FILLED_IN = frozenset((("DeploymentCircuitBreaker", "enable"), ("DeploymentCircuitBreaker", "rollback")))


@functools.cache
def model(service: str) -> ServiceModel:
    """The model of a service. Loading takes about 10 ms, so it happens once, at the first request. Raises botocore's
    UnknownServiceError."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@dataclass(frozen=True)
class Inputs:
    """The input shapes of one service."""

    service: str

    def check(self, operation: str, params: object) -> Doc:
        """``params`` without what AWS ignores. Raises AwsError for what AWS refuses."""
        try:
            shape = model(self.service).operation_model(operation).input_shape
        except OperationNotFoundError:
            raise AwsError("UnknownOperationException", "") from None
        if not isinstance(params, dict):
            raise serialization("Start of structure or map found where not expected.")
        if not isinstance(shape, StructureShape):
            return {}
        return _structure(shape, params, "", _Refusals(self.service, operation))


class _Refusals:
    """The wording of one service for one operation."""

    def __init__(self, service: str, operation: str) -> None:
        # The other models carry lengths, ranges and patterns, that of ECS none.
        self.strict = service != "ecs"
        self._error: Callable[[str], AwsError] = (
            validation if self.strict else client if operation.endswith("TaskDefinition") else invalid
        )

    def missing(self, path: str) -> AwsError:
        if self.strict:
            return self.constraint(None, path, "Member must not be null")
        return self._error(f"{path} should not be null or empty.")

    def enum(self, value: str, path: str, allowed: list[str]) -> AwsError:
        if self.strict:
            return self.constraint(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        return self._error(f"Invalid value '{value}' for {path}. It must be one of [{', '.join(allowed)}].")

    def malformed(self, path: str) -> AwsError:
        return self._error(f"The value of {path} is malformed.")

    def constraint(self, value: object, path: str, text: str) -> AwsError:
        shown = "null" if value is None else f"'{value}'"
        where = path[:1].lower() + path[1:]
        return validation(
            f"1 validation error detected: Value {shown} at '{where}' failed to satisfy constraint: {text}"
        )


def _value(shape: Shape, value: Any, path: str, refusals: _Refusals) -> Any:
    _type(shape, value, path)
    if isinstance(shape, StructureShape):
        return value if shape.is_document_type else _structure(shape, value, path, refusals)
    if isinstance(shape, ListShape):
        _size(shape, value, len(value), path, refusals)
        items = enumerate(value, start=1)
        return [
            _value(shape.member, v, f"{path}.{i}.member" if refusals.strict else path, refusals)
            for i, v in items
            if v is not None
        ]
    if isinstance(shape, MapShape):
        if refusals.strict:
            _size(shape, value, len(value), path, refusals)
            for key in value:
                _value(shape.key, key, f"{path}.key", refusals)
        return {k: _value(shape.value, v, f"{path}.{k}", refusals) for k, v in value.items() if v is not None}
    if shape.type_name == "timestamp" and not 0 <= value <= _LATEST:  # nor is NaN
        raise refusals.malformed(path)
    if isinstance(shape, StringShape):
        _text(shape, value, path, refusals)
    elif shape.type_name in ("integer", "long"):
        _size(shape, value, value, path, refusals)
    return value


def _structure(shape: StructureShape, value: Doc, path: str, refusals: _Refusals) -> Doc:
    prefix = f"{path}." if path else ""
    known = {k: v for k, v in value.items() if v is not None and k in shape.members}
    for name in shape.required_members:
        if name not in known and (shape.name, name) not in _FILLED_IN:
            raise refusals.missing(prefix + name)
    return {k: _value(shape.members[k], v, prefix + k, refusals) for k, v in known.items()}


def _type(shape: Shape, value: Any, path: str) -> None:
    wanted = _TYPES.get(shape.type_name)
    if wanted is None or (isinstance(value, wanted) and (type(value) is not bool or wanted == (bool,))):
        return
    token = _TOKENS.get(type(value), "VALUE")
    raise serialization(f"{token} can not be converted to {shape.type_name.capitalize()} (at {path})")


def _text(shape: StringShape, value: str, path: str, refusals: _Refusals) -> None:
    if _SURROGATE.search(value):
        raise refusals.malformed(path)
    allowed = list(shape.enum or [])
    if allowed and value not in allowed:
        raise refusals.enum(value, path, allowed)
    _size(shape, value, len(value), path, refusals)
    pattern = shape.metadata.get("pattern")
    if refusals.strict and pattern and not re.fullmatch(_readable(str(pattern)), value):
        raise refusals.constraint(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _readable(pattern: str) -> str:
    """A pattern of AWS's models in Python's syntax: Unicode categories become \\w, \\s and \\d."""
    for category, words in (("L", r"\w"), ("Z", r"\s"), ("N", r"\d")):
        pattern = pattern.replace(rf"\p{{{category}}}", words)
    return pattern


def _size(shape: Shape, value: object, size: int, path: str, refusals: _Refusals) -> None:
    if not refusals.strict:
        return
    what = "value" if isinstance(value, int) else "length"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < int(low):
        raise refusals.constraint(value, path, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > int(high):
        raise refusals.constraint(value, path, f"Member must have {what} less than or equal to {high}")
