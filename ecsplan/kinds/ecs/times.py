"""Times as AWS tells them: datetimes out of its SDK, numbers over the wire, texts in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def epoch(at: Any) -> float | None:
    """In epoch seconds, by AWS's clock, not by this machine's; None where it is no time."""
    if isinstance(at, datetime):
        return at.timestamp()
    if isinstance(at, int | float):
        return float(at)
    try:
        return datetime.fromisoformat(at).timestamp()
    except (TypeError, ValueError):
        return None


def iso(at: Any) -> str:
    """ISO 8601 in UTC, to the second; "" where it is no time."""
    seconds = epoch(at)
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
