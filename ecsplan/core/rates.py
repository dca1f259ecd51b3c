"""AWS's request rates, as values."""

from __future__ import annotations

from ecsplan.core.model import Value


class Rate(Value, frozen=True, kw_only=True):
    """Operations that share a bucket: at most `burst` at once, `per_second` on the average. An operation is named
    `service:operation`; `service:*` stands for all of a service that have no row of their own."""

    operations: frozenset[str]
    burst: int
    per_second: float
    source: str
