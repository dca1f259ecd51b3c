"""The effects of a deployment: sending, looking up, waiting, stopping. It decides nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ecsplan.apply.diagnose import diagnosed
from ecsplan.apply.logs import Tailer
from ecsplan.apply.send import Ports, Sender, StepError
from ecsplan.apply.state import RunState
from ecsplan.apply.wait import Judged, Observation, WaitFailed, limit_of, poll, wait_for
from ecsplan.core import events
from ecsplan.core.diagnosis import Diagnosis, Pause, Status
from ecsplan.core.errors import AwsError, EcsplanError, Exit, Interrupted, RefusedError
from ecsplan.core.model import Address, Call, Irreversible, Phase, Step
from ecsplan.journal import Chosen
from ecsplan.kinds.contract import Tracked

CLOCK_SKEW = 300  # seconds by which the clocks of two machines may differ
ASK_AGAIN = "Nothing was sent and nothing rolled back; `ecsplan resume` asks again."
DECIDE_HINT = (
    "See in its logs, or in what it works on, whether it was carried out. If it was, continue with "
    "`ecsplan resume --unclear done`; if it was not, with `ecsplan resume --unclear run`."
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """`on_failure` is `rollback` or `stop`. `timeout` in seconds wins over the spec. `unclear` is for `resume`: a
    one-off task whose result AWS no longer shows is assumed `done`, or is to `run` again; "" stops and asks.

    With `beside`, one-off tasks of others that run at the same address are neither looked for nor awaited. With
    `anyway`, which is for `resume`, what was not begun is laid over what others have changed since.

    A policy or `wait` that is not given is as the deployment was begun; a new one rolls back, and waits."""

    on_failure: str = ""
    wait: bool | None = None
    timeout: int | None = None
    unclear: str = ""
    beside: bool = False
    anyway: bool = False

    def over(self, begun_with: Chosen) -> Options:
        """With what is not given as the deployment was begun."""
        return dataclasses.replace(
            self,
            on_failure=self.on_failure or begun_with.on_failure or "rollback",
            wait=begun_with.wait if self.wait is None else self.wait,
            beside=self.beside or begun_with.beside,
        )

    @property
    def chosen(self) -> Chosen:
        """What the journal keeps of them."""
        whole = self.over(Chosen())
        return Chosen(on_failure=whole.on_failure, wait=bool(whole.wait), beside=whole.beside)


class UnknownState(EcsplanError):
    """Whether a step was carried out, or how it ended, is unknown: the deployment stays as it is. Where it is
    `decidable`, an operator can say so with `--unclear`."""

    exit_code = Exit.STOPPED

    def __init__(self, message: str, *, state: str = "", hint: str = "", decidable: bool = False) -> None:
        super().__init__(message, state=state, hint=DECIDE_HINT if decidable else hint)
        self.decidable = decidable


class EvidenceExpired(UnknownState):
    """These one-off tasks have ended, and AWS no longer shows how."""

    def __init__(self, message: str, steps: Sequence[Step]) -> None:
        super().__init__(message, state="It was not run again.", decidable=True)
        self.steps = tuple(steps)


@dataclass(kw_only=True)
class Watch:
    """What polling has shown in this process. It is not journaled."""

    under_way: tuple[Tracked, ...] = ()
    superseded: set[Address] = field(default_factory=set)
    """addresses that another deployment has changed since"""
    paused: set[Address] = field(default_factory=set)
    continued: set[str] = field(default_factory=set)
    """hooks that were continued"""
    skipped: set[Address] = field(default_factory=set)
    """addresses whose effects were not awaited"""
    unawaited: set[str] = field(default_factory=set)
    """revisions (ARNs) that may still be in use, because the rollouts that replace them were not awaited"""
    diagnoses: dict[Address, Diagnosis] = field(default_factory=dict)

    def observe(self, seen: Observation) -> None:
        one, progress = seen.one, seen.progress
        (self.paused.add if progress.pause else self.paused.discard)(one.address)
        if progress.done:
            self.under_way = tuple(other for other in self.under_way if other.step.index != one.step.index)


class Engine:
    """Carries out the steps of one deployment."""

    def __init__(self, state: RunState, ports: Ports, options: Options, looked: float | None = None) -> None:
        """`looked` is when all that the plan was made from was last read (epoch seconds); None where that is long
        ago."""
        self.state, self.ports, self.options, self.looked = state, ports, options, looked
        self.watch = Watch(superseded=state.superseded())
        self.sender = Sender(ports, state)
        self._tailer = Tailer(ports.read, ports.clock, ports.emit, state.plan.identity.region)

    def resolve(self, step: Step) -> Mapping[str, str] | None:
        """Look up an open step. The outputs, journaled, if AWS shows that it was carried out; None if it certainly was
        not. Raises UnknownState where AWS cannot tell."""
        calls, call, begun = self.state.kind(step).calls, self.state.call_of(step), self.state[step].begun
        try:
            found = calls.recover(self.ports.read, self.state.as_sent(step), call)
        except AwsError as error:
            raise UnknownState(
                f"could not determine whether {step.address} was carried out: {error.message}",
                state=ASK_AGAIN,
                hint=error.hint,
            ) from error
        except RefusedError as error:
            raise UnknownState(f"{error.message}, before the deployment was cut off", decidable=True) from error
        if found is not None:
            self.sender.recovered(step, call, dict(found))
            return found
        age = self.ports.clock.now() - (begun if begun is not None else 0.0)
        if self.state.makes(step) and calls.evidence is not None and not -CLOCK_SKEW <= age <= calls.evidence:
            raise UnknownState(
                f"{step.address} was begun {_ago(age)} and its end is unknown; AWS shows nothing of it, "
                f"but after {calls.evidence // 60} minutes that does not prove that it never ran",
                state="It was not run again.",
                decidable=True,
            )
        return None

    @property
    def stopped(self) -> bool:
        """Has someone asked to stop?"""
        return self.ports.clock.stopped

    @property
    def acted(self) -> bool:
        """May this process have changed anything?"""
        return self.sender.acted

    def emit(self, event: events.Event | events.Notice) -> None:
        self.ports.emit(event)

    def poll(self, tracked: Sequence[Tracked]) -> dict[int, Observation]:
        """One poll of all of them, as `wait.poll`."""
        return poll(tracked, self.ports.read, self.ports.emit)

    def was_carried_out(self, step: Step, call: Call) -> bool:
        """Does AWS show that this call of the step was carried out?"""
        return self.state.kind(step).calls.recover(self.ports.read, self.state.as_sent(step), call) is not None

    def assume_done(self, step: Step) -> None:
        """An operator says that this step was carried out."""
        self.sender.done(step, dict(self.state.kind(step).calls.assumed))

    def continue_past(self, step: Step, pause: Pause) -> None:
        """Continue a rollout that is paused at a hook. Raises what AWS refuses it with."""
        revert = self.state.kind(step).revert
        assert revert is not None
        self.sender.send_side_call(step, revert.resolve_pause(pause, True))
        self.watch.continued.add(pause.hook)
        self.emit(events.Continued(address=step.address, hook=pause.hook, stage=pause.stage))

    def awaits(self, step: Step) -> bool:
        """Is the effect of this step to be awaited? That of one-off tasks is, because the other steps rely on them."""
        return step.settings.wait and (bool(self.options.wait) or step.phase in (Phase.STOP, Phase.RUN))

    def limit(self, step: Step) -> int:
        """How many seconds the step may take, as `wait_for` has it."""
        return limit_of(step, self.state.kind(step).track, self.options.timeout)

    def wait(self, tracked: Sequence[Tracked], *, to_the_end: bool = False) -> None:
        """Until the effects of these steps are there. Raises what `wait_for` raises; Interrupted when stopped."""
        self.watch.under_way = tuple(tracked)
        try:
            wait_for(
                tracked,
                self.ports.read,
                self.ports.clock,
                self.ports.emit,
                self.options.timeout,
                self._observe,
                self.watch.continued,
                to_the_end=to_the_end,
            )
        except WaitFailed:
            self._tailer.finish()
            raise
        self._tailer.finish()
        if self.stopped:
            raise Interrupted
        self.watch.under_way = ()

    def _observe(self, seen: Observation) -> None:
        self._tailer.observe(seen)
        self.watch.observe(seen)

    def diagnose(self, failed: Sequence[Judged]) -> None:
        """Look up why these have failed, now: what AWS shows of it fades."""
        self.watch.diagnoses |= diagnosed(failed, self.ports)

    def fail(self, failed: Sequence[Judged], *, undo: bool = False) -> None:
        """Journal that the effects of these steps have failed."""
        for one, progress in failed:
            # One-off tasks are not undone either: that is said, and the rest is put back.
            no_way_back = one.step.phase is Phase.UPDATE and isinstance(one.step.undo, Irreversible)
            stays = no_way_back and progress.status is not Status.ROLLED_BACK
            self.sender.fail(one.step, StepError(progress.note), undo=undo, stays=stays)
            if progress.superseded:
                self.watch.superseded.add(one.address)

    def stop(self, one: Tracked, why: str) -> None:
        """Stop what has failed and still runs. It is journaled as the step's undo, as far as there can be one."""
        refused: dict[str, None] = {}
        calls: Sequence[Call] = one.kind.track.stop(one, why) if one.kind.track else ()
        for call in calls:
            try:
                self.sender.send(one.step, call, undo=True)
            except (AwsError, RefusedError) as error:
                refused[error.message] = None
        for message in refused:
            self.sender.warn(f"{one.address} may still be running: {message}")


def _ago(seconds: float) -> str:
    if seconds < 0:
        return "at a time in the future, by this machine's clock,"
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min ago"
