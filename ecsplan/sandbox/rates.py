"""AWS's request rates: a token bucket per row and region.

A request takes a token or is refused with ThrottlingException; a refusal takes none. Sources: ECS, "Request throttling
for the Amazon ECS API" (its burst and its sustained rate); EventBridge, "Amazon EventBridge quotas" (50 requests a
second for everything but PutEvents; it names no burst, so a second's worth is taken). What has no row is not limited.
"""

from __future__ import annotations

from typing import Final

from .common import AwsError, Rate
from .further import services


def _rate(service: str, operations: str, burst: int, per_second: float) -> Rate:
    return Rate(service=service, operations=frozenset(operations.split()), burst=burst, per_second=per_second)


RATES: Final = (
    _rate("ecs", "RegisterTaskDefinition DeregisterTaskDefinition", 20, 1),
    _rate("ecs", "DescribeTaskDefinition ListTaskDefinitions", 50, 20),
    _rate("ecs", "DeleteTaskDefinitions", 5, 1),
    _rate("ecs", "UpdateService", 50, 5),
    _rate("ecs", "DescribeServices ListServices", 100, 20),
    _rate("ecs", "RunTask StopTask", 100, 40),
    _rate("ecs", "DescribeTasks ListTasks", 100, 20),
    _rate("ecs", "DescribeServiceDeployments ListServiceDeployments", 50, 20),
    _rate("ecs", "DescribeServiceRevisions", 50, 20),
    _rate("ecs", "DescribeClusters", 50, 20),
    _rate("ecs", "TagResource", 20, 10),
    *(rate for service in services().values() for rate in service.rates),
)
_ROWS: Final = {(rate.service, operation): rate for rate in RATES for operation in rate.operations}


def rate_of(service: str, operation: str) -> Rate | None:
    """The row that limits an operation, if there is one."""
    return _ROWS.get((service, operation)) or _ROWS.get((service, "*"))


def throttled(service: str, operation: str) -> AwsError:
    """The refusal of a request that exceeds the rate of its operation."""
    rate = rate_of(service, operation)
    return AwsError("ThrottlingException", "Rate exceeded", rate.status if rate else 400)


class Buckets:
    """The levels of all buckets; all are full at first. Not thread-safe: the sandbox holds its lock."""

    def __init__(self) -> None:
        self._levels: dict[tuple[Rate, str], tuple[float, float]] = {}

    def take(self, service: str, operation: str, region: str, now: float) -> AwsError | None:
        """Take a token at ``now``, in seconds. Returns the refusal if there is none."""
        rate = rate_of(service, operation)
        if rate is None:
            return None
        level, since = self._levels.get((rate, region), (float(rate.burst), now))
        level = min(float(rate.burst), level + max(0.0, now - since) * rate.per_second)
        # Refills fall short of a whole token by rounding: epoch seconds are exact to a quarter of a microsecond only.
        taken = level > 1 - 1e-4
        self._levels[rate, region] = (level - 1 if taken else level, now)
        return None if taken else throttled(service, operation)
