"""A deployment while it runs, as plain lines: one when something changed, and at least one every 30 seconds."""

from __future__ import annotations

from collections.abc import Callable

from ecsplan.core import events
from ecsplan.core.model import Action, Address, Step
from ecsplan.journal import Outcome
from ecsplan.render.paint import SIGNS, Paint, plain
from ecsplan.render.wording import WAITS, WORDS
from ecsplan.render.words import (
    continued_text,
    is_routine,
    lines_of,
    one_line,
    paced_text,
    stage_words,
    without_service,
)

QUIET = 30.0  # seconds after which an unchanged state is reported again


class Lines:
    """A listener that writes each event as a line through `say`."""

    def __init__(self, say: Callable[[str], None], paint: Paint = plain) -> None:
        self._say, self._paint = say, paint
        self._last: dict[tuple[Address, int], tuple[str, float]] = {}
        self._newest: dict[Address, str] = {}
        self._before = ""
        self._steps = 0

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.DeploymentStarted():
                self._steps = event.steps
                self._say(f"deployment {event.number}: {event.app} {event.tag}".rstrip() + f", {_count(event.steps)}")
            case events.StepDone():
                self._say(self._line(event.step, self._done(event)))
            case events.StepFailed():
                what = "undo failed" if event.undo else "failed"
                why = event.error.removeprefix(f"{event.step.address}: ")
                self._say(self._line(event.step, self._paint(f"{what}: {why}", "red")))
            case events.Progressed():
                self._progressed(event)
            case events.Continued():
                self._say(continued_text(event))
            case events.Warned():
                self._say(f"{self._paint('!', 'yellow')} {one_line(event.message)}")
            case events.Paced():
                self._say(f"{self._pad()}{paced_text(event)}")
            case events.Logged():
                for line in lines_of(event.text):
                    self._say(f"{self._pad()}{self._paint(f'{event.source} |', 'dim')} {line}".rstrip())
            case events.UndoStarted():
                self._say("putting back what was done, last step first")
            case _:
                return

    def _done(self, event: events.StepDone) -> str:
        if event.undo:
            return f"{WORDS[event.step.phase].reverting} {event.outputs.get('stopped', '')}".rstrip()
        if "joined" in event.outputs:
            return "joined what runs already"
        if event.step.action is Action.WAIT:
            return WAITS
        revision = event.outputs.get("arn", "").rpartition("/")[2]
        return f"{WORDS[event.step.phase].accepted} {revision}".rstrip()

    def _line(self, step: Step, what: str) -> str:
        sign = self._paint(step.action.sign, SIGNS[step.action.sign])
        width = len(str(self._steps))
        return f"{step.index:>{width}}/{self._steps} {sign} {step.address}  {what}"

    def _pad(self) -> str:
        return " " * (2 * len(str(self._steps)) + 3)

    def _progressed(self, event: events.Progressed) -> None:
        if event.done and not event.ok:
            return  # `StepFailed` reports it
        what, key = progress_text(event), (event.address, event.step)
        said, at = self._last.get(key, ("", 0.0))
        if what != said or not 0 <= event.elapsed - at < QUIET or event.done:
            self._last[key] = (what, event.elapsed)
            color = "green" if event.done else "dim"
            line = f"{self._pad()}{event.address}  {self._paint(what, color)} ({event.elapsed:.0f} s)"
            if line != self._before:  # the steps of one address often progress alike
                self._say(line)
            self._before = line
        self._trouble(event)

    def _trouble(self, event: events.Progressed) -> None:
        """Write the newest event of a service if it means trouble and was not written before."""
        newest = without_service(event.newest)
        if newest and newest != self._newest.get(event.address) and not is_routine(newest) and not event.done:
            self._newest[event.address] = newest
            self._say(f"{self._pad()}{event.address.name}: {newest}")


def progress_text(event: events.Progressed) -> str:
    """The result of one poll as a line shows it: the note, then stage and traffic unless the note has them."""
    parts = [one_line(event.note)]
    said = event.stage in event.note or stage_words(event.stage) in event.note.split(", ")
    if event.stage and not event.done and not said:
        parts.append(stage_words(event.stage))
    if event.traffic is not None and not event.done and "%" not in event.note:
        parts.append(f"{event.traffic:.0f} % of traffic")
    return ", ".join(parts)


def outcome_text(number: int, outcome: Outcome, reason: str) -> str:
    """How a deployment ended, in one sentence."""
    because = f": {reason}" if reason else ""
    return {
        Outcome.SUCCEEDED: f"Deployment {number} succeeded" + (f", but {reason}." if reason else "."),
        Outcome.PUT_BACK: f"Deployment {number} failed and everything was put back{because}",
        Outcome.FAILED: f"Deployment {number} failed{because}",
        Outcome.STOPPED: f"Deployment {number} failed and stopped part-way{because}",
        Outcome.INTERRUPTED: f"Deployment {number} was interrupted{because}",
        Outcome.SUPERSEDED: f"Deployment {number} ended part-way{because}",
        Outcome.ABANDONED: f"Deployment {number} was ended as it is{because}",
        Outcome.UNFINISHED: f"Deployment {number} is not finished{because}",
        Outcome.RUNNING: f"Deployment {number} is running",
    }[outcome]


def _count(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"
