"""What a command shares with the error boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecsplan.cli.common import NO_HINTS, Hints

if TYPE_CHECKING:  # the command line imports this module for --help, without the kinds that a redactor needs
    from ecsplan.core.clock import Clock
    from ecsplan.redact import Redactor


@dataclass(kw_only=True)
class Shared:
    """`clock` is None for the machine's own. The rest is set when a command begins; the redactor learns its
    secrets."""

    clock: Clock | None = None
    redactor: Redactor | None = None
    hints: Hints = NO_HINTS
    verbose: bool = False

    def clean(self, text: str) -> str:
        """The text of an error without the secrets of the command."""
        return text if self.redactor is None else self.redactor.clean(text)
