"""Wait for what takes time: one look at everything that is under way, then a pause, until all is done or one has
failed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from ecsplan import events
from ecsplan.errors import AwsError, EcsplanError
from ecsplan.kinds import by_kind, kind_of
from ecsplan.kinds.base import Ask, Progress, Waiting
from ecsplan.model import Address, Doc

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.5, 5.0, 1.5  # seconds between two looks


class Clock(Protocol):
    """Time and chance, handed in."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Returns early when somebody asks to stop."""

    def random(self) -> float:
        """From 0 up to 1, for jitter."""


class LateError(EcsplanError):
    """The time is over and something is still under way."""


class LostError(Exception):
    """Something that was waited for has failed, each with how; `late` are those of them that are still under way."""

    def __init__(self, failed: Sequence[tuple[Waiting, Progress]], late: Sequence[Waiting] = ()) -> None:
        super().__init__("; ".join(progress.note for _, progress in failed))
        self.failed, self.late = tuple(failed), tuple(late)

    @property
    def notes(self) -> str:
        """What has failed, and how, for people."""
        return "; ".join(f"{one.address}: {progress.note}" for one, progress in self.failed)


def wait_for(
    waiting: Sequence[Waiting],
    ask: Ask,
    clock: Clock,
    emit: events.Listener,
    stop: threading.Event,
    timeout: int | None,
) -> None:
    """Returns when all are done, or when `stop` is set. Raises LostError when some have failed, LateError when
    the time is over.

    A look that AWS does not answer (throttled, connection lost) is no failure: the next one will tell.
    """
    started, pause = clock.now(), FIRST_PAUSE
    pending = {one.address: one for one in waiting if kind_of(one.address).watch is not None}
    while pending and not stop.is_set():
        elapsed = clock.now() - started
        seen = look(list(pending.values()), ask, emit)
        failed = []
        for address, progress in seen.items():
            emit(
                events.Progressed(
                    address=address, note=progress.note, done=progress.done, ok=progress.ok, elapsed=elapsed
                )
            )
            if progress.done:
                one = pending.pop(address)
                if not progress.ok:
                    failed.append((one, progress))
        if failed:
            raise LostError(failed)
        if late := [one for one in pending.values() if elapsed >= _limit(one, timeout)]:
            _give_up(late, _limit(late[0], timeout))
        if pending:
            clock.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)


def look(waiting: Sequence[Waiting], ask: Ask, emit: events.Listener) -> dict[Address, Progress]:
    """The progress of each that could be seen."""
    result: dict[Address, Progress] = {}
    for kind, group in by_kind(waiting, lambda one: one.address):
        looks = kind.watch(group) if kind.watch else ()
        try:
            answers = ask.many([look.call for look in looks])
        except AwsError as error:
            if error.locked_out:
                raise
            emit(events.Warned(message=f"could not look, will try again: {error.message}"))
            continue
        seen: dict[Address, list[Doc] | None] = {one.address: [] for one in group}
        for look, answer in zip(looks, answers, strict=True):
            if answer.error is not None:
                if "AccessDenied" in answer.error.code:
                    raise answer.error
                emit(events.Warned(message=f"could not look, will try again: {answer.error.message}"))
            for address in look.addresses:
                documents = seen[address]
                if answer.error is not None:
                    seen[address] = None
                elif documents is not None:
                    documents.append(answer.value())
        for one in group:
            documents = seen[one.address]
            if documents is not None:
                result[one.address] = kind.progress(one, documents)
    return result


def _limit(one: Waiting, timeout: int | None) -> int:
    if timeout is not None:
        return timeout
    declared = one.step.settings.timeout
    return declared if declared is not None else kind_of(one.address).timeout


def _give_up(late: Sequence[Waiting], limit: int) -> None:
    """Something that had to end in time has failed; a rollout that has not ended is only not finished."""
    note = f"not finished after {limit} s"
    failed = [one for one in late if kind_of(one.address).late_is_failure]
    if failed:
        raise LostError([(one, Progress(done=True, ok=False, note=note)) for one in failed], failed)
    raise LateError(
        f"{', '.join(one.address for one in late)}: {note}",
        hint="ECS goes on with the rollout.",
    )
