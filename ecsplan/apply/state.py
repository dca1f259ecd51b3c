"""What an earlier process of a deployment did, as its journal and AWS tell it.

The journal says which steps were done, undone, refused, and begun without an end. Of the last, AWS is asked. Where it
does not answer, or can no longer know, nothing follows: not that the step was done, nor that it failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ecsplan.apply.send import Sender
from ecsplan.core.errors import AwsError, EcsplanError, Exit, RefusedError
from ecsplan.core.model import Call, Step
from ecsplan.journal import Began, Deployment, Done, Failed
from ecsplan.kinds import kind_of

ASK_AGAIN = "Nothing was sent and nothing put back; `ecsplan resume` asks again."
SKEW = 300  # seconds by which the clocks of two machines may differ
DECIDE = (
    "See in its logs, or in what it works on, whether it was carried out. If it was, go on with "
    "`ecsplan resume --unclear done`; if it was not, with `ecsplan resume --unclear run`."
)


class UnknownState(EcsplanError):
    """Whether a step was carried out, or how it ended, cannot be seen: nothing may be concluded from that, and the
    deployment stays as it is."""

    exit_code = Exit.STOPPED


class EvidenceExpired(UnknownState):
    """These steps have ended, and AWS no longer tells how."""

    def __init__(self, message: str, steps: Sequence[Step]) -> None:
        super().__init__(message, state="It was not run again.", hint=DECIDE)
        self.steps = tuple(steps)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """By step: `before` holds the outputs of what was done, `made` those of what was not undone since, `undone` those
    of undos, `open` when a step was begun (epoch seconds) of which nobody saw an end. `last` is the last step that was
    begun. `failed` is how the effect of a step that was done has failed. `undoing` are the steps whose undo was begun
    and has no end."""

    before: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    made: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    undone: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    open: dict[int, float] = field(default_factory=dict)
    last: Step | None = None
    failed: Mapping[int, str] = field(default_factory=dict)
    undoing: frozenset[int] = frozenset()


def remember(deployment: Deployment) -> Memory:
    """Everything that the journal tells."""
    steps = {step.index: step for step in deployment.plan.steps}
    begun = {e.step: _epoch(e.at) for e in deployment.entries if isinstance(e, Began) and not e.undo}
    before = deployment.outputs()
    # A task that was stopped because it was late has run all the same: it is not to run again.
    undone = {
        e.step: e.outputs
        for e in deployment.entries
        if isinstance(e, Done) and e.undo and isinstance(steps[e.step].undo, Call)
    }
    return Memory(
        before=before,
        made={index: outputs for index, outputs in before.items() if index not in undone},
        undone=undone,
        open={index: begun[index] for index in sorted(deployment.unclear())},
        last=max((steps[index] for index in deployment.touched()), key=lambda step: step.index, default=None),
        failed=_failed(deployment),
        undoing=frozenset(e.step for e in deployment.entries if isinstance(e, Began) and e.undo) - undone.keys(),
    )


def _failed(deployment: Deployment) -> dict[int, str]:
    """A refusal is forgotten when the step was carried out later."""
    failed: dict[int, str] = {}
    for entry in deployment.steps_told():
        match entry:
            case Failed(undo=False):
                failed[entry.step] = entry.error
            case Done(undo=False):
                failed.pop(entry.step, None)
    return failed


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def look_up(step: Step, call: Call, begun: float, sender: Sender) -> dict[str, str] | None:
    """The outputs of a call that was begun at that time, journaled, if AWS shows that it was carried out. None if it
    was certainly not; raises UnseenError where nobody can tell."""
    calls, ports = kind_of(step.address).calls, sender.ports
    try:
        found = calls.recover(ports.ask, step, call)
    except AwsError as error:
        raise UnknownState(
            f"whether {step.address} was carried out could not be looked up: {error.message}",
            state=ASK_AGAIN,
            hint=error.hint,
        ) from error
    except RefusedError as error:
        raise UnknownState(f"{error.message}, before the deployment was cut off", hint=DECIDE) from error
    if found is not None:
        sender.done(step, dict(found))
        ports.told(step, call, {})
        return dict(found)
    age = ports.clock.now() - begun
    if calls.evidence is not None and not -SKEW <= age <= calls.evidence:
        raise UnknownState(
            f"{step.address} was begun {_ago(age)} and nobody saw its end; AWS shows nothing of it, "
            f"but after {calls.evidence // 60} minutes that does not prove that it never ran",
            state="It was not run again.",
            hint=DECIDE,
        )
    return None


def _ago(seconds: float) -> str:
    if seconds < 0:
        return "at a time that is still to come by this machine's clock"
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min ago"
