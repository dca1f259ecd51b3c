"""The contents of the table of a running deployment: what each row says, from events. No colours, no widths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from ecsplan.core import events
from ecsplan.core.diagnosis import Pause, Tally
from ecsplan.core.model import Action, Address, Phase, Step
from ecsplan.journal import Outcome
from ecsplan.render.wording import FAILURES, WAITS, WORDS
from ecsplan.render.words import one_line, stage_words, without_service


class State(Enum):
    """The state of a row; the order is that in which rows are kept where there is too little room."""

    FAILED = "failed"
    PAUSED = "paused"
    GOING = "going"
    BACK = "back"
    LEFT = "left"
    WAITING = "waiting"
    DONE = "done"
    UNDONE = "undone"

    @property
    def over(self) -> bool:
        return self in (State.DONE, State.LEFT, State.UNDONE, State.FAILED)

    @property
    def rank(self) -> int:
        return list(State).index(self)


@dataclass(kw_only=True)
class Row:
    """A service, a one-off task, or all steps of a phase that take no time. `detail` is one more line: why it failed,
    or the newest event; `trouble` if that needs attention."""

    name: str
    phase: Phase
    state: State = State.WAITING
    says: str = "waiting"
    tally: Tally | None = None
    detail: str = ""
    trouble: bool = False
    began: float | None = None
    ended: float | None = None
    steps: dict[int, State] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def elapsed(self, now: float) -> float | None:
        """Seconds since it began, or that it took; None before it begins, and where steps take no time."""
        if self.began is None or WORDS[self.phase].together:
            return None
        return max(0.0, (now if self.ended is None else self.ended) - self.began)

    def begin(self, now: float) -> None:
        if self.began is None or self.ended is not None:
            self.began, self.ended = now, None

    def end(self, state: State, says: str, now: float) -> None:
        self.state, self.says = state, says
        self.began = now if self.began is None else self.began
        self.ended = now if self.ended is None else self.ended


class Board:
    """Takes the events of one deployment, in order, and keeps what the table shows. `now` returns seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.title = ""
        self.began = now()
        self.ended: float | None = None
        self.outcome: Outcome | None = None
        self.going_back = False
        self._rows: dict[tuple[Phase, str], Row] = {}

    @property
    def elapsed(self) -> float:
        return max(0.0, (self._now() if self.ended is None else self.ended) - self.began)

    @property
    def rows(self) -> tuple[Row, ...]:
        """In the order of the plan."""
        return tuple(self._rows.values())

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.DeploymentStarted():
                self._started(event)
            case events.StepStarted():
                self._begun(event.step, undo=event.undo)
            case events.StepDone():
                self._made(event)
            case events.StepFailed():
                self._failed(event)
            case events.Progressed():
                self._progressed(event)
            case events.UndoStarted():
                self.going_back = True
            case events.DeploymentEnded():
                self._ended(event)
            case _:
                return

    def _started(self, event: events.DeploymentStarted) -> None:
        self.title = f"deployment {event.number}: {event.app} {event.tag}".rstrip()
        services = [one.address for one in event.planned if one.phase is Phase.UPDATE]
        cluster = _common([address.name.partition("/")[0] + "/" for address in services])
        for one in event.planned:
            row = self._row(one.phase, one.address)
            if one.phase is Phase.UPDATE:
                row.name = row.name.removeprefix(cluster)
            row.steps[one.index] = State.DONE if one.made else State.WAITING
        for row in self.rows:
            if WORDS[row.phase].together and set(row.steps.values()) == {State.DONE}:
                row.state, row.says = State.DONE, "done before"

    def _row(self, phase: Phase, address: Address) -> Row:
        together = WORDS[phase].together
        return self._rows.setdefault((phase, together or address), Row(name=together or address.name, phase=phase))

    def _of(self, event: events.Progressed) -> Row:
        for row in self.rows:
            if event.step in row.steps:
                return row
        return self._row(Phase.UPDATE, event.address)

    def _begun(self, step: Step, *, undo: bool) -> None:
        row, now = self._row(step.phase, step.address), self._now()
        row.steps[step.index] = State.BACK if undo else State.GOING
        row.begin(now)
        row.state, row.says = row.steps[step.index], "putting back" if undo else _starting(step)
        row.tally, row.tallies = (None, {}) if undo else (row.tally, row.tallies)

    def _made(self, event: events.StepDone) -> None:
        step, row = event.step, self._row(event.step.phase, event.step.address)
        if not WORDS[step.phase].together:
            return  # its effect takes time; `Progressed` events report it
        row.steps[step.index] = State.UNDONE if event.undo else State.DONE
        if not event.undo:
            row.made.append(event.outputs.get("arn", "").rpartition("/")[2] or step.address.name)
        states = set(row.steps.values())
        if event.undo:
            row.end(State.UNDONE, WORDS[step.phase].reverted, self._now())
        elif states == {State.DONE}:
            row.end(State.DONE, _all_made(row), self._now())
        else:
            done = sum(state is State.DONE for state in row.steps.values())
            row.says = f"{done} of {len(row.steps)} {WORDS[step.phase].finished}"

    def _failed(self, event: events.StepFailed) -> None:
        row = self._row(event.step.phase, event.step.address)
        row.steps[event.step.index] = State.FAILED
        if row.state is not State.FAILED or event.undo:
            row.end(State.FAILED, "not put back" if event.undo else "failed", self._now())
        row.detail, row.trouble = one_line(event.error.removeprefix(f"{event.step.address}: ")), True

    def _progressed(self, event: events.Progressed) -> None:
        row, now = self._of(event), self._now()
        if row.state in (State.WAITING, State.DONE):
            row.begin(now)
        back = row.state in (State.BACK, State.UNDONE)
        if event.tally:
            row.tallies[event.step] = event.tally
            row.tally = _sum(row.tallies.values())
        if event.done:
            self._done(row, event, back=back)
        elif event.pause is not None:
            row.state, row.says = State.PAUSED, "paused at a hook"
            row.detail, row.trouble = one_line(_paused(event.pause)), True
        else:
            row.state = State.BACK if back else State.GOING
            row.says = _under_way(event, back=back)
            if not row.trouble:
                row.detail = without_service(event.newest)

    def _done(self, row: Row, event: events.Progressed, *, back: bool) -> None:
        row.steps[event.step] = State.DONE if event.ok else State.FAILED
        if not event.ok:
            row.end(State.FAILED, "not put back" if back else FAILURES.get(event.verdict, "failed"), self._now())
            row.detail, row.trouble = one_line(event.note), True
        elif all(state.over for state in row.steps.values()) and row.state is not State.FAILED:
            if not row.trouble:
                row.detail = ""
            says = WORDS[row.phase].reverted if back else one_line(event.summary or event.note)
            row.end(State.UNDONE if back else State.DONE, says, self._now())
            row.tally = None if row.phase is Phase.RUN else row.tally

    def _ended(self, event: events.DeploymentEnded) -> None:
        self.ended, self.outcome = self._now(), Outcome(event.outcome)
        for row in self.rows:
            if row.state is State.WAITING:
                row.state, row.says = _without_events(row, self.outcome)
            elif row.state is not State.PAUSED and not row.state.over:
                row.says = _left(row, self.outcome)
                row.state = State.LEFT
            row.ended = self.ended if row.began is not None and row.ended is None else row.ended


def _starting(step: Step) -> str:
    return WAITS if step.action is Action.WAIT else WORDS[step.phase].starting


def _under_way(event: events.Progressed, *, back: bool) -> str:
    """The stage and the traffic if known, else the state, without the counts, which have their own column."""
    parts = [f"{event.traffic:.0f} % of traffic"] if event.traffic is not None else []
    if event.stage:
        parts.append(stage_words(event.stage))
    if back:
        return ", ".join(["putting back", *parts])
    return ", ".join(parts) or one_line(event.summary or event.note)


def _all_made(row: Row) -> str:
    if row.phase is Phase.RETIRE:
        return f"{len(row.steps)} deregistered"
    return f"{WORDS[row.phase].finished}: {', '.join(sorted(row.made))}"


def _paused(pause: Pause) -> str:
    """At which stage a rollout is paused, and until when."""
    parts = [f"at {stage_words(pause.stage)}"] if pause.stage else []
    if pause.expires:
        parts.append(f"until {pause.expires}, then {pause.action}" if pause.action else f"until {pause.expires}")
    return ", ".join(parts)


def _without_events(row: Row, outcome: Outcome) -> tuple[State, str]:
    """The last state of a row that had no events: steps that were done before a resume are not polled again."""
    if set(row.steps.values()) != {State.DONE}:
        return State.LEFT, "not begun"
    return (State.DONE, "done before") if outcome is Outcome.SUCCEEDED else (State.LEFT, "begun before")


def _left(row: Row, outcome: Outcome) -> str:
    """What a row says that is not done when the deployment ends."""
    if outcome is Outcome.SUCCEEDED:
        return "not waited for"
    return f"left: {row.says}"


def _sum(tallies: Iterable[Tally]) -> Tally:
    every = list(tallies)
    return Tally(
        running=sum(one.running for one in every),
        desired=sum(one.desired for one in every),
        pending=sum(one.pending for one in every),
        failed=sum(one.failed for one in every),
    )


def _common(prefixes: list[str]) -> str:
    return prefixes[0] if prefixes and len(set(prefixes)) == 1 else ""
