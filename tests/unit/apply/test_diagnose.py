"""Looking up why something failed: one diagnosis by address, and nothing that could keep a deployment from going on."""

from __future__ import annotations

import msgspec

from ecsplan.apply.diagnose import diagnosed
from ecsplan.core import events
from ecsplan.core.model import Action
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Progress, Tracked
from tests.unit.builders import run
from tests.unit.fakes import Rig, stopped
from tests.unit.fakes_kinds import call, step_of

FAILED = Progress(done=True, ok=False, note="it failed")


def one_off(number: int) -> Tracked:
    step = msgspec.structs.replace(run(), index=number)
    outputs = {"tasks": f"arn:aws:ecs:eu-west-1:123456789012:task/prod/{number}"}
    return Tracked(
        kind=kind_of(step.address), step=step, call=call("run_task", taskDefinition="web:1"), outputs=outputs
    )


def test_what_several_requests_started_has_one_diagnosis() -> None:
    rig = Rig()
    rig.aws.tasks |= {1: [stopped(1)], 2: [stopped(1)], 3: [stopped(2)]}
    found = dict(diagnosed([(one_off(number), FAILED) for number in (1, 2, 3)], rig.ports))
    assert [(task.count, task.containers[0].exit_code) for task in found[one_off(1).address].tasks] == [(2, 1), (1, 2)]
    assert [(event.address, event.diagnosis) for event in rig.happened(events.Diagnosed)] == list(found.items())


def test_what_a_kind_knows_nothing_of_has_none() -> None:
    rig = Rig()
    step = step_of("event_targets.nightly", call("put_targets", "events"), action=Action.UPDATE)
    waiting = Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs={})
    assert list(diagnosed([(waiting, FAILED)], rig.ports)) == []
    assert rig.said == []


def test_nothing_failed() -> None:
    assert list(diagnosed([], Rig().ports)) == []
