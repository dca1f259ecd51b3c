"""Identifiers: ARNs, and ids that are unique within a sandbox and the same on every run."""

from __future__ import annotations

import hashlib
from typing import Final

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


class Ids:
    """Ids from a counter, hashed so that nobody relies on their order: AWS's look random as well."""

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
