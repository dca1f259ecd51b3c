"""Pages of a list: an opaque token that says where to go on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from . import errors

T = TypeVar("T")


def page(
    items: Sequence[T], size: int | None, token: str | None, *, default: int, limit: int
) -> tuple[list[T], str | None]:
    """The page of ``items`` that ``token`` asks for, and the token of the next one; sizes are 1 to ``limit``."""
    wanted = default if size is None else size
    if not 1 <= wanted <= limit:
        raise errors.invalid(f"maxResults must be between 1 and {limit}.")
    start = _start(token) if token else 0
    end = start + wanted
    return list(items[start:end]), _token(end) if end < len(items) else None


def _token(start: int) -> str:
    return base64.b64encode(f"sandbox:{start}".encode()).decode()


def _start(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True).decode().removeprefix("sandbox:"))
    except ValueError:
        raise errors.invalid("Invalid token.") from None
