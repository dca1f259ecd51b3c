"""Core values as JSON and back, strict and typed, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from ecsplan.core.model import Address, JsonText, Ref


def _encode(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Address:
        if not isinstance(value, str):
            raise ValueError(f"not an address: {value!r:.80}")
        return Address(value)
    raise TypeError(f"cannot be read from JSON: {wanted.__name__}")


def to_data(value: Any) -> Any:
    """A core value, or anything made of core values, as plain JSON data."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def to_json(value: Any) -> bytes:
    """One line of JSON, keys in the order of declaration."""
    return msgspec.json.encode(value, enc_hook=_encode)


def from_data(data: Any, wanted: type[Any]) -> Any:
    """JSON data as a value of type `wanted`. Raises msgspec.ValidationError with the path of what is wrong. Unknown
    keys are ignored."""
    return msgspec.convert(_with_refs(data), wanted, dec_hook=_decode)


def from_json(line: bytes, wanted: type[Any]) -> Any:
    """A line of JSON as `from_data` reads it; much faster if no reference is in it."""
    if b'"$ref"' in line:
        return from_data(msgspec.json.decode(line), wanted)
    return msgspec.json.decode(line, type=wanted, dec_hook=_decode)


def digest_of(value: Any) -> str:
    """`sha256:…` over JSON with sorted keys: the order of keys makes no difference."""
    text = msgspec.json.encode(value, enc_hook=_encode, order="sorted")
    return "sha256:" + hashlib.sha256(text).hexdigest()


def _with_refs(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, dict | Mapping):
        if value.get("$ref") == "output" and value.keys() == {"$ref", "address", "output"}:
            return msgspec.convert(value, Ref, dec_hook=_decode)
        if value.get("$ref") == "json" and value.keys() == {"$ref", "head", "ref", "tail"}:
            return msgspec.convert(value, JsonText, dec_hook=_decode)
        return {k: _with_refs(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_with_refs(item) for item in value]
    return value
