"""Waiting for what takes time: poll, assess, report, sleep, until all is done or one has failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ecsplan.aws.pacing import poll_interval
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.diagnosis import Status
from ecsplan.core.errors import AwsError, EcsplanError
from ecsplan.core.model import Doc, Step
from ecsplan.core.ports import Reader
from ecsplan.kinds import by_kind
from ecsplan.kinds.contract import Progress, Track, Tracked

CONTINUE_HINT = "Continue it with `ecsplan continue`, or go back with `ecsplan rollback`."
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.5, 5.0, 1.5  # seconds between two polls
MAX_LISTED = 3  # names, or notes, in one line


class WaitTimedOut(EcsplanError):
    """The time is over and something is still under way: `late`, each as the last poll has shown it. `paused` where
    some of it waits at a lifecycle hook."""

    def __init__(
        self, message: str, late: Sequence[tuple[Tracked, Progress]] = (), *, hint: str = "", paused: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.late, self.paused = tuple(late), paused


class Paused(EcsplanError):
    """All that is still under way waits at lifecycle hooks, each as the last poll has shown it."""

    def __init__(self, paused: Sequence[tuple[Tracked, Progress]]) -> None:
        super().__init__(
            "; ".join(f"{one.address}: {progress.note}" for one, progress in paused),
            hint=CONTINUE_HINT,
        )
        self.paused = tuple(paused)


class WaitFailed(Exception):
    """Something that was awaited has failed, each with how; `late` are those of them that are still under way."""

    def __init__(self, failed: Sequence[tuple[Tracked, Progress]], late: Sequence[Tracked] = ()) -> None:
        super().__init__("; ".join(progress.note for _, progress in failed))
        self.failed, self.late = tuple(failed), tuple(late)

    @property
    def notes(self) -> str:
        """What has failed, and how, for people."""
        return joined_notes([(one.address, progress.note) for one, progress in self.failed])


def joined_notes(notes: Sequence[tuple[str, str]]) -> str:
    """Notes on addresses in one line: the same note once, and no more names and notes than can be read."""
    groups: dict[str, list[str]] = {}
    for address, note in dict.fromkeys(notes):
        groups.setdefault(note, []).append(address)
    lines = [f"{_listed(list(dict.fromkeys(addresses)))}: {note}" for note, addresses in groups.items()]
    rest = [f"{len(lines) - MAX_LISTED} other failures"] if len(lines) > MAX_LISTED + 1 else lines[MAX_LISTED:]
    return "; ".join([*lines[:MAX_LISTED], *rest])


def _listed(names: Sequence[str]) -> str:
    if len(names) <= MAX_LISTED + 1:
        return ", ".join(names)
    return ", ".join([*names[:MAX_LISTED], f"{len(names) - MAX_LISTED} others"])


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one poll has shown of one tracked step: AWS's answers, and what they mean."""

    one: Tracked
    progress: Progress
    documents: tuple[Doc, ...]

    @property
    def next(self) -> Tracked:
        """The tracked step as the next poll takes it."""
        one, progress = self.one, self.progress
        state = one.state if progress.state is None else progress.state  # a poll may have shown nothing to go by
        return dataclasses.replace(one, outputs={**one.outputs, **progress.outputs}, state=state)


Observer: TypeAlias = Callable[[Observation], None]
Judged: TypeAlias = tuple[Tracked, Progress]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a poll means for all that is awaited."""

    pending: dict[int, Tracked]
    """what is still under way, by the step's index"""
    failed: tuple[Judged, ...] = ()
    late: tuple[Judged, ...] = ()
    paused: tuple[Judged, ...] = ()
    """all that is under way, where all of it waits at hooks"""
    some_paused: bool = False


def assess(
    pending: Mapping[int, Tracked],
    seen: Mapping[int, Observation],
    elapsed: float,
    timeout: int | None,
    continued: Collection[str] = (),
) -> Assessment:
    """What is done, failed, late or paused, `elapsed` seconds after waiting began. Pure. `timeout` wins over that of
    the step and of its kind. Hooks that were `continued` count as passed: AWS may only not show it yet."""
    left: dict[int, Tracked] = {}
    failed: list[Judged] = []
    for index, one in pending.items():
        shown = seen.get(index)
        if shown is None:
            left[index] = one
        elif not shown.progress.done:
            left[index] = shown.next
        elif not shown.progress.ok:
            failed.append((shown.next, shown.progress))
    last = {index: seen[index].progress if index in seen else Progress(done=False) for index in left}
    waits = [one.pause for one in last.values() if one.pause]
    all_paused = len(waits) == len(left) and not any(pause.hook in continued for pause in waits)
    return Assessment(
        pending=left,
        failed=tuple(failed),
        late=tuple((one, last[index]) for index, one in left.items() if elapsed >= _limit(one, timeout)),
        paused=tuple((one, last[index]) for index, one in left.items()) if all_paused else (),
        some_paused=bool(waits),
    )


def wait_for(
    tracked: Sequence[Tracked],
    read: Reader,
    clock: StoppableClock,
    emit: events.Listener,
    timeout: int | None,
    observe: Observer = lambda _seen: None,
    continued: Collection[str] = (),
    *,
    to_the_end: bool = False,
) -> None:
    """Returns when all are done, or when the clock is stopped. Raises WaitFailed when some have failed (with
    `to_the_end`: when the others have ended, too), WaitTimedOut when the time is over, Paused when all that is left
    waits at hooks. `observe` is called for each observation.

    A poll that AWS does not answer (throttled, connection lost) is no failure: the next one will show it.
    """
    started, pause = clock.now(), FIRST_PAUSE
    pending = {one.step.index: one for one in tracked if one.kind.track is not None}
    failed: list[Judged] = []
    while pending and not clock.stopped:
        elapsed = clock.now() - started
        seen = poll(list(pending.values()), read, emit)
        for shown in seen.values():
            _report(shown, elapsed, emit, observe)
        found = assess(pending, seen, elapsed, timeout, continued)
        pending = found.pending
        failed += found.failed
        if failed and not (to_the_end and pending):
            raise WaitFailed(failed)
        if found.late:
            _give_up(found, failed, _limit(found.late[0][0], timeout), elapsed, emit)
        if found.paused:
            raise Paused(found.paused)
        if pending:
            calls = [poll.call for track, group in _by_track(pending.values()) for poll in track.polls(group)]
            clock.sleep(poll_interval(calls, pause))
            pause = min(pause * GROWTH, LONGEST_PAUSE)


def poll(tracked: Sequence[Tracked], read: Reader, emit: events.Listener) -> dict[int, Observation]:
    """By the step's index, each that AWS has shown. Raises AwsError where the role may not read."""
    result: dict[int, Observation] = {}
    for track, group in _by_track(tracked):
        polls = track.polls(group)
        try:
            answers = read.fetch([poll.call for poll in polls])
        except AwsError as error:
            if error.locked_out:
                raise
            _warn_of_retry(error, emit)
            continue
        shown: dict[int, list[Doc] | None] = {one.step.index: [] for one in group}
        for request, answer in zip(polls, answers, strict=True):
            if answer.error is not None and request.optional:
                continue
            if answer.error is not None:
                if "AccessDenied" in answer.error.code:
                    raise answer.error
                _warn_of_retry(answer.error, emit)
            for index in request.steps:
                documents = shown[index]
                if answer.error is not None:
                    shown[index] = None
                elif documents is not None:
                    documents.append(answer.value())
        for one in group:
            documents = shown[one.step.index]
            if documents is not None:
                progress = track.judge(one, documents)
                result[one.step.index] = Observation(one=one, progress=progress, documents=tuple(documents))
    return result


def _by_track(tracked: Iterable[Tracked]) -> list[tuple[Track, list[Tracked]]]:
    groups = by_kind(tracked, lambda one: one.kind)
    return [(kind.track, group) for kind, group in groups if kind.track is not None]


def _warn_of_retry(error: AwsError, emit: events.Listener) -> None:
    emit(events.Warned(message=f"polling failed, retrying: {error.message}"))


def _report(shown: Observation, elapsed: float, emit: events.Listener, observe: Observer) -> None:
    """That something runs comes before its log lines, and its last log lines before its end."""
    if shown.progress.done:
        observe(shown)
        emit(_progressed(shown.one, shown.progress, elapsed))
    else:
        emit(_progressed(shown.one, shown.progress, elapsed))
        observe(shown)


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


def _limit(one: Tracked, timeout: int | None) -> int:
    return limit_of(one.step, one.kind.track, timeout)


def limit_of(step: Step, track: Track | None, timeout: int | None) -> int:
    """Seconds. `timeout` wins over that of the step, and this over that of its kind."""
    limits = (timeout, step.settings.timeout, track.timeout if track else 0)
    return next(limit for limit in limits if limit is not None)


def _give_up(found: Assessment, before: Sequence[Judged], limit: int, elapsed: float, emit: events.Listener) -> None:
    """Raises WaitFailed for what had to end in time, and WaitTimedOut for a rollout that has not ended."""
    over = [
        (one, dataclasses.replace(last, done=True, ok=False, note=_lateness(limit, last), stated=Status.TIMED_OUT))
        for one, last in found.late
    ]
    for one, progress in over:
        emit(_progressed(one, progress, elapsed))
    failed = [(one, progress) for one, progress in over if one.kind.track and one.kind.track.late_is_failure]
    if failed:
        raise WaitFailed([*before, *failed], [one for one, _ in failed])
    message = "; ".join(f"{one.address}: {progress.note}" for one, progress in over)
    hint = CONTINUE_HINT if found.some_paused else "ECS continues the rollout."
    raise WaitTimedOut(message, over, hint=hint, paused=found.some_paused)


def _lateness(limit: int, last: Progress) -> str:
    """Its state then, and its newest event."""
    newest = f"the newest event: {last.newest.rstrip('.')}" if last.newest else ""
    return f"not finished after {limit} s" + ": " * bool(last.note) + "; ".join(filter(None, (last.note, newest)))
