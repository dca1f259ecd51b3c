"""Wait for what takes time: one look at everything that is under way, then a pause, until all is done or one has
failed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from ecsplan.aws.pacing import poll_interval
from ecsplan.core import events
from ecsplan.core.clock import Clock
from ecsplan.core.diagnosis import Status
from ecsplan.core.errors import AwsError, EcsplanError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Reader
from ecsplan.kinds import by_kind
from ecsplan.kinds.contract import Progress, Tracked

GO_ON = "Let it go on with `ecsplan continue`, or go back with `ecsplan rollback`."
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.5, 5.0, 1.5  # seconds between two looks
SOME = 3  # names, or notes, that are said in one line


class WaitTimedOut(EcsplanError):
    """The time is over and something is still under way: `late`, each with how it was at the last look."""

    def __init__(self, message: str, late: Sequence[tuple[Tracked, Progress]] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.late = tuple(late)


class Paused(EcsplanError):
    """All that is still under way waits at lifecycle hooks, each as the last look has shown it."""

    def __init__(self, paused: Sequence[tuple[Tracked, Progress]]) -> None:
        super().__init__(
            "; ".join(f"{one.address}: {progress.note}" for one, progress in paused),
            hint=GO_ON,
        )
        self.paused = tuple(paused)


class WaitFailed(Exception):
    """Something that was waited for has failed, each with how; `late` are those of them that are still under way."""

    def __init__(self, failed: Sequence[tuple[Tracked, Progress]], late: Sequence[Tracked] = ()) -> None:
        super().__init__("; ".join(progress.note for _, progress in failed))
        self.failed, self.late = tuple(failed), tuple(late)

    @property
    def notes(self) -> str:
        """What has failed, and how, for people."""
        return said_together([(one.address, progress.note) for one, progress in self.failed])


def said_together(notes: Sequence[tuple[str, str]]) -> str:
    """Notes on addresses in one line: the same note once, and no more names and notes than can be read."""
    groups: dict[str, list[str]] = {}
    for address, note in dict.fromkeys(notes):
        groups.setdefault(note, []).append(address)
    said = [f"{_some(list(dict.fromkeys(addresses)))}: {note}" for note, addresses in groups.items()]
    rest = [f"{len(said) - SOME} other failures"] if len(said) > SOME + 1 else said[SOME:]
    return "; ".join([*said[:SOME], *rest])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= SOME + 1 else [*names[:SOME], f"{len(names) - SOME} others"])


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one look has shown of one of those waited for: AWS's answers, and what they mean."""

    one: Tracked
    progress: Progress
    documents: tuple[Doc, ...]


Heard: TypeAlias = Callable[[Observation], None]


def wait_for(
    waiting: Sequence[Tracked],
    ask: Reader,
    clock: Clock,
    emit: events.Listener,
    stop: threading.Event,
    timeout: int | None,
    heard: Heard = lambda _seen: None,
    answered: Collection[str] = (),
    *,
    to_the_end: bool = False,
) -> None:
    """Returns when all are done, or when `stop` is set. Raises LostError when some have failed (with `to_the_end`: when
    the others have ended, too), LateError when the time is over, PausedError when all that is left waits for somebody.
    `heard` is told of each look. Hooks that were `answered` wait for nobody: AWS may only not show it yet.

    A look that AWS does not answer (throttled, connection lost) is no failure: the next one will tell.
    """
    started, pause = clock.now(), FIRST_PAUSE
    pending = {one.step.index: one for one in waiting if one.kind.track is not None}
    failed: list[tuple[Tracked, Progress]] = []
    while pending and not stop.is_set():
        elapsed = clock.now() - started
        seen = poll(list(pending.values()), ask, emit)
        for index, shown in seen.items():
            # That it runs comes before what it says, and all that it has said before that it has ended.
            told = partial(emit, _progressed(shown.one, shown.progress, elapsed))
            for tell in (partial(heard, shown), told) if shown.progress.done else (told, partial(heard, shown)):
                tell()
            pending[index] = _with_learned(shown)
            if shown.progress.done:
                one = pending.pop(index)
                if not shown.progress.ok:
                    failed.append((one, shown.progress))
        if failed and not (to_the_end and pending):
            raise WaitFailed(failed)
        last = {index: seen[index].progress if index in seen else Progress(done=False) for index in pending}
        late = [(one, last[index]) for index, one in pending.items() if elapsed >= _limit(one, timeout)]
        if late:
            hint = GO_ON if any(one.pause for one in last.values()) else "ECS goes on with the rollout."
            _give_up(late, failed, _limit(late[0][0], timeout), emit, elapsed, hint)
        if pending and all(one.pause and one.pause.hook not in answered for one in last.values()):
            raise Paused([(one, last[index]) for index, one in pending.items()])
        if pending:
            clock.sleep(poll_interval(_looks(pending.values()), pause))
            pause = min(pause * GROWTH, LONGEST_PAUSE)


def _looks(waiting: Iterable[Tracked]) -> list[Call]:
    """What one look at all of them asks for."""
    groups = by_kind(list(waiting), lambda one: one.kind)
    return [poll.call for kind, group in groups if kind.track for poll in kind.track.polls(group)]


def _progressed(one: Tracked, progress: Progress, elapsed: float) -> events.Progressed:
    return events.Progressed(
        address=one.address,
        note=progress.note,
        summary=progress.summary,
        done=progress.done,
        ok=progress.ok,
        elapsed=round(elapsed, 3),
        verdict=progress.status.value,
        tally=progress.tally,
        stage=progress.stage,
        traffic=progress.traffic,
        newest=progress.newest,
        pause=progress.pause,
        step=one.step.index,
    )


def _with_learned(shown: Observation) -> Tracked:
    progress = shown.progress
    if not progress.outputs and progress.state is None:
        return shown.one
    return dataclasses.replace(shown.one, outputs={**shown.one.outputs, **progress.outputs}, state=progress.state)


def poll(waiting: Sequence[Tracked], ask: Reader, emit: events.Listener) -> dict[int, Observation]:
    """By the step's index, each that could be seen."""
    result: dict[int, Observation] = {}
    for kind, group in by_kind(waiting, lambda one: one.kind):
        looks = kind.track.polls(group) if kind.track else ()
        try:
            answers = ask.fetch([poll.call for poll in looks])
        except AwsError as error:
            if error.locked_out:
                raise
            emit(events.Warned(message=f"polling failed, retrying: {error.message}"))
            continue
        seen: dict[int, list[Doc] | None] = {one.step.index: [] for one in group}
        for poll, answer in zip(looks, answers, strict=True):
            if answer.error is not None and poll.optional:
                continue
            if answer.error is not None:
                if "AccessDenied" in answer.error.code:
                    raise answer.error
                emit(events.Warned(message=f"polling failed, retrying: {answer.error.message}"))
            for index in poll.steps:
                documents = seen[index]
                if answer.error is not None:
                    seen[index] = None
                elif documents is not None:
                    documents.append(answer.value())
        for one in group:
            documents = seen[one.step.index]
            if documents is not None:
                progress = kind.track.judge(one, documents) if kind.track else Progress(done=True)
                result[one.step.index] = Observation(one=one, progress=progress, documents=tuple(documents))
    return result


def _limit(one: Tracked, timeout: int | None) -> int:
    if timeout is not None:
        return timeout
    declared = one.step.settings.timeout
    return declared if declared is not None else one.kind.track.timeout if one.kind.track else 0


def _give_up(
    late: Sequence[tuple[Tracked, Progress]],
    before: Sequence[tuple[Tracked, Progress]],
    limit: int,
    emit: events.Listener,
    elapsed: float,
    hint: str,
) -> None:
    """Something that had to end in time has failed, as others have `before`; a rollout that has not ended is only not
    finished."""
    over = [
        (one, dataclasses.replace(last, done=True, ok=False, note=_lateness(limit, last), stated=Status.TIMED_OUT))
        for one, last in late
    ]
    for one, progress in over:
        emit(_progressed(one, progress, elapsed))
    failed = [(one, progress) for one, progress in over if one.kind.track and one.kind.track.late_is_failure]
    if failed:
        raise WaitFailed([*before, *failed], [one for one, _ in failed])
    message = "; ".join(f"{one.address}: {progress.note}" for one, progress in over)
    raise WaitTimedOut(message, over, hint=hint)


def _lateness(limit: int, last: Progress) -> str:
    """How it is then, and what it has met last."""
    newest = f"the newest event: {last.newest.rstrip('.')}" if last.newest else ""
    return f"not finished after {limit} s" + ": " * bool(last.note) + "; ".join(filter(None, (last.note, newest)))
