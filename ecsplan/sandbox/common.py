"""What the simulated services share: refusals, ARNs, ids, pages, and the order of lists."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

#: What seeded resources get where a network is needed.
NETWORK: Final[dict[str, Any]] = {
    "subnets": ["subnet-0a", "subnet-0b"],
    "securityGroups": ["sg-0a"],
    "assignPublicIp": "DISABLED",
}


class Clock(Protocol):
    """Provides the time."""

    def now(self) -> float:
        """Seconds since the epoch. Never goes backwards."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Operations that share a bucket of ``burst`` tokens, refilled with ``per_second``. "*" is every operation.

    ``status`` is the HTTP status of the refusal when the bucket is empty.
    """

    service: str
    operations: frozenset[str]
    burst: int
    per_second: float
    status: int = 400


class AwsError(Exception):
    """A refusal as AWS words it. ``wire.refusal`` gives it the form of the request's protocol."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def client(message: str) -> AwsError:
    """ECS's error for a request that its caller must change."""
    return AwsError("ClientException", message)


def invalid(message: str) -> AwsError:
    """ECS's error for a parameter that does not fit the others or the state."""
    return AwsError("InvalidParameterException", message)


def cluster_not_found() -> AwsError:
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> AwsError:
    return AwsError("ServiceNotFoundException", "Service not found.")


def service_not_active() -> AwsError:
    return AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


def serialization(message: str) -> AwsError:
    """The answer to a document whose JSON types do not fit the operation's input."""
    return AwsError("SerializationException", message)


def validation(message: str) -> AwsError:
    """EventBridge's error for a member outside its documented length, range or pattern."""
    return AwsError("ValidationException", message)


ACCOUNT: Final = "123456789012"


def partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn(service: str, region: str, resource: str) -> str:
    """``arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`` in the sandbox's one account."""
    return f"arn:{partition(region)}:{service}:{region}:{ACCOUNT}:{resource}"


def short(name_or_arn: str) -> str:
    """The last path segment: ``web`` of ``web``, of ``.../service/prod/web`` and of ``.../cluster/web``."""
    return name_or_arn.rsplit("/", 1)[-1]


def epoch(text: str) -> float:
    """The seconds since the epoch of a time in ISO 8601, in UTC unless it has an offset. Raises ValueError."""
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


class Ids:
    """Ids from a counter, the same on every run. They are hashed: AWS's ids have no visible order either."""

    def __init__(self) -> None:
        self._count = 0

    def hex(self) -> str:
        """32 hexadecimal digits, as in a task's ARN."""
        return self._next().hex()[:32]

    def digits(self) -> str:
        """19 decimal digits, as in ``ecs-svc/1234567890123456789``."""
        number = int.from_bytes(self._next()[:8], "big")
        return str(10**18 + number % (9 * 10**18))

    def uuid(self) -> str:
        h = self.hex()
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def _next(self) -> bytes:
        self._count += 1
        return hashlib.sha256(f"id {self._count}".encode()).digest()


def hash_order(items: Sequence[Any], salt: int, key: Callable[[Any], object]) -> list[Any]:
    """``items`` in an order that depends on their keys only, not on the order they came in."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{salt}:{key(item)}".encode()).digest())


T = TypeVar("T")


def page(
    items: Sequence[T], size: int | None, token: str | None, *, default: int, limit: int
) -> tuple[list[T], str | None]:
    """The page of ``items`` at ``token``, and the token of the next page. Sizes are 1 to ``limit``, else AwsError."""
    wanted = default if size is None else size
    if not 1 <= wanted <= limit:
        raise invalid(f"maxResults must be between 1 and {limit}.")
    start = _page_start(token) if token else 0
    end = start + wanted
    return list(items[start:end]), _page_token(end) if end < len(items) else None


def _page_token(start: int) -> str:
    return base64.b64encode(f"sandbox:{start}".encode()).decode()


def _page_start(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True).decode().removeprefix("sandbox:"))
    except ValueError:
        raise invalid("Invalid token.") from None
