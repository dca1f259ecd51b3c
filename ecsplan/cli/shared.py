"""What the error boundary and the command share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecsplan.core.clock import Clock

if TYPE_CHECKING:
    from ecsplan.redact import Redactor


def new_redactor() -> Redactor:
    from ecsplan.redact import Redactor  # it imports the kinds; `--help` does not wait for them

    return Redactor()


@dataclass(frozen=True, kw_only=True)
class Shared:
    """`redactor` makes the command's redactor when it is first needed. `clock` is None for the machine's own."""

    clock: Clock | None = None
    redactor: Callable[[], Redactor] = new_redactor
