"""The deployment circuit breaker: how many tasks of a deployment may fail."""

from __future__ import annotations

from typing import Any, Final

Doc = dict[str, Any]
LEAST: Final = 3
MOST: Final = 200


def threshold(configuration: Doc, desired: int) -> int:
    """Failures that trip it. BOUNDED_PERCENT (50 unless said otherwise) of the desired count is rounded up and kept
    within 3 and 200, UNBOUNDED_PERCENT is only rounded up, COUNT is the number itself. Source: BC, docs."""
    given = configuration["deploymentCircuitBreaker"].get("thresholdConfiguration", {})
    kind, value = given.get("type", "BOUNDED_PERCENT"), int(given.get("value", 50))
    if kind == "COUNT":
        return max(1, value)
    share = -(-desired * value // 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(MOST, max(LEAST, share))
