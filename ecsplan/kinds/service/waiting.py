"""A step that sends nothing: the service is as declared, and its rollout, which was begun before, is waited for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Action, Call, Doc, Irreversible, Phase, Step
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Awaited, Delta, Progress, StepDraft, Tracked
from ecsplan.kinds.service import rollout
from ecsplan.kinds.service.observe import BACK, observe, on_revision
from ecsplan.kinds.service.read import describe, expected, names

NOTHING_SENT = "nothing was sent: the rollout was under way already"


def wait_step(delta: Delta) -> StepDraft:
    """The wait for the PRIMARY deployment. Where one other revision still runs, the service moves from that one."""
    declared = delta.declared
    others = {arn for arn in delta.live.in_use if short_arn(arn) != short_arn(declared["taskDefinition"])}
    return StepDraft(
        phase=Phase.UPDATE,
        action=Action.WAIT,
        call=describe(declared.get("cluster"), [declared["service"]]),
        undo=Irreversible(reason=NOTHING_SENT),
        note=delta.change.note,
        settings=delta.resource.settings,
        expect={
            "awaits": delta.live.facts.get("deployment") or "",
            "revision": declared["taskDefinition"],
            "previous": others.pop() if len(others) == 1 else "",
        },
    )


def awaited(step: Step) -> Awaited:
    """The update that would have begun it. Raises KeyError and IndexError for a call that names no service."""
    params, expects = step.call.params, expected(step)
    subject = names({**params, "service": params["services"][0]})
    update = Call(service="ecs", operation="update_service", params={**subject, "taskDefinition": expects.revision})
    return Awaited(call=update, outputs={"deployment": expects.awaits})


def judge(tracked: Tracked, answers: Sequence[Doc]) -> Progress:
    """As `rollout.judge`. A step that has no undo ends with the rollout itself: if ECS takes it back, when that is
    over."""
    progress = rollout.judge(tracked, answers)
    if isinstance(tracked.step.undo, Call):
        return progress
    if progress.superseded and tracked.step.action is Action.WAIT and _is_wanted(tracked, answers):
        # The same revision was deployed once more: that is the rollout to wait for.
        anew = dataclasses.replace(tracked, outputs={}, state=None)
        progress = rollout.judge(anew, answers)
    if progress.status is Status.ROLLED_BACK:
        return _until_back(tracked, progress, answers)
    return progress


def _is_wanted(tracked: Tracked, answers: Sequence[Doc]) -> bool:
    observed = observe(tracked, answers)
    return observed is not None and on_revision(observed.primary, tracked.call)


def _until_back(tracked: Tracked, progress: Progress, answers: Sequence[Doc]) -> Progress:
    """ECS is taking it back: how far that is."""
    outputs = {**tracked.outputs, "deployment": "", BACK: "by itself"}
    back = rollout.judge(dataclasses.replace(tracked, outputs=outputs, before=tracked.outputs), answers)
    if back.done and back.status is Status.SUCCEEDED:
        return progress
    if back.done:
        note = f"{progress.note}; {back.note}"
        return dataclasses.replace(progress, note=note, superseded=back.superseded, stated=back.status)
    return dataclasses.replace(back, outputs=progress.outputs, state=progress.state)
