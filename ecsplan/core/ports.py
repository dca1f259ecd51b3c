"""The read side of AWS: the port through which everything but the gateway reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Value


class Answer(Value, frozen=True, kw_only=True):
    """AWS's answer to one call: `data`, or the `error` with which it was refused."""

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
        """Sends all calls at once; answers in their order. Equal calls are sent once. Raises only what concerns all
        calls (no credentials, no connection); a call that AWS refuses is an answer with its error."""
