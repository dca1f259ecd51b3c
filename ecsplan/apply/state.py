"""The state of a deployment: the fold of its journal. Pure.

What runs and what is resumed use the same: an entry changes the state when it has been written, and a resumed process
replays the entries of the earlier ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable

import msgspec

from ecsplan.core.documents import filled, refs_in
from ecsplan.core.model import Action, Address, Call, Outputs, Phase, Plan, Step
from ecsplan.journal import Began, Closed, Deployment, Entry, Opened, StepState, after
from ecsplan.kinds import kinds_of
from ecsplan.kinds.contract import Awaited, Kind, Tracked


class RunState:
    """The state of all steps. Only `record` changes it, and `rule_out`, which is not journaled: the next process looks
    it up again."""

    def __init__(self, plan: Plan, number: int, key: str, *, resumed: bool = False) -> None:
        """`key` is unique to this deployment (`Opened.deployment_key`)."""
        self.plan, self.number, self.resumed = plan, number, resumed
        self._key, self._kinds = key, kinds_of(plan)
        self._indexed = {step.index: step for step in plan.steps}
        self._states = {step.index: StepState() for step in plan.steps}
        self._outputs: dict[Address, Outputs] = {}
        self._last_begun = 0
        self._lock = threading.Lock()

    @classmethod
    def replay(cls, deployment: Deployment) -> RunState:
        state = cls(deployment.plan, deployment.number, deployment.opened.deployment_key, resumed=True)
        for entry in deployment.entries:
            state.record(entry)
        return state

    def record(self, entry: Entry) -> None:
        """Take in an entry of the journal."""
        if isinstance(entry, Opened | Closed):
            return
        step = self._indexed[entry.step]
        with self._lock:
            state = after(self._states[step.index], step, entry)
            self._states[step.index] = state
            if isinstance(entry, Began) and not entry.undo and not entry.aside:
                self._last_begun = max(self._last_begun, step.index)
            if state.outputs is not None:
                self._outputs[step.address] = state.outputs

    def rule_out(self, step: Step) -> None:
        """The step was certainly not carried out, or is to run again."""
        with self._lock:
            self._states[step.index] = msgspec.structs.replace(self._states[step.index], open=False, outputs=None)
            self._outputs.pop(step.address, None)

    # --- what is known ---

    def __getitem__(self, step: Step) -> StepState:
        return self._states[step.index]

    def kind(self, step: Step) -> Kind:
        return self._kinds[step.address]

    def steps_of(self, phase: Phase) -> list[Step]:
        return [step for step in self.plan.steps if step.phase is phase]

    def open_steps(self) -> list[Step]:
        """The steps that have to be looked up before anything is sent."""
        return [step for step in self.plan.steps if self[step].open]

    def made_steps(self) -> list[Step]:
        return [step for step in self.plan.steps if self[step].made is not None]

    def acted(self, phase: Phase | None = None) -> list[Step]:
        """The steps that were carried out, or perhaps were, and were not undone: what an undo goes through. Those that
        only wait are not among them."""
        return [
            step
            for step in self.plan.steps
            if phase in (None, step.phase) and step.action.changes and (self[step].open or self[step].made is not None)
        ]

    def staying(self) -> list[Step]:
        """The steps whose effect has failed, and that nothing puts back."""
        return [step for step in self.plan.steps if self[step].stays]

    def left_behind(self) -> list[Step]:
        """The steps that have an effect still, also those whose undo has failed."""
        acted = {step.index for step in self.acted()}
        return [step for step in self.plan.steps if step.index in acted or self[step].undo_failed]

    def was_passed(self, step: Step) -> bool:
        """Was a step of another address begun after this one? Then this one was over by then."""
        last = self._indexed.get(self._last_begun)
        return last is not None and last.index > step.index and last.address != step.address

    # --- calls ---

    def call_of(self, step: Step) -> Call:
        """The step's call with everything filled in: outputs of earlier steps, its token, and its marker. For a step
        that waits: the call that began what it waits for."""
        if step.action is Action.WAIT:
            return self.awaited(step).call
        call, calls, own = self._filled(step.call), self.kind(step).calls, self._token(step)
        # 36 characters, which ECS has always taken.
        marker = {calls.marker: f"ecsplan-{own[:28]}"} if calls.marker else {}
        token = {calls.token: own} if calls.token else {}
        return msgspec.structs.replace(call, params={**marker, **call.params, **token})

    def undo_of(self, step: Step) -> Call | None:
        """None where there is nothing to undo, or no way to: a task that ran, a registration whose ARN is unknown."""
        if not isinstance(step.undo, Call):
            return None
        call = self._filled(step.undo)
        return None if any(True for _ in refs_in(call.params)) else call

    def _filled(self, call: Call) -> Call:
        with self._lock:
            return msgspec.structs.replace(call, params=filled(call.params, self._outputs))

    def _token(self, step: Step) -> str:
        """The client token: stable across retries of this step, unique to this deployment. At most 64 characters."""
        text = f"{self.plan.digest}/{self._key}/{step.index}"
        return hashlib.sha256(text.encode()).hexdigest()

    # --- what takes time ---

    def awaited(self, step: Step) -> Awaited:
        """What a step that sends nothing waits for."""
        track = self.kind(step).track
        assert track is not None
        assert track.awaited is not None
        return track.awaited(step)

    def reverts(self, step: Step) -> Outputs | None:
        """The outputs of the earlier step that this one reverts while that may still be under way; None for most."""
        revert = self.kind(step).revert
        return revert.started_by(step.expect) if revert is not None else None

    def tracked(self, step: Step) -> Tracked:
        """A step that was carried out, perhaps long ago."""
        return Tracked(
            kind=self.kind(step),
            step=step,
            call=self.call_of(step),
            outputs=self[step].made or {},
            before=self.reverts(step) or {},
            old=True,
        )

    def tracked_undos(self, phase: Phase) -> list[Tracked]:
        """The steps that were undone, as what their undos have started."""
        return [
            Tracked(
                kind=self.kind(step),
                step=step,
                call=self._filled(step.undo),
                outputs=self[step].undo_outputs or {},
                before=self[step].outputs or {},
                old=True,
            )
            for step in self.steps_of(phase)
            if self[step].undone and isinstance(step.undo, Call)
        ]


def addresses(steps: Iterable[Step]) -> str:
    """Their addresses for people, each once."""
    return ", ".join(dict.fromkeys(step.address for step in steps))
