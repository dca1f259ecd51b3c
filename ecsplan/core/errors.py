"""Every error that ecsplan expects, with the exit code that it ends in.

An error has a `message` (what was tried, and on what), a `state` (what that leaves) and a `hint` (what to do next).
The command line prints these and nothing else; only an exception that is not an `EcsplanError` shows a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line imports this module for --help, without the values
    from ecsplan.core.model import Call


class Exit(IntEnum):
    """The exit codes, a contract with scripts and CI."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    USAGE = 3
    STALE = 4
    LOCKED = 5
    PUT_BACK = 6
    STOPPED = 7
    UNFINISHED = 8
    INTERRUPTED = 130


class EcsplanError(Exception):
    """A known error: one clear message and an exit code."""

    exit_code = Exit.ERROR

    def __init__(self, message: str, *, state: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.state, self.hint) if part)


class UsageError(EcsplanError):
    """The command line, the environment or a file named on it is wrong; nothing was sent."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, kw_only=True, order=True)
class Fault:
    """One thing wrong in an input: the file, the dotted path in it (empty for the file as a whole), and what."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.path, self.message) if part)


class SpecError(UsageError):
    """All faults of a spec, at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults)} faults in the spec" if len(self.faults) > 1 else "a fault in the spec"
        super().__init__(
            "\n".join([f"{count}; nothing was sent:", *(f"  {fault}" for fault in self.faults)]),
        )


class PlanFileError(UsageError):
    """A plan file that cannot be read, is of another version, or asks for what no kind makes."""


class StaleError(EcsplanError):
    """What the plan was made from has moved since, or the plan was applied already; nothing was changed."""

    exit_code = Exit.STALE


class LockedError(EcsplanError):
    """Another deployment of this app is running; nothing was changed."""

    exit_code = Exit.LOCKED


class UnfinishedError(EcsplanError):
    """An earlier deployment of this app has no end in the journal; nothing was changed."""

    exit_code = Exit.STOPPED


class JournalError(EcsplanError):
    """The journal cannot be read or written. The message names the file and the line."""


class EmptyJournalFile(JournalError):
    """A deployment's file whose first line was not written to its end: nothing was sent for it."""


class AwsError(EcsplanError):
    """AWS refused a call, or no answer came.

    `code` is AWS's own error code, or the name of a client-side failure such as `NoCredentials` or
    `NoConnection`. `unclear`: the call may have been carried out (a lost answer). `locked_out`: the credentials are not
    accepted, so that other calls would fail as well.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        operation: str = "",
        code: str = "",
        unclear: bool = False,
        locked_out: bool = False,
        state: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, state=state, hint=hint)
        self.service = service
        self.operation = operation
        self.code = code
        self.unclear = unclear
        self.locked_out = locked_out

    @classmethod
    def of(
        cls,
        call: Call,
        message: str,
        *,
        code: str = "",
        unclear: bool = False,
        locked_out: bool = False,
        hint: str = "",
    ) -> AwsError:
        """The error of one call; its message begins with the call's name."""
        return cls(
            f"{call}: {message}",
            service=call.service,
            operation=call.operation,
            code=code,
            unclear=unclear,
            locked_out=locked_out,
            hint=hint,
        )


class RefusedError(EcsplanError):
    """AWS answered 200 and yet did not do what was asked (RunTask failures, PutTargets FailedEntryCount).

    `again` is the call (`model.Call`) for what was left undone, where repeating it makes sense. `outputs` are those of
    the part that was done; none where nothing was, None where that is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        state: str = "",
        hint: str = "",
        again: object = None,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, state=state, hint=hint)
        self.again = again
        self.outputs = outputs


class SupersededError(RefusedError):
    """Another deployment has changed it since: it is left as it is."""


class PlanningError(EcsplanError):
    """What the spec asks for cannot be done with what is live; nothing was changed."""

    def __init__(self, faults: Sequence[str], *, where: str = "") -> None:
        """`where` is the account and the region in which AWS was asked."""
        self.faults = tuple(faults)
        self.where = where
        heading = f"this cannot be planned in {where}:" if where else "this cannot be planned:"
        super().__init__(
            "\n".join((heading, *(f"  {fault}" for fault in self.faults))),
            state="Nothing was changed.",
        )


class Interrupted(Exception):
    """A stop was requested; nothing new is begun."""
