"""The state of a deployment: the fold of its journal. Pure.

What runs and what is resumed use the same: an entry changes the state when it has been written, and a resumed process
replays the entries of the earlier ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping

import msgspec

from ecsplan.core.documents import filled, refs_in
from ecsplan.core.model import Action, Address, Call, Outputs, Phase, Plan, Step
from ecsplan.core.text import mark_of
from ecsplan.journal import Began, Closed, Deployment, Entry, Opened, Remade, StepState, after
from ecsplan.kinds import kinds_of
from ecsplan.kinds.contract import Awaited, Kind, Tracked, Wanted

LONGEST_MARK = 36  # characters, which ECS has always taken


class RunState:
    """The state of all steps. Only `record` changes it, and `rule_out`, `try_again` and `remake`, which are not
    journaled: the next process looks it up again."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        key: str,
        *,
        resumed: bool = False,
        tries_again: bool = False,
        old_marks: bool = False,
    ) -> None:
        """`key` is unique to this deployment (`Opened.deployment_key`). `tries_again`: is what has failed in an earlier
        process to be tried again? `old_marks`: are its marks those of format 1.0?"""
        self.plan, self.number, self.resumed, self.tries_again = plan, number, resumed, tries_again
        self._key, self._kinds, self._old_marks = key, kinds_of(plan), old_marks
        self._indexed = {step.index: step for step in plan.steps}
        self._states = {step.index: StepState() for step in plan.steps}
        self._remade: dict[int, Remade] = {}
        self._expected: dict[int, Mapping[str, str]] = {}
        self._outputs: dict[Address, Outputs] = {}
        self._last_begun = 0
        self._lock = threading.Lock()

    @classmethod
    def replay(cls, deployment: Deployment) -> RunState:
        state = cls(
            deployment.plan,
            deployment.number,
            deployment.opened.deployment_key,
            resumed=True,
            tries_again=deployment.tries_again,
            old_marks=deployment.opened.format_version == "1.0",
        )
        for entry in deployment.entries:
            state.record(entry)
        return state

    def record(self, entry: Entry) -> None:
        """Take in an entry of the journal."""
        if isinstance(entry, Opened | Closed):
            return
        step = self._indexed[entry.step]
        with self._lock:
            if isinstance(entry, Began) and not entry.undo and entry.expect:
                self._expected[step.index] = entry.expect
            if isinstance(entry, Began) and entry.remade and self._remade.get(step.index) != entry.remade:
                self._remake(step, entry.remade)
            state = after(self._states[step.index], step, entry)
            self._states[step.index] = state
            if isinstance(entry, Began) and not entry.undo and not entry.aside:
                self._last_begun = max(self._last_begun, step.index)
            if state.outputs is not None:
                self._outputs[step.address] = state.outputs

    def rule_out(self, step: Step) -> None:
        """The newest attempt at the step was certainly not carried out, or is to run again."""
        with self._lock:
            state = self._states[step.index]
            if state.outdated:  # an earlier attempt made something, which is still there
                self._states[step.index] = msgspec.structs.replace(state, open=False)
            else:
                self._states[step.index] = msgspec.structs.replace(state, open=False, outputs=None)
                self._outputs.pop(step.address, None)

    def try_again(self, step: Step, expect: Mapping[str, str]) -> None:
        """The step's effect has failed: its call is to be sent once more. `expect` stands in place of members of what
        the step expects."""
        with self._lock:
            state = self._states[step.index]
            self._states[step.index] = msgspec.structs.replace(state, attempt=state.made_by + 1)
            self._expected[step.index] = expect

    def remake(self, step: Step) -> None:
        """A step that is not begun, made anew from what is live by now, stands for the one of the plan."""
        with self._lock:
            self._remake(step, Remade(call=step.call, undo=step.undo, expect=step.expect))

    def _remake(self, step: Step, remade: Remade) -> None:
        made = msgspec.structs.replace(step, call=remade.call, undo=remade.undo, expect=remade.expect)
        self._remade[step.index], self._indexed[step.index] = remade, made
        steps = tuple(self._indexed[one.index] for one in self.plan.steps)
        self.plan = msgspec.structs.replace(self.plan, steps=steps)  # its digest stays: tokens are made of it

    # --- what is known ---

    @property
    def untouched(self) -> bool:
        """Has nothing been begun?"""
        return all(state == StepState() for state in self._states.values())

    def __getitem__(self, step: Step) -> StepState:
        return self._states[step.index]

    def kind(self, step: Step) -> Kind:
        return self._kinds[step.address]

    def steps_of(self, phase: Phase) -> list[Step]:
        return [step for step in self.plan.steps if step.phase is phase]

    @property
    def outputs(self) -> dict[Address, Outputs]:
        """By address, what steps have made so far."""
        with self._lock:
            return dict(self._outputs)

    def is_pending(self, step: Step) -> bool:
        """Is it to change something, has nothing been sent for it, and does it rely on what it was planned from? What
        reverts a rollout looks at that itself."""
        state = self[step]
        begun = state.begun is not None or state.outputs is not None or bool(state.failed)
        return step.action.changes and not begun and self.reverts(step) is None

    def superseded(self) -> set[Address]:
        """The addresses that another deployment had changed before their step was begun."""
        return {step.address for step in self.plan.steps if self[step].superseded}

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

    def as_sent(self, step: Step) -> Step:
        """The step with what it expects by now: where it was tried again, what is live is not what it was."""
        expect = self._expected.get(step.index)
        return msgspec.structs.replace(step, expect={**step.expect, **expect}) if expect else step

    def began(self, step: Step, at: str, *, undo: bool) -> Began:
        """The entry before its call, or its undo, is sent."""
        state, remade = self[step], self._remade.get(step.index, msgspec.UNSET)
        if undo:
            return Began(at=at, step=step.index, undo=True)
        if not state.attempt:
            return Began(at=at, step=step.index, remade=remade)
        expect = dict(self._expected.get(step.index, {}))
        return Began(at=at, step=step.index, attempt=state.attempt, expect=expect, remade=remade)

    def call_of(self, step: Step) -> Call:
        """The step's call with everything filled in: outputs of earlier steps, its token, and its marker. For a step
        that waits: the call that began what it waits for."""
        if step.action is Action.WAIT:
            return self.awaited(step).call
        call, calls, own = self._filled(step.call), self.kind(step).calls, self._token(step)
        if self[step].attempt:
            call = calls.again(call)
        if not self.makes(step):
            return call
        marker = {calls.marker: f"{self.mark_of(step)}{own}"[:LONGEST_MARK]} if calls.marker else {}
        token = {calls.token: own} if calls.token else {}
        return msgspec.structs.replace(call, params={**marker, **call.params, **token})

    def makes(self, step: Step) -> bool:
        """Is its call the request of its kind, which makes something that can be found by a token or a mark?"""
        return step.call.operation == self.kind(step).declare.table.request.operation

    def wanted(self, step: Step) -> Wanted:
        """What this step is looked for by, where others may have started the same: by the beginning of its mark, which
        all of them have, and by its own in format 1.0."""
        call = self.call_of(step)
        marker, marks = self.kind(step).calls.marker, [mark_of(self.plan.app, self.plan.env, step.address)]
        if self._old_marks and marker not in step.call.params:
            marks.append(str(call.params[marker]))
        return Wanted(address=step.address, marks=tuple(marks), params=call.params)

    def own_runs(self, address: Address) -> set[str]:
        """What is this deployment's own at an address: the marks of its steps, and the ARNs of what they started. A
        mark that the spec declares is not its own."""
        steps = [step for step in self.plan.steps if step.address == address and self.makes(step)]
        marker = self._kinds[address].calls.marker
        marks = {str(self.call_of(step).params[marker]) for step in steps if marker not in step.call.params}
        return marks | {arn for step in steps for arn in (self[step].outputs or {}).get("tasks", "").split()}

    def mark_of(self, step: Step) -> str:
        """The beginning of its mark, which others find it by. Format 1.0 had none."""
        return "ecsplan-" if self._old_marks else mark_of(self.plan.app, self.plan.env, step.address)

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
        """The client token: stable while the same attempt at this step is repeated, unique to this deployment. At most
        64 characters."""
        attempt = self[step].attempt
        text = f"{self.plan.digest}/{self._key}/{step.index}" + (f"/{attempt}" if attempt else "")
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
            step=self.as_sent(step),
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
                step=self.as_sent(step),
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
