"""Specs as data: what a test varies is easier to vary in a dict than in a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Doc = dict[str, Any]


def dumps(spec: Mapping[str, Any]) -> str:
    """TOML with a line per top-level key, and everything below it inline."""
    return "".join(f"{json.dumps(key, ensure_ascii=False)} = {_inline(value)}\n" for key, value in spec.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_inline(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
