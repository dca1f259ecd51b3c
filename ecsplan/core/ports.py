"""The read side of AWS, as everything but the gateway sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Value


class Answer(Value, frozen=True, kw_only=True):
    """AWS's answer to one call: `data`, or the `error` it refused with."""

    call: Call
    data: Doc | None = None
    error: AwsError | None = None

    def value(self) -> Doc:
        """The data; raises the error."""
        if self.error is not None:
            raise self.error
        assert self.data is not None
        return self.data


class Reader(Protocol):
    """The read side of AWS."""

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        """All calls at once, answers in their order. An equal call is sent once. Raises only what concerns all calls
        alike (no credentials, no way to the endpoint); what AWS refuses is in the answer."""
